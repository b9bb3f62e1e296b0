"""In which order does a Keras model call its layers, with nested models looked into?

`walk` runs a model on values of any kind: labels of channels when it is traced, Keras tensors when it is built again. Each
nested model is walked where it is called, so what comes out never sees nesting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tflm_split.errors import InputError
from tflm_split.shrink.backend import keras

Visit = Callable[["Call", list[Any]], list[Any]]
"""(A call, the values of its input tensors) -> the values of its output tensors."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a layer or of an operation of `keras.ops`. `path` names the nested models it is in, and itself."""

    operation: Any
    node: Any
    path: tuple[str, ...]

    @property
    def name(self) -> str:
        return "/".join(self.path)

    def again(self, operation: Any, values: Sequence[Any]) -> Any:
        """Call `operation` with the arguments of this call, its tensors replaced by `values`."""
        new = {id(old): value for old, value in zip(self.node.input_tensors, values, strict=True)}
        tree = keras().tree
        arguments = self.node.arguments
        args = tree.map_structure(lambda x: new.get(id(x), x), arguments.args)
        kwargs = tree.map_structure(lambda x: new.get(id(x), x), arguments.kwargs)
        return operation(*args, **kwargs)


def checked_model(model: Any) -> Any:
    """`model`, if it is a built Sequential or functional model of one input or more. Raises InputError otherwise."""
    k = keras()
    if not isinstance(model, k.Model):
        raise InputError(f"shrinking takes a keras.Model, not {type(model).__name__}")
    if not _is_graph(model):
        raise InputError(
            f"the model {model.name!r} is no Sequential or functional model, or not built: call it on data, or give it an Input"
        )
    return model


def walk(model: Any, values: Sequence[Any], visit: Visit, path: tuple[str, ...] = ()) -> list[Any]:
    """The values of the model's outputs, in flat order, when its inputs have `values`."""
    known = {id(tensor): value for tensor, value in zip(model.inputs, values, strict=True)}
    for call in _calls(model, path):
        given = [known[id(tensor)] for tensor in call.node.input_tensors]
        if _is_graph(call.operation):
            made = walk(call.operation, given, visit, call.path)
        else:
            made = visit(call, given)
        for tensor, value in zip(call.node.output_tensors, made, strict=True):
            known[id(tensor)] = value
    return [known[id(tensor)] for tensor in keras().tree.flatten(model.outputs)]


def _is_graph(operation: Any) -> bool:
    models = keras().models
    if isinstance(operation, models.Sequential):
        return bool(operation.built and operation.inputs)
    return isinstance(operation, keras().Model) and getattr(operation, "inputs", None) is not None


def _calls(model: Any, path: tuple[str, ...]) -> list[Call]:
    """The calls that the model's outputs depend on, each after those that it reads."""
    order: list[Call] = []
    done = {id(tensor) for tensor in model.inputs}
    waiting = [(tensor, False) for tensor in reversed(keras().tree.flatten(model.outputs))]
    while waiting:
        tensor, ready = waiting.pop()
        if id(tensor) in done:
            continue
        operation, index, _ = tensor._keras_history
        node = operation._inbound_nodes[index]
        if ready:
            order.append(Call(operation, node, (*path, operation.name)))
            done.update(id(out) for out in node.output_tensors)
        else:
            waiting.append((tensor, True))
            waiting.extend((source, False) for source in reversed(node.input_tensors))
    return order
