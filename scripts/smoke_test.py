"""Does the package work where it was installed, away from any checkout? And does it make the same files everywhere?

A virtual environment is made, the package is installed into it with pip, and its commands are run in an empty folder: every
model of `models/` is optimised and verified, and what comes of it is hashed. `--expect` compares the hashes with those of
another machine. This file needs nothing but Python.

    python scripts/smoke_test.py --source .                      the checkout, by pip
    python scripts/smoke_test.py --wheels dist                   the wheel for this machine among those in dist/
    python scripts/smoke_test.py --wheels dist --without-tflm    as on a machine for which there is no TFLM wheel
    python scripts/smoke_test.py --wheels dist --pure            the wheel without a C library
"""

from __future__ import annotations

import argparse
import configparser
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODELS = ROOT / "models"
SLOWEST_S = 60.0
"""The most CPU seconds that one model may take without a C library."""


class SmokeError(Exception):
    """Something does not work. The message is one sentence."""


@dataclass(frozen=True)
class Installation:
    """How the installed package is called: the command in front of its arguments, and the environment."""

    python: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, folder: Path, *arguments: str, expect: int = 0) -> str:
        """What the command prints on both streams. Raises SmokeError when its exit code is another than expected."""
        command = [*self.python, "-m", "tflm_split", *arguments]
        done = subprocess.run(
            command, cwd=folder, env={**_clean(), **self.environment}, capture_output=True, text=True, check=False
        )
        if done.returncode != expect:
            raise SmokeError(
                f"tflm-split {' '.join(arguments)}: exit code {done.returncode}: {done.stderr.strip()[-500:]}"
            )
        return done.stdout + done.stderr


