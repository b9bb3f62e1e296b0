"""What vendors' SDKs and TFLM bring to a firmware's build, as far as that build reads it: enough to compile and link.

The TFLM they name is `tflm_headers/`.
"""

from __future__ import annotations

from pathlib import Path

HEADERS = Path(__file__).resolve().parent / "tflm_headers" / "2026_august"

MAKEFILE = """\
# A stand-in with only what the hook uses: how it is included, and the variables that it appends to.
CC := gcc
CXX := g++
AR := ar
LINK := $(CXX) -std=c++17 -DPOINTER_CONTEXT
MICROLITE_CC_KERNEL_SRCS := kernel.cc
MICROLITE_CC_HDRS :=
INCLUDES := -I$(HEADERS)
WARNINGS := -DTF_LITE_STATIC_MEMORY -Wall -Wextra -Werror
find = $(wildcard $(1)/$(2)) $(foreach entry,$(wildcard $(1)/*),$(call find,$(entry),$(2)))
all: lib.a
include $(call find,$(EXTERNAL_DIR),Makefile_internal.inc)
OBJS := $(addprefix obj/,$(patsubst %.cc,%.o,$(patsubst %.c,%.o,$(MICROLITE_CC_KERNEL_SRCS))))
obj/%.o: %.cc
	@mkdir -p $(dir $@)
	@$(CXX) -std=c++17 $(WARNINGS) $(CXXFLAGS) $(INCLUDES) -c $< -o $@
obj/%.o: %.c
	@mkdir -p $(dir $@)
	@$(CC) -std=c17 $(WARNINGS) $(CFLAGS) $(INCLUDES) -c $< -o $@
lib.a: $(OBJS)
	@$(AR) -r $@ $(OBJS) 2>/dev/null
firmware: lib.a
	@$(LINK) $(INCLUDES) $(MAIN) lib.a $(LDFLAGS) -o $@
headers:
	@echo $(MICROLITE_CC_HDRS)
"""

ARDUINO = """\
#pragma once
#include <stdio.h>
struct Port {
    void begin(long) {}
    void print(const char* text) { printf("%s", text); }
    void println(const char* text) { printf("%s\\n", text); }
};
extern Port Serial;
void delay(unsigned long);
"""

IDF = """\
macro(idf_component_register)
    cmake_parse_arguments(_ "" "" "SRCS;INCLUDE_DIRS;REQUIRES" ${ARGN})
    get_filename_component(name ${CMAKE_CURRENT_LIST_DIR} NAME)
    set(COMPONENT_LIB __idf_${name})
    add_library(${COMPONENT_LIB} STATIC ${__SRCS})
    target_include_directories(${COMPONENT_LIB} PUBLIC ${__INCLUDE_DIRS})
    foreach(needed ${__REQUIRES})
        target_link_libraries(${COMPONENT_LIB} PUBLIC __idf_${needed})
    endforeach()
endmacro()
function(idf_component_optional_requires type)
    target_link_libraries(${COMPONENT_LIB} ${type} tflm)
endfunction()
macro(project name)
    _project(${name} C CXX)
    set(ESP_PLATFORM 1)
    add_library(tflm INTERFACE)
    target_include_directories(tflm INTERFACE @HEADERS@)
    foreach(component ${EXTRA_COMPONENT_DIRS})
        add_subdirectory(${component} component)
    endforeach()
    add_subdirectory(main)
    file(WRITE ${CMAKE_BINARY_DIR}/start.cpp "extern \\"C\\" void app_main(void);\\nint main() { app_main(); }\\n")
    add_executable(firmware ${CMAKE_BINARY_DIR}/start.cpp @LOG@)
    target_link_libraries(firmware PRIVATE __idf_main)
endmacro()
"""

ZEPHYR = """\
enable_language(C CXX)
set(CONFIG_TFLM_SPLIT y)
set(CONFIG_TFLM_SPLIT_OPERATOR y)
add_library(zephyr_interface INTERFACE)
target_include_directories(zephyr_interface INTERFACE @HEADERS@)
add_executable(app @LOG@)
target_link_libraries(app PRIVATE zephyr_interface)
macro(zephyr_library_named name)
    set(ZEPHYR_CURRENT_LIBRARY ${name})
    add_library(${name} STATIC)
    target_link_libraries(${name} PUBLIC zephyr_interface)
    target_link_libraries(app PRIVATE ${name})
endmacro()
function(zephyr_library_sources)
    target_sources(${ZEPHYR_CURRENT_LIBRARY} PRIVATE ${ARGN})
endfunction()
function(zephyr_library_sources_ifdef option)
    zephyr_library_sources(${ARGN})
endfunction()
function(zephyr_library_compile_definitions)
    target_compile_definitions(${ZEPHYR_CURRENT_LIBRARY} PRIVATE ${ARGN})
endfunction()
function(zephyr_library_compile_options)
endfunction()
function(zephyr_include_directories)
    target_include_directories(zephyr_interface INTERFACE ${ARGN})
endfunction()
foreach(module ${ZEPHYR_EXTRA_MODULES})
    add_subdirectory(${module}/zephyr module)
endforeach()
"""


def stand_in(text: str, folder: Path) -> str:
    """The vendor's file, with TFLM's headers and its log."""
    log = folder / "log.cpp"
    log.write_text("#include <tensorflow/lite/micro/micro_log.h>\nvoid MicroPrintf(const char*, ...) {}\n")
    return text.replace("@HEADERS@", str(HEADERS)).replace("@LOG@", str(log))
