"""Compiles the C runtime for this machine into the wheel; everything else is in setup.cfg.

The library is loaded with ctypes, so it goes by one name and fits every Python: the wheel's tag is py3-none-<platform>.
"""

import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))

from tflm_split.errors import ToolError  # noqa: E402  only importable once the checkout is on the path
from tflm_split.native import LIBRARY_PATH  # noqa: E402
from tflm_split.native.build import compile_host_library, host_sources  # noqa: E402


class BuildHostLibrary(build_ext):
    """Hands the one extension to `compile_host_library`, and calls it what `host_library` looks for."""

    def get_ext_filename(self, fullname: str) -> str:
        return str(Path(*fullname.split(".")).with_suffix(".so"))

    def build_extension(self, ext: Extension) -> None:
        try:
            compile_host_library(Path(self.get_ext_fullpath(ext.name)))
        except ToolError as error:
            raise SystemExit(f"tflm_split: {error}") from error


class AnyPython(bdist_wheel):
    """Nothing in the wheel is bound to an interpreter version, only to a platform."""

    def get_tag(self) -> tuple[str, str, str]:
        return "py3", "none", super().get_tag()[2]


def runtime_files() -> list[str]:
    """Everything under `tflm_runtime_patch/`: the sdist carries it whole, for firmware as for this build. And C headers."""
    found = [path for path in (ROOT / "tflm_runtime_patch").rglob("*") if path.is_file()]
    found += LIBRARY_PATH.parent.glob("*.h")
    return sorted(str(path.relative_to(ROOT)) for path in found)


setup(
    ext_modules=[
        Extension(
            ".".join(LIBRARY_PATH.relative_to(ROOT).with_suffix("").parts),
            sources=[str(path.relative_to(ROOT)) for path in host_sources()],
            depends=runtime_files(),
        )
    ],
    cmdclass={"build_ext": BuildHostLibrary, "bdist_wheel": AnyPython},
)