def installed(requirement: Sequence[str], folder: Path, *, without_tflm: bool, lowest: bool) -> Installation:
    """The package in a new virtual environment."""
    venv.create(folder, with_pip=True)
    python = str(folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    constraints = folder / "constraints.txt"
    constraints.write_text("".join(f"{line}\n" for line in lowest_versions()) if lowest else "")
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-c", str(constraints)]
    _call([*pip, *requirement])
    if without_tflm:
        _call([python, "-m", "pip", "uninstall", "-q", "-y", "tflite-micro"])
        _call([*pip, "ai-edge-litert>=2.3,<3"])
    return Installation((python,))


def lowest_versions() -> list[str]:
    """The lower bound of every dependency as a constraint."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    lines = config["options"]["install_requires"].split("\n")
    bounds = (re.match(r"([\w-]+)>=([\d.]+)", line.strip()) for line in lines)
    return [f"{bound[1]}=={bound[2]}" for bound in bounds if bound]


def _clean() -> dict[str, str]:
    """The environment without what leads to a checkout: pip takes a package on PYTHONPATH for one that is installed."""
    return {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "TFLM_SPLIT_TFLM")}


def _call(command: Sequence[str]) -> None:
    done = subprocess.run(command, env=_clean(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SmokeError(f"{' '.join(command[:6])}: {done.stderr.strip()[-500:]}")


def check(package: Installation, work: Path, names: Sequence[str] = ()) -> dict[str, dict[str, str]]:
    """Optimise, verify, inspect and export every model, and write the runtime for it. Per model: hashes of what was made."""
    found: dict[str, dict[str, str]] = {}
    for model in sorted(MODELS.glob("*.tflite")):
        if names and model.stem not in names:
            continue
        output, record = work / f"{model.stem}_split.tflite", work / f"{model.stem}.json"
        start = _seconds_of_children()
        arguments = ("optimize", str(model), "-o", str(output), "--json", str(record), "--effort", "low")
        text = package.run(work, *arguments)
        seconds = _seconds_of_children() - start
        report = json.loads(record.read_text(encoding="utf-8"))
        verified = report["verified"]
        if verified["bit_exact"] is not True:
            raise SmokeError(f"{model.stem}: is not verified: {verified}")
        exported, runtime = work / f"{model.stem}_c", work / f"{model.stem}_runtime"
        package.run(work, "export", str(output), "-o", str(exported))
        package.run(work, "runtime", str(output), "-o", str(runtime), "--for", "cmake")
        found[model.stem] = {
            "model": hashlib.sha256(output.read_bytes()).hexdigest(),
            "inspection": _hash(package.run(work, "inspect", str(model))),
            "exported": _hash_of_files(exported),
            "runtime": _hash_of_files(runtime),
        }
        slow = text.count("everything is computed in Python")
        print(
            f"{model.stem}: {verified['level']}, {seconds:.1f} s of CPU time{', in Python' if slow else ''}", flush=True
        )
        if slow > 1:
            raise SmokeError(f"{model.stem}: says {slow} times that it is slow")
        if slow and seconds > SLOWEST_S:
            raise SmokeError(f"{model.stem}: took {seconds:.0f} s of CPU time, which is more than {SLOWEST_S:.0f} s")
    return found


def _seconds_of_children() -> float:
    """CPU seconds of all processes that were waited for; elapsed seconds where the system does not count them."""
    times = os.times()
    return times.elapsed if os.name == "nt" else times.children_user + times.children_system


def _hash(text: str) -> str:
    return hashlib.sha256(text.replace(str(MODELS), "").replace("\r\n", "\n").encode()).hexdigest()


def _hash_of_files(folder: Path) -> str:
    """Of all names and contents below the folder."""
    total = hashlib.sha256()
    for name, path in sorted((p.relative_to(folder).as_posix(), p) for p in folder.rglob("*") if p.is_file()):
        total.update(f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


def check_runtime(package: Installation, work: Path) -> None:
    """The runtime is written for every build; CMake builds it where it is installed; a board runs it where it is emulated."""
    split = work / "digits_dscnn_split.tflite"
    for build in ("cmake", "make", "arduino", "esp-idf", "zephyr"):
        package.run(work, "runtime", str(split), "-o", str(work / build), "--for", build)
    if shutil.which("cmake") and shutil.which("cc"):
        project = work / "firmware"
        project.mkdir()
        (project / "main.c").write_text(
            '#include "split_nn.h"\n#include "model.h"\nint main(void) { return model_init() || model_invoke(); }\n'
        )
        (project / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.13)\nproject(firmware C)\n"
            f"add_subdirectory({work.as_posix()}/cmake tflm_split)\n"
            f"add_executable(firmware main.c {work.as_posix()}/digits_dscnn_c/model.c)\n"
            f"target_include_directories(firmware PRIVATE {work.as_posix()}/digits_dscnn_c)\n"
            "target_link_libraries(firmware PRIVATE split_nn)\n"
        )
        _call(["cmake", "-S", str(project), "-B", str(project / "build")])
        _call(["cmake", "--build", str(project / "build")])
        _call([str(project / "build" / "firmware")])
        print("runtime: written for five builds; CMake built it, and the firmware ran")
    if shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm"):
        package.run(work, "board", "run", str(split), "--board", "m7", "--elf", str(work / "firmware.elf"))
        package.run(work, "board", "size", str(work / "firmware.elf"))
        print("board: run and size on m7")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--source", type=Path, help="install from this checkout or sdist")
    what.add_argument("--wheels", type=Path, help="install from the wheels in this folder")
    parser.add_argument("--pure", action="store_true", help="the wheel without a C library")
    parser.add_argument("--without-tflm", action="store_true", help="ai-edge-litert instead of tflite-micro")
    parser.add_argument("--versions", choices=("newest", "lowest"), default="newest", help="of the dependencies")
    parser.add_argument("--work", type=Path, help="an empty or new folder to work in")
    parser.add_argument("--expect", type=Path, help="the hashes of another machine")
    parser.add_argument("--save", type=Path, help="where to write the hashes")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        work = (options.work or Path(scratch)).resolve()
        try:
            smoke(options, work)
        except SmokeError as error:
            print(f"smoke_test: {error}", file=sys.stderr)
            return 1
    return 0


def smoke(options: argparse.Namespace, work: Path) -> None:
    """Install, check, compare."""
    if options.source:
        requirement = [str(options.source.resolve())]
    elif options.pure:
        requirement = [str(next(options.wheels.resolve().glob("*-any.whl")))]
    else:
        requirement = ["--no-cache-dir", "--find-links", str(options.wheels.resolve()), "--only-binary", "tflm-split"]
        requirement += ["tflm-split"]
    empty = work / "empty"
    empty.mkdir(parents=True)
    lowest = options.versions == "lowest"
    package = installed(requirement, work / "venv", without_tflm=options.without_tflm, lowest=lowest)
    found = check(package, empty)
    check_runtime(package, empty)
    if options.save:
        options.save.write_text(json.dumps(found, indent=2) + "\n")
    if options.expect:
        compare(found, json.loads(options.expect.read_text()))


def compare(found: Mapping[str, Mapping[str, str]], wanted: Mapping[str, Mapping[str, str]]) -> None:
    """Raise SmokeError for the first model of which something else was made."""
    for name, hashes in found.items():
        other = [what for what, value in hashes.items() if wanted[name][what] != value]
        if other:
            raise SmokeError(f"{name}: another {', '.join(other)} than expected")
    print(f"the same bytes as expected, for {len(found)} models")


if __name__ == "__main__":
    sys.exit(main())
