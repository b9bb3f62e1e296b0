"""Compiles the C runtime for this machine into the wheel, with its sources; everything else is in setup.cfg.

The library is loaded with ctypes, so it goes by one name and fits every Python: the wheel's tag is py3-none-<platform>.
Without a C compiler the wheel is built all the same, without the library; the package's Python twins do its work then.
`TFLM_SPLIT_LIBRARY=no` in the environment asks for that wheel, `TFLM_SPLIT_LIBRARY=yes` makes a failing compiler an error.

The README's links to files of the repository mean nothing on a registry's page. `TFLM_SPLIT_URL` in the environment says
where the repository is; without it the page has the words of such links, and the words in place of pictures.
"""

import os
import re
import shutil
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.errors import CompileError

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))

from tflm_split.errors import ToolError  # noqa: E402  only importable once the checkout is on the path
from tflm_split.native import LIBRARY_PATH  # noqa: E402
from tflm_split.native.build import compile_host_library, host_sources  # noqa: E402
from tflm_split.native.sources import RUNTIME_NAME  # noqa: E402

URL = os.environ.get("TFLM_SPLIT_URL", "").rstrip("/")
LIBRARY = os.environ.get("TFLM_SPLIT_LIBRARY", "try")


class BuildHostLibrary(build_ext):
    """Hands the one extension to `compile_host_library`, and calls it what `host_library` looks for."""

    def get_ext_filename(self, fullname: str) -> str:
        return str(Path(*fullname.split(".")).with_suffix(LIBRARY_PATH.suffix))

    def build_extension(self, ext: Extension) -> None:
        try:
            compile_host_library(Path(self.get_ext_fullpath(ext.name)))
        except ToolError as error:
            if LIBRARY == "yes":
                raise SystemExit(f"tflm_split: {error}") from error
            raise CompileError(f"{error}; the Python twins of its loops will do its work, slowly") from error


class PackageWithRuntime(build_py):
    """The package, with the firmware's sources as `tflm_split/tflm_runtime_patch/`."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib) / "tflm_split" / RUNTIME_NAME
            shutil.rmtree(target, ignore_errors=True)
            for name in runtime_files():
                file = target.parent / name
                file.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, file)
            shutil.copyfile(ROOT / "LICENSE", target / "LICENSE")


class AnyPython(bdist_wheel):
    """Nothing in the wheel is bound to an interpreter version; only the library, where there is one, to a platform."""

    def get_tag(self) -> tuple[str, str, str]:
        built = any(Path(self.bdist_dir).rglob(LIBRARY_PATH.name))
        return "py3", "none", super().get_tag()[2] if built else "any"


def front_page(readme: str, url: str, version: str) -> str:
    """The README for a registry's page: links to files of the repository lead to `url`, or are their words alone."""

    def link(found: re.Match[str]) -> str:
        picture, words, path = found.groups()
        if not url:
            return words
        return f"{picture}[{words}]({url}/{'raw' if picture else 'blob'}/v{version}/{path})"

    return re.sub(r"(!?)\[([^\]]*)\]\((?!https?://|#)([^)]+)\)", link, readme)


def project_urls(url: str) -> dict[str, str]:
    """Where the project is, by the names that registries know."""
    pages = {"Source": "", "Changelog": "/blob/main/CHANGELOG.md", "Issues": "/issues"}
    return {name: url + path for name, path in pages.items()} if url else {}


def runtime_files() -> list[str]:
    """Everything under `tflm_runtime_patch/`: sdist and wheel carry it whole, for firmware as for this build."""
    found = (path for path in (ROOT / RUNTIME_NAME).rglob("*") if path.is_file())
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


INIT = (ROOT / "tflm_split" / "__init__.py").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")

setup(
    long_description=front_page(README, URL, re.search(r'__version__ = "(.+)"', INIT)[1]),
    long_description_content_type="text/markdown",
    project_urls=project_urls(URL),
    ext_modules=[]
    if LIBRARY == "no"
    else [
        Extension(
            ".".join(LIBRARY_PATH.relative_to(ROOT).with_suffix("").parts),
            sources=[path.relative_to(ROOT).as_posix() for path in host_sources()],
            depends=[
                *runtime_files(),
                *(path.relative_to(ROOT).as_posix() for path in LIBRARY_PATH.parent.glob("*.h")),
            ],
            optional=LIBRARY != "yes",
        )
    ],
    cmdclass={"build_ext": BuildHostLibrary, "build_py": PackageWithRuntime, "bdist_wheel": AnyPython},
)
