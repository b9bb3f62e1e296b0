"""Which ways to split a graph are worth trying?"""

from __future__ import annotations

from tflm_split.errors import InputError, Refusal
from tflm_split.rewrite.fold_signals import TOO_MANY_STEPS, longest_signal, samples_to_try
from tflm_split.rewrite.swap_axes import tiles_to_try
from tflm_split.search.base import in_normal_form
from tflm_split.search.decision import Decision, Way
from tflm_split.search.evaluate import Evaluator
from tflm_split.split.operators.stream import EMIT_ROWS, FETCH_ROWS


def ways_to_split(evaluator: Evaluator) -> tuple[Way, ...]:
    """All that are worth trying, the plain one first, unless samples of a signal are joined.

    Concatenations are done both ways if the graph has any, after it is rewritten. Axes are swapped if that lets more operators
    be cut. Samples of a signal are joined to rows where single ones would take too many steps, or where windows would have too many
    rows. Ways that leave an operator stock are no ways to stream the input (`check_streamable`), and with swapped axes the whole
    input would be needed.
    """
    streamed = is_streamed(evaluator)
    forms = [Way(), *(Way(swap_axes=n) for n in (() if streamed else tiles_to_try(evaluator.graph)))]
    plain = evaluator.base()
    crowded = plain.stock or sum(op.steps for op in plain.row_ops) > TOO_MANY_STEPS
    if not streamed and crowded and longest_signal(evaluator.graph):
        several = [Way(samples=n) for n in samples_to_try(in_normal_form(evaluator.graph))]
        forms = [*forms[1 if several else 0 :], *several]
    ways = []
    for form in forms:
        has_concatenation = any(op.kind == "CONCATENATION" for op in evaluator.base(form).graph.operators)
        ways += [form._replace(concatenate_in_place=p) for p in ((False, True) if has_concatenation else (False,))]
    return tuple(way for way in ways if not (streamed and evaluator.base(way).stock))


def can_remember(evaluator: Evaluator) -> bool:
    """Whether the steps of a graph with states can run in some order: no two of them wait for each other."""
    try:
        for way in ways_to_split(evaluator):
            evaluator.orders(Decision((), (), *way))
    except Refusal:
        return False
    return True


def is_streamed(evaluator: Evaluator) -> bool:
    return any(op.kind in (FETCH_ROWS, EMIT_ROWS) for op in evaluator.graph.operators)


def check_streamable(evaluator: Evaluator) -> None:
    """Raise InputError if the input or the output is streamed, and an operator stays stock.

    TFLM would run that operator in each call, on data that are not finished.
    """
    if ways_to_split(evaluator):
        return
    split = evaluator.base()
    stock = [f"{split.graph.label(split.graph.operators[k])} ({split.refusals[k]})" for k in sorted(split.stock)]
    more = f", and {len(stock) - 1} more" if len(stock) > 1 else ""
    raise InputError(
        f"the model cannot be streamed, because TFLM would run an operator on unfinished data in each call: {stock[0]}"
        f"{more}; do not stream (--stream-input or --stream-output; stream_input= or stream_output= in Python), or change "
        "that operator"
    )
