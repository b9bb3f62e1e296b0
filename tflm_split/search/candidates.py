"""Which plan is best? Compiles every configuration that is worth trying and keeps the smallest planned head.

    splits x operator orders  ->  schedules  ->  refined  ->  polished  ->  placed
    evaluate.py   orders.py       cuts.py        refine.py    polish.py     lower/

The last three are expensive. So the effort goes to the schedules of the least live peak first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from tflm_split.analysis.latency import predict
from tflm_split.analysis.line_time import line_time, work_of_lines
from tflm_split.errors import InputError, Refusal
from tflm_split.lower.compile import Plan, compile_schedule
from tflm_split.lower.place import Allowance
from tflm_split.options import DEFAULT_SLOWDOWN, STREAMED_SLOWDOWN, Options
from tflm_split.plan.effort import DEFAULT_EFFORT, EFFORTS
from tflm_split.plan.progress import Teller, Tick, no_tick
from tflm_split.rewrite.fold_signals import TOO_MANY_STEPS, longest_signal, samples_to_try
from tflm_split.rewrite.swap_axes import tiles_to_try
from tflm_split.schedule.polish import Polish
from tflm_split.search.base import in_normal_form
from tflm_split.search.decision import Addresses, Decision, Way
from tflm_split.search.evaluate import Evaluation, Evaluator, check_decision, check_order
from tflm_split.search.fewer_groups import fewer_groups
from tflm_split.search.limits import Limits, most_instructions
from tflm_split.search.refine import NOISE, Search
from tflm_split.search.staircase import staircase, with_stairs
from tflm_split.split.channel_rules import Sizes
from tflm_split.split.operators.stream import EMIT_ROWS, FETCH_ROWS

MAX_LIVE_BYTES = 32 * 1024 * 1024
"""Candidates of a higher live peak get no plan. Checking one would take gigabytes, and no device could run it."""
PLACE_BELOW = 0.98
"""A candidate gets a layout only if its live peak is below this share of the smallest head so far."""
REFINE_STEPS_PER_EFFORT = 30
"""Steps that the search may schedule per unit of effort. A model of few steps therefore gets many evaluations."""
PATCHED_EVALUATIONS = 3
"""Where blocks may run patch by patch, the search is given so many times the evaluations: several peaks must fall at once."""
PATCHED_PLACED = 2
"""So many of the states that such a search kept get a layout: they have many steps, so that takes long."""
POLISH_STEPS_PER_EFFORT = 1200
"""Steps that polishing may look at per unit of effort, for all candidates together."""
POLISH_SHARES = 24
"""The polishing effort is divided into this many rounds. Each candidate gets one round, the best ones get the rest."""
POLISH_PATIENCE = 3
"""Stop polishing after more than this many rounds in a row without progress."""
HOPELESS = 3
"""States of more than so many times the least live peak are not polished: polishing is not known to have taken off half of one."""
EFFORT_PER_BEAM = 3000
"""The beam of the search gets one state wider for each of these units of effort."""
STREAMED_PLACING = 2
"""Layouts of streamed networks get so many times the effort: rows that come and go leave gaps that only moves close."""
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


@dataclass(frozen=True, slots=True)
class Candidate:
    """A state that is worth an address for each of its pieces.

    `unpolished` is the state before polishing, whose layout is sometimes the smaller one. None: it was not polished.
    """

    state: Evaluation
    unpolished: Evaluation | None = None

    @property
    def live_peak_bytes(self) -> int:
        return self.state.live_peak_bytes

    @property
    def priority(self) -> float:
        """The live peak, by which candidates are ordered, least first.

        Candidates that stream attention scores get a small bonus: scores grow with the square of the number of tokens.
        """
        return self.live_peak_bytes * (PLACE_BELOW if self.state.decision.streams_attention else 1)


@dataclass(frozen=True, slots=True)
class Found:
    """A plan, and the decision that makes it again."""

    plan: Plan
    decision: Decision


def ways_to_split(evaluator: Evaluator) -> tuple[Way, ...]:
    """All that are worth trying, the plain one first, unless samples of a signal are joined.

    Concatenations are done both ways if the graph has any, after it is rewritten. Axes are swapped if that lets more operators
    be cut. Samples of a signal are joined to rows where single ones would take too many steps, or where windows would have too many
    rows. Ways that leave an operator stock are no ways to stream the input (`check_streamable`), and with swapped axes the whole
    input would be needed.
    """
    streamed = _is_streamed(evaluator)
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


def _is_streamed(evaluator: Evaluator) -> bool:
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


def configurations(options: Options) -> tuple[Options, ...]:
    """`options`, and some that allow less slowdown, less effort or fewer axes: what they give is worth having, too.

    A search with a looser limit takes other turns, and they do not always end at a smaller head. The best result of all
    configurations does not get worse with more freedom.
    """
    slowdowns = [*(s for s in SLOWDOWNS if s < options.max_slowdown), options.max_slowdown]
    efforts = [*(e for e in SMALLER_EFFORTS if e < options.effort), options.effort]
    axes = [options.axes, *([options.axes - {"rows"}] if options.axes >= {"rows", "channels"} else [])]
    return tuple(replace(options, max_slowdown=s, effort=e, axes=a) for a in axes for s in slowdowns for e in efforts)


class _Starts:
    """The states that searches start from, by axes. Each is made once. `asked` are the axes that the user allows."""

    def __init__(self, evaluator: Evaluator, asked: frozenset[str], teller: Teller) -> None:
        self._evaluator, self._asked, self._teller = evaluator, asked, teller
        self._known: dict[bool, list[Evaluation]] = {}
        self._patched: dict[tuple[int, frozenset[str]], Evaluation] = {}

    def of(self, options: Options, best_bytes: int | None) -> list[Evaluation]:
        """Those for `options`. None where rows were left out of what the user allows, and all start above the smallest head.

        Where the user allows no rows, there is no other way: each limit is searched, however far its start is.
        """
        rows = "rows" in options.axes
        if rows not in self._known:
            self._known[rows] = _starts(self._evaluator, options.axes, self._teller)
        starts = self._known[rows]
        least = min((state.live_peak_bytes for state in starts), default=0)
        if best_bytes is None or rows or "rows" not in self._asked:
            return starts
        return [] if least > best_bytes or _is_streamed(self._evaluator) else starts

    def patched(
        self, found: Sequence[Evaluation], start: Evaluation, limits: Limits, effort: int, teller: Teller
    ) -> list[Evaluation]:
        """States with blocks that run patch by patch, searched for from the best that a tighter limit or no patch gave.

        A search of its own: patches that come first rarely lead to the best groups of channels. `found` was found without.
        """
        key = effort, limits.axes
        begun = [min(found, key=lambda state: state.rank)]
        if key in self._patched and self._patched[key].rank < begun[0].rank:
            begun.append(self._patched[key])
        limits = replace(limits, patches=True, evaluations=limits.evaluations * PATCHED_EVALUATIONS)
        more: list[Evaluation] = []
        for best in begun:
            more += Search(self._evaluator, best, limits, start).run(teller.tick)[-PATCHED_PLACED:]
        self._patched[key] = min(more, key=lambda state: state.rank)
        return more


def _schedules(
    evaluator: Evaluator, starts: _Starts, options: Options, best_bytes: int | None, teller: Teller
) -> list[Candidate]:
    """All schedules worth placing, refined and polished. Empty when nothing of the model can be split."""
    states = starts.of(options, best_bytes)
    if not states:
        return []
    refined, patched = _refined(evaluator, starts, states, options, teller)
    polished = [_polished(found, options.effort, teller) for found in (refined, patched) if found]
    return [candidate for of_one in polished for candidate in of_one]


def _starts(evaluator: Evaluator, axes: frozenset[str], teller: Teller) -> list[Evaluation]:
    """One state for each split, operator order and choice about attention scores, without duplicates."""
    starts: list[Evaluation] = []
    for way in ways_to_split(evaluator):
        if not evaluator.base(way).row_ops:
            continue
        plain = Decision((), (), *way, rows="rows" in axes)
        orders = evaluator.orders(plain)
        has_scores = evaluator.streams_attention(plain)
        for k, order in enumerate(orders):
            teller.at("schedule", k, len(orders))
            for streamed in (True, False) if has_scores else (False,):
                teller.tick()
                state = evaluator.first(replace(plain, nodes=order, streams_attention=streamed))
                if all(other.schedule != state.schedule for other in starts):
                    starts.append(state)
        teller.at("schedule", len(orders), len(orders))
    return starts


def _refined(
    evaluator: Evaluator, starts: _Starts, states: Sequence[Evaluation], options: Options, teller: Teller
) -> tuple[list[Evaluation], list[Evaluation]]:
    """`states`, and every state that the search from the best of them kept on its way; and those with patches."""
    start = min(states, key=lambda state: Candidate(state).priority)
    teller.at("search", 0, 1)
    limits = Limits(
        options.effort * REFINE_STEPS_PER_EFFORT // max(len(start.step_graph.steps), 1),
        options.max_slowdown,
        1 + options.effort // EFFORT_PER_BEAM,
        allow_extra_macs=options.max_slowdown > DEFAULT_SLOWDOWN and "rows" in options.axes,
        axes=options.axes,
    )
    found = Search(evaluator, start, limits).run(teller.tick)
    with_patches = limits.allow_extra_macs and "columns" in options.axes
    patched = starts.patched(found, start, limits, options.effort, teller) if with_patches else []
    kept: list[Evaluation] = []
    for state in found:
        if all(state.schedule != other.schedule for other in kept):
            kept.append(state)
    teller.at("search", 1, 1)
    others = [state for state in patched if all(state.schedule != other.schedule for other in kept)]
    return [*(state for state in states if state is not start), *kept], others


def _polished(states: Sequence[Evaluation], effort: int, teller: Teller) -> list[Candidate]:
    """`states` with their steps in better orders.

    Every state is polished for one round. After that, each round goes to the best one that can still improve, until the
    rounds are used up or several in a row make no progress. States that recompute rows are left alone: several of their
    pieces stand for one row at different times, so steps must not change places. Hopeless ones are left alone, too.
    """
    polished = [Candidate(state) for state in states]
    most = HOPELESS * min(state.live_peak_bytes for state in states)
    unfinished = {
        k: Polish(state.step_graph, state.schedule, state.split.stock)
        for k, state in enumerate(states)
        if effort and not state.decision.computes_again and state.live_peak_bytes <= most
    }
    shares = max(POLISH_SHARES, 2 * len(unfinished))
    waiting = sorted(unfinished, key=lambda k: polished[k].priority)
    without_progress = 0
    for share in range(shares):
        if not unfinished or without_progress > POLISH_PATIENCE:
            break
        teller.at("polish", share, shares)
        k = waiting.pop(0) if waiting else min(unfinished, key=lambda k: polished[k].priority)
        unfinished[k].run(effort * POLISH_STEPS_PER_EFFORT // shares, teller.tick)
        schedule = unfinished[k].schedule
        without_progress = 0 if schedule.live_peak_bytes < polished[k].live_peak_bytes else without_progress + 1
        polished[k] = Candidate(states[k].reordered(schedule), states[k])
        if unfinished[k].exhausted:
            del unfinished[k]
    teller.at("polish", shares, shares)
    return polished


class _Placing:
    """The candidates of one configuration, each of which is placed once at most."""

    def __init__(
        self, evaluator: Evaluator, starts: _Starts, options: Options, best_bytes: int | None, teller: Teller
    ) -> None:
        """`best_bytes` is the smallest head so far."""
        self._options, self._teller = options, teller
        self.candidates = _schedules(evaluator, starts, options, best_bytes, teller)
        fastest = min((c.state.instructions for c in self.candidates), default=0.0)
        self._limit = most_instructions(options.max_slowdown, fastest, evaluator.stock_instructions)
        self._placed: dict[int, Found | None] = {}

    def best(self, below_bytes: int | None) -> Found | None:
        """The plan of the smallest head, the first one of equals; None if there is none below `below_bytes`.

        Candidates are placed in the order of their priority. The live peak is a lower bound on the head. So the loop ends
        at the first candidate whose live peak is about as large as the smallest head so far.
        """
        best: Found | None = None
        for k, candidate in self._in_order(lambda c: (c.priority,)):
            limit = best.plan.planned_head_bytes if best else below_bytes
            share = PLACE_BELOW if best else 1
            if limit is not None and candidate.live_peak_bytes >= share * limit:
                break
            found = self._place(k)
            if found and (limit is None or found.plan.planned_head_bytes < limit):
                best = found
        return best

    def front(self, price: Callable[[Evaluation], float]) -> list[Found]:
        """Plans of ever smaller heads, that of the candidate of the lowest price first."""
        kept: list[Found] = []
        for k, candidate in self._in_order(lambda c: (price(c.state), c.live_peak_bytes)):
            if kept and candidate.live_peak_bytes >= kept[-1].plan.planned_head_bytes:
                continue
            found = self._place(k)
            if found and (not kept or found.plan.planned_head_bytes < kept[-1].plan.planned_head_bytes):
                kept.append(found)
        return kept

    def _in_order(self, key: Callable[[Candidate], tuple[float, ...]]) -> Iterator[tuple[int, Candidate]]:
        """(Number of a candidate, the candidate), by `key`."""
        order = sorted(enumerate(self.candidates), key=lambda numbered: key(numbered[1]))
        for k, numbered in enumerate(order):
            self._teller.at("place", k, len(order))
            yield numbered
        self._teller.at("place", len(order), len(order))

    def _place(self, k: int) -> Found | None:
        if k not in self._placed:
            found = _placed(self.candidates[k], self._options, self._limit, self._teller.tick)
            self._placed[k] = found
            if found:
                self._teller.found(found.plan.planned_head_bytes)
        return self._placed[k]


def best_plan(evaluator: Evaluator, options: Options, teller: Teller) -> Found | None:
    """The plan of the smallest head of all configurations. None when nothing of the model can be split.

    For a streamed network under the default limit, heads count as equal within `STREAMED_ABOUT_EQUAL`.
    """
    starts = _Starts(evaluator, options.axes, teller)
    best = _smallest(evaluator, starts, options, teller)
    if best is None or not _is_streamed(evaluator) or options.max_slowdown != STREAMED_SLOWDOWN:
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


def _smallest(evaluator: Evaluator, starts: _Starts, options: Options, teller: Teller) -> Found | None:
    best: Found | None = None
    for configuration in configurations(options):
        smallest = best.plan.planned_head_bytes if best else None
        placing = _Placing(evaluator, starts, configuration, smallest, teller)
        best = placing.best(smallest) or best
    return _with_fewer_groups(evaluator, best, options, teller) if best else None


def _with_fewer_groups(evaluator: Evaluator, best: Found, options: Options, teller: Teller) -> Found:
    """A plan with fewer channel groups, of fewer instructions and no larger head than `best`; `best` if there is none.

    Looked for in streamed networks only: others gain a few per mille, and a network with groups takes about twice the time.
    """
    if not _is_streamed(evaluator):
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
        found = _within(most, state, options, teller.tick)
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
    starts = _Starts(evaluator, options.axes, teller)
    streamed = any(op.kind == FETCH_ROWS for op in evaluator.graph.operators)
    for configuration in configurations(options):
        least = min((f.plan.planned_head_bytes for f in found), default=None)
        placing = _Placing(evaluator, starts, configuration, least, teller)
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
    return _within(most, state, options, no_tick)


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


def _placed(candidate: Candidate, options: Options, most: float, tick: Tick) -> Found | None:
    """The candidate with addresses. None when it is too large, or a slice of a concatenation is needed outside its region.

    The layout itself may cost instructions, as long as the plan stays within `most` of them; a slowdown within the noise is
    always allowed. The schedule before polishing is placed, too, where its live peak says that its head could be smaller.
    """
    if candidate.live_peak_bytes > MAX_LIVE_BYTES:
        return None
    limit = max(most, NOISE * candidate.state.instructions)
    try:
        found = _within(limit, candidate.state, options, tick)
        before = candidate.unpolished
        if (
            before is None
            or before.schedule == candidate.state.schedule
            or before.live_peak_bytes >= found.plan.planned_head_bytes
        ):
            return found
        other = _within(limit, before, options, tick)
    except Refusal:
        return None
    return min(found, other, key=lambda f: f.plan.planned_head_bytes)


def _within(limit: float, state: Evaluation, options: Options, tick: Tick) -> Found:
    """The plan of a state, of at most `limit` predicted instructions if that can be had.

    Overlapping rows can slow a kernel down. If the first layout is over the limit, a second one uses only the overlaps
    that cost nothing; the faster of the two is returned.
    """
    allowance = Allowance(options.board, limit - state.instructions)
    effort = options.effort * (STREAMED_PLACING if any(op.fetches for op in state.split.row_ops) else 1)
    plan = compile_schedule(state.split, state.step_graph, state.schedule, effort, allowance, tick)
    taken = predicted_instructions(plan, options.board)
    if taken <= limit:
        return _found(state, plan, allowance)
    only_free = replace(allowance, only_free=True)
    free = compile_schedule(state.split, state.step_graph, state.schedule, effort, only_free, tick)
    if predicted_instructions(free, options.board) <= taken:
        return _found(state, free, only_free)
    return _found(state, plan, allowance)


def _found(state: Evaluation, plan: Plan, allowance: Allowance) -> Found:
    layout = plan.layout
    addresses = Addresses(
        layout.addresses, layout.moves, allowance.board, allowance.only_free, layout.technique, layout.solver
    )
    return Found(plan, replace(state.decision, layout=addresses))


def predicted_instructions(plan: Plan, board: str) -> int:
    """Predicted instructions of all programs of a plan."""
    return sum(predict(region.program, board).instructions for region in plan.regions)
