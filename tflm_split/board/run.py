"""What does a split model compute on a board, and how many instructions, RAM, stack and flash does it take?"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from tflm_split.board.accesses import Accesses, in_memories, plugin_flags
from tflm_split.board.boards import Board, board_named
from tflm_split.board.elf_sizes import ElfSizes, elf_sizes
from tflm_split.board.firmware import build_firmware, describe_compiler
from tflm_split.board.one_region import OneRegion, one_region
from tflm_split.board.toolchain import find_tool, require_tools
from tflm_split.errors import InputError, ToolError
from tflm_split.program.types import Program
from tflm_split.tflite.reader import read_model

DEFAULT_TIMEOUT_S = 300.0

Inputs = Sequence["np.ndarray[Any, Any] | bytes"]
"""One array (or its bytes) per input of the model, in the model's order."""


@dataclass(frozen=True, slots=True)
class BoardRun:
    """What a board measured. `outputs[k][j]` are the bytes of model output j after inference k.

    `instructions` counts those of the longest inference, in the executor only; they are not cycles. A streamed inference
    takes several calls: `call_instructions` counts those of the longest call of all. `stack_bytes` is
    the deepest stack of preparing and running. RAM is `data_bytes + bss_bytes + stack_bytes`. Flash is all that is stored.
    """

    outputs: tuple[tuple[bytes, ...], ...] = field(repr=False)
    instructions: int
    instructions_of: tuple[int, ...] = field(repr=False)
    call_instructions: int
    prepare_instructions: int
    data_bytes: int
    bss_bytes: int
    stack_bytes: int
    flash_bytes: int
    program_bytes: int
    outputs_sha256: str
    board: str
    compiler: str
    run_stack_bytes: int
    sizes: ElfSizes = field(repr=False)
    elf: bytes = field(repr=False)
    """The firmware image."""
    program: Program = field(repr=False)
    """The program that ran."""
    slow_bytes: int = 0
    """Of a slow memory, beside the RAM above."""
    accesses: Mapping[str, Accesses] | None = None
    """Loads and stores of one inference in the workspace (`fast`) and in the slow memory; None where they were not counted."""

    @property
    def ram_bytes(self) -> int:
        """All RAM of the firmware."""
        return self.data_bytes + self.bss_bytes + self.stack_bytes

    @property
    def executor_bytes(self) -> int:
        """Flash of split_nn: the executor and the kernels that the program uses. The rest is the measuring firmware."""
        return self.sizes.executor_bytes

    def record(self) -> dict[str, Any]:
        """The JSON record of `board run`. It has the outputs' hash instead of the outputs."""
        return {
            "board": self.board,
            "compiler": self.compiler,
            "instructions": self.instructions,
            "call_instructions": self.call_instructions,
            "prepare_instructions": self.prepare_instructions,
            "data_bytes": self.data_bytes,
            "bss_bytes": self.bss_bytes,
            "stack_bytes": self.stack_bytes,
            "run_stack_bytes": self.run_stack_bytes,
            "ram_bytes": self.ram_bytes,
            "flash_bytes": self.flash_bytes,
            "executor_bytes": self.executor_bytes,
            "program_bytes": self.program_bytes,
            "slow_bytes": self.slow_bytes,
            "accesses": None if self.accesses is None else {name: asdict(of) for name, of in self.accesses.items()},
            "outputs_sha256": self.outputs_sha256,
        }


def run_on_board(
    model: bytes,
    board: str,
    inputs: Sequence[Inputs],
    *,
    portable: bool = False,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    name: str = "model",
    count_accesses: bool = False,
) -> BoardRun:
    """Run `model` on `board` (a name in `boards.BOARDS`) on each entry of `inputs`, one after the other.

    `portable` leaves out the kernels written for the processor. `name` is what errors call the model. With
    `count_accesses` the emulator counts what instructions read and write in each memory, which takes it longer. Raises InputError
    when the model is not one region, when it does not fit the board, or when an input does not fit the model. Raises
    ToolError when a tool is missing or fails, or when the emulator takes longer than `timeout_s` seconds.
    """
    target = board_named(board)
    region = one_region(replace(read_model(model), name=name))
    if not inputs:
        raise InputError("there is no input to run the board on")
    packed = b"".join(_packed(region, entry) for entry in inputs)
    require_tools(target.toolchain)
    with tempfile.TemporaryDirectory(prefix="tflm_split_board_") as scratch:
        folder = Path(scratch)
        image = build_firmware(target, region.blob, region.program, folder, portable=portable)
        sizes = elf_sizes(image)
        elf = image.read_bytes()
        (folder / "inputs.bin").write_bytes(packed)
        plugin = plugin_flags(target, image, folder) if count_accesses else ()
        console = emulate(target, image, folder, timeout_s, plugin)
        accesses = in_memories(folder, len(inputs)) if count_accesses else None
        raw = (folder / "outputs.bin").read_bytes()
    counted = _counters(target, console, len(inputs))
    outputs = _unpacked(target, region, raw, len(inputs))
    return BoardRun(
        outputs=outputs,
        instructions=max(counted["run_instructions"]),
        instructions_of=tuple(counted["run_instructions"]),
        call_instructions=max(counted["call_instructions"]),
        prepare_instructions=counted["prepare_instructions"][0],
        data_bytes=sizes.data_bytes,
        bss_bytes=sizes.bss_bytes,
        stack_bytes=max(*counted["run_stack_bytes"], *counted["prepare_stack_bytes"]),
        flash_bytes=sizes.flash_bytes,
        program_bytes=sizes.program_bytes,
        outputs_sha256=hashlib.sha256(b"".join(b"".join(entry) for entry in outputs)).hexdigest(),
        board=target.name,
        compiler=describe_compiler(target),
        run_stack_bytes=max(counted["run_stack_bytes"]),
        sizes=sizes,
        elf=elf,
        program=region.program,
        slow_bytes=sizes.slow_bytes,
        accesses=accesses,
    )


