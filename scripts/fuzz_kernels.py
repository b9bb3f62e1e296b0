"""Do the kernels written for a processor stay inside their memory, and compute what the portable ones compute?

    python scripts/fuzz_kernels.py --core m55 --runs 100000

Makes random programs of those that `tests/fuzz_seeds.py` knows (`tests/fuzz/program_generator.c`, on this machine), and runs
each twice on the emulated core (`tests/fuzz/board_runner.c`): with the portable kernels and with the core's own, DSP on m4
and m7, Helium on m55. Both must leave the same bytes in the workspace, none beside it, and must not fault.

Rows of a random program may lie on each other in ways that the kernels do not promise to cope with (rules 1 to 6 of
`split_nn.h`). A program that leaves different bytes is a finding only if it keeps those rules; it must not fault in any case.

Exit code 0: nothing found; 1: programs that make a difference, kept in `--findings`; 2: a tool is missing.
"""

from __future__ import annotations

import argparse
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "scripts")]

from fuzz_executor import write_seeds  # noqa: E402  # of scripts/, which is no package

from tflm_split.board.boards import Board, board_named  # noqa: E402
from tflm_split.board.firmware import build_image  # noqa: E402
from tflm_split.board.toolchain import find_tool  # noqa: E402
from tflm_split.errors import TflmSplitError, ToolError  # noqa: E402
from tflm_split.native.build import EXECUTOR_FOLDER, executor_sources  # noqa: E402
from tflm_split.program.decode import decode  # noqa: E402
from tflm_split.program.types import Program  # noqa: E402
from tflm_split.verify import replay  # noqa: E402

FUZZ = ROOT / "tests" / "fuzz"
CORES = ("m4", "m7", "m55")
RAM_ENDS = {"mps2": ("-DRAM_END=0x20400000u", "-DGUARD_BY_MPU"), "mps3_an547": ("-DRAM_END=0x20080000u",)}
"""By a board's folder: the first address behind the RAM, and whether the emulator has something there all the same."""
ALL_KINDS = 2**64 - 1
BATCH = 20_000
"""Programs per start of the emulator: the kernels' next mistake is looked for after each."""
BOARD_SECONDS = 1800
STATUS = ("ran", "is not accepted", "does not run", "changes itself", "writes beside its memory")
"""What `board_runner.c` says of a program, by number."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A program, by its number in its file, and what is wrong with it."""

    number: int
    program: bytes
    fault: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a run of some programs has shown. `excused` differ, but break the rules for rows on each other."""

    compared: int
    excused: int
    findings: tuple[Finding, ...]


# Programs.


def build_generator(binary: Path, compiler: str = "cc", executor: Sequence[Path] | None = None) -> None:
    """The generator, for this machine. Raises ToolError with the compiler's first complaint.

    It is linked with `executor`, compiled objects, and without any with the executor's sources.
    """
    sources = (FUZZ / "program_generator.c", FUZZ / "mutations.c", *(executor or executor_sources()))
    command = [compiler, "-std=c99", "-O2", f"-I{EXECUTOR_FOLDER}", *map(str, sources), "-o", str(binary), "-lm"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    except OSError as error:
        raise ToolError(f"{compiler} cannot be run: {error.strerror}") from error
    if done.returncode:
        raise ToolError((done.stderr.splitlines() or ["it says nothing"])[0])


def generate(generator: Path, seeds: Path, output: Path, count: int, seed: int) -> list[bytes]:
    """`count` programs, also in the file `output`; the same ones for the same arguments."""
    files = sorted(str(path) for path in seeds.iterdir())
    subprocess.run([str(generator), str(seed), str(count), str(output), *files], check=True, capture_output=True)
    return list(_programs_in(output.read_bytes()))


def write_programs(output: Path, programs: Sequence[bytes]) -> None:
    """A file like those of `generate`, of these programs."""
    output.write_bytes(b"".join(struct.pack("<I", len(p)) + p + bytes(-len(p) % 4) for p in programs))


def _programs_in(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from("<I", data, at)
        yield data[at + 4 : at + 4 + length]
        at += 4 + length + -length % 4


# The board.


def build_runner(board: Board, folder: Path, *, portable: bool) -> Path:
    """The firmware that runs programs, with the portable kernels or with the core's own. Raises ToolError."""
    defines = (*RAM_ENDS[board.folder], f"-DGUARD_NOISE={0xA5 if portable else 0x5A:#x}u", f"-I{FUZZ.parent}")
    folder.mkdir(parents=True, exist_ok=True)
    sources = (FUZZ / "board_runner.c",)
    return build_image(board, sources, defines, folder, kinds_mask=ALL_KINDS, portable=portable)


