"""What does a person want to know first? A dozen lines from the record, the arena to set aside on top."""

from __future__ import annotations

import shlex
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tflm_split.analysis.boards import core_of
from tflm_split.report.record_types import BUDGET_KEY
from tflm_split.report.stream import output_sentence, stream_sentences
from tflm_split.report.table import text_table
from tflm_split.report.two_memories import memories_sentence
from tflm_split.report.window import window_sentence
from tflm_split.sizes import format_bytes
from tflm_split.verify.level import level_words

Record = Mapping[str, Any]

_MEASURED = (
    ("head, measured", "measured_head_bytes"),
    ("tail, measured on x86-64", "measured_tail_bytes"),
    ("arena, measured on x86-64", "measured_arena_bytes"),
)
_PLANNED = (("head, planned", "planned_head_bytes"),)
_ALWAYS = (
    ("arena used, predicted for {core}", "predicted_arm32_arena_bytes"),
    ("arena to set aside, predicted for {core}", BUDGET_KEY),
    ("file", "file_bytes"),
    ("multiply-accumulates", "macs"),
)
_WIDTH = 110
_NAME_WIDTH = 40
_REASONS_SHOWN = 5
_FEW_OUTPUTS = 4
"""At most one different output per so many inputs is a warning."""


def summary(record: Record) -> str:
    """The record in words. Ends without a newline."""
    return "\n".join(_lines(record))


def _lines(record: Record) -> Iterator[str]:
    original = {**record["model"], **record["original"]}
    optimized = record["optimized"]
    yield headline(record)
    if record["kept_original"]:
        yield f"The result is the original, unchanged: {record['kept_original']}."
    yield ""
    core = core_of(record["latency"]["board"])
    rows = [
        [title.format(core=core), f"{original[key]:,}", f"{optimized[key]:,}", _ratio(original[key], optimized[key])]
        for title, key in (*(_MEASURED if record["tflm_version"] else _PLANNED), *_ALWAYS)
    ]
    yield text_table(["bytes", "original", "optimised", "ratio"], rows).rstrip("\n")
    yield ""
    yield from _wrapped(verdict_sentence(record))
    yield from doubts(record)
    if optimized["regions"]:
        gone = record["model"]["ops"] - optimized["split_ops"] - optimized["stock_ops"]
        if gone:
            yield f"{_count(gone, 'operator')} {'does' if gone == 1 else 'do'} nothing at run time: known before, or not needed."
        yield (
            f"{optimized['split_ops']} of {_count(record['model']['ops'], 'operator')} split into "
            f"{_count(optimized['steps'], 'step')} in {_count(optimized['regions'], 'region')}, programs of "
            f"{format_bytes(optimized['program_bytes'])} without constants."
        )
    if remembered := sum(region["state_bytes"] for region in record["region_details"]):
        yield f"{format_bytes(remembered)} in the tail are what it remembers from one inference to the next."
    if record["latency"]["predicted_instructions"] is not None:
        yield from _wrapped(latency_sentence(record["latency"]))
    if record["refusals"]:
        yield f"Stock operators, {len(record['refusals'])}:"
    yield from _refusals(record)
    for change in record["interface_changes"]:
        yield f"The interface changed: {change['sentence']}."
    if record["stream"]:
        yield f"The interface changed: {record['stream']['sentence']}."
        for sentence in stream_sentences(record["stream"], record["latency"]["board"]):
            yield from _wrapped(sentence)
    if record["stream_output"]:
        yield f"The interface changed: {record['stream_output']['sentence']}."
        yield from _wrapped(output_sentence(record["stream_output"]))
    if record["window"]:
        yield from _wrapped(window_sentence(record["window"]))
    if record["memories"]:
        yield from _wrapped(memories_sentence(record["memories"]))
    if record["bottleneck"]:
        yield from _wrapped(bottleneck_sentence(record["bottleneck"]))
    if optimized["packing"]:
        yield from _wrapped(packing_sentence(optimized["packing"]))
    yield from _wrapped(f"Counted: {record['what_is_counted']}")


def headline(record: Record) -> str:
    """The arena to set aside, and whether it fits the limit."""
    original, optimized, goal = record["original"][BUDGET_KEY], record["optimized"][BUDGET_KEY], record["goal"]
    name = record["model"]["name"]
    takes = f"{name}: {format_bytes(optimized)} of arena on a {core_of(record['latency']['board'])}"
    if not record["kept_original"]:
        takes += f" instead of {format_bytes(original)}"
    if goal["max_arena_bytes"] is None:
        return f"{takes}."
    limit = format_bytes(goal["max_arena_bytes"])
    if goal["met"]:
        return f"{takes}: fits into {limit}."
    return f"{takes}: does NOT fit into {limit}, {format_bytes(goal['missing_bytes'])} are missing."


def verdict_sentence(record: Record) -> str:
    verified = record["verified"]
    if verified is None:
        return "Not verified in TFLM (asked not to): nobody has compared outputs, nor seen that TFLM runs the model at all."
    how = level_words(verified["level"], record["tflm_version"], verified["assumed"], verified["not_in_tflm_because"])
    if verified["level"] == "replay":
        return f"Checked {how}."
    return (
        f"Verified {how}: {_count(verified['inputs'], 'input')}, {_count(verified['distinct_outputs'], 'different output')}, "
        "every byte equal."
    )


