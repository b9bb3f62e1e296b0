"""What comes out of pruning: a smaller Keras model, its int8 file split and verified in TFLM, and one record."""

from __future__ import annotations

import html
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tflm_split import pipeline
from tflm_split.arithmetic.affine import affine_quantize
from tflm_split.errors import InputError
from tflm_split.plan.effort import DEFAULT_EFFORT
from tflm_split.report.result import Result
from tflm_split.shrink.convert import converted
from tflm_split.shrink.cost import Cost, cost_of
from tflm_split.shrink.slicing import sliced
from tflm_split.shrink.widths import narrower
from tflm_split.tflite.reader import read_model

if TYPE_CHECKING:
    from tflm_split.shrink.pruner import Pruning

Bytes = npt.NDArray[np.int8]
MOST_ROUNDS = 20
"""So often may the network get narrower by one step, where the file that was converted again is over the limit."""


@dataclass(frozen=True)
class Finished:
    """`keras_model` is not compiled. `original` is its int8 file, `split` that file split and verified."""

    keras_model: Any = field(repr=False)
    original: bytes = field(repr=False)
    split: Result = field(repr=False)
    cost: Cost
    record: dict[str, Any] = field(repr=False)

    @property
    def fits(self) -> bool:
        return bool(self.record["fits"])

    def save(self, path: Path | str, *, force: bool = False) -> None:
        """Write the split .tflite. Raises InputError like `Result.save`."""
        self.split.save(path, force=force)

    def __str__(self) -> str:
        r = self.record
        widths = ", ".join(f"{name} {was} -> {now}" for name, (was, now) in r["widths"].items() if was != now)
        verdict = "fits" if self.fits else "does not fit"
        return (
            f"arena {r['stock']['arena']:,} bytes in TFLM, {r['split_only']['arena']:,} split, {self.cost.arena:,} pruned and "
            f"split: {verdict} {r['max_arena_bytes']:,}\nnarrower: {widths or 'nothing'}"
        )

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def finish(pruning: Pruning, *, effort: int | str | None = None, verify: bool = True) -> Finished:
    """Slice, convert, split and verify what `pruning` decided.

    Ranges of activations change with the channels, and so may what the converter folds. If the file is over the limit for
    that, the network gets narrower by single steps; the weights of the channels that stay are not changed.
    """
    from tflm_split.options import options_from

    study = pruning.study
    chosen = options_from({"effort": DEFAULT_EFFORT if effort is None else effort}).effort
    options = replace(study.costs.options, effort=chosen, verify=verify)
    if pruning.limit < study.split.of(pruning.goal):
        pruning.to(1.0, -1, settled=True)
    for _ in range(MOST_ROUNDS):
        small = sliced(study.trace, pruning.removed)
        file = converted(sliced(study.trace, pruning.removed, batch=1), study.calibration)
        result = pipeline.optimize(file, options)
        cost = cost_of(read_model(file), result)
        over = cost.of(pruning.goal) - pruning.limit
        if over <= 0 or not _narrow(pruning, over):
            break
    return Finished(small, file, result, cost, _record(pruning, cost, result))


def _narrow(pruning: Pruning, over: int) -> bool:
    """One step further, because the file is `over` bytes too large. False if there is none."""
    study, scores = pruning.study, pruning.settled_scores()
    target = pruning.cost.of(pruning.goal) - over
    before = dict(pruning.widths)
    pruning.widths, pruning.cost = narrower(
        study.trace, study.costs, scores, before, pruning.aim, pruning.goal, target, study.multiple
    )
    pruning.choose(scores)
    return pruning.widths != before


def _record(pruning: Pruning, cost: Cost, result: Result) -> dict[str, Any]:
    study = pruning.study
    return {
        "model": study.name,
        "max_arena_bytes": pruning.limit,
        "fits": cost.of(pruning.goal) <= pruning.limit,
        "criterion": pruning.criterion,
        "aim": pruning.aim,
        "stock": study.stock.record(),
        "split_only": study.split.record(),
        "both": cost.record(),
        "widths": {g.name: [len(g.units), pruning.widths[g.name]] for g in study.trace.groups},
        "history": pruning.history,
        "split": result.report,
    }


def accuracy_in_tflm(file: bytes, x: Any, labels: Any) -> float:
    """The share of `x` [n, ...] that the file, split or not, classifies as in `labels` [n] when TFLM itself runs it.

    Raises InputError unless the file has one int8 input and one int8 output. With a streamed input, ask the file that was split.
    """
    return float(np.mean(scores_in_tflm(file, x).argmax(1) == np.asarray(labels).reshape(-1)))


def scores_in_tflm(file: bytes, x: Any) -> Bytes:
    """The int8 outputs [n, classes] of TFLM for `x` [n, ...], quantised as the file says."""
    from tflm_split.verify.tflm import run_in_tflm

    model = read_model(file)
    graph = model.graph
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise InputError("the file has several inputs or outputs, and scores are those of one")
    tensor = graph.tensors[graph.inputs[0]]
    if tensor.dtype != "INT8" or tensor.quantization is None:
        raise InputError("the file does not take int8")
    (scale,), (zero,) = tensor.quantization.scales, tensor.quantization.zero_points
    values = affine_quantize(np.asarray(x), scale, zero, tensor.dtype)
    run = run_in_tflm(model.original, [[sample.reshape(tensor.shape)] for sample in values])
    return np.stack([np.frombuffer(outputs[0], np.int8) for outputs in run.outputs])
