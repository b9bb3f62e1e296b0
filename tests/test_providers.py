"""Every package that carries the schema's bindings gives the same files; what is read back elsewhere is what was written."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from optimized import optimized

from tflm_split.errors import ToolError
from tflm_split.tflite import providers, schema
from tflm_split.tflite.providers import CHOICE, PROVIDERS, Provider, load_bindings

ROOT = Path(__file__).resolve().parent.parent
MODELS = sorted((ROOT / "models").glob("*.tflite"))
CORPUS = sorted((ROOT.parent / "shared").glob("c*/**/*.tflite"))
"""Real models and small cases, where they are there. One of them is broken, on purpose."""
BROKEN = [path.stem for path in CORPUS if path.stem.endswith("_broken")]
INSTALLED = [p.name for p in PROVIDERS if next(p.files(), None)]

PACKED = """
import hashlib, json, sys
from pathlib import Path
from tflm_split.tflite import schema

def packed(path):
    try:
        return hashlib.sha256(schema.pack(schema.unpack(Path(path).read_bytes()))).hexdigest()
    except Exception as error:
        return repr(error)

hashes = {path: packed(path) for path in sys.argv[1:]}
print(json.dumps([schema.bindings().__spec__.origin, hashes]))
"""


def packed(provider: str) -> tuple[str, dict[str, str]]:
    """Where the provider's bindings lie, and the hash of every file that they read and wrote again."""
    command = [sys.executable, "-c", PACKED, *map(str, (*MODELS, *CORPUS))]
    environment = {"PATH": "", CHOICE: provider}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    origin, hashes = json.loads(done.stdout)
    return origin, hashes


def test_two_providers_are_installed_for_the_tests() -> None:
    assert {"tflite-micro", "ai-edge-litert"} <= set(INSTALLED)


def test_every_provider_writes_the_same_bytes() -> None:
    found = {name: packed(name) for name in INSTALLED}
    assert len({origin for origin, _ in found.values()}) == len(INSTALLED)
    (hashes,) = {json.dumps(hashes) for _, hashes in found.values()}
    assert [Path(path).stem for path, found in json.loads(hashes).items() if len(found) != 64] == BROKEN


@pytest.fixture
def fresh() -> Iterator[None]:
    """Bindings are looked for anew, before and after."""
    schema.bindings.cache_clear()
    yield
    schema.bindings.cache_clear()


def test_without_any_provider_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, fresh: None) -> None:
    monkeypatch.setattr(providers, "PROVIDERS", (Provider("none", "no_such_package", (".",)),))
    with pytest.raises(ToolError, match=r"no installed package has the schema.*install `none`"):
        schema.bindings()


def test_on_an_intel_mac_the_error_says_how_to_get_the_one_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "PROVIDERS", ())
    monkeypatch.setattr(providers.sys, "platform", "darwin")
    monkeypatch.setattr(providers.platform, "machine", lambda: "x86_64")
    with pytest.raises(ToolError, match=r"--platform macosx_12_0_arm64 .*ai-edge-litert"):
        load_bindings()


def test_an_unknown_choice_is_answered_with_the_providers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CHOICE, "flatc")
    with pytest.raises(ToolError, match="they are tflite-micro, ai-edge-litert, tensorflow"):
        load_bindings()


def test_an_older_schema_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "old_schema_package"
    old.mkdir()
    (old / "__init__.py").write_text("raise RuntimeError('nothing but the schema is imported')\n")
    (old / "schema_py_generated.py").write_text("class Model: pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    stale = Provider("old", "old_schema_package", (".",))
    monkeypatch.setattr(providers, "PROVIDERS", (stale, *PROVIDERS))
    assert hasattr(load_bindings(), "ModelT")
    monkeypatch.setattr(providers, "PROVIDERS", (stale,))
    with pytest.raises(ToolError, match="`old` has an older schema, without ModelT"):
        load_bindings()


def test_bindings_whose_constructors_take_nothing_are_good_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """So were those of `tflite-micro` wheels until 2025; the fields are the same."""

    class BufferT:
        def __init__(self) -> None:
            self.data = None

    monkeypatch.setattr(schema, "bindings", lambda: SimpleNamespace(BufferT=BufferT))
    assert schema.new("BufferT", data=[1, 2]).data == [1, 2]
    with pytest.raises(AttributeError, match="dat"):
        schema.new("BufferT", dat=[1])


def test_bindings_that_do_not_load_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken_package"
    broken.mkdir()
    (broken / "schema_py_generated.py").write_text("1/0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(providers, "PROVIDERS", (Provider("broken", "broken_package", (".",)),))
    with pytest.raises(ToolError, match="cannot be loaded: division by zero"):
        load_bindings()


@pytest.mark.skipif(importlib.util.find_spec("tflite") is None, reason="the package tflite is not installed")
@pytest.mark.parametrize("name", ["digits_dscnn", "digits_dscnn_float"])
def test_an_independent_reader_finds_what_was_written(name: str) -> None:
    """The package `tflite` was generated from its own copy of the schema, and shares no code with ours."""
    import tflite

    result = optimized(ROOT / "models" / f"{name}.tflite")
    model = tflite.Model.GetRootAs(result.model, 0)
    graph = model.Subgraphs(0)
    codes = [model.OperatorCodes(graph.Operators(k).OpcodeIndex()) for k in range(graph.OperatorsLength())]
    assert result.model[4:8] == b"TFL3"
    assert model.Version() == 3
    assert [code.CustomCode() for code in codes].count(b"TFLM_SPLIT") == result.report["optimized"]["regions"]
    (plan,) = (
        model.Buffers(model.Metadata(k).Buffer()).DataAsNumpy().view("<i4")
        for k in range(model.MetadataLength())
        if model.Metadata(k).Name() == b"OfflineMemoryAllocation"
    )
    assert plan[2] == graph.TensorsLength() == len(plan) - 3
    used = [graph.Tensors(k).ShapeAsNumpy() for k in range(graph.TensorsLength()) if plan[3 + k] >= 0]
    assert used
    program = graph.Tensors(next(op for op in _regions(model, graph)).InputsAsNumpy()[-1])
    blob = model.Buffers(program.Buffer()).DataAsNumpy().tobytes()
    assert hashlib.sha256(blob).hexdigest() in {hashlib.sha256(known).hexdigest() for known in _programs(result.model)}


def _regions(model: object, graph: object) -> Iterator[object]:
    for k in range(graph.OperatorsLength()):  # type: ignore[attr-defined]
        op = graph.Operators(k)  # type: ignore[attr-defined]
        if model.OperatorCodes(op.OpcodeIndex()).CustomCode() == b"TFLM_SPLIT":  # type: ignore[attr-defined]
            yield op


def _programs(model: bytes) -> list[bytes]:
    from tflm_split.program.in_model import programs_of
    from tflm_split.tflite.reader import read_model

    return list(programs_of(read_model(model)).values())
