"""Makes a release, in one command: builds, checks, tries out, and writes checksums. Nothing is uploaded.

1. `build_wheels.py`: the sdist and the wheels of every platform, each with checked contents and tags.
2. `twine check` and `check-wheel-contents` on all of them, `auditwheel show` on the Linux ones.
3. `smoke_test.py`: the wheel for this machine in a clean environment; the same without TFLM; the one without a C library.
   All three must make the same files.
4. With `--aarch64 FOLDER`, `run_on_aarch64.py`: the aarch64 wheel under qemu-user, to the same files (10 minutes).
5. `build_firmware_archives.py`, into `firmware/`: the Arduino library, the ESP-IDF component, the Zephyr module.
6. `SHA256SUMS`, and `smoke.json` with the hashes for the machines of other platforms.

    pip install '.[release]' && python scripts/release.py -o dist --url <where the repository is>
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from build_wheels import TARGETS, BuildError, build_all

SCRIPTS = Path(__file__).resolve().parent
IGNORED = "W002,W004"
"""check-wheel-contents: the licence lies beside the firmware's sources, too; these are C, and no package to import."""


def release(output: Path, aarch64: Path | None, *, smoke: bool) -> None:
    """All of it. Raises BuildError with what failed."""
    if output.is_dir() and any(output.iterdir()):
        raise BuildError(f"{output}: is not empty; a release needs a folder of its own")
    made = build_all(output, tuple(TARGETS))
    wheels = [path for path in made if path.suffix == ".whl"]
    _step("twine check", [sys.executable, "-m", "twine", "check", "--strict", *map(str, made)])
    checker = [sys.executable, "-m", "check_wheel_contents", "--ignore", IGNORED, *map(str, wheels)]
    _step("check-wheel-contents", checker)
    for wheel in wheels:
        if "manylinux" in wheel.name:
            shown = _step(f"auditwheel {wheel.name}", [sys.executable, "-m", "auditwheel", "show", str(wheel)])
            if "manylinux_2_17_" not in shown.replace('"', "") and "manylinux2014" not in shown:
                raise BuildError(f"{wheel.name}: auditwheel says {shown.strip()[:300]}")
    if smoke:
        _smoke(output, aarch64)
    builder = [sys.executable, str(SCRIPTS / "build_firmware_archives.py"), "-o", str(output / "firmware")]
    print(_step("firmware archives", builder), end="", flush=True)
    files = sorted(path for path in output.rglob("*") if path.is_file())
    sums = "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(output).as_posix()}\n" for path in files
    )
    (output / "SHA256SUMS").write_text(sums)
    print(sums, end="")


def _smoke(output: Path, aarch64: Path | None) -> None:
    """The same files from four installations."""
    hashes = output / "smoke.json"
    script = [sys.executable, str(SCRIPTS / "smoke_test.py"), "--wheels", str(output)]
    for name, options in (
        ("with TFLM", ["--save", str(hashes)]),
        ("without TFLM", ["--without-tflm", "--expect", str(hashes)]),
        ("without a C library", ["--pure", "--expect", str(hashes)]),
    ):
        with tempfile.TemporaryDirectory() as work:
            print(_step(f"installed, {name}", [*script, "--work", work, *options]), end="", flush=True)
    if aarch64 is not None:
        emulated = [sys.executable, str(SCRIPTS / "run_on_aarch64.py"), "--wheels", str(output), "--work", str(aarch64)]
        print(_step("aarch64", [*emulated, "--expect", str(hashes)]), end="", flush=True)


def _step(name: str, command: Sequence[str]) -> str:
    """What the command prints. Raises BuildError when it fails."""
    print(f"{name} ...", flush=True)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{name}: {(done.stdout + done.stderr).strip()[-800:]}")
    return done.stdout


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True, help="a folder that is empty or not there yet")
    parser.add_argument(
        "--aarch64", type=Path, help="where to keep the emulated system; leave it out to skip that step"
    )
    parser.add_argument("--url", help="where the repository is, for the links on a registry's page")
    parser.add_argument("--no-smoke", action="store_true", help="build and check only")
    options = parser.parse_args(arguments)
    if options.url:
        os.environ["TFLM_SPLIT_URL"] = options.url
    try:
        release(options.output.resolve(), options.aarch64, smoke=not options.no_smoke)
    except BuildError as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
