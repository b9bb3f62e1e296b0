"""Does the archive for each build hold what that build looks for, and does its example compile there without a warning?

No vendor's SDK is here: the files that its build reads are stand-ins, and so is TFLM (`tflm_headers/`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from cores import CORES, LEVELS
from firmware_stand_ins import ARDUINO, HEADERS, IDF, ZEPHYR, stand_in
from made_once import made_once
from test_every_level import command
from user_models import float_network, small_network

from tflm_split.errors import InputError

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))
import build_firmware_archives as archives  # of scripts/, which is no package

ROOT = Path(__file__).resolve().parent.parent
STRICT = ("-Wall", "-Wextra", "-Werror", "-DTF_LITE_STATIC_MEMORY")
LOOKED_FOR = {
    "arduino": ("library.properties", "src/tflm_split.h", "examples/static_picture/static_picture.ino"),
    "esp-idf": ("idf_component.yml", "CMakeLists.txt", "examples/static_picture/main/main.cpp"),
    "zephyr": ("zephyr/module.yml", "zephyr/Kconfig", "samples/static_picture/prj.conf"),
}
needs_cmake = pytest.mark.skipif(shutil.which("cmake") is None, reason="cmake is not installed")
needs_compilers = pytest.mark.skipif(
    shutil.which("gcc") is None or shutil.which("g++") is None, reason="gcc is not installed"
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "net.tflite"
    path.write_bytes(small_network())
    return path


def picture() -> npt.NDArray[np.int8]:
    return np.random.default_rng(7).integers(-128, 128, (1, 16, 16, 2), np.int8)


def built(folder: Path, model: Path) -> dict[str, Path]:
    """Build -> the archive."""
    made = archives.build_archives(folder, model, picture(), ["a", "b", "c", "d", "e"])
    return dict(zip(archives.ARCHIVES, made, strict=True))


def unpacked(build: str, folder: Path, model: Path) -> Path:
    """The folder that the archive for `build` holds."""
    with zipfile.ZipFile(built(folder, model)[build]) as archive:
        archive.extractall(folder)
    return folder / archives.ARCHIVES[build][0]


def run(*command: str | Path, **environment: str) -> str:
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sources of the operator are compiled once for both CMake builds."""
    objects = made_once("compiled_by_archives", Path.mkdir)
    launcher = f"sh;{ROOT / 'tests' / 'compile_once.sh'};{objects}"
    monkeypatch.setenv("CMAKE_C_COMPILER_LAUNCHER", launcher)
    monkeypatch.setenv("CFLAGS", " ".join(("-DSPLIT_NN_KEEP_OPTIMIZATION", *STRICT)))
    monkeypatch.setenv("CXXFLAGS", " ".join(STRICT))


def test_each_archive_has_one_folder_with_what_its_build_looks_for(tmp_path: Path, model: Path) -> None:
    for build, path in built(tmp_path, model).items():
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        folder = archives.ARCHIVES[build][0]
        assert {name.split("/")[0] for name in names} == {folder}
        assert {f"{folder}/{name}" for name in ("LICENSE", *LOOKED_FOR[build])} <= set(names), build
        assert f"{archives.ARCHIVES[build][2]}/model_data.c" in {name.partition("/")[2] for name in names}


def test_the_same_model_gives_the_same_archives(tmp_path: Path, model: Path) -> None:
    first, second = built(tmp_path / "first", model), built(tmp_path / "second", model)
    assert {build: path.read_bytes() for build, path in first.items()} == {
        build: path.read_bytes() for build, path in second.items()
    }


def test_a_model_that_the_example_cannot_run_is_refused(tmp_path: Path, model: Path) -> None:
    with pytest.raises(InputError, match="has 5 outputs, but there are 2 labels"):
        archives.example_files(model, picture(), ["yes", "no"])
    model.write_bytes(float_network())
    with pytest.raises(InputError, match="int8 input"):
        archives.example_files(model, np.zeros((1, 12, 12, 3), np.int8), ["yes", "no"])


