"""Builds the sdist and the wheels of every platform on one Linux machine, and checks what is in them.

The sdist is made first. Everything else is built from the unpacked sdist, so it is complete. The wheel without a C library
(`py3-none-any`) fits every machine; there the Python twins do the work. Each platform's wheel is the same with the library
compiled by `zig cc` (package `ziglang`) for that platform, on glibc 2.17, macOS 11 (Arm) or 10.13 (Intel), or Windows. The
same sources give the same files, byte for byte: entries are sorted and carry a fixed date.

    python scripts/build_wheels.py -o dist
    python scripts/build_wheels.py -o dist --only linux_aarch64
"""

from __future__ import annotations

import argparse
import base64
import csv
import hashlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATE = (2026, 1, 1, 0, 0, 0)
"""Of every entry of every wheel."""
EXPORTED = ("split_nn_prepare", "split_nn_run", "split_nn_status_text")
REQUIRED = (
    "tflm_split/py.typed",
    "tflm_split/analysis/instructions.json",
    "tflm_split/analysis/stock_instructions.json",
    "tflm_split/native/squeeze.c",
    "tflm_split/tflm_runtime_patch/LICENSE",
    "tflm_split/tflm_runtime_patch/CMakeLists.txt",
    "tflm_split/tflm_runtime_patch/Makefile_internal.inc",
    "tflm_split/tflm_runtime_patch/library.properties",
    "tflm_split/tflm_runtime_patch/idf_component.yml",
    "tflm_split/tflm_runtime_patch/zephyr/module.yml",
    "tflm_split/tflm_runtime_patch/boards/common/main.c",
    "tflm_split/tflm_runtime_patch/host/pip_operator.c",
)
IN_SDIST = (
    ".ci/run", ".clang-format", ".importlinter", "CHANGELOG.md", "CONTRIBUTING.md", "docs/record.schema.json",
    "LICENSE", "MANIFEST.in", "README.md", "RESULTS.md", "SECURITY.md", "SUPPORTED.md", "mkdocs.yml",
    "models/digits_dscnn.tflite", "scripts/build_wheels.py", "setup.cfg", "setup.py", "tests/conftest.py",
    "tests/heads.tsv", "tflm_runtime_patch/CMakeLists.txt", "tflm_split/README.md",
)  # fmt: skip


@dataclass(frozen=True)
class Target:
    """A platform: the wheel's tag, zig's name of it, `sys.platform` there, and how the library's file begins."""

    tag: str
    zig: str
    system: str
    magic: bytes


TARGETS: Mapping[str, Target] = {
    "linux_x86_64": Target("manylinux_2_17_x86_64.manylinux2014_x86_64", "x86_64-linux-gnu.2.17", "linux", b"\x7fELF"),
    "linux_aarch64": Target(
        "manylinux_2_17_aarch64.manylinux2014_aarch64", "aarch64-linux-gnu.2.17", "linux", b"\x7fELF"
    ),
    "macos_arm64": Target("macosx_11_0_arm64", "aarch64-macos.11.0", "darwin", b"\xcf\xfa\xed\xfe\x0c\x00\x00\x01"),
    "macos_x86_64": Target("macosx_10_13_x86_64", "x86_64-macos.10.13", "darwin", b"\xcf\xfa\xed\xfe\x07\x00\x00\x01"),
    "windows_x64": Target("win_amd64", "x86_64-windows-gnu", "win32", b"MZ"),
}


COMPILE_S = 3600
"""The first time zig compiles the C library of Windows, too, which takes minutes."""


class BuildError(Exception):
    """Something is not as it must be. The message is one sentence."""


