"""Small models made by hand, object trees to compare, and TFLM in a process of its own, for the tests of `tflite/`."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tflm_split.tflite import schema

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT.parent / "shared" / "corpus"
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of real models is not at ../shared/corpus")


def corpus_files(folder):
    """The models of a corpus folder; none (and so no test cases) where there is no corpus."""
    return [pytest.param(path, id=path.stem) for path in sorted((CORPUS / folder).glob("*.tflite"))]


def plain(value):
    """An object tree as dicts, lists and numbers, so that == compares it completely."""
    if isinstance(value, np.ndarray):
        return [value.dtype.str, value.tolist()]
    if isinstance(value, list):
        return [plain(v) for v in value]
    if hasattr(value, "__dict__"):
        return {k: plain(v) for k, v in vars(value).items()}
    return value


def tree_of(data):
    return plain(schema.unpack(data))


def run_in_tflm(model, tmp_path, *files, timeout_s=60):
    """TFLM's result for each of these files: a hash of the outputs, head and tail, or an error."""
    paths = []
    for k, data in enumerate(files):
        paths.append(tmp_path / f"{k}.tflite")
        paths[-1].write_bytes(data)
    counts = (str(len(model.graph.inputs)), str(len(model.graph.outputs)))
    probe = [sys.executable, str(ROOT / "tests" / "tflm_probe.py"), *counts, *map(str, paths)]
    done = subprocess.run(probe, capture_output=True, timeout=timeout_s, check=False)
    if done.returncode:
        return [{"error": f"TFLM ended with {done.returncode}"}] * len(files)
    return json.loads(done.stdout.splitlines()[-1])


def ints(*values):
    return np.array(values, np.int32)


def tensor(name, shape=(1, 4), dtype="INT8", buffer=0, **fields):
    number = schema.enum_value("TensorType", dtype)
    return schema.new("TensorT", name=name.encode(), shape=ints(*shape), type=number, buffer=buffer, **fields)


def operator(code, inputs, outputs, **fields):
    return schema.new("OperatorT", opcodeIndex=code, inputs=ints(*inputs), outputs=ints(*outputs), **fields)


def code(name, custom_code=None):
    number = schema.enum_value("BuiltinOperator", name)
    return schema.new(
        "OperatorCodeT", builtinCode=number, deprecatedBuiltinCode=min(number, 127), customCode=custom_code
    )


def buffer(data=None):
    return schema.new("BufferT", data=None if data is None else np.frombuffer(data, np.uint8))


def signature(key, inputs, outputs, subgraph=0):
    def maps(entries):
        return [schema.new("TensorMapT", name=name.encode(), tensorIndex=t) for name, t in entries.items()]

    return schema.new(
        "SignatureDefT", signatureKey=key.encode(), subgraphIndex=subgraph, inputs=maps(inputs), outputs=maps(outputs)
    )


def quantized(scale=0.5, zero_point=-3, **fields):
    return schema.new(
        "QuantizationParametersT",
        scale=np.array([scale], np.float32),
        zeroPoint=np.array([zero_point], np.int64),
        **fields,
    )


def chain_tree():
    """x -RELU-> a -RELU-> y, with an orphan tensor in between, a constant, a signature and a metadata entry.

    tensors: 0 x, 1 orphan (100 bytes), 2 a, 3 constant (unused), 4 y. buffers: 0, 1 constant, 2 metadata, 3 unused.
    """
    tensors = [
        tensor("x", quantization=quantized()),
        tensor("orphan", (1, 100)),
        tensor("a", quantization=quantized()),
        tensor("constant", (4,), buffer=1),
        tensor("y", quantization=quantized()),
    ]
    main = schema.new(
        "SubGraphT", name=b"main", tensors=tensors, inputs=ints(0), outputs=ints(4),
        operators=[operator(1, [0], [2]), operator(1, [2], [4])],
    )  # fmt: skip
    return schema.new(
        "ModelT",
        version=3,
        description=b"two RELUs",
        operatorCodes=[code("SOFTMAX"), code("RELU")],
        subgraphs=[main],
        buffers=[buffer(), buffer(b"\1\2\3\4"), buffer(b"1.5.0"), buffer(b"nobody's")],
        metadata=[schema.new("MetadataT", name=b"min_runtime_version", buffer=2)],
        signatureDefs=[signature("serving_default", {"in": 0}, {"out": 4})],
    )


def chain_bytes(change=lambda tree: None):
    """`chain_tree` as a file, after `change` has changed it."""
    tree = chain_tree()
    change(tree)
    return schema.pack(tree)
