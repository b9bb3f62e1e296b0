"""The wheel is complete; the README's commands, numbers and figure are right."""

import configparser
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from optimized import optimized

import tflm_split

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
README = (ROOT / "README.md").read_text()
CI = (ROOT / ".ci" / "run").read_text()


SOURCES = ("setup.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE", "tflm_split", "tflm_runtime_patch")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy of the sources with installed tools only."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "sources"
    copy.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        else:
            shutil.copy(ROOT / name, copy)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-build-isolation", "--no-deps", "--no-index"]
    done = subprocess.run([*command, "-w", str(folder), str(copy)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_fits_every_python_of_one_platform(wheel):
    assert re.fullmatch(rf"tflm_split-{re.escape(tflm_split.__version__)}-py3-none-linux_\w+\.whl", wheel.name)


def test_the_wheel_holds_the_compiled_runtime_and_the_package_alone(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert "tflm_split/native/libtflm_split_host.so" in names
    assert "tflm_split/py.typed" in names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"tflm_split"}
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "tflm_split").rglob("*.py")}
    assert modules <= set(names)


def test_the_wheel_asks_for_the_pinned_tflm_and_installs_the_command(wheel):
    with zipfile.ZipFile(wheel) as file:
        info = f"tflm_split-{tflm_split.__version__}.dist-info"
        metadata = file.read(f"{info}/METADATA").decode()
        commands = configparser.ConfigParser()
        commands.read_string(file.read(f"{info}/entry_points.txt").decode())
    assert "Requires-Dist: tflite-micro==0.dev20261023182759\n" in metadata
    assert "Requires-Python: >=3.10\n" in metadata
    assert dict(commands["console_scripts"]) == {"tflm-split": "tflm_split.cli:main"}


def _shell_blocks() -> list[str]:
    return [block.strip() for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)]


def test_the_readme_has_two_commands_and_ci_runs_the_second_as_it_stands():
    install, test = _shell_blocks()
    assert "pip install ." in install
    assert "tflm-split optimize models/" in install
    assert test in CI.splitlines()


def test_what_the_readme_names_is_there():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if "://" not in target:
            assert (ROOT / target).exists(), target
    for path in re.findall(r"(?:models|tflm_runtime_patch|scripts)/[\w/.]+\.\w+", README):
        assert (ROOT / path).exists(), path


def test_the_readme_opens_with_the_problem_and_one_picture():
    assert README[: README.index("## Measured")].count("![") == 1
    assert README.index("RAM") < README.index("![") < README.index("```python")


@pytest.mark.parametrize("name", [path.stem for path in sorted((ROOT / "models").glob("*.tflite"))])
def test_the_readmes_numbers_are_measured(name):
    """To update: `python scripts/bench_memory.py --update`."""
    import bench_memory

    report = optimized(ROOT / "models" / f"{name}.tflite").report
    record = {**report, "int8_io": False, "optimize_seconds": None}
    cells = bench_memory.row(record)[:-1]  # without the seconds, which depend on the machine
    assert "| " + " | ".join(cells) + " |" in README


def test_the_figure_is_drawn_from_what_is_measured_now():
    """To update: `python scripts/draw_memory.py`."""
    import draw_memory

    assert draw_memory.FIGURE.read_text() == draw_memory.figure(draw_memory.MODEL)


def test_the_fronts_in_the_readme_are_those_that_were_drawn():
    """To update: `python scripts/bench_pareto.py --update`."""
    import bench_pareto

    fronts = json.loads((ROOT / "scripts" / "figures" / "front.json").read_text())
    assert len(fronts) >= 5
    assert bench_pareto.front_table(fronts) in README
    assert bench_pareto.limit_table(fronts) in README
    drawn = (ROOT / "scripts" / "figures" / "front.svg").read_text()
    for front in fronts:
        heads = [point["planned_head_bytes"] for point in front["points"]]
        assert f"{front['model']}: {heads[0]:,} to {heads[-1]:,} B" in drawn
        assert heads == sorted(heads, reverse=True)
        assert all(point["verified"]["bit_exact"] for point in front["points"])


def test_the_same_fronts_give_the_same_figure():
    pytest.importorskip("matplotlib", reason="figures are drawn with the extra `report`")
    import draw_front

    fronts = json.loads(draw_front.FRONTS.read_text())
    assert draw_front.figure(fronts) == draw_front.figure(fronts)
    assert "date" not in draw_front.figure(fronts)


def test_the_readmes_claims_about_the_figure_are_its_own():
    import draw_memory

    numbers = set(re.findall(r"\d+,\d+ B", re.search(r"!\[(.*?)\]", README)[1]))
    assert numbers <= set(re.findall(r"\d+,\d+ B", draw_memory.FIGURE.read_text()))
    assert len(numbers) == 3
