"""Does every documented way into a firmware lead to an image, for every family of cores, at every level of optimisation?

The six ways of `docs/firmware.md`: TFLM's Makefile, CMake, the archives for Arduino, ESP-IDF and Zephyr, and an exported model
without TFLM. Each is followed as a user would: `tflm-split optimize`, `export` and `runtime` write the files, the archives
are unpacked, and nothing is edited. Every warning is an error. What vendors' SDKs bring is `tests/firmware_stand_ins.py`, and so
is TFLM; all that is ours is compiled and linked. Prints a line per image; exit code 1 if one was not made.

    python scripts/build_everywhere.py
    python scripts/build_everywhere.py --way cmake --core m7 --core m55 --level=-O0
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "scripts")]

import build_firmware_archives as archives  # noqa: E402  it lies in scripts/
from cores import CORES, LEVELS  # noqa: E402  of tests/, which is no package
from firmware_stand_ins import ARDUINO, HEADERS, IDF, MAKEFILE, ZEPHYR, stand_in  # noqa: E402

from tflm_split.board.toolchain import ARM, RISCV  # noqa: E402

STRICT = ("-Wall", "-Wextra", "-Werror", "-DTF_LITE_STATIC_MEMORY")
CPP = ("-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics")
"""What all vendors' SDKs compile C++ with; Debian's cross compilers have no C++ library."""
LINKED = {
    ARM.compiler: ("--specs=rdimon.specs", "-lm"),
    # The sizes of an ESP32-C3 rather than what picolibc's script takes: 64 KB of flash and 32 KB of RAM.
    RISCV.compiler: ("--oslib=semihost", "-lm", "-Wl,--defsym=__flash_size=4M", "-Wl,--defsym=__ram_size=320K"),
    # One object: an ESP8266 has functions of the compiler's library in its ROM, and Debian's has them not.
    "xtensa-lx106-elf-gcc": ("-nostdlib", "-r", "-T/dev/null", "-Wl,--no-relax,--no-gc-sections"),
}
"""Compiler -> how its objects are linked with Debian's C library."""


class NotBuilt(Exception):
    """A build failed. The message is what the compiler says."""


@dataclass(frozen=True)
class Tools:
    """The compilers for one core at one level."""

    core: str
    level: str

    @property
    def flags(self) -> tuple[str, ...]:
        return (*CORES[self.core][1:], self.level)

    @property
    def c(self) -> str:
        return CORES[self.core][0]

    def tool(self, name: str) -> str:
        """Its `g++` or `ar`."""
        return self.c.removesuffix("gcc") + name

    @property
    def link_flags(self) -> tuple[str, ...]:
        return LINKED[self.c]

    def objects(
        self, folder: Path, sources: Sequence[Path], include: Sequence[Path], standard: str = "11"
    ) -> list[str]:
        """The sources, compiled one by one, as Arduino does."""
        made = []
        for source in sources:
            is_c = source.suffix == ".c"
            compiler = [self.c, f"-std=gnu{standard}"] if is_c else [self.tool("g++"), f"-std=gnu++{standard}", *CPP]
            sketch = () if source.suffix != ".ino" else ("-include", "Arduino.h", "-x", "c++")
            made.append(str(folder / f"{source.name}.o"))
            where = [f"-I{path}" for path in include]
            run(*compiler, *self.flags, *STRICT, *where, *sketch, "-c", source, "-o", made[-1])
        return made

    def image(self, folder: Path, objects: Sequence[str]) -> Path:
        """The objects, linked."""
        run(self.c, *self.flags, *objects, *self.link_flags, "-o", folder / "firmware")
        return folder / "firmware"

    def cmake(self, source: Path, build: Path, *definitions: str, **environment: str) -> None:
        """Configures and builds a project, without a build type, as for a machine without an operating system."""
        link = f"<CMAKE_C_COMPILER> <FLAGS> <OBJECTS> <LINK_LIBRARIES> {' '.join(self.link_flags)} -o <TARGET>"
        settings = {
            "CMAKE_SYSTEM_NAME": "Generic",
            "CMAKE_TRY_COMPILE_TARGET_TYPE": "STATIC_LIBRARY",
            "CMAKE_C_COMPILER": self.c,
            "CMAKE_CXX_COMPILER": self.tool("g++"),
            "CMAKE_C_FLAGS": " ".join((*self.flags, *STRICT)),
            "CMAKE_CXX_FLAGS": " ".join((*self.flags, *STRICT, *CPP)),
            "CMAKE_C_LINK_EXECUTABLE": link,
            # Not by g++, which asks for a C++ library; the flags of C++ are no hindrance to an object.
            "CMAKE_CXX_LINK_EXECUTABLE": link,
        }
        words = (*(f"-D{name}={value}" for name, value in settings.items()), *definitions)
        run("cmake", "-S", source, "-B", build, *words, **environment)
        run("cmake", "--build", build)


