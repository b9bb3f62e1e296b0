"""Runs the given model files in TFLM, each on the same random input; prints one JSON object for all of them.

A program of its own because a model TFLM does not like may crash or hang the process that runs it. Per file: the
SHA-256 of the output bytes, the arena's head and tail, or the error TFLM gave.
"""

import hashlib
import json
import os
import re
import sys
import tempfile

import numpy as np
from tflite_micro.python.tflite_micro import runtime


def report(interpreter):
    """The recording allocator prints to the C stderr only, so that is caught in a file."""
    with tempfile.TemporaryFile() as sink:
        sys.stderr.flush()
        saved = os.dup(2)
        os.dup2(sink.fileno(), 2)
        interpreter.print_allocations()
        os.dup2(saved, 2)
        os.close(saved)
        sink.seek(0)
        text = sink.read().decode()
    return {part: int(re.search(rf"allocation {part} (\d+) bytes", text)[1]) for part in ("head", "tail")}


def random_input(details, rng):
    dtype, shape = np.dtype(details["dtype"]), details["shape"]
    if dtype.kind == "f":
        return rng.random(shape, dtype=dtype)
    high = 8 if dtype.itemsize >= 4 else 128  # wide integers are indices into small tables
    return rng.integers(0, high, shape).astype(dtype)


def run(path, inputs, outputs):
    with open(path, "rb") as file:
        interpreter = runtime.Interpreter.from_bytes(file.read(), arena_size=16 << 20)
    rng = np.random.default_rng(0)
    for i in range(inputs):
        interpreter.set_input(random_input(interpreter.get_input_details(i), rng), i)
    interpreter.invoke()
    digest = hashlib.sha256()
    for i in range(outputs):
        digest.update(interpreter.get_output(i).tobytes())
    return {"outputs": digest.hexdigest(), **report(interpreter)}


def main(inputs, outputs, *paths):
    results = []
    for path in paths:
        try:
            results.append(run(path, int(inputs), int(outputs)))
        except Exception as error:
            results.append({"error": str(error)[:40]})
    print(json.dumps(results))


main(*sys.argv[1:])
