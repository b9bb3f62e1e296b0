"""`tflm-split board ...`: run, size, bench and fits. The commands parse, call and print. `tflm_split/cli.py` registers them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tflm_split.board.boards import BOARDS
from tflm_split.terminal.options import takes_options
from tflm_split.terminal.output import say

if TYPE_CHECKING:
    from tflm_split.board.elf_sizes import ElfSizes
    from tflm_split.board.run import BoardRun

_PATH = click.Path(path_type=Path)
_SHOWN_ELEMENTS = 32
_BOARD = click.option(
    "--board", "board_name", required=True, metavar="BOARD", help=f"The emulated board: {', '.join(BOARDS)}."
)
_PORTABLE = click.option("--portable", is_flag=True, help="Leave out the kernels written for the processor.")


@click.group()
def board() -> None:
    """Run split models on emulated boards, without TFLM: instructions, RAM, stack, flash.

    Needs a cross compiler for the board and QEMU. Instructions are counted, not cycles.
    """


@board.command()
@click.argument("model", type=_PATH)
@_BOARD
@click.option(
    "--input",
    "inputs",
    type=_PATH,
    multiple=True,
    help="A .npy file per model input, in order, with all rows of a streamed one; random without.",
)
@click.option("--json", "json_path", type=_PATH, help="Where to write the JSON record; - prints it instead of text.")
@click.option("--elf", "elf_path", type=_PATH, help="Where to keep the firmware image.")
@click.option("--accesses", is_flag=True, help="Count loads and stores in each memory, too. Needs a C compiler.")
@click.option("--force", is_flag=True, help="Overwrite existing output files.")
@_PORTABLE
def run(
    model: Path,
    board_name: str,
    inputs: tuple[Path, ...],
    json_path: Path | None,
    elf_path: Path | None,
    accesses: bool,
    force: bool,
    portable: bool,
) -> int:
    """Run MODEL, which must be exactly one TFLM_SPLIT operator, once on a board."""
    from tflm_split.analysis.latency import board_costs
    from tflm_split.analysis.made_for import made_for
    from tflm_split.board.one_region import graph_of_whole_rows, one_region
    from tflm_split.board.run import run_on_board
    from tflm_split.report.arrays import load_inputs
    from tflm_split.tflite.reader import read_model
    from tflm_split.tflite.save import NewFile, check_writable, save_together
    from tflm_split.verify.compare import test_inputs

    to_stdout = json_path == Path("-")
    json_file = None if to_stdout else json_path
    for path in (json_file, elf_path):
        if path is not None:
            check_writable(path, force=force, input_path=model)
    split = read_model(model)
    graph = graph_of_whole_rows(one_region(split))
    arrays = load_inputs(graph, inputs) if inputs else test_inputs(graph, 1, 0)[0]
    done = run_on_board(split.original, board_name, [arrays], portable=portable, count_accesses=accesses)
    known = made_for(split)
    if known and board_costs(known).instructions is not board_costs(board_name).instructions:
        say(
            f"This plan was made for {known}; tflm-split optimize --board {board_name} makes one for {board_name}.",
            err=True,
        )
    record = _json(done.record())
    contents = ((json_file, record.encode()), (elf_path, done.elf))
    files = [NewFile(path, data, force) for path, data in contents if path is not None]
    save_together(files, input_path=model)
    say(record if to_stdout else _run_text(done, graph), nl=False)
    return 0


@board.command()
@click.argument("elf", type=_PATH)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--symbols", type=click.IntRange(min=0), default=20, show_default=True, help="How many symbols to list.")
def size(elf: Path, as_json: bool, symbols: int) -> int:
    """Flash and RAM of the firmware image ELF, by section and by symbol."""
    from tflm_split.board.elf_sizes import elf_sizes

    sizes = elf_sizes(elf)
    say(_json(_size_record(sizes)) if as_json else _size_text(sizes, symbols), nl=False)
    return 0


@board.command()
@click.argument("models", type=_PATH, nargs=-1, required=True)
@_BOARD
@click.option(
    "--json", "json_path", type=_PATH, help="Where to write the JSON record; - prints it instead of the table."
)
@takes_options("int8_io", int8_io=False)
@click.option("--force", is_flag=True, help="Overwrite an existing output file.")
@_PORTABLE
def bench(
    models: tuple[Path, ...], board_name: str, json_path: Path | None, int8_io: bool, force: bool, portable: bool
) -> int:
    """Compare MODELS (not split yet) layer-wise and split on a board, with the same kernels."""
    from tflm_split.board.bench import bench as measure
    from tflm_split.tflite.save import check_writable, save

    to_stdout = json_path == Path("-")
    if json_path is not None and not to_stdout:
        for model in models:
            check_writable(json_path, force=force, input_path=model)
    result = measure(models, board_name, int8_io=int8_io, portable=portable)
    record = _json(result.record())
    if json_path is not None and not to_stdout:
        save(record.encode(), json_path, force=force)
    say(record if to_stdout else result.table(), nl=False)
    return 0


@board.command()
@click.argument("model", type=_PATH)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@takes_options("int8_io", int8_io=False)
def fits(model: Path, as_json: bool, int8_io: bool) -> int:
    """List real parts, from 8 KB of RAM up, and whether MODEL fits there as it is and split.

    A split model of one region is compiled and linked for each core; nothing runs.
    """
    from tflm_split.board.fits import fits as on_parts

    found = on_parts(model, int8_io=int8_io)
    say(_json(found.record()) if as_json else found.table(), nl=False)
    return 0


def _run_text(done: BoardRun, graph: Any) -> str:
    from tflm_split.report.arrays import output_arrays

    lines = [f"{done.board}: {done.compiler}"]
    for array in output_arrays(graph, done.outputs[0]):
        values = " ".join(map(str, array.ravel()[:_SHOWN_ELEMENTS].tolist()))
        more = " ..." if array.size > _SHOWN_ELEMENTS else ""
        lines.append(f"output        {array.dtype} {list(array.shape)}: {values}{more}")
    lines += [
        f"instructions  {done.instructions:,} (checking the program once: {done.prepare_instructions:,})",
        *_calls_text(done),
        f"RAM           {done.ram_bytes:,} bytes: .data {done.data_bytes:,}, .bss {done.bss_bytes:,}, stack {done.stack_bytes:,}",
        *_memories_text(done),
        f"flash         {done.flash_bytes:,} bytes: program {done.program_bytes:,}, executor {done.executor_bytes:,}",
        f"outputs       sha256 {done.outputs_sha256}",
    ]
    return "\n".join(lines) + "\n"


def _memories_text(done: BoardRun) -> list[str]:
    lines = [f"slow memory   {done.slow_bytes:,} bytes"] if done.slow_bytes else []
    for name, of in (done.accesses or {}).items():
        lines.append(
            f"{name + ' accesses':<13} {of.reads:,} loads of {of.read_bytes:,} bytes, {of.writes:,} stores of {of.written_bytes:,}"
        )
    return lines


def _calls_text(done: BoardRun) -> list[str]:
    calls = len(done.program.calls)
    return [f"calls         {calls}, the longest of {done.call_instructions:,} instructions"] if calls > 1 else []


def _size_record(sizes: ElfSizes) -> dict[str, Any]:
    return {
        "flash_bytes": sizes.flash_bytes,
        "data_bytes": sizes.data_bytes,
        "bss_bytes": sizes.bss_bytes,
        "stack_reserve_bytes": sizes.stack_reserve_bytes,
        "program_bytes": sizes.program_bytes,
        "workspace_bytes": sizes.workspace_bytes,
        "executor_bytes": sizes.executor_bytes,
        "sections": [
            {"name": s.name, "bytes": s.bytes, "in_flash": s.in_flash, "in_ram": s.in_ram} for s in sizes.sections
        ],
        "symbols": [{"name": s.name, "section": s.section, "bytes": s.bytes} for s in sizes.symbols],
    }


def _size_text(sizes: ElfSizes, symbols: int) -> str:
    lines = [f"{'section':24}{'flash':>10}{'RAM':>10}"]
    for s in sizes.sections:
        lines.append(f"{s.name:24}{s.bytes if s.in_flash else 0:10,}{s.bytes if s.in_ram else 0:10,}")
    ram = sum(s.bytes for s in sizes.sections if s.in_ram)
    lines += [
        f"{'total':24}{sizes.flash_bytes:10,}{ram:10,}",
        "",
        f"program {sizes.program_bytes:,} bytes of flash, executor and kernels {sizes.executor_bytes:,}",
        f"workspace (the arena) {sizes.workspace_bytes:,} bytes of RAM, stack reserve {sizes.stack_reserve_bytes:,}",
    ]
    if symbols:
        lines += ["", f"{'symbol':40}{'section':12}{'bytes':>10}"]
        lines += [f"{s.name:40}{s.section:12}{s.bytes:10,}" for s in sizes.symbols[:symbols]]
    return "\n".join(lines) + "\n"


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