@dataclass(frozen=True)
class Sources:
    """What the ways begin with, in `folder`: each made when the first way asks for it."""

    folder: Path
    model: Path
    picture: npt.NDArray[np.int8]
    labels: Sequence[str]

    def ours(self, *arguments: str | Path) -> None:
        run(sys.executable, "-m", "tflm_split", *arguments, PYTHONPATH=str(ROOT))

    @cached_property
    def split(self) -> Path:
        path = self.folder / "model_split.tflite"
        self.ours("optimize", self.model, "-o", path, "--effort", "low", "--no-verify")
        return path

    @cached_property
    def exported(self) -> Path:
        self.ours("export", self.split, "-o", self.folder / "generated")
        return self.folder / "generated"

    def runtime(self, build: str) -> Path:
        path = self.folder / "lib" / build
        if not path.exists():
            self.ours("runtime", self.split, "-o", path, "--for", build)
        return path

    @cached_property
    def zips(self) -> Mapping[str, Path]:
        made = archives.build_archives(self.folder / "archives", self.model, self.picture, self.labels)
        return dict(zip(archives.ARCHIVES, made, strict=True))

    def unpacked(self, build: str) -> Path:
        """The folder of the archive for `build`, fresh or as it was unpacked before."""
        folder = self.folder / build
        if not folder.exists():
            with zipfile.ZipFile(self.zips[build]) as archive:
                archive.extractall(folder)
        return folder / archives.ARCHIVES[build][0]

    @property
    def application(self) -> list[Path]:
        """A firmware that calls TFLM: the archives' example, with the model that it holds."""
        return sorted(
            path
            for path in (self.unpacked("zephyr") / "samples" / "static_picture" / "src").iterdir()
            if path.suffix in (".c", ".cpp")
        )


def by_make(sources: Sources, tools: Tools, folder: Path) -> Path:
    external = sources.runtime("make")
    (folder / "Makefile").write_text(MAKEFILE)
    (folder / "kernel.cc").write_text("int kernel;\n")
    (folder / "application").mkdir()
    include = (external / "tflm", HEADERS)
    objects = tools.objects(folder / "application", [*sources.application, log(folder)], include)
    settings = {
        "EXTERNAL_DIR": external,
        "HEADERS": HEADERS,
        "CC": tools.c,
        "CXX": tools.tool("g++"),
        "AR": tools.tool("ar"),
        "CFLAGS": " ".join(tools.flags),
        "CXXFLAGS": " ".join((*tools.flags, *CPP)),
        "LINK": " ".join((tools.c, *tools.flags)),
        "LDFLAGS": " ".join(tools.link_flags),
        "MAIN": " ".join(objects),
    }
    words = [f"{name}={value}" for name, value in settings.items()]
    run("make", "-C", folder, *words, "firmware")
    return folder / "firmware"


def by_cmake(sources: Sources, tools: Tools, folder: Path) -> Path:
    (folder / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.13)\nproject(firmware C CXX)\nadd_library(my_tflm INTERFACE)\n"
        f"target_include_directories(my_tflm INTERFACE {HEADERS})\nset(TFLM_SPLIT_TFLM_LIBRARY my_tflm)\n"
        f"add_subdirectory({sources.runtime('cmake')} tflm_split)\n"
        f"add_executable(firmware {' '.join(map(str, sources.application))} {log(folder)})\n"
        "target_link_libraries(firmware PRIVATE tflm_split)\n"
    )
    tools.cmake(folder, folder / "build")
    return folder / "build" / "firmware"


def by_arduino(sources: Sources, tools: Tools, folder: Path) -> Path:
    library = sources.unpacked("arduino")
    sketch = library / "examples" / "static_picture"
    (folder / "Arduino.h").write_text(ARDUINO)
    (folder / "TensorFlowLite.h").write_text("#pragma once\n")
    (folder / "start.cpp").write_text(
        '#include "Arduino.h"\nPort Serial;\nvoid delay(unsigned long) {}\nvoid setup();\nvoid loop();\n'
        "int main() {\n    setup();\n    loop();\n}\n"
    )
    files = [
        path for path in (*(library / "src").iterdir(), *sketch.iterdir()) if path.suffix in (".c", ".cpp", ".ino")
    ]
    include = (folder, HEADERS, library / "src")  # Arduino adds src/ alone
    return tools.image(folder, tools.objects(folder, sorted([*files, folder / "start.cpp", log(folder)]), include))


