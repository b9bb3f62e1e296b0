"""Plans of decisions that were made before: for the same network, or for one of other widths."""

from __future__ import annotations

from dataclasses import replace

from tflm_split.errors import Refusal
from tflm_split.lower.compile import compile_schedule
from tflm_split.lower.place import Allowance
from tflm_split.options import Options
from tflm_split.plan.progress import no_tick
from tflm_split.search.decision import Decision
from tflm_split.search.evaluate import Evaluation, Evaluator, check_decision, check_order
from tflm_split.search.limits import most_instructions
from tflm_split.search.placing import Found, within
from tflm_split.split.channel_rules import Sizes


def plan_of(evaluator: Evaluator, decision: Decision) -> Found:
    """The plan that `decision`, which has a layout, stands for. Raises Refusal when it does not fit the graph.

    Raises InternalError when bodies overlap in its layout.
    """
    assert decision.layout is not None
    graph = evaluator.cut_graph(decision.way, decision.rewrites).graph
    check_decision(decision, graph, evaluator.stock(decision))
    state, layout = evaluator.evaluate(decision), decision.layout
    check_order(state.schedule.steps, state.step_graph)
    allowance = Allowance(layout.board, 0.0, layout.only_free)
    plan = compile_schedule(state.split, state.step_graph, state.schedule, 0, allowance, given=layout)
    return Found(plan, decision)


def placed_anew(evaluator: Evaluator, decision: Decision, options: Options) -> Found:
    """`decision`, made for a network of other widths, with the addresses that this one needs. Raises like `refitted`."""
    state = refitted(evaluator, decision)
    most = most_instructions(options.max_slowdown, state.instructions, evaluator.stock_instructions)
    return within(most, state, options, no_tick)


def refitted(evaluator: Evaluator, decision: Decision) -> Evaluation:
    """What `decision`, made for a network of other widths, gives for this one, before anything has an address.

    Channel groups are scaled to the channels that there are now. Raises Refusal where the decision does not fit the graph.
    """
    graph = evaluator.cut_graph(decision.way, decision.rewrites).graph
    check_decision(decision, graph, evaluator.stock(decision))
    groups = {t: _scaled(sizes, graph.tensors[t].shape[-1]) for t, sizes in decision.channel_groups}
    state = evaluator.evaluate(replace(decision.grouped(groups), layout=None))
    check_order(state.schedule.steps, state.step_graph)
    return state


def _scaled(sizes: Sizes, channels: int) -> Sizes:
    """As many groups of `channels` channels, of about the same shares. Raises Refusal where there are too few channels."""
    ends = [round(channels * sum(sizes[: k + 1]) / sum(sizes)) for k in range(len(sizes))]
    scaled = tuple(end - start for start, end in zip((0, *ends), ends, strict=False))
    if not all(scaled):
        raise Refusal("channels", "it has more groups than there are channels")
    return scaled
