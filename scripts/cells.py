"""Which cells did Serenity (arXiv 2003.02369) show its orders on, and what do they look like as `.tflite` files?

Cells of the three kinds of irregularly wired networks it takes: found by architecture search, with sums (DARTS, arXiv
1806.09055) or with concatenations (SwiftNet, arXiv 1906.08305, whose cells are not published: wired at random here in the
same manner), and wired at random (RandWire, arXiv 1904.01569). Weights are random, with scales that keep activations from
saturating; the same call gives the same bytes.

`python scripts/cells.py FOLDER` writes the files.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod, sqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflm_split.tflite import schema

INPUT = "INPUT"


@dataclass(frozen=True, slots=True)
class Layer:
    """An operator of `kind` (its name in the schema, or `INPUT`) that reads the outputs of the layers `inputs`.

    `shape` is rows, columns and channels of its output. `kernel`, `stride` and `dilation` are those of both axes, but for a
    signal along columns, of one row: there the kernel has one row, too.
    """

    kind: str
    inputs: tuple[int, ...]
    shape: tuple[int, int, int]
    kernel: int = 1
    stride: int = 1
    dilation: int = 1
    relu: bool = False


Layers = tuple[Layer, ...]
"""In the order in which they are defined: what a layer reads comes first. The last one makes the cell's output."""


