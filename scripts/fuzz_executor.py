"""Does the executor stay inside its own memory, whatever program it is given?

    python scripts/fuzz_executor.py --runs 1000000
    python scripts/fuzz_executor.py --runs 1000000 --streamed

Builds `tests/fuzz/executor_fuzzer.c` with clang's libFuzzer and the address and undefined-behaviour sanitizers, with the
portable kernels, and runs it on mutations of programs of every kind; with `--streamed`, of those that take several calls, each
with some new bytes in its rows, and pictures that are broken off in between. Exit code 0: nothing found; 1: a finding, kept in
`--findings`; 2: this machine cannot build it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

FUZZER = (ROOT / "tests" / "fuzz" / "executor_fuzzer.c", ROOT / "tests" / "fuzz" / "mutations.c")
MAX_PROGRAM_BYTES = 8192
"""Longer seeds only make every run slower."""
MAX_SECONDS_PER_RUN = 60
_FLAGS = ("-std=c99", "-D_GNU_SOURCE", "-g", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all")


class NoFuzzerError(Exception):
    """This machine has no clang with libFuzzer."""


def build(binary: Path, compiler: str = "clang", optimization: str = "-O2") -> None:
    """The fuzzer, compiled to `binary`. Raises NoFuzzerError with the compiler's first complaint."""
    from tflm_split.native.build import EXECUTOR_FOLDER, executor_sources

    sources = (*FUZZER, *executor_sources())
    command = [compiler, *_FLAGS, optimization, f"-I{EXECUTOR_FOLDER}", *map(str, sources), "-o", str(binary), "-lm"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    except OSError as error:
        raise NoFuzzerError(f"{compiler} cannot be run: {error.strerror}") from error
    if done.returncode:
        raise NoFuzzerError((done.stderr.splitlines() or ["it says nothing"])[0])


def write_seeds(folder: Path, *, streamed: bool = False) -> int:
    """Programs to start from: one with an op of each kind, and those of small networks. Gives their number.

    With `streamed`, only those that take several calls.
    """
    from fuzz_seeds import program_seeds

    from tflm_split.program.decode import decode

    seeds = [blob for blob in program_seeds() if len(blob) <= MAX_PROGRAM_BYTES]
    if streamed:
        seeds = [blob for blob in seeds if len(decode(blob).calls) > 1]
    for blob in seeds:
        (folder / sha256(blob).hexdigest()[:16]).write_bytes(blob)
    return len(seeds)


def fuzz(binary: Path, corpus: Path, findings: Path, runs: int, seed: int) -> subprocess.CompletedProcess[str]:
    """The fuzzer's run; its report is on stderr, a program it fell over in `findings`."""
    options = [f"-runs={runs}", f"-seed={seed}", f"-timeout={MAX_SECONDS_PER_RUN}", f"-max_len={MAX_PROGRAM_BYTES}"]
    options += ["-len_control=0", "-print_final_stats=1", f"-artifact_prefix={findings}/", str(corpus)]
    return subprocess.run([str(binary), *options], text=True, capture_output=True, check=False)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--findings", type=Path, default=Path("fuzz_findings"), help="where programs are kept")
    parser.add_argument("--streamed", action="store_true", help="start from programs that take several calls alone")
    options = parser.parse_args()
    corpus = options.findings / "programs"
    corpus.mkdir(parents=True, exist_ok=True)
    binary = options.findings.resolve() / "executor_fuzzer"
    try:
        build(binary)
    except NoFuzzerError as error:
        print(f"the fuzzer cannot be built: {error}", file=sys.stderr)
        return 2
    print(f"{write_seeds(corpus, streamed=options.streamed)} seeds", flush=True)
    done = fuzz(binary, corpus, options.findings.resolve(), options.runs, options.seed)
    lines = done.stderr.splitlines()
    kept = [line for line in lines if line.startswith(("stat::", "Done", "==", "SUMMARY")) or "error" in line]
    print("\n".join(kept or lines[-20:]))
    return 1 if done.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
