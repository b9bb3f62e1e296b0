"""The wheel is complete; the commands, numbers and figures of README and benchmarks are right."""

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from optimized import optimized

import tflm_split
from tflm_split.native import LIBRARY_PATH
from tflm_split.verify.tflm import PINNED_TFLM_VERSION

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import build_wheels  # noqa: E402  it lies in scripts/

URL = "https://example.org/tflm_split"
README = (ROOT / "README.md").read_text()
BENCHMARKS = (ROOT / "docs" / "benchmarks.md").read_text()
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
    environment = {**os.environ, "TFLM_SPLIT_URL": f"{URL}/"}
    done = subprocess.run(
        [*command, "-w", str(folder), str(copy)], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_fits_every_python_of_one_platform(wheel):
    assert re.fullmatch(rf"tflm_split-{re.escape(tflm_split.__version__)}-py3-none-linux_\w+\.whl", wheel.name)


def test_the_wheel_holds_the_compiled_runtime_its_sources_and_the_package_alone(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert f"tflm_split/native/{LIBRARY_PATH.name}" in names
    assert set(build_wheels.REQUIRED) <= set(names)
    sources = {f"tflm_split/{p.relative_to(ROOT)}" for p in (ROOT / "tflm_runtime_patch").rglob("*") if p.is_file()}
    assert sources <= set(names)
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
    (tflm,) = re.findall(r"^Requires-Dist: tflite-micro(.*)$", metadata, re.MULTILINE)
    assert tflm.startswith(f"=={PINNED_TFLM_VERSION}; ")
    assert 'sys_platform == "linux" and platform_machine == "x86_64"' in tflm
    (schema,) = re.findall(r"^Requires-Dist: ai-edge-litert(.*)$", metadata.split("Provides-Extra")[0], re.MULTILINE)
    assert 'sys_platform == "win32"' in schema
    assert "Requires-Python: >=3.10\n" in metadata
    assert dict(commands["console_scripts"]) == {"tflm-split": "tflm_split.cli:main"}


def test_the_registries_page_links_to_the_repository(wheel):
    with zipfile.ZipFile(wheel) as file:
        metadata = file.read(f"tflm_split-{tflm_split.__version__}.dist-info/METADATA").decode()
    tag = f"v{tflm_split.__version__}"
    assert f"Project-URL: Source, {URL}\n" in metadata
    assert f"]({URL}/raw/{tag}/docs/figures/memory.svg)" in metadata
    assert f"]({URL}/blob/{tag}/SUPPORTED.md)" in metadata
    targets = re.findall(r"\]\(([^)#]+)\)", metadata)
    assert [target for target in targets if "://" not in target] == []


def test_the_sdist_holds_all_that_the_repository_holds(tmp_path):
    """`build_sdist` checks it; a wheel is written the same way each time, with a RECORD that fits."""
    sdist = build_wheels.build_sdist(tmp_path)
    with tarfile.open(sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers()}
    assert {f"tests/{path.name}" for path in (ROOT / "tests").glob("*.py")} <= names
    assert {f"scripts/{path.name}" for path in (ROOT / "scripts").glob("*.py")} <= names


def test_the_same_entries_make_the_same_wheel(tmp_path, wheel):
    with zipfile.ZipFile(wheel) as file:
        entries = {name: file.read(name) for name in file.namelist()}
    first = build_wheels.write_wheel(tmp_path / "a.whl", entries)
    second = build_wheels.write_wheel(tmp_path / "b.whl", dict(reversed(entries.items())))
    assert first.read_bytes() == second.read_bytes()
    with pytest.raises(build_wheels.BuildError, match="lacks"):
        build_wheels.check_wheel(first, ROOT, build_wheels.TARGETS["windows_x64"])
    installed = tmp_path / "installed"
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", installed, wheel],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    code = "import tflm_split; print(tflm_split.runtime_path()); from tflm_split.native.build import is_stale; print(is_stale())"
    clean = {**os.environ, "PYTHONPATH": str(installed)}
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=clean, capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == [str(installed / "tflm_split" / "tflm_runtime_patch"), "False"]


def test_the_lowest_versions_are_those_of_the_bounds():
    import smoke_test

    assert "flatbuffers==24.3.25" in smoke_test.lowest_versions()
    assert not [line for line in smoke_test.lowest_versions() if "tflite" in line]


def test_the_workflow_keeps_to_its_schema():
    pytest.importorskip("check_jsonschema", reason="check-jsonschema is not installed (the extra `test`)")
    path = ROOT / ".github" / "workflows" / "ci.yml"
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_workflow_covers_every_system_and_python_and_calls_scripts_that_are_there():
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    matrix = workflow["jobs"]["install"]["strategy"]["matrix"]
    assert {name.split("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}
    assert matrix["python"] == ["3.10", "3.11", "3.12", "3.13", "3.14"]
    assert {entry["versions"] for entry in matrix["include"]} == {"lowest"}
    calls = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    named = re.findall(r"(?:scripts/\w+\.py|\.ci/run)", " ".join(calls))
    assert {"scripts/smoke_test.py", "scripts/release.py", ".ci/run"} <= set(named)
    assert all((ROOT / name).is_file() for name in named)


def test_a_smoke_test_names_what_is_not_the_same():
    import smoke_test

    found = {"m": {"model": "1", "exported": "2"}}
    smoke_test.compare(found, {**found, "other": {}})
    with pytest.raises(smoke_test.SmokeError, match="m: another exported than expected"):
        smoke_test.compare(found, {"m": {"model": "1", "exported": "3"}})


def _shell_blocks() -> list[str]:
    return [block.strip() for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)]


def test_the_readme_has_two_commands_and_ci_runs_the_second_as_it_stands():
    install, test = _shell_blocks()
    assert "pip install -e ." in install
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
def test_the_numbers_in_the_benchmarks_are_measured(name):
    """To update: `python scripts/bench_memory.py --update`."""
    import bench_memory

    report = optimized(ROOT / "models" / f"{name}.tflite").report
    record = {**report, "int8_io": False, "optimize_seconds": None}
    cells = bench_memory.row(record)[:-1]  # without the seconds, which depend on the machine
    assert "| " + " | ".join(cells) + " |" in BENCHMARKS


def test_the_figure_is_drawn_from_what_is_measured_now():
    """To update: `python scripts/draw_memory.py`."""
    import draw_memory

    assert draw_memory.FIGURE.read_text() == draw_memory.figure(draw_memory.MODEL)


def test_the_fronts_in_the_benchmarks_are_those_that_were_drawn():
    """To update: `python scripts/bench_pareto.py --update`."""
    import bench_pareto

    fronts = json.loads((ROOT / "docs" / "figures" / "front.json").read_text())
    assert len(fronts) >= 5
    assert bench_pareto.front_table(fronts) in BENCHMARKS
    assert bench_pareto.limit_table(fronts) in BENCHMARKS
    drawn = (ROOT / "docs" / "figures" / "front.svg").read_text()
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
