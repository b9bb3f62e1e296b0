"""Two models in one arena of the installed wheel: a program of its own, because it calls the wheel's C++ directly.

`python shared_arena.py FIRST SECOND ARENA_BYTES SHARED [TURNS]` runs both on the same inputs as `run_in_tflm` would be given: with
SHARED=1 through interpreters of one MicroAllocator, each called in turn; with SHARED=0 with a new interpreter in the same bytes
whenever the other one ran before. It prints JSON: bytes used, and a hash of each model's outputs per turn.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from tflm_split.native.build import host_library
from tflm_split.tflite.reader import read_model
from tflm_split.verify.compare import test_inputs

TURNS = int(sys.argv[5]) if len(sys.argv) > 5 else 2
SPACE = "_ZN6tflite5micro"
CREATE = f"{SPACE}14MicroAllocator6CreateEPhmNS0_17MemoryPlannerTypeE"
INTERPRETER = (
    f"{SPACE}16MicroInterpreterC1EPKNS_5ModelERKNS0_15MicroOpResolverEPNS0_14MicroAllocatorE"
    "PNS0_22MicroResourceVariablesEPNS0_22MicroProfilerInterfaceE"
)
GREEDY = 0
"""MemoryPlannerType::kGreedy."""
DATA_OFFSET = 24
"""Of `data` in a TfLiteTensor on x86-64: behind the quantisation and its parameters."""
INTERPRETER_BYTES = 4096


def main() -> None:
    paths, arena_bytes, shared = sys.argv[1:3], int(sys.argv[3]), sys.argv[4] == "1"
    wheel = Wheel()
    arena = ctypes.create_string_buffer(arena_bytes + 16)
    base = -(-ctypes.addressof(arena) // 16) * 16
    hashes: list[list[str]] = [[], []]
    allocator = wheel.allocator(base, arena_bytes) if shared else 0
    running = [wheel.interpreter(p, allocator) for p in paths] if shared else []
    for turn in range(TURNS):
        for k, path in enumerate(paths):
            if not shared:
                allocator = wheel.allocator(base, arena_bytes)
            one = running[k] if shared else wheel.interpreter(path, allocator)
            hashes[k].append(wheel.outputs(one, path, turn))
    print(json.dumps({"used_bytes": wheel.used(allocator), "outputs": hashes}))


class Wheel:
    """The wheel's functions, and its resolver of all operators, TFLM_SPLIT among them."""

    def __init__(self) -> None:
        from tflite_micro import runtime

        folder = Path(tempfile.mkdtemp(prefix="tflm_split_"))
        source = folder / "capture.c"
        source.write_text("void* captured; _Bool CAPTURE(void* r) { captured = r; return 1; }\n")
        subprocess.run(["cc", "-shared", "-fPIC", str(source), "-o", str(folder / "capture.so")], check=True)
        capture = ctypes.CDLL(str(folder / "capture.so"), mode=ctypes.RTLD_GLOBAL)
        self.operator = ctypes.CDLL(str(host_library()), mode=ctypes.RTLD_GLOBAL)
        first, names = Path(sys.argv[1]).read_bytes(), ["CAPTURE", "TFLM_SPLIT"]
        self.alive = runtime.Interpreter.from_bytes(first, custom_op_registerers=names, arena_size=1 << 24)
        self.resolver = ctypes.c_void_p.in_dll(capture, "captured").value
        extension = Path(runtime.__file__).with_name("_runtime.so")
        self.c = ctypes.CDLL(str(extension), mode=ctypes.RTLD_GLOBAL)
        self.kept: list[object] = []

    def call(self, name: str, *arguments: object) -> int:
        function = getattr(self.c, name)
        function.restype = ctypes.c_void_p
        result = function(*(ctypes.c_void_p(a) if isinstance(a, int) else a for a in arguments))
        return result or 0

    def allocator(self, base: int, size: int) -> int:
        return self.call(CREATE, base, ctypes.c_size_t(size), ctypes.c_int(GREEDY))

    def used(self, allocator: int) -> int:
        return self.call("_ZNK6tflite5micro14MicroAllocator10used_bytesEv", allocator)

    def interpreter(self, path: str, allocator: int) -> int:
        data = Path(path).read_bytes()
        model = ctypes.create_string_buffer(data, len(data) + 16)
        place = ctypes.create_string_buffer(INTERPRETER_BYTES)
        self.kept += [model, place]
        root = ctypes.addressof(model) + int.from_bytes(data[:4], "little")
        this = ctypes.addressof(place)
        self.call(INTERPRETER, this, root, self.resolver, allocator, 0, 0)
        if self.call(f"{SPACE}16MicroInterpreter15AllocateTensorsEv", this) & 0xFF:
            raise SystemExit("AllocateTensors failed")
        return this

    def outputs(self, interpreter: int, path: str, turn: int) -> str:
        graph = read_model(path).graph
        for j, array in enumerate(test_inputs(graph, TURNS, 0)[turn]):
            raw = np.ascontiguousarray(array).tobytes()
            ctypes.memmove(self.data(interpreter, "input", j), raw, len(raw))
        if self.call(f"{SPACE}16MicroInterpreter6InvokeEv", interpreter) & 0xFF:
            raise SystemExit("Invoke failed")
        found = hashlib.sha256()
        for j, t in enumerate(graph.outputs):
            found.update(ctypes.string_at(self.data(interpreter, "output", j), graph.tensors[t].bytes))
        return found.hexdigest()

    def data(self, interpreter: int, side: str, position: int) -> int:
        name = f"{SPACE}16MicroInterpreter{len(side)}{side}Em"
        tensor = self.call(name, interpreter, ctypes.c_size_t(position))
        return ctypes.c_void_p.from_address(tensor + DATA_OFFSET).value or 0


if __name__ == "__main__":
    main()
