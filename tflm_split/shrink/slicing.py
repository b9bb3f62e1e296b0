"""The model without some of its channels: with masks, while it trains, or for good.

Both compute the same. A mask puts zeros where a kernel reads a removed channel, and nowhere else: what is not read does not
matter, whatever activations and batch norms make of it. The channel itself stays alive, so it can return.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tflm_split.errors import InputError
from tflm_split.shrink.backend import keras
from tflm_split.shrink.trace import FIXED, Trace, TracedLayer
from tflm_split.shrink.walk import Call, walk

Floats = npt.NDArray[np.float32]


def kept(labels: Sequence[int], removed: Collection[int]) -> npt.NDArray[np.bool_]:
    """Which channels stay. Fixed ones always do."""
    gone = np.fromiter(removed, np.int64, len(removed))
    return ~np.isin(np.asarray(labels, np.int64), gone)


def check_removable(trace: Trace, removed: Collection[int]) -> None:
    """Raises InputError where `removed` names no unit, or leaves a layer without channels."""
    if any(not 0 <= unit < trace.units for unit in removed):
        raise InputError(f"there are {trace.units} units of channels, and the removed ones are not all among them")
    for layer in trace.layers:
        widths = [slot.labels for slot in layer.slots] + [labels for _, labels in layer.sizes]
        if any(labels and not kept(labels, removed).any() for labels in widths):
            raise InputError(f"layer {layer.name!r} would be left without channels: remove fewer")


@dataclass(frozen=True, slots=True)
class Mask:
    """Zeros (and ones) of a variable's shape, broadcast: what its value is multiplied by."""

    variable: Any
    factor: Floats


def masks(trace: Trace, removed: Collection[int]) -> Iterator[Mask]:
    """One for each kernel that reads channels of some unit."""
    check_removable(trace, removed)
    for layer in trace.layers:
        for slot in layer.slots:
            if slot.reads and any(label != FIXED for label in slot.labels):
                variable = getattr(layer.layer, slot.attribute)
                shape = [1] * len(variable.shape)
                shape[slot.axis] = len(slot.labels)
                yield Mask(variable, kept(slot.labels, removed).astype(np.float32).reshape(shape))


def mask_weights(trace: Trace, removed: Collection[int]) -> None:
    """Put zeros into the traced model's own kernels where they read what is `removed`."""
    for mask in masks(trace, removed):
        mask.variable.assign(np.asarray(mask.variable) * mask.factor)


def sliced(trace: Trace, removed: Collection[int] = (), *, batch: int | None = None) -> Any:
    """A new model without the `removed` units, with the traced model's weights. Nested models become part of it.

    It is not compiled. `batch`: the number of samples that it takes; any number with None. Raises InputError where a layer
    would be left without channels, or a layer of an unknown class cannot be made again from its configuration.
    """
    check_removable(trace, removed)
    k = keras()
    made: dict[int, tuple[Any, Any]] = {}  # by the old layer: it, and the new one
    names: set[str] = set()

    def visit(call: Call, given: list[Any]) -> list[Any]:
        operation = call.operation
        if isinstance(operation, k.layers.Layer):
            if id(operation) not in made:
                made[id(operation)] = operation, _again(trace, call, removed, names)
            operation = made[id(operation)][1]
        return list(k.tree.flatten(call.again(operation, given)))

    old = trace.model.inputs
    inputs = [k.Input(tuple(x.shape)[1:], batch, dtype=x.dtype, name=_plain(x.name)) for x in old]
    outputs = walk(trace.model, inputs, visit)
    structure = trace.model.outputs if isinstance(trace.model, k.Sequential) else trace.model._outputs_struct
    packed = k.tree.pack_sequence_as(structure, outputs)
    single = isinstance(packed, (list, tuple)) and len(packed) == 1
    new = k.Model(inputs if len(inputs) > 1 else inputs[0], packed[0] if single else packed, name=trace.model.name)
    for layer, twin in made.values():
        _set_weights(trace, layer, twin, removed)
    return new


def _plain(name: str) -> str:
    return name.split(":")[0].replace("/", "_")


def _again(trace: Trace, call: Call, removed: Collection[int], names: set[str]) -> Any:
    """A layer like that of `call`, of the new widths, not built yet."""
    layer = call.operation
    known = trace.layer_of(layer)
    try:
        config = layer.get_config()
        config["name"] = _free(call, names)
        for key, labels in known.sizes if known else ():
            count = int(kept(labels, removed).sum())
            if key == "target_shape":
                target = list(config[key])
                count = -1 if target[-1] == -1 else count
                config[key] = (*target[:-1], count)
            else:
                config[key] = count
        return type(layer).from_config(config)
    except (TypeError, ValueError, NotImplementedError) as fault:
        raise InputError(
            f"layer {call.name!r} cannot be made again from its configuration: give it a get_config ({fault})"
        ) from fault


def _free(call: Call, names: set[str]) -> str:
    """The layer's name, with those of the models it was nested in where several layers have it."""
    name, depth = call.path[-1], 1
    while name in names and depth < len(call.path):
        depth += 1
        name = "_".join(call.path[-depth:])
    base, count = name, 1
    while name in names:
        name, count = f"{base}_{count}", count + 1
    names.add(name)
    return name


def _set_weights(trace: Trace, layer: Any, twin: Any, removed: Collection[int]) -> None:
    known = trace.layer_of(layer)
    cuts = _cuts(known, removed) if known else {}
    for source, target in zip(layer.variables, twin.variables, strict=True):
        value = np.asarray(source)
        for axis, keep in cuts.get(id(source), ()):
            value = np.compress(keep, value, axis)
        target.assign(value)


def _cuts(known: TracedLayer, removed: Collection[int]) -> dict[int, list[tuple[int, npt.NDArray[np.bool_]]]]:
    cuts: dict[int, list[tuple[int, npt.NDArray[np.bool_]]]] = {}
    for slot in known.slots:
        variable = getattr(known.layer, slot.attribute)
        cuts.setdefault(id(variable), []).append((slot.axis, kept(slot.labels, removed)))
    return cuts
