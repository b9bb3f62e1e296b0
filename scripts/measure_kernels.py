"""Measures what the kernels' loops cost on the emulated boards and writes `tflm_split/analysis/instructions.json`.

    python scripts/measure_kernels.py [--board m7 ...] [--kind CONV ...] [--cases 1.0] [-o FILE]

Hundreds of small programs of one op each, of many geometries (`KINDS`), run on each board; every distinct step of theirs is
counted. `tflm_split/analysis/latency*.py` says how often each loop of a kernel turns in such a step; the cost of a turn is
what explains the counts best: least squares of the relative errors, no cost below zero. Needs the
cross compilers and emulators of `tflm_split/board/toolchain.py`; takes a minute or two.
"""

from __future__ import annotations

import json
import struct
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import kernel_cases
import kernel_cases_typed
import numpy as np
from kernel_cases import REPEATS, Case
from numpy.typing import NDArray

from tflm_split import kinds
from tflm_split.analysis.boards import TABLE_PATH
from tflm_split.analysis.latency import (
    COUNTERS,
    GENERIC,
    MEASURED_AS,
    TABLE_SCHEMA,
    generic_counts,
    op_geometry,
    sharing,
)
from tflm_split.analysis.latency_call import Counts, Edge, Geometry
from tflm_split.board.boards import BOARDS, Board
from tflm_split.board.firmware import build_image, describe_compiler
from tflm_split.board.run import emulate
from tflm_split.board.toolchain import require_tools
from tflm_split.kinds import OpKind
from tflm_split.native.sources import runtime_path
from tflm_split.program.encode import encode
from tflm_split.program.types import Op, Program, Step, Storage, View

Array = NDArray[Any]

KERNELS_OF = {
    "m0": "portable", "m3": "portable", "m4": "dsp", "m7": "dsp", "m55": "mve", "rv32imc": "portable", "rv32gc": "portable",
}  # fmt: skip
SAME_CORE = {
    board.name: next(name for name in KERNELS_OF if BOARDS[name].flags == board.flags)
    for board in BOARDS.values() if board.name not in KERNELS_OF
}  # fmt: skip
"""Boards with the core, the compiler's flags and so the counts of another."""
KINDS = (*kernel_cases.KINDS, *kernel_cases_typed.KINDS)
PROGRAM_BYTES, WORKSPACE_BYTES = 192 * 1024, 192 * 1024
SEED = 20
_KINDS_MASK = sum(1 << kind for kind in {*COUNTERS["portable"], *MEASURED_AS})


@dataclass(frozen=True, slots=True)
class Sample:
    """One step: how often the loops turn, and what it took."""

    kind: OpKind
    at: Geometry
    edge: Edge
    instructions: float


def _storage(
    memory: int, shape: tuple[int, int, int], element_bytes: int, gap: int, room: int = 0
) -> tuple[Storage, int]:
    """Rows with `room` bytes between them, and a few more, and where the next storage may start."""
    row_bytes = shape[1] * (shape[2] * element_bytes + gap)
    pitch = row_bytes + room + -(row_bytes + room) % 4 + 4
    return Storage(row_bytes, shape[0], tuple(memory + r * pitch for r in range(shape[0]))), memory + shape[0] * pitch


def program_of(case: Case) -> Program:
    """The program of the one op, without steps."""
    shapes = [(case.input, case.input_bytes, case.gap)]
    if case.input2:
        shapes.append((case.input2, case.input_bytes, 0))
    shapes.append((case.output, case.output_bytes, 0))
    if kinds.of(case.kind).feeds:
        sums = 2 * case.output[2] if case.kind is OpKind.DENSE_FEED_INT16 else case.output[2]
        shapes.append(((1, 1, sums), 4, 0))
    if case.kind is OpKind.CONV_SUM_LAST:
        shapes.append((case.output, 4, 0))
    storages: list[Storage] = []
    views: list[View] = []
    memory = case.below_bytes
    for k, (shape, element_bytes, gap) in enumerate(shapes):
        storage, end = _storage(memory, shape, element_bytes, gap, case.below_bytes)
        if k == 1 and not case.apart:
            addresses = [a - case.below_bytes for a in storages[0].addresses[: shape[0]] if a is not None]
            storage, end = Storage(storage.row_bytes, shape[0], tuple(addresses)), memory
        if case.kind is OpKind.FETCH and k == 0:  # rows of a call follow each other
            row_bytes = storage.row_bytes
            storage = Storage(row_bytes, shape[0], tuple(memory + r * row_bytes for r in range(shape[0])))
        memory = end
        storages.append(storage)
        stride = shape[2] * element_bytes + gap
        views.append(View(k, 0, *shape, stride, 0, element_bytes))
    constants: list[bytes] = []
    params: dict[str, int | float] = {}
    for name in (f.name for f in kinds.of(case.kind).record.fields):
        value = case.params[name]
        if isinstance(value, bytes):
            constants.append(value)
            params[name] = len(constants) - 1
        else:
            params[name] = value
    output = 2 if case.input2 else 1
    accumulators = {OpKind.CONV_SUM: 1, OpKind.CONV_SUM_LAST: 2}
    accumulator = 2 if kinds.of(case.kind).feeds else accumulators.get(case.kind)
    op = Op(case.kind, output, 0, params, 1 if case.input2 else None, accumulator)
    return Program(memory + 64, (), (), tuple(storages), tuple(views), (op,), (), tuple(constants))