def _packed(region: OneRegion, entry: Inputs) -> bytes:
    """The bytes of one inference's inputs, in the program's order; all rows of a streamed one come last."""
    if len(entry) != len(region.graph.inputs):
        raise InputError(f"the model has {len(region.graph.inputs)} inputs, but {len(entry)} are given for them")
    data = [value if isinstance(value, bytes) else np.ascontiguousarray(value).tobytes() for value in entry]
    parts, rows = [], b""
    for io, k in zip(region.program.inputs, region.model_inputs, strict=True):
        all_rows_bytes = region.program.all_rows_bytes(io)
        wanted = all_rows_bytes or io.bytes
        if len(data[k]) != wanted:
            raise InputError(f"input {k} of the model has {wanted} bytes, but {len(data[k])} are given for it")
        if all_rows_bytes:
            rows = data[k]
        else:
            parts.append(data[k])
    return b"".join((*parts, rows))


def _unpacked(board: Board, region: OneRegion, raw: bytes, count: int) -> tuple[tuple[bytes, ...], ...]:
    """Per inference: the bytes of each output, in the model's order."""
    whole = [region.program.all_rows_bytes(io, output=True) for io in region.program.outputs]
    lengths = [all_rows or io.bytes for all_rows, io in zip(whole, region.program.outputs, strict=True)]
    if len(raw) != count * sum(lengths):
        raise ToolError(
            f"the firmware on {board.name} wrote {len(raw)} bytes of output instead of {count * sum(lengths)}"
        )
    inferences = []
    position = 0
    for _ in range(count):
        parts = [b""] * len(lengths)
        for k in sorted(range(len(lengths)), key=lambda k: not whole[k]):
            parts[k] = raw[position : position + lengths[k]]
            position += lengths[k]
        inferences.append(tuple(parts[k] for k in region.model_outputs))
    return tuple(inferences)


def emulate(board: Board, image: Path, folder: Path, timeout_s: float, more_flags: Sequence[str] = ()) -> str:
    """What the firmware prints when it runs. Raises ToolError when it fails or takes longer than `timeout_s` seconds.

    One instruction takes one nanosecond of the board's time (`-icount shift=0`).
    """
    command = [
        find_tool(board.toolchain.emulator), "-M", board.machine, *board.machine_flags, *more_flags,
        "-nodefaults", "-display", "none", "-monitor", "none", "-serial", "none",
        "-icount", "shift=0", "-chardev", "file,id=console,path=console.txt",
        "-semihosting-config", "enable=on,target=native,chardev=console", "-kernel", image.name,
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        raise ToolError(f"the emulated {board.machine} did not finish within {timeout_s:g} s") from None
    except OSError as error:
        raise ToolError(f"{board.toolchain.emulator} does not run: {error}") from error
    path = folder / "console.txt"
    console = path.read_text(errors="replace") if path.exists() else ""
    lines = console.splitlines()
    if done.returncode == 0 and lines and lines[-1] == "done":
        return console
    said = [line for line in lines if line.startswith(("error", "fault"))]
    stderr = done.stderr.decode(errors="replace").strip().splitlines()
    reason = (said or stderr or [f"exit code {done.returncode}"])[0]
    raise ToolError(f"the firmware failed on the emulated {board.machine}: {reason}")


def _counters(board: Board, console: str, count: int) -> dict[str, list[int]]:
    counters: dict[str, list[int]] = {}
    for line in console.splitlines():
        name, _, value = line.partition(" ")
        if value.isdecimal():
            counters.setdefault(name, []).append(int(value))
    for name, wanted in (
        ("prepare_instructions", 1), ("prepare_stack_bytes", 1), ("run_instructions", count), ("run_stack_bytes", count),
        ("call_instructions", count),
    ):  # fmt: skip
        if len(counters.get(name, ())) != wanted:
            raise ToolError(f"the firmware on {board.name} did not print {name} {wanted} times")
    return counters
