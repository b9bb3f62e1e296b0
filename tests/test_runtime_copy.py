"""`tflm-split runtime` writes what a firmware's build needs, whole or not at all."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from split_stages import every_compilation
from tiny_models import Builder

import tflm_split
from tflm_split import cli
from tflm_split.errors import InputError
from tflm_split.export.runtime import BUILDS, CONFIG, kinds_of, runtime_files, write_runtime
from tflm_split.native.sources import RUNTIME_FOLDER
from tflm_split.tflite.reader import read_model

LOOKED_FOR = {
    "cmake": "CMakeLists.txt",
    "make": "Makefile_internal.inc",
    "arduino": "library.properties",
    "esp-idf": "idf_component.yml",
    "zephyr": "zephyr/module.yml",
}


def split_bytes() -> bytes:
    net = Builder((1, 12, 10, 3))
    model = net.finish(net.conv(net.conv(net.input, 8, 3, 3), 2, 3, 3))
    return next(iter(every_compilation(model))).optimized


def code(*arguments: object) -> int:
    with pytest.raises(SystemExit) as left:
        cli.main([str(a) for a in arguments])
    assert isinstance(left.value.code, int)
    return left.value.code


@pytest.mark.parametrize("build", BUILDS)
def test_every_build_finds_its_file_and_every_source(build: str) -> None:
    files = runtime_files(build)
    assert LOOKED_FOR[build] in files
    assert {"LICENSE", "README.md", CONFIG, "tflm/tflm_split.cc"} <= set(files)
    assert not [name for name in files if name.startswith(("boards/", "host/"))]
    others = {name for other, name in LOOKED_FOR.items() if other != build}
    assert not others & set(files) or build == "esp-idf"
    for name, data in files.items():
        for included in re.findall(rb'#include "(\.\.?/[^"]+)"', data):
            path = Path("/" + name).parent / included.decode()
            assert str(Path(*path.resolve().parts[1:])) in files, f"{name} includes {included!r}"


def test_the_copy_leaves_out_kinds_that_no_model_needs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "m_split.tflite"
    model.write_bytes(split_bytes())
    mask = kinds_of([read_model(model)])
    assert code("runtime", model, "-o", tmp_path / "rt", "--for", "cmake") == 0
    assert f"SPLIT_NN_KINDS = {mask:#x}" in capsys.readouterr().out
    assert f"#define SPLIT_NN_KINDS UINT64_C({mask:#x})" in (tmp_path / "rt" / CONFIG).read_text()


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_a_copy_with_fewer_kinds_compiles_and_is_smaller(tmp_path: Path) -> None:
    sizes = []
    for name, mask in (("all", 0), ("few", kinds_of([read_model(split_bytes())]))):
        write_runtime(tmp_path / name, runtime_files("make", mask))
        units = sorted((tmp_path / name / "src").glob("split_nn_core_*.c"))
        units += sorted((tmp_path / name / "src").glob("split_nn_ops_*.c"))
        objects = tmp_path / f"{name}_o"
        objects.mkdir()
        command = ["gcc", "-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-c", *map(str, units)]
        done = subprocess.run(command, cwd=objects, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        sizes.append(sum(path.stat().st_size for path in objects.glob("*.o")))
    assert sizes[1] < 0.8 * sizes[0]


def test_a_copy_is_replaced_with_force_only_and_other_folders_never(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "rt"
    assert code("runtime", "-o", folder) == 0
    (folder / "left_over").write_text("")
    assert code("runtime", "-o", folder) == 2
    assert "holds a copy of the runtime already; --force replaces it" in capsys.readouterr().err
    assert code("runtime", "-o", folder, "--force") == 0
    assert not (folder / "left_over").exists()
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "work.c").write_text("int work;\n")
    assert code("runtime", "-o", mine, "--force") == 2
    assert "is not empty, and no copy of the runtime" in capsys.readouterr().err
    assert [path.name for path in mine.iterdir()] == ["work.c"]
    assert code("runtime", "-o", mine / "work.c") == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "rt"]


def test_a_model_that_is_not_split_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = Builder((1, 4, 4, 2))
    model = tmp_path / "whole.tflite"
    model.write_bytes(net.finish(net.conv(net.input, 2, 1, 1)))
    assert code("runtime", model, "-o", tmp_path / "rt") == 2
    assert "holds no TFLM_SPLIT operator" in capsys.readouterr().err
    assert not (tmp_path / "rt").exists()


def test_an_unknown_build_is_answered_with_those_there_are() -> None:
    with pytest.raises(InputError, match="there are: cmake, make, arduino, esp-idf, zephyr"):
        runtime_files("bazel")


def test_the_package_says_where_the_sources_are() -> None:
    assert tflm_split.runtime_path() == RUNTIME_FOLDER
    assert f'#define TFLM_SPLIT_VERSION "{tflm_split.__version__}"' in (RUNTIME_FOLDER / CONFIG).read_text()
