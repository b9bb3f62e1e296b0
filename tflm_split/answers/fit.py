"""How large an arena does a `.tflite` need, as it is and split, before anything is flashed?

Nothing runs in TFLM, so files are welcome that the wheel cannot run; what is not known of them is said. Several models may
share an arena in three ways (`Joint`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tflm_split.analysis.arena import ArenaPrediction, predicted_arm32_arena, predicted_shared_arena
from tflm_split.analysis.boards import is_arm
from tflm_split.analysis.kernel_sets import KernelSet, kernel_set
from tflm_split.analysis.tflm_head import unknown_scratch
from tflm_split.ir.graph import Model
from tflm_split.options import Options
from tflm_split.plan.progress import Progress, quiet
from tflm_split.report.answer_records import FitModel, FitRecord, Joint, Need
from tflm_split.report.footprint import head_with
from tflm_split.report.record import SCHEMA, model_identity
from tflm_split.report.table import text_table
from tflm_split.sizes import format_bytes
from tflm_split.tflite.reader import read_model
from tflm_split.verify.unrunnable import surely_unrunnable

Splitter = Callable[[Path, Model], Model]
"""Splits the model at a path, which was read as the second argument."""


def fit(paths: Sequence[Path], options: Options, split: Splitter | None = None) -> FitRecord:
    """The record of the arenas of `paths` under `options.kernels`, `options.board` and `options.max_arena_bytes`.

    Without `split`, files are looked at as they are only. Raises InputError for a file that is no model.
    """
    kernels = kernel_set(options.kernels, options.board)
    limit = options.max_arena_bytes
    stock = [read_model(path) for path in paths]
    smaller = [split(path, model) for path, model in zip(paths, stock, strict=True)] if split else None
    models: list[FitModel] = []
    for k, model in enumerate(stock):
        models.append(
            {
                "model": model_identity(model),
                "not_run_because": surely_unrunnable(model),
                "stock": need(model, kernels, limit),
                "split": need(smaller[k], kernels, limit) if smaller else None,
            }
        )
    several = len(paths) > 1
    joint_stock = joint(stock, kernels, limit) if several else None
    joint_split = joint(smaller, kernels, limit) if several and smaller else None
    best = [entry["split"] or entry["stock"] for entry in models]
    met = limit is None or all(a["fits"] or entry["stock"]["fits"] for a, entry in zip(best, models, strict=True))
    return {
        "schema": SCHEMA,
        "kernels": kernels.name,
        "board": options.board,
        "max_arena_bytes": limit,
        "models": models,
        "joint_stock": joint_stock,
        "joint_split": joint_split,
        "met": met,
    }


def need(model: Model, kernels: KernelSet, limit: int | None = None) -> Need:
    """The arena of one file."""
    prediction = predicted_arm32_arena(model, head_with(model, kernels), kernels)
    return _need(prediction, unknown_of(model, kernels, prediction), limit)


def joint(models: Sequence[Model], kernels: KernelSet, limit: int | None = None) -> Joint:
    """The arena that `models` share, in all three ways."""
    heads = [(model, head_with(model, kernels)) for model in models]
    alone = [predicted_arm32_arena(model, head, kernels) for model, head in heads]
    largest = max(alone, key=lambda a: (a.minimum_arena_bytes, a.arena_bytes))
    ready = predicted_shared_arena(heads, kernels)
    sum_ = ArenaPrediction(
        sum(a.head_bytes for a in alone),
        sum(a.tail_bytes for a in alone),
        sum(a.minimum_arena_bytes for a in alone),
        all(a.exact for a in alone),
        (),
    )
    named = [unknown_of(model, kernels, a) for model, a in zip(models, alone, strict=True)]
    unknown = list(dict.fromkeys(sentence for of_model in named for sentence in of_model))
    return {
        "one_at_a_time": _need(largest, unknown, limit),
        "all_ready": _need(ready, unknown, limit),
        "interleaved": _need(sum_, unknown, limit),
    }


def unknown_of(model: Model, kernels: KernelSet, prediction: ArenaPrediction) -> list[str]:
    """What is not known of the arena of `model`, a sentence each."""
    sentences = []
    for kind in prediction.unknown:
        what = "other subgraphs" if kind == "subgraphs" else kind.removeprefix("CUSTOM:")
        sentences.append(f"what TFLM keeps for {what}")
    sentences += [f"the scratch of {kind.removeprefix('CUSTOM:')}" for kind in unknown_scratch(model)]
    for op in model.graph.operators:
        reason = kernels.refuses(model.graph, op)
        if reason is not None and reason not in sentences:
            sentences.append(f"which kernel runs {model.graph.label(op)}: {reason}")
    return sentences


def _need(prediction: ArenaPrediction, unknown: list[str], limit: int | None) -> Need:
    fits = None if limit is None else not unknown and prediction.minimum_arena_bytes <= limit
    return {
        "head_bytes": prediction.head_bytes,
        "tail_bytes": prediction.tail_bytes,
        "arena_bytes": prediction.arena_bytes,
        "set_aside_bytes": prediction.minimum_arena_bytes,
        "unknown": unknown,
        "fits": fits,
    }


def splitter(options: Options, progress: Progress = quiet) -> Splitter:
    """Splits with `options`, without verification: nothing of what `fit` says depends on outputs."""
    from tflm_split.pipeline import optimize

    def split(path: Path, model: Model) -> Model:
        return read_model(optimize(path, options, progress).model)

    return split


def fit_text(record: FitRecord) -> str:
    """The record for people. Ends in a newline."""
    limit = record["max_arena_bytes"]
    rows = []
    for entry in record["models"]:
        for form, found in (("stock", entry["stock"]), ("split", entry["split"])):
            if found is not None:
                rows.append([entry["model"]["name"], form, *_cells(found, limit)])
    for form, shared in (("stock", record["joint_stock"]), ("split", record["joint_split"])):
        if shared is not None:
            for title, found in (
                ("all, one at a time", shared["one_at_a_time"]),
                ("all, ready at once", shared["all_ready"]),
                ("all, interleaved", shared["interleaved"]),
            ):
                rows.append([title, form, *_cells(found, limit)])
    header = ["model", "form", "head", "tail", "used", "set aside", *([] if limit is None else ["fits"])]
    core = "32-bit Arm" if is_arm(record["board"]) else "32-bit RISC-V or Xtensa core"
    where = "" if record["kernels"] != "cmsis-nn" else f" of {record['board']}"
    lines = [f"Bytes of arena on a {core}, {record['kernels']} kernels{where}:", ""]
    lines += text_table(header, rows).rstrip("\n").split("\n")
    lines += _remarks(record)
    if limit is not None:
        lines += ["", f"{'Fits' if record['met'] else 'Does NOT fit'} into {format_bytes(limit)}."]
    return "\n".join(lines) + "\n"


def _cells(found: Need, limit: int | None) -> list[str]:
    more = " or more" if found["unknown"] else ""
    numbers = [f"{found[key]:,}" for key in ("head_bytes", "tail_bytes", "arena_bytes", "set_aside_bytes")]
    numbers[-1] += more
    if limit is None:
        return numbers
    return [*numbers, "yes" if found["fits"] else "not known" if found["unknown"] else "no"]


def _remarks(record: FitRecord) -> list[str]:
    lines: list[str] = []
    for entry in record["models"]:
        name = entry["model"]["name"]
        if entry["not_run_because"]:
            lines.append(f"{name}: TFLM will not run it: {entry['not_run_because']}.")
        unknown = dict.fromkeys([*entry["stock"]["unknown"], *(entry["split"] or entry["stock"])["unknown"]])
        lines += [f"{name}: not known: {sentence}." for sentence in unknown]
    return ["", *lines] if lines else []
