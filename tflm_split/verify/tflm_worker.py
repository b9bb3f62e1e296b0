"""Runs one model in TFLM for `tflm.run_in_tflm`: `python -m tflm_split.verify.tflm_worker FOLDER`.

Reads `model.tflite`, `inputs.npz` and `job.json` in FOLDER; writes `outputs.npz`, `answer.json` and, as it goes,
`phase`. TFLM's own messages and its arena report go to stderr, where the parent reads them.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from tflm_split.errors import ModelError, TflmUnavailable, ToolError
from tflm_split.tflite import schema
from tflm_split.verify.tflm import installed_tflm_version, untested_interpreter


def main(folder: Path) -> None:
    """Do the job in `folder`; whatever goes wrong short of a crash ends up in `answer.json`."""
    try:
        answer = _run(folder)
    except MemoryError:
        answer = {"kind": "MemoryError", "error": "", "phase": (folder / "phase").read_text()}
    except (TflmUnavailable, ToolError, ModelError) as error:
        answer = {"kind": type(error).__name__, "error": str(error)}
    except Exception as error:  # the wheel raises RuntimeError, ValueError, IndexError, SystemError, ...
        answer = {"kind": "TflmError", "error": str(error), "phase": (folder / "phase").read_text()}
    (folder / "answer.json").write_text(json.dumps(answer))


def _run(folder: Path) -> dict[str, Any]:
    job = json.loads((folder / "job.json").read_text())
    phase = folder / "phase"
    phase.write_text("allocating tensors")
    _limit_memory(job["memory_bytes"])
    it = untested_interpreter((folder / "model.tflite").read_bytes(), job["arena_size"])
    phase.write_text("describing its outputs")
    output_count = _output_count(folder)
    found: dict[str, np.ndarray[Any, Any]] = {}
    with np.load(folder / "inputs.npz", allow_pickle=False) as inputs:
        run, calls, entries = 0, job["calls"], job["inputs"]
        for _ in range(job["repeats"]):
            for first in range(0, len(entries), calls):
                phase.write_text(f"running input {first // calls}")
                for call, _ in enumerate(_fed(it, inputs, range(first, first + calls), job)):
                    if job["streamed_output"] or call == calls - 1:
                        for j in range(output_count):
                            found[f"{run}_{call}_{j}"] = it.get_output(j)
                run += 1
                if calls > 1 and run == 1:  # what comes after a picture that was broken off must not see any of it
                    for _ in _fed(it, inputs, range(first, first + calls - 1), job):
                        pass
                    it.reset()
    np.savez(folder / "outputs.npz", allow_pickle=False, **found)
    phase.write_text("reporting its arena")
    it.print_allocations()
    return {"outputs": output_count, "version": installed_tflm_version()}


def _fed(it: Any, inputs: Any, entries: range, job: dict[str, Any]) -> Iterator[None]:
    """Invoke once per entry, and say so each time. Inputs without elements are left alone (`calls.NO_ROWS`)."""
    for k in entries:
        for j in range(job["inputs"][k]):
            if job["calls"] == 1 or inputs[f"{k}_{j}"].size:
                it.set_input(inputs[f"{k}_{j}"], j)
        it.invoke()
        yield


def _limit_memory(limit_bytes: int) -> None:
    """Let this process have no more address space, where the platform can say so: a hostile model must not take all.

    A limit that is lower already stays.
    """
    try:
        resource = importlib.import_module("resource")
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if soft == resource.RLIM_INFINITY or soft > limit_bytes:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, hard))


def _output_count(folder: Path) -> int:
    """How many outputs the model's main subgraph has."""
    flat = schema.root((folder / "model.tflite").read_bytes())
    return int(flat.Subgraphs(0).OutputsLength())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
