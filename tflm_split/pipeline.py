"""The whole compiler on one page: a `.tflite` goes in, a `.tflite` that needs less memory and its record come out.

    read -> run in TFLM -> rewrite -> split -> search -> lower -> verify -> report

Each stage is a call below, and has a folder of its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tflm_split.analysis.arena import least_arm32_arena
from tflm_split.analysis.kernel_sets import KernelSet, kernel_set
from tflm_split.errors import InputError, InternalError, ModelError, Refusal, VerificationError
from tflm_split.ir.graph import Graph, Model
from tflm_split.lower.assemble import Lowered, lower
from tflm_split.lower.compile import Plan
from tflm_split.options import DEFAULTS, STOCK, Options
from tflm_split.plan.progress import Progress, Teller, quiet
from tflm_split.plan.two_memories import Sizes
from tflm_split.report.footprint import check_planned_head, footprint, reason_to_keep_original
from tflm_split.report.record import Outcome, make_record
from tflm_split.report.result import Front, Result, front
from tflm_split.rewrite.integer_interface import InterfaceChange, strip_float_interface
from tflm_split.rewrite.states import remembers, with_states
from tflm_split.rewrite.stream_input import stream_input
from tflm_split.rewrite.stream_output import stream_output
from tflm_split.rewrite.streams import Streams
from tflm_split.search.candidates import best_plan, pareto_plans
from tflm_split.search.decided import placed_anew, plan_of, refitted
from tflm_split.search.decision import Decision
from tflm_split.search.decision_file import SavedDecision, fingerprint
from tflm_split.search.evaluate import Evaluation, Evaluator
from tflm_split.search.garbage import rare_collections
from tflm_split.search.placing import Found, predicted_instructions
from tflm_split.search.reuse import Forgetting, Kept, fastest_kept
from tflm_split.search.two_memories import Placer, traffic_of
from tflm_split.search.ways import can_remember, check_streamable, ways_to_split
from tflm_split.sizes import format_bytes
from tflm_split.stock.plan import stock_plan
from tflm_split.tflite.reader import read_model

if TYPE_CHECKING:
    from tflm_split.verify.compare import Comparison
    from tflm_split.verify.evidence import Evidence, Inputs, Made

FITTING_ROUNDS = 3
"""So often the fast memory is filled anew, because what TFLM keeps has turned out to take more than was thought."""
Source = os.PathLike[str] | str | bytes
"""A path, or a model's bytes."""


@rare_collections()
def optimize(
    source: Source, options: Options = DEFAULTS, progress: Progress = quiet, decision: SavedDecision | None = None
) -> Result:
    """Split `source` for the smallest arena, or as a `decision` says, without a search. Nothing is written.

    A plan that does not lower the arena is dropped; the result is then the original, byte for byte. Raises InputError for
    a file that cannot be read, UnrunnableError when TFLM does not run the original, VerificationError when the result
    gives other outputs than the original.
    """
    if decision is not None and options.target == STOCK:
        raise InputError("a saved decision is one of the target split; the target stock takes none")
    if decision is not None:
        options = replace(
            options,
            int8_io=decision.int8_io,
            stream_input=decision.stream_input,
            stream_output=decision.stream_output,
            uint8_pixels=decision.uint8_pixels,
            reuse_window=decision.reuse_window,
        )
    job = _begin(source, options, progress)
    if options.target == STOCK:
        return _with_a_plan_alone(job)
    if decision is not None:
        return _finish(*_in_two_memories(*_carried_out(job, decision)))
    return _finish(*_in_two_memories(*_smaller(job)))


@rare_collections()
def pareto(source: Source, options: Options = DEFAULTS, progress: Progress = quiet) -> Front:
    """The Pareto front of memory against time, fastest result first. Empty when nothing can be split.

    Each result is verified like that of `optimize`, with the same errors.
    """
    job = _begin(source, options, progress)
    return front(result for one in _jobs(job) for result in _front(one))


