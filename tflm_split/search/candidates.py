"""Which plan is best? Searches under every limit that is worth trying, and keeps the smallest planned head.

    ways to split  ->  schedules     ->  addresses   ->  the best, or a front
    ways.py            schedules.py      placing.py      this file

Schedules and addresses are expensive. So the effort goes to the schedules of the least live peak first.
"""

from __future__ import annotations

from dataclasses import replace

from tflm_split.analysis.line_time import line_time, work_of_lines
from tflm_split.options import DEFAULT_SLOWDOWN, STREAMED_SLOWDOWN, Options
from tflm_split.plan.effort import DEFAULT_EFFORT, EFFORTS
from tflm_split.plan.progress import Teller
from tflm_split.schedule.polish import Polish
from tflm_split.search.evaluate import Evaluation, Evaluator
from tflm_split.search.fewer_groups import fewer_groups
from tflm_split.search.placing import Found, Placing, predicted_instructions, within
from tflm_split.search.schedules import POLISH_SHARES, POLISH_STEPS_PER_EFFORT, REFINE_STEPS_PER_EFFORT, Starts
from tflm_split.search.staircase import staircase, with_stairs
from tflm_split.search.ways import is_streamed
from tflm_split.split.operators.stream import FETCH_ROWS

MERGED_PLACED = 2
"""So many plans with fewer channel groups get a layout, the fastest first."""
STREAMED_LIMITS, STREAMED_MOST, STREAMED_ABOUT_EQUAL = (1.03, 1.02), 1.02, 1.01
"""Where a streamed network takes more than the second number of times the instructions of rows alone, these tighter limits are
tried, too. A plan that then takes no more is preferred if its head is at most the third number of times as large."""
MERGED_BELOW = 0.998
"""They do only if their steps take fewer instructions than this share of what the plan takes that is there."""
SLOWDOWNS = (DEFAULT_SLOWDOWN, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Where the user allows more slowdown than one of these, that tighter limit is tried, too."""
SMALLER_EFFORTS = tuple(effort for effort in EFFORTS.values() if effort >= DEFAULT_EFFORT)
"""Where the user allows more effort than one of these, that smaller effort is tried, too."""


def configurations(options: Options) -> tuple[Options, ...]:
    """`options`, and some that allow less slowdown, less effort or fewer axes: what they give is worth having, too.

    A search with a looser limit takes other turns, and they do not always end at a smaller head. The best result of all
    configurations does not get worse with more freedom.
    """
    slowdowns = [*(s for s in SLOWDOWNS if s < options.max_slowdown), options.max_slowdown]
    efforts = [*(e for e in SMALLER_EFFORTS if e < options.effort), options.effort]
    axes = [options.axes, *([options.axes - {"rows"}] if options.axes >= {"rows", "channels"} else [])]
    return tuple(replace(options, max_slowdown=s, effort=e, axes=a) for a in axes for s in slowdowns for e in efforts)


def best_plan(evaluator: Evaluator, options: Options, teller: Teller) -> Found | None:
    """The plan of the smallest head of all configurations. None when nothing of the model can be split.

    For a streamed network under the default limit, heads count as equal within `STREAMED_ABOUT_EQUAL`.
    """
    starts = Starts(evaluator, options.axes, teller)
    best = _smallest(evaluator, starts, options, teller)
    if best is None or not is_streamed(evaluator) or options.max_slowdown != STREAMED_SLOWDOWN:
        return best
    most = STREAMED_MOST * min(state.instructions for state in starts.of(options, None))
    for limit in STREAMED_LIMITS:
        if predicted_instructions(best.plan, options.board) <= most:
            break
        other = _smallest(evaluator, starts, replace(options, max_slowdown=limit), teller)
        if (
            other is not None
            and predicted_instructions(other.plan, options.board) <= most
            and other.plan.planned_head_bytes <= STREAMED_ABOUT_EQUAL * best.plan.planned_head_bytes
        ):
            best = other
    return best


def _smallest(evaluator: Evaluator, starts: Starts, options: Options, teller: Teller) -> Found | None:
    best: Found | None = None
    for configuration in configurations(options):
        smallest = best.plan.planned_head_bytes if best else None
        placing = Placing(evaluator, starts, configuration, smallest, teller)
        best = placing.best(smallest) or best
    return _with_fewer_groups(evaluator, best, options, teller) if best else None


def _with_fewer_groups(evaluator: Evaluator, best: Found, options: Options, teller: Teller) -> Found:
    """A plan with fewer channel groups, of fewer instructions and no larger head than `best`; `best` if there is none.

    Looked for in streamed networks only: others gain a few per mille, and a network with groups takes about twice the time.
    """
    if not is_streamed(evaluator):
        return best
    most = predicted_instructions(best.plan, options.board)

    def polished(state: Evaluation) -> Evaluation:
        teller.tick()
        if state.decision.computes_again or not options.effort:
            return state
        polish = Polish(state.step_graph, state.schedule, state.split.stock)
        polish.run(options.effort * POLISH_STEPS_PER_EFFORT // POLISH_SHARES, teller.tick)
        return state.reordered(polish.schedule)

    evaluations = options.effort * REFINE_STEPS_PER_EFFORT // max(len(best.plan.schedule.steps), 1)
    states = fewer_groups(evaluator, best.decision, best.plan.planned_head_bytes, evaluations, polished)
    cheaper = [state for state in states if state.instructions < MERGED_BELOW * most]
    for k, state in enumerate(cheaper[:MERGED_PLACED]):
        teller.at("place", k, MERGED_PLACED)
        found = within(most, state, options, teller.tick)
        if (
            found.plan.planned_head_bytes <= best.plan.planned_head_bytes
            and predicted_instructions(found.plan, options.board) < most
        ):
            return found
    return best


def pareto_plans(evaluator: Evaluator, options: Options, teller: Teller) -> tuple[Found, ...]:
    """The Pareto front of planned head against predicted instructions, fastest plan first.

    In a streamed network, those of the front of planned head against the most work of a call are there, too. The plan of
    the smallest head has no larger one than that of `best_plan`.
    """
    found: list[Found] = []
    starts = Starts(evaluator, options.axes, teller)
    streamed = any(op.kind == FETCH_ROWS for op in evaluator.graph.operators)
    for configuration in configurations(options):
        least = min((f.plan.planned_head_bytes for f in found), default=None)
        placing = Placing(evaluator, starts, configuration, least, teller)
        found += placing.front(lambda state: state.instructions)
        found += placing.front(Evaluation.busiest_call) if streamed else []
        smallest = placing.best(None)
        found += [smallest] if smallest else []
    if found:
        smallest = min(found, key=lambda f: f.plan.planned_head_bytes)
        found.append(_with_fewer_groups(evaluator, smallest, options, teller))
    instructions = [predicted_instructions(f.plan, options.board) for f in found]
    heads = [f.plan.planned_head_bytes for f in found]
    kept = staircase(instructions, heads)
    if streamed:
        lines = [line_time(work_of_lines(f.plan.regions[0].program, options.board)) for f in found]
        kept = with_stairs(kept, staircase(lines, heads), instructions, heads)
    return tuple(found[k] for k in kept)
