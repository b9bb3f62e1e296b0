"""What does TFLM itself do with this model?

TFLM here is the `tflite-micro` wheel, in the pinned version or one that passes the probe: reference kernels, x86-64,
recording allocator. `interpreter` gives its Python interpreter with `TFLM_SPLIT` registered; `run_in_tflm` runs a model in a
process of its own with a time limit, because a file that is not trusted may crash or hang TFLM.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tflm_split.errors import (
    InputError,
    ModelError,
    TflmError,
    TflmSplitError,
    TflmUnavailable,
    ToolError,
    UnrunnableError,
)
from tflm_split.ir.printable import printable
from tflm_split.native import LIBRARY_PATH
from tflm_split.plan.progress import Tick, no_tick
from tflm_split.program.in_model import slow_memory_bytes
from tflm_split.tflite import schema
from tflm_split.tflite.reader import read_model
from tflm_split.verify.calls import ONE_CALL, Calls, joined, wrong_position

if TYPE_CHECKING:
    from concurrent.futures import Future

PINNED_TFLM_VERSION = "0.dev20261023182759"
"""The wheel whose registration ABI the host library knows and whose kernels are the oracle. Others must pass a probe."""

SWITCH = "TFLM_SPLIT_TFLM"
"""The environment variable that says `no` where TFLM is not to be used."""

REGISTERER = "TFLM_SPLIT"
"""The custom operator's name, and the symbol of the host library that registers it."""

DEFAULT_TIMEOUT_S = 300.0
_SPARE_ARENA_BYTES = 1 << 20
_LARGEST_ARENA_BYTES = 1 << 30
_SPARE_MEMORY_BYTES = 4 << 30
_MODEL_COPIES, _INPUT_COPIES = 4, 4
TICK_S = 0.25
"""How often who waits for TFLM is told that it still runs."""
_SMALLEST_ARENA_BYTES = 1 << 10
_GROWTH = 4
_ARENA_ALIGNMENT_BYTES = 16
"""A default arena ends aligned: TFLM's tail grows down from the end, and a ragged end would count as tail."""

Inputs = Sequence["np.ndarray[Any, Any]"]
"""One array per model input, in the model's order, with its exact shape and type."""


@dataclass(frozen=True, slots=True)
class TflmRun:
    """What TFLM computed and what it took. `outputs[k][j]` are the bytes of model output j after the k-th invocation.

    With `repeats` > 1 the whole list of inputs is run that many times, on one interpreter that is never reset, so
    `outputs` holds `repeats * len(inputs)` entries. Bytes are those of the wheel's recording allocator, on x86-64.
    """

    outputs: tuple[tuple[bytes, ...], ...] = field(repr=False)
    head_bytes: int
    tail_bytes: int
    arena_bytes: int
    version: str
    repeats: int = 1


def installed_tflm_version() -> str:
    """The installed wheel's version, whether it works or not. Raises TflmUnavailable if there is none."""
    import importlib.metadata  # here, because it is slow and most of what is imported with this module needs it not

    if os.environ.get(SWITCH) == "no":
        raise TflmUnavailable(f"{SWITCH}=no")
    try:
        return importlib.metadata.version("tflite-micro")
    except importlib.metadata.PackageNotFoundError:
        if not (sys.platform == "linux" and platform.machine() == "x86_64"):
            raise TflmUnavailable("tflite-micro has wheels for Linux on x86-64 only") from None
        raise TflmUnavailable(
            f"tflite-micro is not installed; run: pip install tflite-micro=={PINNED_TFLM_VERSION}"
        ) from None


def tflm_version() -> str:
    """The installed wheel's version. Raises TflmUnavailable unless it is the pinned one, or passes the probe (`probe.py`)."""
    version = installed_tflm_version()
    if version != PINNED_TFLM_VERSION:
        fault = importlib.import_module("tflm_split.verify.probe").probe_fault(version)
        if fault is not None:
            raise TflmUnavailable(
                f"tflite-micro {version} is installed, and {fault}; run: pip install tflite-micro=={PINNED_TFLM_VERSION}"
            )
    return version


def interpreter(model: bytes, arena_size: int | None = None) -> Any:
    """A `tflite_micro.runtime.Interpreter` for `model`, ready to invoke, with `TFLM_SPLIT` registered.

    `arena_size` in bytes; by default one that is large enough. TFLM's own messages go to stderr. Raises ToolError for
    a missing or unknown wheel or host library, ModelError for bytes that are not a model, TflmError when TFLM refuses
    it. A model that crashes TFLM takes this process with it: use `run_in_tflm` for files that are not trusted.
    """
    if not isinstance(model, (bytes, bytearray, memoryview)):
        hint = "; pass its .model" if hasattr(model, "model") else "; pass the file's bytes"
        raise InputError(f"interpreter takes a model's bytes, not {type(model).__name__}{hint}")
    tflm_version()
    return untested_interpreter(model, arena_size)