def steps_of(case: Case) -> Iterator[tuple[Program, Geometry, Edge]]:
    """A program for each step of the case's op that is unlike the others: the step, several times."""
    bare = program_of(case)
    at = replace(op_geometry(bare, bare.ops[0]), rectified=case.rectified)
    rows = case.input[0] if kinds.of(case.kind).feeds else case.output[0]
    if case.kind is OpKind.FETCH:  # each row can be fetched once
        yield replace(bare, steps=tuple(Step(0, row) for row in range(REPEATS))), at, at.edge(0)
        return
    seen = set()
    for row in range(rows):
        edge = at.edge(row, *sharing(bare, bare.ops[0], row))
        if edge not in seen:
            seen.add(edge)
            yield replace(bare, steps=(Step(0, row),) * REPEATS), at, edge


def run_programs(board: Board, blobs: list[tuple[bytes, int]], portable: bool) -> list[int]:
    """The instructions of one run of each program, on its sort of noise (`measure.c`)."""
    defines = (f"-DMEASURE_PROGRAM_BYTES={PROGRAM_BYTES}", f"-DMEASURE_WORKSPACE_BYTES={WORKSPACE_BYTES}")
    with tempfile.TemporaryDirectory(prefix="tflm_split_measure_") as scratch:
        folder = Path(scratch)
        image = build_image(
            board,
            [runtime_path() / "boards" / "measure" / "measure.c"],
            defines,
            folder,
            kinds_mask=_KINDS_MASK,
            portable=portable,
        )
        (folder / "programs.bin").write_bytes(b"".join(struct.pack("<2I", len(b), n) + b for b, n in blobs))
        console = emulate(board, image, folder, 600)
    found = [int(line.split()[1]) for line in console.splitlines() if line.startswith("run_instructions ")]
    if len(found) != len(blobs):
        raise SystemExit(f"{board.name}: {len(found)} counts for {len(blobs)} programs")
    return found


def measure(board: Board, share: float, *, portable: bool = False) -> list[Sample]:
    """What every step of every case takes on `board`; with `portable`, without the kernels written for its core."""
    rng = np.random.default_rng(SEED)
    steps = [(c.kind, *s) for cases, n in KINDS for c in cases(rng, max(4, int(n * share))) for s in steps_of(c)]
    empty = replace(steps[0][1], steps=())
    blobs = [encode(program) for program in (empty, *(s[1] for s in steps))]
    fitting = [k for k, b in enumerate(blobs) if len(b) <= PROGRAM_BYTES and (k == 0 or _fits(steps[k - 1][1]))]
    noises = [0, *(noise_for(kind, at) for kind, _, at, _ in steps)]
    found = run_programs(board, [(blobs[k], noises[k]) for k in fitting], portable)
    counts = dict(zip(fitting, found, strict=True))
    return [
        Sample(kind, at, edge, (counts[k + 1] - counts[0]) / REPEATS)
        for k, (kind, _, at, edge) in enumerate(steps)
        if k + 1 in counts
    ]


def noise_for(kind: OpKind, at: Geometry) -> int:
    """The noise that is like what a kind's inputs hold: bytes, floats, int16, floats behind a RELU (`measure.c`)."""
    if kind in (OpKind.QUANTIZE_FLOAT, OpKind.SOFTMAX_FLOAT) or (kind.name.endswith("_FLOAT") and not at.rectified):
        return 1
    return 2 if kind.name.endswith("_INT16") else 3 if kind.name.endswith("_FLOAT") else 0


def _fits(program: Program) -> bool:
    return program.workspace_bytes <= WORKSPACE_BYTES


def nonnegative_least_squares(a: Array, b: Array) -> Array:
    """The x >= 0 with least |a x - b| (Lawson and Hanson's active sets)."""
    passive = np.zeros(a.shape[1], bool)
    x = np.zeros(a.shape[1])
    for _ in range(3 * a.shape[1]):
        gradient = np.where(passive, -np.inf, a.T @ (b - a @ x))
        if gradient.max(initial=-np.inf) <= 1e-9:
            break
        passive[int(gradient.argmax())] = True
        while True:
            trial = np.zeros_like(x)
            trial[passive] = np.linalg.lstsq(a[:, passive], b, rcond=None)[0]
            if trial[passive].min() > 0:
                x = trial
                break
            shrinking = passive & (trial <= 0)
            step = (x[shrinking] / np.maximum(x[shrinking] - trial[shrinking], 1e-300)).min()
            x = x + step * (trial - x)
            passive &= x > 1e-12
            x[~passive] = 0
    return x