class Cell:
    """Layers of a cell, defined one after the other; methods give a layer's number."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []

    def input(self, size: int, channels: int) -> int:
        return self._add(Layer(INPUT, (), (size, size, channels)))

    def conv(self, source: int, channels: int, kernel: int = 1, stride: int = 1, *, relu: bool = False) -> int:
        shape = (*self._strided(source, stride), channels)
        return self._add(Layer("CONV_2D", (source,), shape, kernel, stride, relu=relu))

    def depthwise(self, source: int, kernel: int = 3, stride: int = 1, dilation: int = 1) -> int:
        shape = (*self._strided(source, stride), self.layers[source].shape[2])
        return self._add(Layer("DEPTHWISE_CONV_2D", (source,), shape, kernel, stride, dilation))

    def separable(
        self, source: int, channels: int, kernel: int = 3, stride: int = 1, dilation: int = 1, *, relu: bool = False
    ) -> int:
        return self.conv(self.depthwise(source, kernel, stride, dilation), channels, relu=relu)

    def relu(self, source: int) -> int:
        """A RELU of its own; asked for twice, it is one operator."""
        layer = Layer("RELU", (source,), self.layers[source].shape)
        return self.layers.index(layer) if layer in self.layers else self._add(layer)

    def add(self, sources: Sequence[int], *, relu: bool = False) -> int:
        """The sum, two at a time; a single source is its own."""
        total = sources[0]
        for k, source in enumerate(sources[1:], 2):
            last = k == len(sources)
            total = self._add(Layer("ADD", (total, source), self.layers[total].shape, relu=relu and last))
        return total

    def weighted(self, source: int) -> int:
        """MUL by a constant."""
        return self._add(Layer("MUL", (source,), self.layers[source].shape))

    def concatenate(self, sources: Sequence[int]) -> int:
        rows, columns, _ = self.layers[sources[0]].shape
        channels = sum(self.layers[s].shape[2] for s in sources)
        return self._add(Layer("CONCATENATION", tuple(sources), (rows, columns, channels)))

    def _strided(self, source: int, stride: int) -> tuple[int, int]:
        rows, columns, _ = self.layers[source].shape
        return -(-rows // stride), -(-columns // stride)

    def _add(self, layer: Layer) -> int:
        self.layers.append(layer)
        return len(self.layers) - 1


def darts_normal(size: int = 28, channels: int = 48) -> Layers:
    """The normal cell of DARTS (its second version), between the 1x1 convolutions before and after it: as for ImageNet."""
    cell = Cell()

    def twice(source: int) -> int:
        """Its separable convolution is two of them, each behind a RELU."""
        return cell.separable(cell.separable(cell.relu(source), channels, relu=True), channels)

    before, last = cell.input(size, channels), cell.input(size, channels)
    first = cell.add((twice(before), twice(last)))
    second = cell.add((twice(before), twice(last)))
    third = cell.add((twice(last), before))
    fourth = cell.add((before, cell.separable(cell.relu(first), channels, dilation=2)))
    cell.conv(cell.relu(cell.concatenate((first, second, third, fourth))), channels)
    return tuple(cell.layers)


def swiftnet(nodes: int, size: int, channels: int, seed: int, wide: int = 4) -> Layers:
    """Convolutions of few channels, each of which reads the concatenation of up to four results before it.

    A node is a separable convolution, or a 1x1 convolution and then a depthwise one, as a coin falls. The cell's input has
    `wide` times as many channels as a node's output; ends that nobody reads are joined at last.
    """
    random = np.random.default_rng(seed)
    cell = Cell()
    made = [cell.input(size, wide * channels)]
    ends: set[int] = set()
    for _ in range(nodes):
        count = min(len(made), int(random.integers(1, 5)))
        chosen = sorted(int(k) for k in random.choice(made, count, replace=False))
        source = cell.concatenate(chosen) if count > 1 else chosen[0]
        if random.integers(2):
            made.append(cell.separable(source, channels, relu=True))
        else:
            made.append(cell.depthwise(cell.conv(source, channels, relu=True)))
        ends = (ends | {made[-1]}) - set(chosen)
    last = sorted(ends)
    cell.conv(cell.concatenate(last) if len(last) > 1 else last[0], wide * channels, relu=True)
    return tuple(cell.layers)


def randwire(size: int, channels: int, seed: int, nodes: int = 32, near: int = 4, rewired: float = 0.75) -> Layers:
    """A Watts-Strogatz graph whose edges run from lower to higher nodes.

    A node is a weighted sum, a RELU and a separable convolution. The weight of a result that is read once is in its
    convolution; otherwise it is a MUL by a constant.
    """
    cell = Cell()
    image = cell.input(2 * size, channels // 2)
    sources: dict[int, list[int]] = {k: [] for k in range(nodes)}
    edges = watts_strogatz(nodes, near, rewired, seed)
    for first, second in edges:
        sources[second].append(first)
    readers = Counter(first for first, _ in edges)
    made: dict[int, int] = {}
    for k in range(nodes):
        if not sources[k]:
            made[k] = cell.separable(cell.relu(image), channels, stride=2)
            continue
        read = [made[n] if readers[n] == 1 or len(sources[k]) == 1 else cell.weighted(made[n]) for n in sources[k]]
        total = cell.add(read, relu=True) if len(read) > 1 else cell.relu(read[0])
        made[k] = cell.separable(total, channels)
    cell.add([made[k] for k in range(nodes) if not readers[k]])
    return tuple(cell.layers)


def watts_strogatz(nodes: int, near: int, rewired: float, seed: int) -> list[tuple[int, int]]:
    """Edges (lower, higher) of a ring in which each node knows `near` neighbours, each edge moved with that probability."""
    random = np.random.default_rng(seed)
    known = {frozenset((k, (k + step) % nodes)) for step in range(1, near // 2 + 1) for k in range(nodes)}
    for step in range(1, near // 2 + 1):
        for k in range(nodes):
            if random.random() >= rewired:
                continue
            strangers = [n for n in range(nodes) if n != k and frozenset((k, n)) not in known]
            known.remove(frozenset((k, (k + step) % nodes)))
            known.add(frozenset((k, int(random.choice(strangers)))))
    return sorted((min(edge), max(edge)) for edge in known)


def file_order(layers: Layers) -> list[int]:
    """The order in which TensorFlow's converter writes a graph's operators: those of a depth-first walk from the inputs
    along what reads what, the last one left first (reverse postorder, its graph importer's)."""
    readers: list[list[int]] = [[] for _ in layers]
    for k, layer in enumerate(layers):
        for source in dict.fromkeys(layer.inputs):
            readers[source].append(k)
    seen: set[int] = set()
    left: list[int] = []
    for first, layer in enumerate(layers):
        if layer.kind != INPUT:
            continue
        walk = [(first, iter(readers[first]))]
        while walk:
            k, further = walk[-1]
            following = next((n for n in further if n not in seen), None)
            if following is None:
                left.append(walk.pop()[0])
            else:
                seen.add(following)
                walk.append((following, iter(readers[following])))
    return [k for k in reversed(left) if layers[k].kind != INPUT]


CELLS: Mapping[str, Callable[[], Layers]] = {
    "darts_normal": darts_normal,
    "swiftnet_a": lambda: swiftnet(7, 56, 12, 1),
    "swiftnet_b": lambda: swiftnet(6, 28, 16, 2),
    "swiftnet_c": lambda: swiftnet(7, 14, 24, 3),
    "randwire_cifar10_a": lambda: randwire(16, 32, 1),
    "randwire_cifar10_b": lambda: randwire(8, 64, 2),
    "randwire_cifar100_a": lambda: randwire(16, 48, 3),
    "randwire_cifar100_b": lambda: randwire(8, 96, 4),
    "randwire_cifar100_c": lambda: randwire(4, 192, 5),
}


def tflite(layers: Layers, order: Sequence[int] | None = None, seed: int = 0) -> bytes:
    """The int8 model of `layers`, operators in `order` (layers' numbers; the converter's order without)."""
    return _Writer(layers, seed).model(file_order(layers) if order is None else order)


SCALE, ZERO_POINT = float(np.float32(1 / 24)), -6
"""Of every activation, so that concatenations need no requantisation; convolutions keep values around 1."""
WEIGHT_SPREAD = 40
"""Standard deviation of int8 weights."""


class _Writer:
    """Layers as a tree of the schema's tables."""

    def __init__(self, layers: Layers, seed: int) -> None:
        self.layers = layers
        self.random = np.random.default_rng(seed)
        self.buffers = [schema.new("BufferT", data=None)]
        self.tensors: list[Any] = []
        spread: list[float] = []
        """Root mean square of each layer's output, in real values."""
        for k, layer in enumerate(layers):
            self._tensor(f"{layer.kind.lower()}_{k}", (1, *layer.shape), "INT8", [SCALE], [ZERO_POINT])
            read = [spread[n] for n in layer.inputs]
            spread.append(_spread(layer, read) * (sqrt(0.5) if layer.relu else 1.0))
        self.constants = {
            k: self._weights(f"{layer.kind.lower()}_{k}", layer, spread[layer.inputs[0]])
            for k, layer in enumerate(layers)
            if layer.kind in _OPTIONS and "Conv" in _OPTIONS[layer.kind]
        }
        weight = np.array([100], np.int8)
        self.constants |= {
            k: [self._tensor(f"weight_{k}", (1,), "INT8", [0.008], [0], 0, weight)]
            for k, layer in enumerate(layers)
            if layer.kind == "MUL"
        }

    def model(self, order: Sequence[int]) -> bytes:
        """The file with operators in `order`."""
        kinds = sorted({self.layers[k].kind for k in order})
        codes = [schema.enum_value("BuiltinOperator", kind) for kind in kinds]
        graph = schema.new(
            "SubGraphT",
            name=b"main",
            tensors=self.tensors,
            inputs=[k for k, layer in enumerate(self.layers) if layer.kind == INPUT],
            outputs=[len(self.layers) - 1],
            operators=[self._operator(k, kinds.index(self.layers[k].kind)) for k in order],
        )
        tree = schema.new(
            "ModelT",
            version=schema.SCHEMA_VERSION,
            description=b"a cell with random weights",
            buffers=self.buffers,
            subgraphs=[graph],
            operatorCodes=[
                schema.new("OperatorCodeT", builtinCode=code, deprecatedBuiltinCode=code, version=1) for code in codes
            ],
        )
        return schema.pack(tree)

    def _operator(self, k: int, code: int) -> Any:
        layer = self.layers[k]
        inputs = [*layer.inputs, *self.constants.get(k, ())]
        operator = schema.new("OperatorT", opcodeIndex=code, inputs=inputs, outputs=[k])
        if layer.kind in _OPTIONS:
            name = _OPTIONS[layer.kind]
            options = schema.new(name + "T")
            values = {
                "strideH": layer.stride, "strideW": layer.stride, "dilationHFactor": layer.dilation,
                "dilationWFactor": layer.dilation, "depthMultiplier": 1, "axis": 3,
                "padding": schema.enum_value("Padding", "SAME"),
                "fusedActivationFunction": schema.enum_value("ActivationFunctionType", "RELU" if layer.relu else "NONE"),
            }  # fmt: skip
            for field, value in values.items():
                if hasattr(options, field):
                    setattr(options, field, value)
            operator.builtinOptionsType = schema.enum_value("BuiltinOptions", name)
            operator.builtinOptions = options
        return operator

    def _weights(self, name: str, layer: Layer, spread: float) -> list[int]:
        """Tensors of filters and biases that turn values of `spread` into values of 1."""
        channels, read = layer.shape[2], self.layers[layer.inputs[0]].shape[2]
        depthwise = layer.kind == "DEPTHWISE_CONV_2D"
        window = (min(layer.kernel, self.layers[layer.inputs[0]].shape[0]), layer.kernel)
        shape = (1, *window, channels) if depthwise else (channels, *window, read)
        axis = 3 if depthwise else 0
        drawn = self.random.normal(0, WEIGHT_SPREAD, shape)
        taps = prod(shape) // channels
        scales = self.random.uniform(0.7, 1.4, channels) / (WEIGHT_SPREAD * sqrt(taps) * spread)
        scales = scales.astype(np.float32).astype(np.float64)
        filters = np.clip(np.round(drawn), -127, 127).astype(np.int8)
        biases = np.round(self.random.normal(0, 0.2, channels) / (scales * SCALE)).astype("<i4")
        zeros = [0] * channels
        return [
            self._tensor(name + "_filters", shape, "INT8", scales.tolist(), zeros, axis, filters),
            self._tensor(name + "_biases", (channels,), "INT32", (scales * SCALE).tolist(), zeros, 0, biases),
        ]

    def _tensor(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: str,
        scales: list[float],
        zero_points: list[int],
        axis: int = 0,
        data: NDArray[Any] | None = None,
    ) -> int:
        if data is not None:
            self.buffers.append(schema.new("BufferT", data=np.frombuffer(data.tobytes(), np.uint8)))
        quantization = schema.new(
            "QuantizationParametersT",
            scale=np.array(scales, np.float32),
            zeroPoint=np.array(zero_points, np.int64),
            quantizedDimension=axis,
        )
        self.tensors.append(
            schema.new(
                "TensorT",
                name=name.encode(),
                shape=list(shape),
                type=schema.enum_value("TensorType", dtype),
                buffer=0 if data is None else len(self.buffers) - 1,
                quantization=quantization,
            )
        )
        return len(self.tensors) - 1


_OPTIONS: Mapping[str, str] = {
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "ADD": "AddOptions",
    "MUL": "MulOptions",
    "CONCATENATION": "ConcatenationOptions",
}


def _spread(layer: Layer, read: Sequence[float]) -> float:
    """Root mean square of what `layer` makes of values whose own are `read`, before its activation."""
    if layer.kind == "ADD":
        return sqrt(sum(r * r for r in read))
    if layer.kind == "MUL":
        return 0.8 * read[0]
    if layer.kind == "CONCATENATION":
        return sqrt(sum(r * r for r in read) / len(read))
    return read[0] * sqrt(0.5) if layer.kind == "RELU" else 1.0


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit("usage: python scripts/cells.py FOLDER")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in CELLS.items():
        (folder / f"{name}.tflite").write_bytes(tflite(make()))


if __name__ == "__main__":
    main()
