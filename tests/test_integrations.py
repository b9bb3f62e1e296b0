"""Do the files for TFLM's Makefile, CMake, Arduino, ESP-IDF and Zephyr build every source, in builds like the real ones?

The TFLM these builds use is `tflm_headers/`: stand-ins for three generations of its headers.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from firmware_stand_ins import MAKEFILE
from made_once import made_once
from test_runtime_build import lut_program

from tflm_split.native.build import RUNTIME_FOLDER, executor_headers, executor_sources, executor_units, unit_name

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))
import write_integrations  # of scripts/, which is no package

RUNTIME = RUNTIME_FOLDER
UNITS = executor_units()
TESTS = Path(__file__).parent
HEADERS = TESTS / "tflm_headers"
SOURCES = [*UNITS, RUNTIME / "tflm" / "tflm_split_call.c", RUNTIME / "tflm" / "tflm_split.cc"]
GENERATIONS = {
    "2023_arduino": ("11", "POINTER_CONTEXT;REPORT_ERROR"),
    "2026_august": ("17", "POINTER_CONTEXT"),
    "2026_october": ("17", ""),
}
"""(C++ standard, defines) that the caller in runtime_operator_main.cc needs for each generation of headers."""

needs_cmake = pytest.mark.skipif(shutil.which("cmake") is None, reason="cmake is not installed")
needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
needs_compilers = pytest.mark.skipif(
    shutil.which("gcc") is None or shutil.which("g++") is None, reason="gcc is not installed"
)


@pytest.fixture(autouse=True)
def _each_command_compiles_a_file_once(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most of these builds compile the same files with the same command."""
    objects = made_once("compiled_by_integrations", Path.mkdir)
    compiler = shutil.which("gcc")
    if compiler is None:
        return
    shim = tmp_path_factory.mktemp("compilers") / "gcc"
    shim.write_text(f'#!/bin/sh\nexec sh "{TESTS / "compile_once.sh"}" "{objects}" "{compiler}" "$@"\n')
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{shim.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("CFLAGS", "-DSPLIT_NN_KEEP_OPTIMIZATION")  # -O0 is compiled sooner than -O2
    monkeypatch.setenv("CMAKE_C_COMPILER_LAUNCHER", f"sh;{TESTS / 'compile_once.sh'};{objects}")


def run(*command: str | Path, folder: Path | None = None) -> str:
    """The command's output; fails with it when the command does."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def check_operator(binary: Path, folder: Path) -> None:
    """The linked operator prepares and runs a small program, and refuses what it must."""
    (folder / "program").write_bytes(lut_program())
    assert run(binary, folder / "program", "7", "248") == ""


def cmake_project(folder: Path, text: str) -> Path:
    """Configures and builds a project of this text; its build folder."""
    (folder / "CMakeLists.txt").write_text(text)
    build = folder / "build"
    run("cmake", "-S", folder, "-B", build, "-DCMAKE_BUILD_TYPE=Debug")
    run("cmake", "--build", build, "-j2")
    return build


@needs_cmake
@needs_compilers
def test_cmake_alone_builds_the_executor_and_needs_no_tflm(tmp_path: Path) -> None:
    run("cmake", "-S", RUNTIME, "-B", tmp_path)
    run("cmake", "--build", tmp_path, "-j2")
    assert sorted(path.name for path in tmp_path.glob("*.a")) == ["libsplit_nn.a"]
    assert object_names(tmp_path / "libsplit_nn.a") == sorted(unit.name for unit in UNITS)


def object_names(archive: Path) -> list[str]:
    """The sources whose objects are in an archive, each as often as it is there."""
    return sorted(line.removesuffix(".o") for line in run("ar", "t", archive).splitlines())


@needs_cmake
@needs_compilers
@pytest.mark.parametrize("generation", GENERATIONS)
def test_cmake_users_name_their_tflm_target(generation: str, tmp_path: Path) -> None:
    standard, defines = GENERATIONS[generation]
    build = cmake_project(
        tmp_path,
        f"""
        cmake_minimum_required(VERSION 3.13)
        project(firmware C CXX)
        set(CMAKE_CXX_STANDARD {standard})
        add_library(my_tflm INTERFACE)
        target_include_directories(my_tflm INTERFACE {HEADERS / generation})
        set(TFLM_SPLIT_TFLM_LIBRARY my_tflm)
        add_subdirectory({RUNTIME} tflm_split)
        add_executable(firmware {TESTS / "runtime_operator_main.cc"})
        target_compile_definitions(firmware PRIVATE {defines})
        target_link_libraries(firmware PRIVATE tflm_split)
        """,
    )
    check_operator(build / "firmware", tmp_path)


@needs_cmake
@needs_compilers
def test_cmake_users_may_name_an_include_directory_instead(tmp_path: Path) -> None:
    run("cmake", "-S", RUNTIME, "-B", tmp_path, f"-DTFLM_SPLIT_TFLM_INCLUDE_DIRS={HEADERS / '2026_august'}")
    run("cmake", "--build", tmp_path, "-j2")
    assert object_names(tmp_path / "libtflm_split.a") == ["tflm_split.cc", "tflm_split_call.c"]


@needs_make
@needs_compilers
@pytest.mark.parametrize("above", [False, True], ids=["the_folder_itself", "a_folder_above"])
def test_tflms_makefile_finds_the_operator_in_its_external_directory(above: bool, tmp_path: Path) -> None:
    external = RUNTIME
    if above:
        external = tmp_path / "external"
        external.mkdir()
        (external / "tflm_runtime_patch").symlink_to(RUNTIME)
    (tmp_path / "Makefile").write_text(MAKEFILE)
    (tmp_path / "kernel.cc").write_text("int kernel;\n")
    main = TESTS / "runtime_operator_main.cc"
    options = (f"EXTERNAL_DIR={external}", f"HEADERS={HEADERS / '2026_august'}", f"MAIN={main}")
    run("make", "-j2", *options, "firmware", folder=tmp_path)
    check_operator(tmp_path / "firmware", tmp_path)
    assert object_names(tmp_path / "lib.a") == sorted(["kernel", *(source.stem for source in SOURCES)])
    listed = [Path(name).resolve() for name in run("make", *options, "headers", folder=tmp_path).split()]
    headers = (*executor_headers(), *(RUNTIME / "tflm").glob("*.h"))
    assert sorted(listed) == sorted((*executor_sources(), *headers))


def test_what_write_integrations_writes_is_fresh() -> None:
    assert write_integrations.faults() == []


def test_a_stale_a_missing_and_a_left_over_file_are_named_and_put_right(tmp_path: Path) -> None:
    shutil.copytree(RUNTIME / "src", tmp_path / "src")
    stale, missing, left_over = UNITS[0].name, UNITS[1].name, "split_nn_kernels_dsp_gone.c"
    (tmp_path / "src" / stale).write_text("")
    (tmp_path / "src" / missing).unlink()
    (tmp_path / "src" / left_over).write_text("")
    assert write_integrations.faults(tmp_path) == [
        f"src/{missing} is missing",
        f"src/{stale} is stale",
        f"src/{left_over} belongs to no source",
    ]
    write_integrations.write(tmp_path)
    assert write_integrations.faults(tmp_path) == []


def included_by(unit: Path) -> Path:
    """The source that a file of `src/` hands to the compiler."""
    includes = r'(?:#define SPLIT_NN_COLD 1\n)?#include "../split_nn/split_nn_optimize.h"\n#include "(.+)"\n'
    only = re.fullmatch(includes, unit.read_text())
    assert only is not None
    return (unit.parent / only[1]).resolve()


def test_arduinos_src_includes_every_source_once_under_a_name_of_its_own() -> None:
    operator = [RUNTIME / "tflm" / "tflm_split_call.c", RUNTIME / "tflm" / "tflm_split.cc"]
    units = [path for path in (RUNTIME / "src").iterdir() if path.suffix in (".c", ".cpp")]
    assert sorted(map(included_by, units)) == sorted((*executor_sources(), *operator))
    assert len({unit.stem for unit in units}) == len(units)
    assert {included_by(unit): unit.name for unit in UNITS} == {s: unit_name(s) for s in executor_sources()}


@needs_compilers
def test_arduino_compiles_src_and_a_sketch_includes_one_header(tmp_path: Path) -> None:
    sketch = tmp_path / "sketch.cpp"
    sketch.write_text(
        "#include <tensorflow/lite/c/common.h>\n#include <tflm_split.h>\n"
        "int main() { return tflm_split::Register_TFLM_SPLIT()->prepare == nullptr || split_nn_prepare(nullptr, 0) == 0; }\n"
    )
    flags = ("-O1", "-Wall", "-Wextra", "-Werror", f"-I{HEADERS / '2023_arduino'}", f"-I{RUNTIME / 'src'}", "-c")
    run("gcc", "-std=gnu11", *flags, *sorted((RUNTIME / "src").rglob("*.c")), folder=tmp_path)
    run("g++", "-std=gnu++11", *flags, *sorted((RUNTIME / "src").rglob("*.cpp")), sketch, folder=tmp_path)
    run("g++", *sorted(tmp_path.glob("*.o")), "-o", "sketch", folder=tmp_path)
    run(tmp_path / "sketch")


def test_arduinos_library_properties_are_complete() -> None:
    lines = (RUNTIME / "library.properties").read_text().splitlines()
    properties = dict(line.split("=", 1) for line in lines)
    required = ("name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures")
    assert [key for key in required if key not in properties] == []
    assert (RUNTIME / "src" / properties["includes"]).is_file()
    assert re.fullmatch(r"\d+\.\d+\.\d+", properties["version"])


def yaml_of(path: Path) -> Any:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    return yaml.safe_load(path.read_text())


def test_the_versions_agree() -> None:
    versions = [
        re.search(r'^version[=:] ?"?([\d.]+)"?$', (RUNTIME / name).read_text(), re.MULTILINE)
        for name in ("library.properties", "idf_component.yml")
    ]
    assert [v and v[1] for v in versions] == ["0.1.0", "0.1.0"]


def test_the_idf_manifest_depends_on_nothing_but_idf() -> None:
    manifest = yaml_of(RUNTIME / "idf_component.yml")
    assert manifest["dependencies"] == {"idf": ">=4.4"}


IDF_SCAN = """\
set(ESP_PLATFORM 1)
macro(idf_component_register)
    cmake_parse_arguments(_ "" "" "SRCS;INCLUDE_DIRS" ${{ARGN}})
    message(STATUS "${{__SRCS}}")
    set(seen TRUE)
    return()
endmacro()
include({runtime}/CMakeLists.txt)
"""


@needs_cmake
def test_idf_can_read_the_component_as_a_script(tmp_path: Path) -> None:
    """ESP-IDF collects a component's requirements with cmake -P before it configures anything."""
    (tmp_path / "scan.cmake").write_text(IDF_SCAN.format(runtime=RUNTIME))
    listed = run("cmake", "-P", tmp_path / "scan.cmake")
    names = [Path(name).resolve() for name in listed.removeprefix("-- ").strip().split(";")]
    assert sorted(names) == sorted(SOURCES)


@needs_cmake
@needs_compilers
def test_idf_builds_the_component_with_the_tflm_that_is_there(tmp_path: Path) -> None:
    build = cmake_project(
        tmp_path,
        f"""
        cmake_minimum_required(VERSION 3.16)
        project(firmware C CXX)
        set(ESP_PLATFORM 1)
        add_library(__idf_espressif__esp-tflite-micro INTERFACE)
        target_include_directories(__idf_espressif__esp-tflite-micro INTERFACE {HEADERS / "2026_august"})
        macro(idf_component_register)
            cmake_parse_arguments(_ "" "" "SRCS;INCLUDE_DIRS" ${{ARGN}})
            set(COMPONENT_LIB __idf_tflm_split)
            add_library(${{COMPONENT_LIB}} STATIC ${{__SRCS}})
            target_include_directories(${{COMPONENT_LIB}} PUBLIC ${{__INCLUDE_DIRS}})
        endmacro()
        function(idf_component_optional_requires type)
            foreach(name ${{ARGN}})
                if(TARGET __idf_${{name}})
                    target_link_libraries(${{COMPONENT_LIB}} ${{type}} __idf_${{name}})
                endif()
            endforeach()
        endfunction()
        add_subdirectory({RUNTIME} component)
        add_executable(firmware {TESTS / "runtime_operator_main.cc"})
        target_compile_definitions(firmware PRIVATE POINTER_CONTEXT)
        target_link_libraries(firmware PRIVATE __idf_tflm_split)
        """,
    )
    check_operator(build / "firmware", tmp_path)


def test_zephyrs_module_names_files_that_are_there() -> None:
    module = yaml_of(RUNTIME / "zephyr" / "module.yml")
    assert module["name"] == "tflm_split"
    assert (RUNTIME / module["build"]["cmake"] / "CMakeLists.txt").is_file()
    assert (RUNTIME / module["build"]["kconfig"]).is_file()


def test_zephyrs_cmake_and_kconfig_name_the_same_options() -> None:
    used = set(re.findall(r"CONFIG_(\w+)", (RUNTIME / "zephyr" / "CMakeLists.txt").read_text()))
    defined = set(re.findall(r"^config (\w+)$", (RUNTIME / "zephyr" / "Kconfig").read_text(), re.MULTILINE))
    assert used == defined == {"TFLM_SPLIT", "TFLM_SPLIT_OPERATOR"}


ZEPHYR = """\
cmake_minimum_required(VERSION 3.20)
project(firmware C CXX)
@OPTIONS@
add_library(zephyr_interface INTERFACE)
target_include_directories(zephyr_interface INTERFACE @HEADERS@)
macro(zephyr_library_named name)
    set(ZEPHYR_CURRENT_LIBRARY ${name})
    add_library(${name} STATIC)
    target_link_libraries(${name} PUBLIC zephyr_interface)
endmacro()
function(zephyr_library_sources)
    target_sources(${ZEPHYR_CURRENT_LIBRARY} PRIVATE ${ARGN})
endfunction()
function(zephyr_library_sources_ifdef option)
    if(${option})
        zephyr_library_sources(${ARGN})
    endif()
endfunction()
function(zephyr_library_compile_definitions)
    target_compile_definitions(${ZEPHYR_CURRENT_LIBRARY} PRIVATE ${ARGN})
endfunction()
function(zephyr_library_compile_options)
    target_compile_options(${ZEPHYR_CURRENT_LIBRARY} PRIVATE ${ARGN})
endfunction()
function(zephyr_include_directories)
    target_include_directories(zephyr_interface INTERFACE ${ARGN})
endfunction()
add_subdirectory(@RUNTIME@/zephyr module)
"""


@needs_cmake
@needs_compilers
def test_zephyr_builds_the_executor_alone_or_with_the_operator(tmp_path: Path) -> None:
    text = ZEPHYR.replace("@HEADERS@", str(HEADERS / "2026_august")).replace("@RUNTIME@", str(RUNTIME))
    folders = {name: tmp_path / name for name in ("off", "executor", "operator")}
    for folder in folders.values():
        folder.mkdir()
    cmake_project(folders["off"], text.replace("@OPTIONS@", ""))
    assert list(folders["off"].rglob("*.a")) == []
    executor = cmake_project(folders["executor"], text.replace("@OPTIONS@", "set(CONFIG_TFLM_SPLIT y)"))
    assert object_names(executor / "module" / "libtflm_split.a") == sorted(unit.name for unit in UNITS)
    main = (
        f"add_executable(firmware {TESTS / 'runtime_operator_main.cc'})\n"
        "target_compile_definitions(firmware PRIVATE POINTER_CONTEXT)\n"
        "target_link_libraries(firmware PRIVATE tflm_split)\n"
    )
    options = "set(CONFIG_TFLM_SPLIT y)\nset(CONFIG_TFLM_SPLIT_OPERATOR y)"
    operator = cmake_project(folders["operator"], text.replace("@OPTIONS@", options) + main)
    check_operator(operator / "firmware", tmp_path)
