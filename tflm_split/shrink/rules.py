"""What does each Keras layer do with channels? One function for each family of layers; `rule_of` chooses.

A rule gets the labels of what a call reads, gives those of what it makes, and records which variables go with them. A layer
without a rule keeps all channels that it touches, and is named.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from math import prod
from typing import Any

import numpy as np

from tflm_split.shrink.backend import keras
from tflm_split.shrink.trace import Labeller, Labels, Slot, TracedLayer, Value
from tflm_split.shrink.walk import Call

Shapes = Sequence[tuple[int | None, ...]]
Rule = Callable[[Labeller, Call, list[Value], Shapes], list[Value]]

ELEMENT_WISE = frozenset(
    {
        "linear", "relu", "relu6", "leaky_relu", "elu", "selu", "silu", "swish", "sigmoid", "hard_sigmoid",
        "hard_silu", "hard_swish", "tanh", "softplus", "softsign", "exponential", "gelu", "mish", "hard_tanh",
        "tanh_shrink", "hard_shrink", "soft_shrink", "celu", "squareplus", "log_sigmoid",
    }
)  # fmt: skip
"""Activations that compute each element from itself alone."""


def rule_of(operation: Any) -> Rule:
    """The rule of a layer, by its class itself: a class derived from it may do anything."""
    found = _layer_rules().get(type(operation))
    if found is None and not isinstance(operation, keras().layers.Layer):
        module, name = type(operation).__module__, type(operation).__name__
        found = _merge if module.startswith("keras.") and name in ("Add", "Subtract", "Multiply") else None
    return found or _unknown


@cache
def _layer_rules() -> dict[type, Rule]:
    rules: dict[Rule, str] = {
        _convolution: "Conv1D Conv2D",
        _depthwise: "DepthwiseConv1D DepthwiseConv2D",
        _separable: "SeparableConv1D SeparableConv2D",
        _dense: "Dense",
        _batch_norm: "BatchNormalization",
        _activation: "Activation",
        _prelu: "PReLU",
        _merge: "Add Subtract Multiply Average Maximum Minimum",
        _concatenate: "Concatenate",
        _flatten: "Flatten",
        _reshape: "Reshape",
        _channel_wise: (
            "ReLU LeakyReLU ELU Dropout SpatialDropout1D SpatialDropout2D GaussianNoise GaussianDropout AlphaDropout Identity "
            "MaxPooling1D MaxPooling2D AveragePooling1D AveragePooling2D GlobalAveragePooling1D GlobalAveragePooling2D "
            "GlobalMaxPooling1D GlobalMaxPooling2D ZeroPadding1D ZeroPadding2D Cropping1D Cropping2D UpSampling1D UpSampling2D"
        ),
    }  # fmt: skip
    layers = keras().layers
    return {getattr(layers, name): rule for rule, names in rules.items() for name in names.split()}


def _unknown(labeller: Labeller, call: Call, given: list[Value], shapes: Shapes) -> list[Value]:
    return _left(labeller, call, given, shapes, f"{type(call.operation).__name__} is not understood")


def _left(labeller: Labeller, call: Call, given: list[Value], shapes: Shapes, why: str) -> list[Value]:
    """Everything that the call touches stays as it is."""
    labeller.leave(call.name, why, given)
    return [Value(shape, labeller.fresh((shape[-1] or 0) if shape else 1, fixed=True)) for shape in shapes]


def _trouble(call: Call, given: list[Value]) -> str | None:
    """Why not even a known layer can be followed here."""
    layer = call.operation
    if getattr(layer, "data_format", "channels_last") not in (None, "channels_last"):
        return "its channels come first"
    if any(value.shape and value.shape[-1] is None for value in given) or any(not value.shape for value in given):
        return "its channels are not counted"
    if getattr(layer, "lora_enabled", False) or getattr(layer, "quantization_mode", None):
        return "its weights are quantised or have a low-rank part"
    return None


def _elements(layer: Any) -> bool:
    """Whether its activation computes each element alone."""
    activation = getattr(layer, "activation", None)
    if activation is None:
        return True
    name = getattr(activation, "__name__", type(activation).__name__)
    known = getattr(keras().activations, name, None)
    return name in ELEMENT_WISE and known is activation


def _record(
    labeller: Labeller, call: Call, slots: list[Slot], sizes: tuple[tuple[str, Labels], ...], made: Labels
) -> Labels:
    """Note what belongs to the layer. If it was called before, both calls share its weights, and so their channels."""
    layer = call.operation
    kept = [slot for slot in slots if getattr(layer, slot.attribute, None) is not None]
    known = labeller.layers.get(id(layer))
    if known is None:
        counted = tuple((key, tuple(map(int, labels))) for key, labels in sizes)
        labeller.layers[id(layer)] = TracedLayer(layer, call.name, tuple(kept), counted, tuple(map(int, made)))
        return made
    for old, new in zip(known.slots, kept, strict=True):
        labeller.join(old.labels, new.labels)
    labeller.join(known.made, made)
    return made


def _slot(attribute: str, axis: int, labels: Labels, *, reads: bool = False) -> Slot:
    return Slot(attribute, axis, tuple(map(int, labels)), reads)


def _convolution(labeller: Labeller, call: Call, given: list[Value], shapes: Shapes) -> list[Value]:
    layer, (x,) = call.operation, given
    why = _trouble(call, given)
    if why:
        return _left(labeller, call, given, shapes, why)
    if layer.groups > 1 and layer.groups == len(x.labels):
        return _depthwise_by_groups(labeller, call, given, shapes)
    made = _made(labeller, call, layer.filters)
    groups = layer.groups
    read = x.labels[: len(x.labels) // groups]
    for labels in (x.labels, made):  # the same channels of every group, so that all stay of one size
        parts = labels.reshape(groups, -1)
        for part in parts[1:]:
            labeller.join(parts[0], part)
    slots = [_slot("kernel", -2, read, reads=True), _slot("kernel", -1, made), _slot("bias", 0, made)]
    return [Value(shapes[0], _record(labeller, call, slots, (("filters", made),), made))]


def _made(labeller: Labeller, call: Call, count: int) -> Labels:
    """Labels for what the layer makes, fixed where its activation mixes channels."""
    whole = not _elements(call.operation)
    if whole:
        labeller.left_alone.setdefault(call.name, "its activation mixes channels, or is not understood")
    return labeller.fresh(count, call.name, fixed=whole)


def _handed_on(labeller: Labeller, call: Call, given: Labels, times: int) -> Labels:
    made = np.repeat(given, times)
    if not _elements(call.operation):
        labeller.left_alone.setdefault(call.name, "its activation mixes channels, or is not understood")
        labeller.fix(made)
    return made


def _depthwise_by_groups(labeller: Labeller, call: Call, given: list[Value], shapes: Shapes) -> list[Value]:
    """A convolution with one group for each channel."""
    (x,) = given
    made = _handed_on(labeller, call, x.labels, call.operation.filters // len(x.labels))
    slots = [_slot("kernel", -1, made), _slot("bias", 0, made)]
    return [Value(shapes[0], _record(labeller, call, slots, (("filters", made), ("groups", x.labels)), made))]


def _depthwise(labeller: Labeller, call: Call, given: list[Value], shapes: Shapes) -> list[Value]:
    why = _trouble(call, given)
    if why:
        return _left(labeller, call, given, shapes, why)
    (x,) = given
    made = _handed_on(labeller, call, x.labels, call.operation.depth_multiplier)
    slots = [_slot("kernel", -2, x.labels), _slot("bias", 0, made)]
    return [Value(shapes[0], _record(labeller, call, slots, (), made))]


def _separable(labeller: Labeller, call: Call, given: list[Value], shapes: Shapes) -> list[Value]:
    why = _trouble(call, given)
    if why:
        return _left(labeller, call, given, shapes, why)
    (x,) = given
    made = _made(labeller, call, call.operation.filters)
    between = np.repeat(x.labels, call.operation.depth_multiplier)
    slots = [
        _slot("depthwise_kernel", -2, x.labels),
        _slot("pointwise_kernel", -2, between, reads=True),
        _slot("pointwise_kernel", -1, made),
        _slot("bias", 0, made),
    ]
    return [Value(shapes[0], _record(labeller, call, slots, (("filters", made),), made))]


def _dense(labeller: Labeller, call: Call, given: list[Value], shapes: Shapes) -> list[Value]:
    why = _trouble(call, given)
    if why:
        return _left(labeller, call, given, shapes, why)
    (x,) = given
    made = _made(labeller, call, call.operation.units)
    slots = [_slot("kernel", 0, x.labels, reads=True), _slot("kernel", 1, made), _slot("bias", 0, made)]
    return [Value(shapes[0], _record(labeller, call, slots, (("units", made),), made))]


def _batch_norm(labeller: Labeller, call: Call, given: list[Value], shapes: Shapes) -> list[Value]:
    (x, *more) = given
    axis = call.operation.axis
    axis = axis[0] if isinstance(axis, (list, tuple)) else axis
    why = _trouble(call, given)
    if not why and (more or axis not in (-1, len(x.shape))):
        why = "it normalises along another axis than the last, or with a mask"
    if why:
        return _left(labeller, call, given, shapes, why)
    slots = [_slot(name, 0, x.labels) for name in ("gamma", "beta", "moving_mean", "moving_variance")]
    _record(labeller, call, slots, (), x.labels)
    return [Value(shapes[0], x.labels)]


def _activation(labeller: Labeller, call: Call, given: list[Value], shapes: Shapes) -> list[Value]:
    if not _elements(call.operation):
        return _left(labeller, call, given, shapes, "its activation mixes channels, or is not understood")
    return _channel_wise(labeller, call, given, shapes)


def _channel_wise(labeller: Labeller, call: Call, given: list[Value], shapes: Shapes) -> list[Value]:
    """Each channel is computed from the same channel alone."""
    why = _trouble(call, given)
    if why or len(given) != 1:
        return _left(labeller, call, given, shapes, why or "it reads several tensors")
    return [Value(shapes[0], given[0].labels)]


def _prelu(labeller: Labeller, call: Call, given: list[Value], shapes: Shapes) -> list[Value]:
    why = _trouble(call, given)
    if why:
        return _left(labeller, call, given, shapes, why)
    (x,) = given
    per_channel = call.operation.alpha.shape[-1] == len(x.labels)
    slots = [_slot("alpha", -1, x.labels)] if per_channel else []
    _record(labeller, call, slots, (), x.labels)
    return [Value(shapes[0], x.labels)]


def _merge(labeller: Labeller, call: Call, given: list[Value], shapes: Shapes) -> list[Value]:
    """Element by element, from several tensors. A tensor of one channel that is broadcast stays."""
    if _trouble(call, given) or len(given) < 2:
        return _left(labeller, call, given, shapes, _trouble(call, given) or "it does not merge tensors alone")
    width = max(len(value.labels) for value in given)
    wide = [value.labels for value in given if len(value.labels) == width]
    for value in given:
        if len(value.labels) != width:
            labeller.fix(value.labels)
    for labels in wide[1:]:
        labeller.join(wide[0], labels)
    return [Value(shapes[0], wide[0])]


def _concatenate(labeller: Labeller, call: Call, given: list[Value], shapes: Shapes) -> list[Value]:
    why = _trouble(call, given)
    if why:
        return _left(labeller, call, given, shapes, why)
    if call.operation.axis in (-1, len(given[0].shape)):
        return [Value(shapes[0], np.concatenate([value.labels for value in given]))]
    for value in given[1:]:
        labeller.join(given[0].labels, value.labels)
    return [Value(shapes[0], given[0].labels)]


def _flatten(labeller: Labeller, call: Call, given: list[Value], shapes: Shapes) -> list[Value]:
    """The channels of each pixel, one pixel after the other."""
    why = _trouble(call, given)
    if why or None in given[0].shape:
        return _left(labeller, call, given, shapes, why or "it flattens a shape that is not fixed")
    (x,) = given
    return [Value(shapes[0], np.tile(x.labels, prod(int(d or 0) for d in x.shape[:-1])))]


def _reshape(labeller: Labeller, call: Call, given: list[Value], shapes: Shapes) -> list[Value]:
    """Channels stay channels, or all is flattened. With fixed channels, anything may happen."""
    (x,), shape = given, shapes[0]
    why = _trouble(call, given)
    if why or None in x.shape or None in shape or not shape:
        return _left(labeller, call, given, shapes, why or "it reshapes a shape that is not fixed")
    elements = prod(int(d or 0) for d in x.shape)
    if shape[-1] == len(x.labels):
        made = x.labels
    elif shape[-1] == elements:
        made = np.tile(x.labels, elements // len(x.labels))
    else:
        return _left(labeller, call, given, shapes, "it takes channels apart")
    labeller.layers.setdefault(
        id(call.operation), TracedLayer(call.operation, call.name, (), (("target_shape", tuple(map(int, made))),), ())
    )
    return [Value(shape, made)]