def fit(counts: list[Counts], measured: Array) -> tuple[dict[str, float], Array]:
    """The cost of each feature, and the relative error of each sample."""
    names = sorted({name for c in counts for name in c})
    table = np.array([[c.get(name, 0.0) for name in names] for c in counts])
    scale = table.max(axis=0)
    weighted = table / scale / measured[:, None]
    costs = nonnegative_least_squares(weighted, np.ones(len(measured))) / scale
    rounded = {name: float(f"{cost:.5g}") for name, cost in zip(names, costs, strict=True) if cost > 0}
    predicted = table @ np.array([rounded.get(name, 0.0) for name in names])
    return rounded, predicted / measured - 1


def fit_generic(samples: list[Sample]) -> tuple[dict[str, float], Array]:
    """One cost per step, element and multiply-accumulate for all kinds, and predicted over measured of each sample.

    Least squares of the logarithms, every kind weighing the same: being three times too high is as bad as three times too
    low. Gauss and Newton's steps.
    """
    names = ("step", "element", "mac")
    table = np.array([[generic_counts(s.at, s.edge).get(name, 0.0) for name in names] for s in samples])
    measured = np.array([s.instructions for s in samples])
    kinds = [s.kind for s in samples]
    weights = np.array([kinds.count(kind) ** -0.5 for kind in kinds])
    costs = np.array([300.0, 10.0, 5.0])
    for _ in range(50):
        predicted = table @ costs
        target = np.maximum(1 - np.log(predicted / measured), 0.1)
        costs = nonnegative_least_squares(table / predicted[:, None] * weights[:, None], target * weights)
    rounded = {name: float(f"{cost:.5g}") for name, cost in zip(names, costs, strict=True) if cost > 0}
    return rounded, table @ costs / measured


def fit_board(board: Board, samples: list[Sample], portable: list[Sample]) -> dict[str, dict[str, float]]:
    """The costs of every kind; prints how well they explain what was measured. The generic ones are of portable kernels,
    as those are that have no counts of their own."""
    found = {}
    for kind, counter in COUNTERS[KERNELS_OF[board.name]].items():
        of_kind = [s for s in samples if MEASURED_AS.get(s.kind, s.kind) == kind]
        measured = np.array([s.instructions for s in of_kind])
        found[kind.name], errors = fit([counter(s.at, s.edge) for s in of_kind], measured)
        click.echo(
            f"{board.name:4} {kind.name:16} {len(of_kind):4} steps, {len(found[kind.name]):2} costs, error "
            f"mean {np.abs(errors).mean():6.1%} p95 {np.quantile(np.abs(errors), 0.95):6.1%} max {np.abs(errors).max():6.1%}"
        )
    # Most kinds without counts of their own are of int8.
    found[GENERIC], ratios = fit_generic([s for s in portable if noise_for(s.kind, s.at) == 0])
    low, high = np.quantile(ratios, (0.05, 0.95))
    click.echo(
        f"{board.name:4} {GENERIC:16} {len(portable):4} steps, predicted / measured {low:.2f} to {high:.2f} (p5, p95)"
    )
    return found


@click.command()
@click.option("--board", "boards", multiple=True, type=click.Choice(list(KERNELS_OF)), help="Only these; default: all.")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice([k.name for k in COUNTERS["portable"]]),
    help="Only these kinds of steps; the others stay as they are.",
)
@click.option("--cases", default=1.0, show_default=True, help="How many cases, as a share of the usual number.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=TABLE_PATH, help="The table to write.")
def main(boards: tuple[str, ...], kinds: tuple[str, ...], cases: float, output: Path) -> None:
    """Measure the kernels on the emulated boards and write the table of costs."""
    for toolchain in {BOARDS[name].toolchain for name in boards or KERNELS_OF}:
        require_tools(toolchain)
    table: dict[str, Any] = json.loads(output.read_text()) if (boards or kinds) and output.exists() else {}
    table = {
        "schema": TABLE_SCHEMA,
        "about": "Instructions per turn of each kernel's loops; python scripts/measure_kernels.py writes it",
        "boards": table.get("boards", {}),
        "instructions": table.get("instructions", {}),
    }
    for name in boards or KERNELS_OF:
        costs = fit_board(BOARDS[name], measure(BOARDS[name], cases), measure(BOARDS[name], cases, portable=True))
        kept = table["instructions"].get(name, {}) if kinds else {}
        table["instructions"][name] = kept | {k: v for k, v in costs.items() if k in (kinds or costs)}
        for alias in (name, *(a for a, core in SAME_CORE.items() if core == name)):
            table["boards"][alias] = {
                "kernels": KERNELS_OF[name], "measured_on": name, "compiler": describe_compiler(BOARDS[name])
            }  # fmt: skip
    output.write_text(json.dumps(table, indent=0) + "\n")


if __name__ == "__main__":
    sys.exit(main())
