"""Many small models through the real TFLM, cheaply: one process that stays, asked over a pipe.

A model that crashes TFLM takes the process with it, never the test run; the next question starts a new one.
"""

from __future__ import annotations

import os
import pickle
import re
import select
import struct
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT_S = 60.0
Inputs = Sequence[NDArray[Any]]


@dataclass(frozen=True)
class Ran:
    """TFLM's outputs, per input and output, and the measured head of the arena."""

    outputs: tuple[tuple[bytes, ...], ...]
    measured_head_bytes: int


class TflmServer:
    """`run` answers like `tflm_split.verify.tflm.run_in_tflm`, without starting TFLM anew for every model."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, model: bytes, inputs: Sequence[Inputs]) -> Ran:
        """Raises RuntimeError with TFLM's complaint when it refuses the model, crashes or hangs."""
        process = self._started()
        assert process.stdin is not None and process.stdout is not None
        try:
            _send(process.stdin, (model, [list(map(np.asarray, entry)) for entry in inputs]))
            if not select.select([process.stdout], [], [], TIMEOUT_S)[0]:
                raise RuntimeError(f"TFLM did not finish within {TIMEOUT_S:g} s")
            answer = _receive(process.stdout)
        except (EOFError, BrokenPipeError, RuntimeError) as error:
            self.close()
            raise RuntimeError(f"TFLM crashed or hung: {error}") from None
        if isinstance(answer, str):
            raise RuntimeError(answer)
        return Ran(*answer)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            env = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
            self._process = subprocess.Popen(
                [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env
            )
        return self._process

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                assert pipe is not None
                pipe.close()
            self._process = None


def _send(pipe: IO[bytes], value: object) -> None:
    data = pickle.dumps(value)
    pipe.write(struct.pack("<Q", len(data)) + data)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> Any:
    head = pipe.read(8)
    if len(head) < 8:
        raise EOFError("no answer")
    return pickle.loads(pipe.read(struct.unpack("<Q", head)[0]))


def _measured_head_bytes(interpreter: Any) -> int:
    """The recording allocator prints to the C stderr only."""
    with tempfile.TemporaryFile() as sink:
        saved = os.dup(2)
        os.dup2(sink.fileno(), 2)
        interpreter.print_allocations()
        os.dup2(saved, 2)
        os.close(saved)
        sink.seek(0)
        found = re.search(rb"allocation head (\d+) bytes", sink.read())
    assert found is not None
    return int(found.group(1))


def _answer(model: bytes, inputs: Sequence[Inputs]) -> tuple[tuple[tuple[bytes, ...], ...], int]:
    from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

    from tflm_split.verify.tflm import interpreter

    it = interpreter(model)
    output_count = schema.Model.GetRootAsModel(model, 0).Subgraphs(0).OutputsLength()
    outputs = []
    for entry in inputs:
        for j, values in enumerate(entry):
            if values.size:  # a streamed model is handed nothing where it takes no row
                it.set_input(values, j)
        it.invoke()
        outputs.append(tuple(it.get_output(j).tobytes() for j in range(output_count)))
    return tuple(outputs), _measured_head_bytes(it)


def _serve() -> None:
    """Answer questions from stdin until it ends. TFLM's own output must not mix with the answers."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while True:
        try:
            model, inputs = _receive(sys.stdin.buffer)
        except EOFError:
            return
        try:
            _send(answers, _answer(model, inputs))
        except Exception as error:  # whatever TFLM raises is the answer
            _send(answers, f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    _serve()