def by_esp_idf(sources: Sources, tools: Tools, folder: Path) -> Path:
    idf = folder / "idf" / "tools" / "cmake"
    idf.mkdir(parents=True)
    (idf / "project.cmake").write_text(stand_in(IDF, folder))
    example = sources.unpacked("esp-idf") / "examples" / "static_picture"
    tools.cmake(example, folder / "build", IDF_PATH=str(folder / "idf"))
    return folder / "build" / "firmware"


def by_zephyr(sources: Sources, tools: Tools, folder: Path) -> Path:
    package = folder / "zephyr" / "share" / "zephyr-package" / "cmake"
    package.mkdir(parents=True)
    (package / "ZephyrConfig.cmake").write_text(stand_in(ZEPHYR, folder))
    sample = sources.unpacked("zephyr") / "samples" / "static_picture"
    tools.cmake(sample, folder / "build", f"-DZephyr_DIR={package}", ZEPHYR_BASE=str(folder / "zephyr"))
    return folder / "build" / "app"


def by_export(sources: Sources, tools: Tools, folder: Path) -> Path:
    (folder / "main.c").write_text('#include "model.h"\nint main(void) { return model_init() || model_invoke(); }\n')
    runtime = sources.runtime("cmake")
    files = [*sorted((runtime / "src").glob("split_nn_*.c")), sources.exported / "model.c", folder / "main.c"]
    include = (sources.exported, runtime / "split_nn")
    return tools.image(folder, tools.objects(folder, files, include, standard="99"))


WAYS: Mapping[str, Callable[[Sources, Tools, Path], Path]] = {
    "make": by_make,
    "cmake": by_cmake,
    "arduino": by_arduino,
    "esp-idf": by_esp_idf,
    "zephyr": by_zephyr,
    "export": by_export,
}


def log(folder: Path) -> Path:
    """TFLM's log function, which `stand_in` writes."""
    stand_in("", folder)
    return folder / "log.cpp"


def run(*command: str | Path, **environment: str) -> str:
    """What a command prints. Raises NotBuilt with what it says if it fails."""
    clean = {k: v for k, v in os.environ.items() if k not in ("CFLAGS", "CXXFLAGS", "LDFLAGS")}
    done = subprocess.run(
        list(map(str, command)), env={**clean, **environment}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NotBuilt(f"{Path(command[0]).name}: {(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout


def build(sources: Sources, way: str, core: str, level: str) -> int:
    """The bytes of the image that was made. Raises NotBuilt if none was."""
    with tempfile.TemporaryDirectory(dir=sources.folder) as folder:
        tools = Tools(core, level)
        image = WAYS[way](sources, tools, Path(folder))
        missing = [line for line in run(tools.tool("nm"), "-u", image).splitlines() if "split" in line]
        if missing:
            raise NotBuilt(f"{image.name} lacks functions of ours: {missing}")
        return image.stat().st_size


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--way", action="append", choices=tuple(WAYS))
    parser.add_argument("--core", action="append", choices=tuple(CORES))
    parser.add_argument("--level", action="append", choices=LEVELS)
    options = parser.parse_args(arguments)
    missing = {CORES[core][0] for core in options.core or CORES if shutil.which(CORES[core][0]) is None}
    if missing:
        parser.error(f"not installed: {', '.join(sorted(missing))}")
    made, failed = 0, 0
    with tempfile.TemporaryDirectory() as scratch:
        sources = Sources(Path(scratch), archives.DIGITS, archives.digit(), "0123456789")
        for way in options.way or WAYS:
            for core in options.core or CORES:
                for level in options.level or LEVELS:
                    start = time.monotonic()
                    try:
                        size = build(sources, way, core, level)
                        made += 1
                        said = f"{size:,} bytes, {time.monotonic() - start:.1f} s"
                    except NotBuilt as error:
                        failed += 1
                        said = f"NOT BUILT: {error}"
                    print(f"{way} {core} {level}: {said}", flush=True)
    print(f"{made} images made, {failed} not")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
