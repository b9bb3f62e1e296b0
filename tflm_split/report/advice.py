"""What can a user do about an operator that stays stock?"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tflm_split.program.format import CUSTOM_CODE

_NOTHING = "nothing can be done about it; TFLM runs it as before"

BY_OPERATOR: Mapping[str, str] = MappingProxyType(
    {
        "WHILE": "a recurrent layer in a loop: build it with `unroll=True`, or as keras.layers.LSTM with a fixed batch of 1",
        "IF": "move the decision out of the model: convert one model per branch",
        "CALL_ONCE": "freeze the variables before converting, or keep it: it runs once only",
        "ARG_MAX": "leave it out of the model, and find the largest output in the firmware",
        "ARG_MIN": "leave it out of the model, and find the smallest output in the firmware",
        "SHAPE": "fix all shapes when converting: `keras.Input(..., batch_size=1)`",
        "CAST": "quantise instead: convert with int8 inputs and outputs",
    }
)
"""Advice about operators that have no form here, whatever their operands are."""

BY_KIND: Mapping[str, str] = MappingProxyType(
    {
        "activation": "use no other fused activation than RELU, RELU6 or RELU_N1_TO_1",
        "arity": "convert the model again: the operator does not have the operands that converters write",
        "axes": "reduce or slice one axis only, the last one or rows and columns together; TRANSPOSE before if need be",
        "batch": "set the batch to 1 when converting: `keras.Input(..., batch_size=1)`",
        "broadcast": "give both operands the same shape, or one of them a single value per channel",
        "channels": _NOTHING,
        "concatenation": _NOTHING,
        "constant": "make it a constant: convert with fixed shapes, and fold what is known",
        "dtype": "convert with int8 quantisation of weights and activations",
        "geometry": "use other sizes, strides or paddings: `same` padding, and axes in the order batch, height, width, channels",
        "interface": "add a layer between the input and the output that share a tensor",
        "neighbours": "nothing can be done about it alone: it hangs on the stock operator beside it",
        "operator": _NOTHING,
        "option": "leave the option at its default when building the layer",
        "options": "convert the model again: the operator lacks its options",
        "order": _NOTHING,
        "overflow": "use smaller weights or fewer channels: its sums could leave 32 bits",
        "padding": "pad with zeros",
        "quantization": "convert again with the current converter: one scale per activation, one per channel of weights",
        "rank": "reshape to at most four dimensions, batch first",
        "rows": "nothing can be done about it alone: its neighbours are cut along other rows",
        "shape": "use fewer rows or columns: a larger stride in the layer before",
        "size": "make its tensors smaller: a larger stride or fewer samples",
        "state": _NOTHING,
        "stream": "read the streamed input by layers that need few of its rows at a time",
        "variable": "freeze the variables before converting",
    }
)
"""Advice by the kind of refusal."""


def advice(operator: str, kind: str) -> str:
    """What to do about an operator that was refused for a reason of this kind."""
    if operator == f"CUSTOM:{CUSTOM_CODE}":
        return "optimise its original to have it split in another way"
    if operator.startswith("CUSTOM:"):
        return "nothing can be done about it; the firmware runs it as before, once its resolver has it"
    if kind == "operator":
        return BY_OPERATOR.get(operator, _NOTHING)
    return BY_KIND.get(kind, _NOTHING)