def replanned(source: Source, options: Options, decision: SavedDecision) -> Result | None:
    """What a `decision` about a network of other widths gives for this one: the same order of the same steps, placed anew.

    Quick, because nothing is searched but addresses. Not verified. None where the decision does not fit this network, or
    where the result would need more arena than the original.
    """
    options = replace(
        options,
        int8_io=decision.int8_io,
        stream_input=decision.stream_input,
        uint8_pixels=decision.uint8_pixels,
        verify=False,
    )
    if decision.decision is None:
        return None
    job = _begin(source, options, quiet)
    try:
        found = placed_anew(job.evaluator, decision.decision, options)
    except (Refusal, ModelError, InternalError, LookupError):
        return None
    result = _finish(job, _lowered(job, found))
    return None if result.plan is None else result


def reevaluated(graph: Graph, options: Options, decision: SavedDecision) -> Evaluation | None:
    """The same before anything has an address: `graph` with its live peak, a bound of the head, and its instructions.

    None where the decision does not fit this network.
    """
    if decision.decision is None:
        return None
    try:
        return refitted(Evaluator(_rewritten(graph, options)[0], options.board), decision.decision)
    except (Refusal, ModelError, InternalError, LookupError):
        return None


@dataclass(frozen=True, slots=True)
class _Job:
    """What is known before the search: the model, and who evaluates decisions about its graph.

    `with_variables`: the same for the graph that leaves what the network remembers in TFLM's variables. None: it has none that
    could be states, and this is that graph.
    """

    model: Model
    path: Path | None
    changes: tuple[InterfaceChange, ...]
    streams: Streams
    evaluator: Evaluator
    options: Options
    teller: Teller
    evidence: Evidence | None
    """The original's run in TFLM; None without verification."""
    with_variables: _Job | None = None
    kept: Kept | None = None
    """What the graph remembers of a window that slides; None where none does."""
    forgetting: Forgetting | None = None
    """What the network takes that remembers nothing; None where nobody has asked."""


def _begin(source: Source, options: Options, progress: Progress) -> _Job:
    teller = Teller(progress)
    teller.at("read", 0)
    model = read_model(source)
    teller.found(footprint(model, None).planned_head_bytes)
    graph, changes, streams = _rewritten(model.graph, options)
    kept = fastest_kept(graph, options.reuse_window, options.board) if options.reuse_window else None
    evidence = None
    if options.verify:
        # Imported here: a search without verification need not wait for it.
        from tflm_split.verify.evidence import gather

        teller.at("run the original", 0)
        evidence = gather(model, _wanted_inputs(model.graph, options, kept), teller.tick)
    teller.at("split", 0)
    path = None if isinstance(source, (bytes, bytearray, memoryview)) else Path(source)
    evaluator = Evaluator(graph, options.board)
    check_streamable(evaluator)
    job = _Job(model, path, changes, streams, evaluator, options, teller, evidence)
    if kept:
        return _remembering(job, kept)
    if streams != Streams() or options.memory:  # a program is streamed, or has two memories, or it remembers
        return job
    remembering = with_states(graph, model.other_graphs)
    inside = Evaluator(remembering, options.board)
    if not remembering.states or not can_remember(inside):
        return job
    return replace(job, evaluator=inside, with_variables=job)


def _remembering(job: _Job, kept: Kept) -> _Job:
    """The job with a graph that remembers `kept`."""
    evidence = job.evidence and replace(job.evidence, warm_up=kept.warm_up)
    return replace(job, evaluator=Evaluator(kept.remembering, job.options.board), evidence=evidence, kept=kept)


def _jobs(job: _Job) -> tuple[_Job, ...]:
    """The job, and the one that leaves the variables to TFLM, which are better there where much else can be searched."""
    return (job,) if job.with_variables is None else (job, job.with_variables)


def _smaller(job: _Job) -> tuple[_Job, _Lowered | None]:
    """The best plan of each of the jobs that may have it; of these the one that needs the smaller arena."""
    if job.kept:
        return _fastest_that_remembers(replace(job, forgetting=_forgetting(job, job.kept)), job.kept)
    found = _best(job)
    if job.with_variables is None:
        return job, found
    kernels = kernel_set(job.options.kernels, job.options.board)
    needs = footprint(found.lowered.model, None, kernels).arena_needs if found else None
    if needs is not None and needs[0] < _least_arena_bytes(job.with_variables, kernels):
        return job, found
    other = _best(job.with_variables)
    if other and (needs is None or footprint(other.lowered.model, None, kernels).arena_needs < needs):
        return job.with_variables, other
    return job, found