def doubts(record: Record) -> Iterator[str]:
    """What the numbers above do not say."""
    verified, unknown = record["verified"], _unknown_arena(record)
    if verified and verified["inputs"] > 1 and verified["distinct_outputs"] <= verified["inputs"] // _FEW_OUTPUTS:
        yield from _wrapped(
            f"Warning: {_count(verified['inputs'], 'input')} gave only {_count(verified['distinct_outputs'], 'different output')}, "
            "so equal bytes prove little; --inputs FILE.npz verifies on inputs of your own."
        )
    if verified and verified.get("inside"):
        yield from _wrapped(
            f"So {short_name(verified['inside']['tensor'])} inside was compared, too, in a plan that gives it out: "
            f"{_count(verified['inside']['distinct_values'], 'different value')}, every byte equal."
        )
    if unknown:
        yield from _wrapped(
            f"Warning: the arena of {', '.join(unknown)} is not known: in the predictions "
            f"{'they count' if len(unknown) > 1 else 'it counts'} as if nothing were kept there but what variables "
            "hold, so set aside more."
        )


def _unknown_arena(record: Record) -> list[str]:
    kinds = [kind.removeprefix("CUSTOM:") for kind in record["optimized"]["prediction_unknown"]]
    return ["other subgraphs" if kind == "subgraphs" else kind for kind in kinds]


def _refusals(record: Record) -> Iterator[str]:
    reasons = Counter((f"{r['operator']}: {r['reason']}", r["advice"]) for r in record["refusals"])
    for (reason, advice), count in reasons.most_common(_REASONS_SHOWN):
        yield from textwrap.wrap(
            f"{count} x {reason} ({advice})", _WIDTH, initial_indent="  ", subsequent_indent="      "
        )
    if len(reasons) > _REASONS_SHOWN:
        yield f"  and {len(reasons) - _REASONS_SHOWN} more reasons, in the JSON record"


def packing_sentence(packing: Mapping[str, Any]) -> str:
    """How far is the head above the lower bound of this order of steps?"""
    live = f"the {packing['live_lower_bound_bytes']:,} bytes live at that step"
    how = f"{packing['gap_percent']:.1f} % above {live}" if packing["gap_percent"] else f"exactly {live}"
    if packing["proven_optimal"]:
        how += ", and no layout of this order is smaller"
    if packing["moves"]:
        how += f"; on the way {_count(packing['moves'], 'row')} of {packing['moved_bytes']:,} bytes change places"
    missing = " (CP-SAT was asked for, but is not installed: tflm-split[exact])"
    return f"The head is {how}{missing if 'not installed' in packing['solver'] else ''}."


def bottleneck_sentence(bottleneck: Mapping[str, Any]) -> str:
    """At which step is memory tightest, and what fills it?"""
    largest = bottleneck["live"][:2]
    if not largest:
        return "No step keeps anything in memory."
    what = " and ".join(
        f"{_count(r['pieces'], 'piece')} of {short_name(r['tensor'])} ({format_bytes(r['bytes'])})" for r in largest
    )
    operator = bottleneck["operator"].split(" '")[0]
    pieces = _count(bottleneck["live_pieces"], "piece")
    return (
        f"Tightest at step {bottleneck['step']}, row {bottleneck['row']} of {operator}: "
        f"{format_bytes(bottleneck['live_bytes'])} live in {pieces}, above all {what}."
    )


def latency_sentence(latency: Mapping[str, Any]) -> str:
    """How many instructions do the split operators take, and how far can that be trusted?"""
    predicted, whole = latency["predicted_instructions"], latency["predicted_layer_wise_instructions"]
    stock, stock_takes = latency["stock_ops_not_counted"], latency["predicted_stock_instructions"]
    text = (
        f"Predicted for board {latency['board']}: {predicted:,} instructions per inference, {predicted / whole:.3f} of what "
        "the same kernels take layer by layer"
    )
    if stock_takes:
        text += f", about {predicted / stock_takes:.2f} of what TFLM's own take"
    text += f"; {_count(stock, 'stock operator')} not counted." if stock else "."
    if latency["unmeasured_kinds"]:
        text += f" Only a rough estimate: nobody has measured {', '.join(latency['unmeasured_kinds'])}."
    return text


def next_steps(record: Record, output: Path | None) -> str:
    """What to do with the file in firmware, or how to get a file if none was written."""
    if output is None:
        return "Nothing was written; -o FILE writes the model."
    if not record["optimized"]["regions"]:
        return f"Written: {output}."
    return (
        f"Written: {output}. In the firmware:\n"
        f"  tflm-split export {shlex.quote(str(output))} -o generated     # the model as an aligned C array in flash\n"
        '  resolver.AddCustom("TFLM_SPLIT", tflm_split::Register_TFLM_SPLIT());\n'
        f"  a tensor arena of {record['optimized'][BUDGET_KEY]:,} bytes with the reference kernels\n{_slow_step(record)}"
        f"The plan is made for {record['latency']['board']}: for a core of another kind, name it with --board."
    )


def _slow_step(record: Record) -> str:
    """What a model for two memories needs besides."""
    slow = record["memories"]["slow_used_bytes"] if record["memories"] else 0
    return (
        f"  tflm_split::SetSlowMemory(memory, {slow});     # before AllocateTensors(); a multiple of 16\n"
        if slow
        else ""
    )


def short_name(name: str) -> str:
    """A tensor's name, shortened for a sentence. Converters join dozens of names with semicolons."""
    last = name.rsplit(";", 1)[-1]
    return repr(last if len(last) <= _NAME_WIDTH else "..." + last[-_NAME_WIDTH:])


def _ratio(before: int, after: int) -> str:
    return f"{after / before:.2f}" if before else "-"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, break_on_hyphens=False)