@needs_compilers
def test_the_arduino_example_compiles_as_a_sketch(tmp_path: Path, model: Path) -> None:
    library = unpacked("arduino", tmp_path, model)
    sketch = library / "examples" / "static_picture"
    (tmp_path / "Arduino.h").write_text(ARDUINO)
    (tmp_path / "TensorFlowLite.h").write_text("#pragma once\n")
    include = (f"-I{tmp_path}", f"-I{HEADERS}", f"-I{library / 'src'}")  # Arduino adds src/ alone
    for source in sorted(sketch.iterdir()):
        if source.suffix == ".c":
            run("gcc", "-std=gnu11", *STRICT, "-c", source, "-o", tmp_path / f"{source.stem}.o")
        elif source.suffix != ".h":
            as_cpp = ("-include", "Arduino.h", "-x", "c++") if source.suffix == ".ino" else ()
            out = tmp_path / f"{source.name}.o"
            run(
                "g++",
                "-std=gnu++11",
                *STRICT,
                "-fno-exceptions",
                "-fno-rtti",
                *include,
                *as_cpp,
                "-c",
                source,
                "-o",
                out,
            )
    assert len(list(tmp_path.glob("*.o"))) == 4


@needs_cmake
@needs_compilers
def test_the_esp_idf_example_builds_with_the_component_above_it(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled_once(monkeypatch)
    component = unpacked("esp-idf", tmp_path, model)
    idf = tmp_path / "idf" / "tools" / "cmake"
    idf.mkdir(parents=True)
    (idf / "project.cmake").write_text(stand_in(IDF, tmp_path))
    example, build = component / "examples" / "static_picture", tmp_path / "build"
    run("cmake", "-S", example, "-B", build, IDF_PATH=str(tmp_path / "idf"))
    run("cmake", "--build", build, "-j2")
    assert "AllocateTensors failed" in run(build / "firmware")  # the stand-in for TFLM runs nothing


@needs_cmake
@needs_compilers
def test_the_zephyr_example_builds_with_the_module_above_it(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled_once(monkeypatch)
    module = unpacked("zephyr", tmp_path, model)
    package = tmp_path / "zephyr_base" / "share" / "zephyr-package" / "cmake"
    package.mkdir(parents=True)
    (package / "ZephyrConfig.cmake").write_text(stand_in(ZEPHYR, tmp_path))
    sample, build = module / "samples" / "static_picture", tmp_path / "build"
    run("cmake", "-S", sample, "-B", build, f"-DZephyr_DIR={package}", ZEPHYR_BASE=str(tmp_path / "zephyr_base"))
    run("cmake", "--build", build, "-j2")
    done = subprocess.run([build / "app"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "AllocateTensors failed" in done.stdout  # the stand-in for TFLM runs nothing


@pytest.mark.parametrize("core", CORES)
def test_the_operator_and_the_example_compile_for_every_core_at_every_level(
    core: str, tmp_path: Path, model: Path
) -> None:
    compiler, *flags = command(core)
    compiler_of_cpp = compiler.removesuffix("gcc") + "g++"
    if shutil.which(compiler_of_cpp) is None:
        pytest.skip(f"{compiler_of_cpp} is not installed")
    library = unpacked("arduino", tmp_path, model)
    sketch = library / "examples" / "static_picture"
    include = (f"-I{HEADERS}", f"-I{library / 'src'}", f"-I{sketch}")
    for level in LEVELS:
        common = (*flags, level, *STRICT, *include, "-S", "-o", "/dev/null")
        for source in (library / "src" / "tflm_split_call.c", sketch / "picture.c", sketch / "model_data.c"):
            run(compiler, "-std=gnu11", *common, source)
        for source in (library / "src" / "tflm_split.cpp", sketch / "static_picture.cpp"):
            run(compiler_of_cpp, "-std=gnu++11", "-fno-exceptions", "-fno-rtti", *common, source)