def _least_arena_bytes(job: _Job, kernels: KernelSet) -> int:
    """A lower bound of the arena that any plan of the job needs: for the operators that stay stock, however the graph is split."""
    ways = [job.evaluator.base(way) for way in ways_to_split(job.evaluator)]
    stock = [{k for n in way.stock for k in way.graph.operators[n].source[:1]} for way in ways]
    return least_arm32_arena(job.model, set.intersection(*stock) if stock else (), kernels)


def _best(job: _Job) -> _Lowered | None:
    options = job.options
    if options.max_arena_bytes is None:
        found = best_plan(job.evaluator, options, job.teller)
        return _lowered(job, found) if found else None
    plans = pareto_plans(job.evaluator, options, job.teller)
    fitting = _first_that_fits(((job, _lowered(job, found)) for found in plans), options, options.max_arena_bytes)
    return fitting[1] if fitting else None


def _fastest_that_remembers(job: _Job, kept: Kept) -> tuple[_Job, _Lowered | None]:
    """The fastest choice of what to remember that fits the device's memory. If none fits, the smallest.

    Raises InputError where all of them are slower than to remember nothing.
    """
    limit_bytes = job.options.max_arena_bytes
    most = job.forgetting.predicted_instructions if job.forgetting else None

    def faster() -> Iterator[tuple[_Job, _Lowered]]:
        for choice in kept.within(limit_bytes):
            one = _remembering(job, choice)
            found = best_plan(one.evaluator, job.options, job.teller)
            if found and (most is None or predicted_instructions(found.plan, job.options.board) < most):
                yield one, _lowered(one, found)

    fitting = _first_that_fits(faster(), job.options, limit_bytes)
    if fitting is None:
        raise kept.no_gain()
    return fitting


def _forgetting(job: _Job, kept: Kept) -> Forgetting | None:
    """What the same network takes that remembers nothing. None where it cannot be split."""
    plain = replace(job, evaluator=Evaluator(kept.sliding.graph, job.options.board), kept=None)
    found = best_plan(plain.evaluator, job.options, job.teller)
    if found is None:
        return None
    instructions = predicted_instructions(found.plan, job.options.board)
    return Forgetting(instructions, _predicted_arena_bytes(_lowered(plain, found), job.options))


def _front(job: _Job) -> list[Result]:
    plans = pareto_plans(job.evaluator, job.options, job.teller)
    results = [_finish(job, _lowered(job, found)) for found in plans]
    return [result for result in results if result.plan is not None]


INPUTS_IN_A_ROW = 64
"""By default, a network that remembers is verified on so many inputs: its rings have turned around by then."""


def _wanted_inputs(graph: Graph, options: Options, kept: Kept | None) -> Made | Inputs:
    from tflm_split.report.arrays import inputs_of
    from tflm_split.verify.evidence import Made, Slide, check_windows

    wanted = inputs_of(graph, options.inputs, options.seed)
    if kept:
        slide = Slide(kept.sliding.position, kept.sliding.axis, kept.sliding.rows)
        if isinstance(wanted, Made):
            return replace(wanted, count=kept.warm_up + wanted.count, slide=slide)
        check_windows(wanted, slide, kept.warm_up)
        return wanted
    if isinstance(wanted, Made) and wanted.count == DEFAULTS.inputs and remembers(graph):
        return replace(wanted, count=INPUTS_IN_A_ROW)
    return wanted


def _rewritten(graph: Graph, options: Options) -> tuple[Graph, tuple[InterfaceChange, ...], Streams]:
    """The graph with the interface that the user wants. All other rewrites are the search's."""
    changes: tuple[InterfaceChange, ...] = ()
    if options.int8_io:
        graph, changes = strip_float_interface(graph)
    given, taken = None, None
    if options.stream_output:
        graph, given = stream_output(graph, options.stream_output)
    if options.stream_input:
        graph, taken = stream_input(graph, options.stream_input, uint8_pixels=options.uint8_pixels)
    return graph, changes, Streams(taken, given)