def run_programs(board: Board, image: Path, programs: Path) -> tuple[list[tuple[int, int]], str]:
    """Status and digest of each program until the board stopped, and the last that it said."""
    folder = image.parent
    shutil.copyfile(programs, folder / "programs.bin")
    command = [
        find_tool(board.toolchain.emulator),
        "-M",
        board.machine,
        "-display",
        "none",
        "-monitor",
        "none",
        "-serial",
        "none",
    ]
    command += ["-semihosting-config", "enable=on,target=native", "-kernel", image.name]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=BOARD_SECONDS, check=False
    )
    said = (done.stdout + done.stderr).split("\n")
    results = (folder / "results.bin").read_bytes()
    return list(struct.iter_unpack("<2I", results[: len(results) // 8 * 8])), next(filter(None, reversed(said)), "")


# The verdict.


def compare(board: Board, portable: Path, own: Path, programs: Path) -> Verdict:
    """Runs a file of programs on both firmware images."""
    blobs = list(_programs_in(programs.read_bytes()))
    findings: list[Finding] = []
    results = []
    for name, image in (("portable kernels", portable), (f"kernels of {board.name}", own)):
        found, said = run_programs(board, image, programs)
        results.append(found)
        if len(found) < len(blobs):
            findings.append(Finding(len(found), blobs[len(found)], f"with the {name}: {said}"))
        for number, (status, _) in enumerate(found):
            if status:
                findings.append(Finding(number, blobs[number], f"with the {name} it {STATUS[status]}"))
    compared = min(map(len, results))
    different = [k for k in range(compared) if results[0][k] != results[1][k] and results[0][k][0] == results[1][k][0]]
    guilty = [k for k in different if keeps_overlap_rules(blobs[k])]
    findings += [
        Finding(k, blobs[k], f"the kernels of {board.name} leave other bytes than the portable ones") for k in guilty
    ]
    return Verdict(compared, len(different) - len(guilty), tuple(findings))


class _Overlaps(replay._Replay):
    """A replay that lets a step read anything, and checks only what may lie on what."""

    def __init__(self, program: Program) -> None:
        super().__init__(program, ())
        self.sums_before = {k: k for k, op in enumerate(program.ops) if op.accumulator is not None}

    def _check_read(self, read: object) -> None:
        pass

    def check(self) -> None:
        """Raises InternalError at the first step that breaks a rule."""
        moves = list(self.program.moves)
        for number, step in enumerate(self.program.steps):
            while moves and moves[0].step <= number:
                self._move(moves.pop(0))
            self.fed[step.op] = step.row
            self._step(number, step)


def keeps_overlap_rules(blob: bytes) -> bool:
    """Whether no step of an accepted program writes on what it still has to read."""
    try:
        _Overlaps(decode(blob)).check()
    except TflmSplitError:
        return False
    return True


def keep(findings: Sequence[Finding], folder: Path) -> None:
    """Writes each finding's program into `folder`, and a line about it to the console."""
    for finding in findings:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{finding.number}.program"
        path.write_bytes(finding.program)
        print(f"{path}: {finding.fault}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--core", choices=CORES, default="m55")
    parser.add_argument("--runs", type=int, default=100_000, help="programs in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--findings", type=Path, default=Path("fuzz_findings"), help="where programs are kept")
    options = parser.parse_args()
    board, scratch = board_named(options.core), options.findings.resolve() / "scratch"
    (scratch / "seeds").mkdir(parents=True, exist_ok=True)
    try:
        build_generator(scratch / "program_generator")
        images = [build_runner(board, scratch / name, portable=name == "portable") for name in ("portable", "own")]
    except ToolError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{write_seeds(scratch / 'seeds')} seeds", flush=True)
    total = found = 0
    for batch in range((options.runs + BATCH - 1) // BATCH):
        programs = scratch / "programs"
        count, seed = min(BATCH, options.runs - batch * BATCH), options.seed + batch
        generate(scratch / "program_generator", scratch / "seeds", programs, count, seed)
        verdict = compare(board, *images, programs)
        keep(verdict.findings, options.findings / f"{options.core}_{seed}")
        total, found = total + verdict.compared, found + len(verdict.findings)
        print(f"{total} programs, {verdict.excused} of the last excused, {found} findings", flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