def build_sdist(output: Path) -> Path:
    """The sdist of this checkout, checked."""
    with tempfile.TemporaryDirectory() as scratch:
        code = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
        _run([sys.executable, "-c", code, scratch], ROOT, os.environ)
        (made,) = Path(scratch).glob("*.tar.gz")
        path = Path(shutil.move(made, output / made.name))
    name = path.name
    with tarfile.open(path) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers()}
    missing = [name for name in IN_SDIST if name not in names]
    missing += sorted(p for p in _tracked() if p not in names)
    left_over = sorted(n for n in names if re.search(r"\.(so|dll|dylib|pyc)$|__pycache__", n))
    if missing or left_over:
        raise BuildError(f"{name}: lacks {missing[:5]}, and holds {left_over[:5]}")
    return path


def _tracked() -> list[str]:
    """What the repository holds, where this is one; else nothing."""
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.split() if done.returncode == 0 and (ROOT / ".git").exists() else []


def unpacked(sdist: Path, folder: Path) -> Path:
    """The folder that the sdist holds."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (root,) = folder.iterdir()
    return root


def build_pure_wheel(sources: Path, output: Path) -> Path:
    """The wheel without a library, built from `sources` by a process of its own, and written again with fixed dates."""
    with tempfile.TemporaryDirectory() as scratch:
        code = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
        environment = {**os.environ, "TFLM_SPLIT_LIBRARY": "no"}
        _run([sys.executable, "-c", code, scratch], sources, environment)
        (made,) = Path(scratch).glob("*.whl")
        with zipfile.ZipFile(made) as wheel:
            entries = {name: wheel.read(name) for name in wheel.namelist() if not name.endswith("/")}
        return write_wheel(output / made.name, entries)


def build_platform_wheel(pure: Path, sources: Path, target: Target, output: Path) -> Path:
    """The wheel of one platform: the pure one and the library."""
    sys.path.insert(0, str(sources))
    library = _library_of(sources, target)
    with zipfile.ZipFile(pure) as wheel:
        entries = {name: wheel.read(name) for name in wheel.namelist()}
    name = next(name for name in entries if name.endswith(".dist-info/WHEEL"))
    tags = "".join(f"Tag: py3-none-{tag}\n" for tag in target.tag.split("."))
    entries[name] = (
        entries[name]
        .decode()
        .replace("Root-Is-Purelib: true", "Root-Is-Purelib: false")
        .replace("Tag: py3-none-any\n", tags)
    ).encode()
    entries[f"tflm_split/native/{_library_name(target)}"] = library
    return write_wheel(output / pure.name.replace("-any.whl", f"-{target.tag}.whl"), entries)


def _library_name(target: Target) -> str:
    from tflm_split.native import library_name

    return library_name(target.system)


def _library_of(sources: Path, target: Target) -> bytes:
    """The library, compiled from the unpacked sdist in a process of its own: this one has other sources loaded."""
    compiler = f"{shlex.quote(sys.executable)} -m ziglang cc -target {target.zig} -s"
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / _library_name(target)
        code = (
            "import sys; from pathlib import Path; from tflm_split.native.build import compile_host_library; "
            f"compile_host_library(Path(sys.argv[1]), cc=sys.argv[2], system=sys.argv[3], timeout_s={COMPILE_S})"
        )
        _run(
            [sys.executable, "-c", code, str(path), compiler, target.system], sources, {**os.environ, "PYTHONPATH": "."}
        )
        return path.read_bytes()


def write_wheel(path: Path, entries: Mapping[str, bytes]) -> Path:
    """A wheel with these entries, sorted, and a RECORD that fits them. The same entries give the same bytes."""
    record = next(name for name in entries if name.endswith(".dist-info/RECORD"))
    rows = io.StringIO()
    writer = csv.writer(rows, lineterminator="\n")
    for name in sorted(entries):
        if name != record:
            digest = base64.urlsafe_b64encode(hashlib.sha256(entries[name]).digest()).rstrip(b"=").decode()
            writer.writerow([name, f"sha256={digest}", len(entries[name])])
    writer.writerow([record, "", ""])
    contents = {**entries, record: rows.getvalue().encode()}
    order = sorted(contents, key=lambda name: (".dist-info/" in name, name))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as wheel:
        for name in order:
            info = zipfile.ZipInfo(name, DATE)
            info.external_attr = (0o755 if name.endswith((".so", ".dylib", ".dll")) else 0o644) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            wheel.writestr(info, contents[name])
    return path


def check_wheel(path: Path, sources: Path, target: Target | None) -> None:
    """Raise BuildError unless the wheel holds the package, the firmware's sources and, for `target`, its library."""
    with zipfile.ZipFile(path) as wheel:
        entries = {name: wheel.read(name) for name in wheel.namelist()}
    info = next(name for name in entries if name.endswith(".dist-info/WHEEL"))
    wanted = set(REQUIRED) | {p.relative_to(sources).as_posix() for p in (sources / "tflm_split").rglob("*.py")}
    runtime = (p for p in (sources / "tflm_runtime_patch").rglob("*") if p.is_file())
    wanted |= {f"tflm_split/{p.relative_to(sources).as_posix()}" for p in runtime}
    missing = sorted(wanted - set(entries))
    strange = sorted({name.split("/")[0] for name in entries} - {"tflm_split", info.split("/")[0]})
    libraries = sorted(name for name in entries if name.endswith((".so", ".dylib", ".dll")))
    expected = [f"tflm_split/native/{_library_name(target)}"] if target else []
    tags = re.findall(r"^Tag: py3-none-(\S+)$", entries[info].decode(), re.MULTILINE)
    if missing or strange or libraries != expected or tags != (target.tag.split(".") if target else ["any"]):
        raise BuildError(f"{path.name}: lacks {missing[:5]}, has {strange} and {libraries}, and the tags {tags}")
    if target:
        _check_library(path.name, entries[expected[0]], target)