@dataclass(frozen=True, slots=True)
class _Lowered:
    """A lowered model, and the decision that makes it again."""

    lowered: Lowered
    decision: SavedDecision
    one_memory: Plan | None = None
    """Where two memories were asked for: the plan in one."""


def _lowered(job: _Job, found: Found) -> _Lowered:
    return _Lowered(lower(job.model, found.plan, job.options.board), _saved(job, found.decision))


def _in_two_memories(job: _Job, result: _Lowered | None) -> tuple[_Job, _Lowered | None]:
    """The result with its rows in the fast and in the slow memory, if two are asked for and one is not enough.

    Raises InputError where the fast memory is too small for what must lie there.
    """
    memories = job.options.memories
    if memories is None:
        return job, result
    kernels = kernel_set(job.options.kernels, job.options.board)
    arena_bytes = footprint(job.model, None, kernels).predicted_arm32.minimum_arena_bytes
    if result is not None:
        arena_bytes = min(arena_bytes, _predicted_arena_bytes(result, job.options))
    if arena_bytes <= memories.fast_bytes:
        return job, result and replace(result, one_memory=result.lowered.plan)
    if result is None or result.decision.decision is None:
        raise InputError("nothing of this model can be split, and only what is split can lie in a second memory")
    if any(region.program.fills for region in result.lowered.plan.regions):
        raise InputError(
            f"the model keeps a state, and does not fit into the fast memory of {memories}; leave out memory"
        )
    plan, rest_bytes = result.lowered.plan, arena_bytes - result.lowered.plan.planned_head_bytes
    placer = Placer(job.evaluator, Found(plan, result.decision.decision), job.options, job.teller)
    fast_bytes = memories.fast_bytes - rest_bytes
    for _ in range(FITTING_ROUNDS):
        sizes = Sizes(max(fast_bytes, 0), memories.slow_bytes, memories.most_bytes(plan.planned_head_bytes))
        placed = placer.within(sizes)
        if placed is None:
            break
        lowered = replace(result, lowered=lower(job.model, placed, job.options.board), one_memory=plan)
        excess_bytes = _predicted_arena_bytes(lowered, job.options) - memories.fast_bytes
        if excess_bytes <= 0:
            return job, lowered
        fast_bytes -= excess_bytes
    raise InputError(
        f"the model does not fit into {memories}: one memory would take {format_bytes(arena_bytes)} of arena, of which "
        f"{format_bytes(rest_bytes)} TFLM keeps and must lie in the fast one; give more, or another total"
    )


def _saved(job: _Job, decision: Decision | None) -> SavedDecision:
    options = job.options
    made_for = fingerprint(job.evaluator.graph)
    return SavedDecision(
        made_for,
        options.int8_io,
        decision,
        options.stream_input,
        options.uint8_pixels,
        options.stream_output,
        options.reuse_window,
        job.kept.tensors if job.kept else (),
    )


def _carried_out(job: _Job, saved: SavedDecision) -> tuple[_Job, _Lowered | None]:
    """What `saved` says, done, and the job that it is about. Raises InputError when it does not fit the model."""
    if job.with_variables is not None and saved.fingerprint == fingerprint(job.with_variables.evaluator.graph):
        job = job.with_variables
    if job.kept is not None:
        job = _remembering(job, job.kept.of(saved.reused))
    saved.check_fits(job.evaluator.graph)
    if saved.decision is None:
        return job, None
    try:
        return job, _lowered(job, plan_of(job.evaluator, saved.decision))
    except (Refusal, ModelError, InternalError, LookupError) as fault:
        raise InputError(f"the plan does not fit the model: {fault}; make a new one") from fault


def _first_that_fits(
    results: Iterable[tuple[_Job, _Lowered]], options: Options, limit_bytes: int | None
) -> tuple[_Job, _Lowered] | None:
    """The first of `results` that fits the device's memory. If none fits, the smallest; None without results."""
    smallest: tuple[int, tuple[_Job, _Lowered]] | None = None
    for result in results:
        arena_bytes = _predicted_arena_bytes(result[1], options)
        if smallest is None or arena_bytes < smallest[0]:
            smallest = arena_bytes, result
        if limit_bytes is None or arena_bytes <= limit_bytes:
            break
    return smallest[1] if smallest else None


