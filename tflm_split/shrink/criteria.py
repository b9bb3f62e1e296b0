"""How much does each unit of channels matter? One small function for each criterion: a traced model -> a score per unit.

Scores are compared within a group only. All look at the weights as they would be without masks, so that a masked channel can
win against one that is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tflm_split.errors import InputError
from tflm_split.shrink.backend import tensorflow
from tflm_split.shrink.trace import FIXED, Slot, Trace, TracedLayer

Scores = npt.NDArray[np.float64]
Criterion = Callable[[Trace, Any], Scores]
"""(Traced model, a batch (x, y) or None) -> a score per unit, higher for what matters more."""


def l2(traced: Trace, batch: Any = None) -> Scores:
    """The length of all weights that go with a unit: what makes its channels, and what reads them.

    Each kernel counts relative to the mean of its channels (Fang et al., "DepGraph", 2023, group norms).
    """

    def of(layer: TracedLayer, slot: Slot) -> npt.NDArray[np.float64] | None:
        if "kernel" not in slot.attribute:
            return None
        values = np.asarray(getattr(layer.layer, slot.attribute), np.float64)
        energy = (np.moveaxis(values, slot.axis, 0).reshape(values.shape[slot.axis], -1) ** 2).sum(1)
        return np.asarray(energy / max(float(energy.mean()), 1e-30))

    return np.sqrt(_summed(traced, of))


def batch_norm_scale(traced: Trace, batch: Any = None) -> Scores:
    """The scales that batch norms give to a unit's channels, as absolute values (Liu et al., "Network Slimming", 2017).

    Raises InputError where the model has no batch norm. Units without one get the mean score.
    """

    def of(layer: TracedLayer, slot: Slot) -> npt.NDArray[np.float64] | None:
        return np.abs(np.asarray(layer.layer.gamma, np.float64)) if slot.attribute == "gamma" else None

    scores = _summed(traced, of)
    if not scores.any():
        raise InputError(
            "no batch norm with a scale follows a channel that could go: take another criterion, such as l2"
        )
    return np.where(scores > 0, scores, scores[scores > 0].mean())


def taylor(traced: Trace, batch: Any) -> Scores:
    """By how much the loss on `batch` would change without a unit, to first order (Molchanov et al., 2019).

    The sum over what reads the unit of weight times gradient. The model must be compiled. Raises InputError without a batch.
    """
    if batch is None:
        raise InputError("the criterion taylor needs data: pruner(criterion='taylor', data=(x, y))")
    x, y = batch
    model, tf = traced.model, tensorflow()
    variables = [getattr(layer.layer, slot.attribute) for layer, slot in _reading(traced)]
    with tf.GradientTape() as tape:
        loss = model.compute_loss(x, y, model(x, training=False))
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    by_variable = {id(v): np.asarray(g) for v, g in zip(variables, gradients, strict=True) if g is not None}

    def of(layer: TracedLayer, slot: Slot) -> npt.NDArray[np.float64] | None:
        variable = getattr(layer.layer, slot.attribute)
        if not slot.reads or id(variable) not in by_variable:
            return None
        change = np.asarray(variable, np.float64) * by_variable[id(variable)]
        return np.asarray(np.moveaxis(change, slot.axis, 0).reshape(change.shape[slot.axis], -1).sum(1))

    return np.abs(_summed(traced, of))


CRITERIA: Mapping[str, Criterion] = {"l2": l2, "bn": batch_norm_scale, "taylor": taylor}
"""By the name that users give."""


def _reading(traced: Trace) -> list[tuple[TracedLayer, Slot]]:
    return [(layer, slot) for layer in traced.layers for slot in layer.slots if slot.reads]


def _summed(traced: Trace, of: Callable[[TracedLayer, Slot], npt.NDArray[np.float64] | None]) -> Scores:
    """What `of` says of each index of each slot, added up by unit."""
    scores = np.zeros(traced.units)
    for layer in traced.layers:
        for slot in layer.slots:
            values = of(layer, slot) if any(label != FIXED for label in slot.labels) else None
            if values is not None:
                labels = np.asarray(slot.labels)
                np.add.at(scores, labels[labels != FIXED], values[labels != FIXED])
    return scores