def _check_library(wheel: str, library: bytes, target: Target) -> None:
    exported = (*EXPORTED, *(("TFLM_SPLIT",) if target.system == "linux" else ()))
    if not library.startswith(target.magic) or not all(name.encode() in library for name in exported):
        raise BuildError(f"{wheel}: its library is not for {target.zig}, or lacks a function")
    if target.system != "linux":
        return
    from elftools.elf.elffile import ELFFile

    elf = ELFFile(io.BytesIO(library))
    machine = {"x86_64": "EM_X86_64", "aarch64": "EM_AARCH64"}[target.zig.split("-")[0]]
    needed = {tag.needed for tag in elf.get_section_by_name(".dynamic").iter_tags() if tag.entry.d_tag == "DT_NEEDED"}
    versions = {tuple(map(int, v.split(b"."))) for v in re.findall(rb"GLIBC_([\d.]+)", library)}
    if elf["e_machine"] != machine or not needed <= {"libc.so.6", "libdl.so.2", "libm.so.6"} or max(versions) > (2, 17):
        raise BuildError(f"{wheel}: is for {elf['e_machine']}, needs {sorted(needed)} and glibc {max(versions)}")


def _run(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{' '.join(command[:4])}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")


def build_all(output: Path, names: Sequence[str]) -> list[Path]:
    """The sdist, the pure wheel and the wheels of these platforms, all checked, in `output`."""
    output.mkdir(parents=True, exist_ok=True)
    made = [build_sdist(output)]
    with tempfile.TemporaryDirectory() as scratch:
        sources = unpacked(made[0], Path(scratch))
        pure = build_pure_wheel(sources, output)
        check_wheel(pure, sources, None)
        made.append(pure)
        for name in names:
            wheel = build_platform_wheel(pure, sources, TARGETS[name], output)
            check_wheel(wheel, sources, TARGETS[name])
            made.append(wheel)
            print(f"{wheel.name}: {wheel.stat().st_size:,} bytes", flush=True)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "dist")
    parser.add_argument("--only", action="append", choices=tuple(TARGETS), help="one platform; may be given again")
    options = parser.parse_args(arguments)
    try:
        build_all(options.output.resolve(), options.only or tuple(TARGETS))
    except BuildError as error:
        print(f"build_wheels: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