def _predicted_arena_bytes(result: _Lowered, options: Options) -> int:
    """The arena to set aside on a 32-bit Arm."""
    kernels = kernel_set(options.kernels, options.board)
    return footprint(result.lowered.model, None, kernels).predicted_arm32.minimum_arena_bytes


def _finish(job: _Job, result: _Lowered | None) -> Result:
    """The lowered model, verified and reported. The original where splitting gains nothing, or nothing can be split."""
    lowered = result.lowered if result else None
    optimized = lowered.model if lowered else job.model
    comparison = _verified(job, job.evidence, optimized) if job.evidence else None
    kernels = kernel_set(job.options.kernels, job.options.board)
    before = footprint(job.model, comparison.original_run if comparison else None, kernels)
    after = footprint(optimized, comparison.optimized_run if comparison else None, kernels) if lowered else before
    check_planned_head(optimized, after)
    inside = None
    if lowered and not job.kept and job.evidence and job.evidence.distinct_outputs == 1 < len(job.evidence.inputs):
        from tflm_split.search.inside import compared_inside

        inside = compared_inside(job.model, job.evidence, job.options, job.teller)
    # What it remembers, or two memories, may take more than the original.
    one_memory = result.one_memory if result else None
    wanted = lowered and (job.kept or (one_memory and lowered.plan is not one_memory))
    kept_original = None if wanted else reason_to_keep_original(before, after if lowered else None)
    if kept_original:
        lowered, after = None, before
    changes, streams = (job.changes, job.streams) if lowered else ((), Streams())
    outcome = Outcome(
        job.model,
        lowered,
        job.evaluator.base(),
        before,
        after,
        comparison,
        changes,
        streams,
        kept_original,
        job.options,
        inside,
        window=(job.kept, job.forgetting) if lowered and job.kept else None,
        one_memory_bytes=one_memory.planned_head_bytes if one_memory and lowered else after.planned_head_bytes,
        slow_traffic=traffic_of(lowered.plan) if lowered and lowered.plan.slow_bytes else None,
    )
    model = lowered.model if lowered else job.model
    plan, decision = (lowered.plan, result.decision) if lowered and result else (None, _saved(job, None))
    return Result(model.original, make_record(outcome), job.model.original, changes, plan, job.path, decision)


def _with_a_plan_alone(job: _Job) -> Result:
    """The model without an operator of ours: another order, shared bytes, exact addresses. The original if that is no gain."""
    job.teller.at("plan", 0)
    kernels = kernel_set(job.options.kernels, job.options.board)
    found = stock_plan(job.model, kernels, job.options.effort, job.teller.tick)
    comparison = _verified(job, job.evidence, found.model) if job.evidence else None
    before = footprint(job.model, comparison.original_run if comparison else None, kernels)
    after = footprint(found.model, comparison.optimized_run if comparison else None, kernels)
    check_planned_head(found.model, after)
    kept_original = reason_to_keep_original(before, after, "with a plan alone")
    if kept_original:
        after = before
    outcome = Outcome(
        job.model,
        None,
        None,
        before,
        after,
        comparison,
        (),
        Streams(),
        kept_original,
        job.options,
        stock=None if kept_original else found,
    )
    return Result(outcome.optimized, make_record(outcome), job.model.original, input_path=job.path)


def _verified(job: _Job, evidence: Evidence, optimized: Model) -> Comparison:
    from tflm_split.verify.verification import check_own_memory, verify

    job.teller.at("verify", 0, 1)
    comparison = verify(job.model, optimized, evidence, job.teller.tick)
    job.teller.at("verify", 1, 1)
    if comparison.bit_exact is False:
        if comparison.level == "tflm":
            check_own_memory(job.model, evidence.inputs)
        raise VerificationError(f"the optimised model differs from the original: {comparison.first_difference}")
    return comparison
