"""Does the aarch64 wheel work, and make the same files as on x86-64? It is run under qemu-user, on a Debian x86-64 machine.

A folder is made into a small arm64 Debian: only the libraries that Python needs, unpacked from their packages and not
installed. The wheel's dependencies are pip's, for that platform. Nothing outside the folder changes, except that apt's
lists know arm64 while packages are fetched. Needs qemu-user-static, and root for apt.

    python scripts/run_on_aarch64.py --wheels dist --work aarch64 --expect hashes.json --model digits_dscnn
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from smoke_test import Installation, SmokeError, check, compare

EMULATOR = "qemu-aarch64-static"
PYTHON = "3.11"
DEBIAN = (
    "libc6", "libgcc-s1", "libstdc++6", "zlib1g", "libexpat1", "libffi8", "libssl3", "libbz2-1.0", "liblzma5", "libuuid1",
    "libsqlite3-0", f"libpython{PYTHON}-minimal", f"libpython{PYTHON}-stdlib", f"python{PYTHON}-minimal", "libcrypt1",
)  # fmt: skip
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64")
DEPENDENCIES = (
    "ai-edge-litert>=2.3,<3",
    "click>=8.2,<9",
    "flatbuffers>=24.3.25,<26",
    "numpy>=1.26,<3",
    "pyelftools",
    "tqdm",
)


def system(folder: Path) -> Path:
    """The root of an arm64 Debian with Python, made if it is not there."""
    root, packages = folder / "root", folder / "packages"
    python = root / f"usr/bin/python{PYTHON}"
    if python.is_file():
        return root
    packages.mkdir(parents=True, exist_ok=True)
    had = "arm64" in _run(["dpkg", "--print-foreign-architectures"]).split()
    try:
        _run(["dpkg", "--add-architecture", "arm64"])
        _run(["apt-get", "update", "-qq"])
        _run(["apt-get", "download", "-qq", *(f"{name}:arm64" for name in DEBIAN)], packages)
    finally:
        if not had:
            _run(["dpkg", "--remove-architecture", "arm64"])
    for package in sorted(packages.glob("*.deb")):
        _run(["dpkg-deb", "-x", str(package), str(root)])
    return root


def site_packages(folder: Path, wheels: Path) -> Path:
    """The wheel and what it needs, installed for aarch64. ai-edge-litert's own dependencies are not: its schema needs none."""
    target = folder / "site-packages"
    (wheel,) = wheels.glob("*manylinux*aarch64*.whl")
    platforms = [word for name in PLATFORMS for word in ("--platform", name)]
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", "--upgrade"]
    pip += ["--only-binary=:all:", "--python-version", PYTHON, *platforms, "--target", str(target)]
    _run([*pip, *DEPENDENCIES])
    _run([*pip, "--no-index", str(wheel)])
    return target


def _run(command: Sequence[str], folder: Path | None = None) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SmokeError(f"{' '.join(command[:4])}: {done.stderr.strip()[-400:]}")
    return done.stdout


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheels", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--expect", type=Path, help="the hashes that smoke_test.py made on x86-64")
    parser.add_argument("--model", action="append", default=[], help="one model of models/; may be given again")
    options = parser.parse_args(arguments)
    work = options.work.resolve()
    try:
        root = system(work)
        site = site_packages(work, options.wheels.resolve())
        empty = work / "empty"
        empty.mkdir(exist_ok=True)
        for path in sorted(empty.iterdir()):
            _run(["rm", "-r", str(path)])
        python = (EMULATOR, "-L", str(root), str(root / f"usr/bin/python{PYTHON}"))
        package = Installation(python, {"PYTHONPATH": str(site)})
        machine = _run([*python, "-c", "import platform; print(platform.machine())"]).strip()
        print(f"{machine}, {re.sub(r'[^0-9.]', '', _run([*python, '--version']))}", flush=True)
        found = check(package, empty, options.model)
        package.run(empty, "runtime", "-o", "runtime", "--for", "make")
        if options.expect:
            compare(found, json.loads(options.expect.read_text()))
    except SmokeError as error:
        print(f"run_on_aarch64: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