def untested_interpreter(model: bytes, arena_size: int | None = None) -> Any:
    """`interpreter` with whatever wheel is installed: for the worker and for the probe."""
    try:
        runtime = importlib.import_module("tflite_micro").runtime
    except ImportError as error:
        raise TflmUnavailable(f"the tflite-micro wheel does not import: {' '.join(str(error).split())}") from None
    if arena_size is not None:
        if arena_size < _SMALLEST_ARENA_BYTES:
            raise TflmError(f"an arena of {arena_size} bytes is too small for any model, and TFLM would crash")
        sizes = [arena_size]
    else:
        first = generous_arena_bytes(model)
        sizes = [s for s in (first, first * _GROWTH, first * _GROWTH**2) if s <= _LARGEST_ARENA_BYTES] or [first]
    library = _load_host_library() if REGISTERER.encode() in model else None
    registerers = [REGISTERER] if library else []
    slow = _slow_memory(bytes(model)) if library else None
    if library and slow is not None:
        library.tflm_split_host_set_slow_memory(slow.ctypes.data, slow.nbytes)
    for size in sizes:
        try:
            made = runtime.Interpreter.from_bytes(bytes(model), custom_op_registerers=registerers, arena_size=size)
            if slow is not None:
                weakref.finalize(made, slow.fill, 0)  # it lives as long as the interpreter that was given it
            return made
        except RuntimeError as error:
            if library and (registration := library.tflm_split_host_error().decode()):
                raise ToolError(f"TFLM_SPLIT cannot be registered: {registration}") from None
            reason = str(error)
    raise TflmError(f"{reason} (arena of {sizes[-1]} bytes)")


def _slow_memory(model: bytes) -> np.ndarray[Any, np.dtype[np.uint8]] | None:
    """The slow memory that a file for two memories needs; None for others."""
    try:
        nbytes = slow_memory_bytes(read_model(model))
    except TflmSplitError:  # TFLM will say what is wrong with it
        return None
    if not nbytes:
        return None
    room = np.zeros(nbytes + _ARENA_ALIGNMENT_BYTES, np.uint8)
    start = -room.ctypes.data % _ARENA_ALIGNMENT_BYTES
    return room[start : start + nbytes]


def generous_arena_bytes(model: bytes) -> int:
    """An arena in which stock TFLM almost surely runs `model`: twice all activations, the file's size, and 1 MiB."""
    if len(model) < 8 or model[4:8] != b"TFL3":
        raise ModelError("not a TFLite model: the file identifier is not TFL3")
    try:
        flat = schema.root(bytes(model))
        total = 0
        for s in range(flat.SubgraphsLength()):
            subgraph = flat.Subgraphs(s)
            for t in range(subgraph.TensorsLength()):
                tensor = subgraph.Tensors(t)
                if flat.Buffers(tensor.Buffer()).DataLength() == 0:
                    elements = 1
                    for d in range(tensor.ShapeLength()):
                        elements *= max(tensor.Shape(d), 0)
                    total += _TFLITE_TYPE_BYTES.get(tensor.Type(), 8) * elements
    except Exception as error:  # flatbuffers reports a broken file as struct.error, IndexError, TypeError, ...
        raise ModelError(f"the model cannot be read: {error}") from None
    wanted = 2 * total + len(model) + _SPARE_ARENA_BYTES
    return min(wanted + -wanted % _ARENA_ALIGNMENT_BYTES, _LARGEST_ARENA_BYTES)


_TFLITE_TYPE_BYTES = {0: 4, 1: 2, 2: 4, 3: 1, 4: 8, 6: 1, 7: 2, 9: 1, 15: 4, 16: 2}
"""Bytes per element by the schema's TensorType; anything else is counted as 8."""


def _load_host_library() -> ctypes.CDLL:
    """The library that registers `TFLM_SPLIT`, its symbols visible to the wheel, which looks the name up by itself."""
    from tflm_split.native.build import host_library

    _check_host_library()
    path = host_library()
    try:
        library = ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
    except OSError as error:
        raise ToolError(f"the TFLM_SPLIT host library cannot be loaded: {error}") from None
    library.tflm_split_host_error.restype = ctypes.c_char_p
    library.tflm_split_host_set_slow_memory.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    library.tflm_split_host_set_slow_memory.restype = None
    return library


