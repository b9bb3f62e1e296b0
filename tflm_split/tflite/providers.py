"""Which installed package carries the flatbuffers bindings of the TFLite schema?

The TFLM wheel does where there is one. `ai-edge-litert` carries the same generated file, on more platforms. The file is
loaded by itself: nothing else of these packages is imported, so a wheel that does not import is good enough, and no
interpreter comes in with it.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from tflm_split.errors import ToolError

CHOICE = "TFLM_SPLIT_SCHEMA"
"""The environment variable that names the one provider to use."""

_FILE = "schema_py_generated.py"
_NEEDED = ("Model", "ModelT", "BufferT", "BuiltinOperator", "BuiltinOptions2", "SignatureDefT", "ExternalBufferT")


@dataclass(frozen=True, slots=True)
class Provider:
    """A package that carries the bindings: its name on PyPI, the module it installs, and where the file may lie in it."""

    name: str
    module: str
    folders: tuple[str, ...]

    def files(self) -> Iterator[Path]:
        """The bindings, wherever this environment has them."""
        try:
            spec = importlib.util.find_spec(self.module)
        except (ImportError, ValueError):
            return
        for root in (spec.submodule_search_locations or ()) if spec else ():
            yield from (path for folder in self.folders if (path := Path(root, folder, _FILE)).is_file())


PROVIDERS = (
    # Since October 2026 the wheel has the file below `micro`, before that it had it beside it.
    Provider("tflite-micro", "tflite_micro", ("tensorflow/lite/micro/python", "tensorflow/lite/python")),
    Provider("ai-edge-litert", "ai_edge_litert", (".",)),
    Provider("tensorflow", "tensorflow", ("lite/python",)),
)
"""In the order in which they are tried."""


def load_bindings() -> ModuleType:
    """The bindings of the first provider that has the schema this package needs.

    Raises ToolError, with what to install, if there is none. `TFLM_SPLIT_SCHEMA` in the environment names the one to take.
    """
    try:
        importlib.import_module("flatbuffers")
    except ImportError as error:
        raise ToolError(f"cannot read or write models: {error}; run: pip install flatbuffers") from error
    faults = []
    for provider in _asked_for():
        for path in provider.files():
            module = _load(path)
            missing = [name for name in _NEEDED if not hasattr(module, name)]
            if not missing:
                return module
            faults.append(f"the installed `{provider.name}` has an older schema, without {', '.join(missing)}")
    known = " or ".join(f"`{provider.name}`" for provider in PROVIDERS[:2])
    found = "; ".join(faults) or "no installed package has the schema of .tflite files"
    if sys.platform == "darwin" and platform.machine() == "x86_64":
        raise ToolError(
            f"cannot read or write models: {found}; no wheel for Intel Macs carries it, but the file in another wheel will do: "
            "pip install --no-deps --only-binary=:all: --platform macosx_12_0_arm64 --target \"$(python -c 'import sysconfig; "
            "print(sysconfig.get_path(\"purelib\"))')\" 'ai-edge-litert>=2.3,<3'"
        )
    raise ToolError(f"cannot read or write models: {found}; install {known} in the version this package asks for")


def _asked_for() -> Sequence[Provider]:
    """All providers, or the one that the environment names."""
    name = os.environ.get(CHOICE)
    if not name:
        return PROVIDERS
    chosen = [provider for provider in PROVIDERS if provider.name == name]
    if not chosen:
        known = ", ".join(provider.name for provider in PROVIDERS)
        raise ToolError(f"{CHOICE}={name}: is no provider of the schema; they are {known}")
    return chosen


def _load(path: Path) -> ModuleType:
    """The file as a module of its own, without the package around it."""
    spec = importlib.util.spec_from_file_location("tflm_split.tflite._schema_py_generated", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever a damaged file raises
        raise ToolError(f"{path}: the schema's bindings cannot be loaded: {error}") from error
    return module