def _check_host_library() -> None:
    """Raise TflmUnavailable where `TFLM_SPLIT` was not compiled."""
    if not LIBRARY_PATH.is_file():
        raise TflmUnavailable("TFLM_SPLIT was not built for it, for want of a C compiler")


def run_in_tflm(
    model: bytes,
    inputs: Sequence[Inputs],
    *,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    repeats: int = 1,
    arena_size: int | None = None,
    memory_bytes: int | None = None,
    calls: Calls = ONE_CALL,
    any_wheel: bool = False,
) -> TflmRun:
    """Run every entry of `inputs` through one TFLM interpreter in a process of its own.

    The interpreter is not reset in between, so a model with state sees the inputs as a sequence. A streamed model takes
    `calls.count` entries of `inputs` for each inference; behind the first one, another is broken off and reset. Raises
    TflmError with TFLM's messages when TFLM refuses the model, crashes, takes longer than `timeout_s` seconds in all,
    or more address space than `memory_bytes` (on platforms that can limit it; enough for any model that is not hostile
    unless given); ToolError for a missing or unknown wheel or host library. With `any_wheel`, as the probe asks it, the
    wheel that is installed runs whatever it is.
    """
    if not any_wheel:
        tflm_version()
    if REGISTERER.encode() in model:
        _check_host_library()
    limit_bytes = generous_memory_bytes(model, inputs) if memory_bytes is None else memory_bytes
    with tempfile.TemporaryDirectory(prefix="tflm_split_") as scratch:
        folder = Path(scratch)
        (folder / "model.tflite").write_bytes(model)
        arrays = {f"{k}_{j}": np.asarray(a) for k, entry in enumerate(inputs) for j, a in enumerate(entry)}
        np.savez(folder / "inputs.npz", allow_pickle=False, **arrays)
        job = {"inputs": [len(entry) for entry in inputs], "repeats": repeats, "arena_size": arena_size}
        job["memory_bytes"] = limit_bytes
        job["calls"], job["streamed_output"] = calls.count, calls.output is not None
        (folder / "job.json").write_text(json.dumps(job))
        stderr = _run_worker(folder, timeout_s, limit_bytes)
        answer = json.loads((folder / "answer.json").read_text())
        if "error" in answer:
            raise _failure(answer, limit_bytes, stderr)
        outputs = _outputs(folder, repeats * len(inputs) // calls.count, answer["outputs"], calls)
    used = {m.group(1): int(m.group(2)) for m in re.finditer(r"Arena allocation (total|head|tail) (\d+) bytes", stderr)}
    if used.keys() != {"total", "head", "tail"}:
        raise ToolError("the tflite-micro wheel did not report its arena use")
    return TflmRun(outputs, used["head"], used["tail"], used["total"], answer["version"], repeats)


def _failure(answer: Mapping[str, Any], limit_bytes: int, stderr: str) -> Exception:
    """What the worker says went wrong."""
    of_ours = {"TflmUnavailable": TflmUnavailable, "ToolError": ToolError, "ModelError": ModelError}
    if answer["kind"] in of_ours:
        return of_ours[answer["kind"]](answer["error"])
    if answer["kind"] == "MemoryError":
        return TflmError(_out_of_memory(limit_bytes, answer["phase"]))
    return TflmError(_sentence(f"TFLM failed while {answer['phase']}: {answer['error']}", stderr))


def _outputs(folder: Path, inferences: int, count: int, calls: Calls) -> tuple[tuple[bytes, ...], ...]:
    """The `count` outputs of each inference, from those after the calls that the worker has stored."""
    made = range(calls.count) if calls.output is not None else range(calls.count - 1, calls.count)
    with np.load(folder / "outputs.npz", allow_pickle=False) as stored:
        runs = [
            [tuple(stored[f"{k}_{call}_{j}"].tobytes() for j in range(count)) for call in made]
            for k in range(inferences)
        ]
    for after in runs:
        if fault := wrong_position(after, calls):
            raise TflmError(fault)
    return tuple(joined(after, calls) for after in runs)


def run_both_in_tflm(
    original: bytes,
    original_inputs: Sequence[Inputs],
    optimized: bytes,
    optimized_inputs: Sequence[Inputs],
    *,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    repeats: int = 1,
    tick: Tick = no_tick,
    calls: Calls = ONE_CALL,
) -> tuple[TflmRun, TflmRun]:
    """`run_in_tflm` for two models side by side, each in its own process; a TflmError says which of them failed.

    The optimised one takes its inputs in `calls`.
    """
    pairs = ((original, original_inputs, ONE_CALL), (optimized, optimized_inputs, calls))
    jobs = side_by_side(
        [
            partial(run_in_tflm, model, inputs, timeout_s=timeout_s, repeats=repeats, calls=in_turn)
            for model, inputs, in_turn in pairs
        ],
        tick,
    )
    runs = []
    for job, name, failure in zip(jobs, ("original", "optimised"), (UnrunnableError, TflmError), strict=True):
        try:
            runs.append(job.result())
        except TflmError as error:
            raise failure(f"the {name} model: {error}") from None
    return runs[0], runs[1]


def run_second_in_tflm(
    model: bytes, inputs: Sequence[Inputs], *, timeout_s: float, tick: Tick = no_tick, calls: Calls = ONE_CALL
) -> TflmRun:
    """`run_in_tflm` for the optimised model alone; a TflmError says that it is this one that failed."""
    (job,) = side_by_side([partial(run_in_tflm, model, inputs, timeout_s=timeout_s, calls=calls)], tick)
    try:
        return job.result()
    except TflmError as error:
        raise TflmError(f"the optimised model: {error}") from None


def side_by_side(jobs: Sequence[Callable[[], TflmRun]], tick: Tick = no_tick) -> list[Future[TflmRun]]:
    """All `jobs`, done or failed; `tick` is called every `TICK_S` seconds meanwhile."""
    from concurrent.futures import ThreadPoolExecutor, wait  # here for the same reason

    with ThreadPoolExecutor(max_workers=len(jobs)) as pool:
        running = [pool.submit(job) for job in jobs]
        while wait(running, timeout=TICK_S).not_done:
            tick()
    return running


def generous_memory_bytes(model: bytes, inputs: Sequence[Inputs]) -> int:
    """More address space than a sound model takes: Python, the largest arena, and the files several times over."""
    input_bytes = sum(np.asarray(array).nbytes for entry in inputs for array in entry)
    return _SPARE_MEMORY_BYTES + _MODEL_COPIES * len(model) + _INPUT_COPIES * input_bytes


def _out_of_memory(limit_bytes: int, phase: str) -> str:
    return f"TFLM needed more than the {limit_bytes:,} bytes of memory it is given, while {phase}"


def _run_worker(folder: Path, timeout_s: float, limit_bytes: int) -> str:
    """Run the worker on `folder`; its stderr, if it lived to write an answer."""
    root = str(Path(__file__).resolve().parents[2])
    path = os.environ.get("PYTHONPATH")
    env = os.environ | {"PYTHONPATH": root + (os.pathsep + path if path else "")}
    command = [sys.executable, "-m", "tflm_split.verify.tflm_worker", str(folder)]
    try:
        # The worker's own folder is its working directory, so that no file beside the user's model shadows a module.
        done = subprocess.run(
            command, cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired as error:
        stderr = (error.stderr or b"").decode(errors="replace")
        message = f"TFLM did not finish within {timeout_s:g} s, while {_phase(folder)}"
        raise TflmError(_sentence(message, stderr)) from None
    stderr = done.stderr.decode(errors="replace")
    if done.returncode < 0:
        if "bad_alloc" in stderr:
            raise TflmError(_out_of_memory(limit_bytes, _phase(folder)))
        try:
            name = signal.Signals(-done.returncode).name
        except ValueError:
            name = f"signal {-done.returncode}"
        raise TflmError(_sentence(f"TFLM crashed ({name}) while {_phase(folder)}", stderr))
    if not (folder / "answer.json").exists():
        raise TflmError(_sentence(f"TFLM's process ended without an answer (exit code {done.returncode})", stderr))
    return stderr


def _phase(folder: Path) -> str:
    """What the worker was doing when it was last heard of."""
    phase = folder / "phase"
    return phase.read_text() if phase.exists() else "starting"


_NOISE = ("RecordingMicroAllocator", "Failed to get registration from op code", "failed to prepare with status")
"""What TFLM prints besides the reason: its report, and what follows from a reason that it gave before."""
_MESSAGES = 2
"""So many of TFLM's messages are passed on. The first one has the reason, later ones say where it was."""


def _sentence(message: str, stderr: str) -> str:
    """`message`, with what TFLM_SPLIT said is wrong, or else the first things that TFLM printed."""
    lines = list(dict.fromkeys(line.strip() for line in stderr.splitlines() if line.strip()))
    ours = [line for line in lines if line.startswith("TFLM_SPLIT: ")]
    reasons = [line for line in lines if not any(noise in line for noise in _NOISE)]
    told = ours[-1:] or reasons[:_MESSAGES] or [line for line in lines if _NOISE[0] not in line][-1:]
    where = [line for line in lines if "failed to prepare" in line or "failed to invoke" in line]
    told += [line for line in where[:1] if line not in told and not ours]
    if not told:
        return message
    return f"{message}; it said: {'; '.join(printable(line).rstrip('.') for line in told)}"
