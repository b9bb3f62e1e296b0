"""How long is each piece live, and which pieces become one body for the planner?"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from random_networks import Network, networks
from split_stages import scheduled, steps_of
from tiny_models import Builder

from tflm_split.lower.compile import visible_storages
from tflm_split.lower.emit import region_runs
from tflm_split.plan.check import check_layout
from tflm_split.plan.portfolio import plan
from tflm_split.plan.problem import Body, Span, live_lower_bound
from tflm_split.schedule.lives import Bodies, live_bytes, lives, make_bodies
from tflm_split.schedule.step_builder import build_step_graph
from tflm_split.schedule.step_graph import Overlap, Piece, Step, StepGraph
from tflm_split.search.base import rewritten_split
from tflm_split.split.regions import SplitOptions
from tflm_split.tflite.reader import read_model


def graph_of(
    pieces: Sequence[Piece],
    steps: Sequence[tuple[Sequence[int], Sequence[int], Sequence[Overlap]]],
    initial: Sequence[int] = (),
    final: Sequence[int] = (),
) -> StepGraph:
    """A step graph drawn by hand: steps of (reads, writes, overlaps), each a node of its own."""
    made = tuple(Step(k, k, 0, tuple(r), tuple(w), (), tuple(o)) for k, (r, w, o) in enumerate(steps))
    return StepGraph(
        nodes=len(made),
        pieces=tuple(pieces),
        steps=made,
        steps_of=tuple((k,) for k in range(len(made))),
        producers=tuple(tuple(k for k, s in enumerate(made) if p in s.writes) for p in range(len(pieces))),
        readers=tuple(tuple(k for k, s in enumerate(made) if p in s.reads) for p in range(len(pieces))),
        initial=frozenset(initial),
        final=frozenset(final),
        scratch=frozenset(),
        needed=frozenset(range(len(made))),
    )


def chain(overlaps: Sequence[Overlap], sizes: Sequence[int] = (8, 8, 8, 8), final: Sequence[int] = (3,)) -> StepGraph:
    """Piece 0 is there from the start. Each step reads the piece before and writes the next."""
    return graph_of(
        [Piece(p, 0, size) for p, size in enumerate(sizes)],
        [((k,), (k + 1,), [o for o in overlaps if o.written == k + 1]) for k in range(len(sizes) - 1)],
        initial=[0],
        final=final,
    )


# Lives.


def test_a_piece_lives_from_its_first_write_to_its_last_read() -> None:
    assert lives(chain([]), [0, 1, 2]) == {0: (0, 1), 1: (0, 2), 2: (1, 3), 3: (2, 3)}


def test_an_input_nobody_reads_does_not_live_and_an_output_lives_to_the_end() -> None:
    found = graph_of([Piece(0, 0, 4), Piece(1, 0, 4), Piece(2, 0, 4)], [((), (1,), ()), ((), (2,), ())], [0], [1])
    assert lives(found, [0, 1]) == {0: (0, 0), 1: (0, 2), 2: (1, 2)}


def test_a_piece_written_in_parts_lives_from_the_first_part() -> None:
    found = graph_of(
        [Piece(0, 0, 8), Piece(1, 0, 4), Piece(2, 0, 8)],
        [((), (0,), ()), ((), (1,), ()), ((), (0,), ()), ((0,), (2,), ())],
        final=[2],
    )
    assert lives(found, [0, 1, 2, 3])[0] == (0, 4)


# Bodies.


def test_pieces_that_do_not_overlap_are_bodies_of_their_own() -> None:
    bodies = make_bodies(chain([]), [0, 1, 2], frozenset({0, 3}))
    assert [b.align for b in bodies.bodies] == [16, 4, 4, 16]
    assert [b.spans for b in bodies.bodies] == [
        (Span(0, 1, 0, 8),), (Span(0, 2, 0, 8),), (Span(1, 3, 0, 8),), (Span(2, 3, 0, 8),)
    ]  # fmt: skip


def test_a_row_written_in_place_shares_its_inputs_body() -> None:
    bodies = make_bodies(chain([Overlap(1, 2, 0, 8)]), [0, 1, 2], frozenset({0, 3}))
    assert bodies.placements[1] == bodies.placements[2]
    assert bodies.bodies[bodies.placements[2].body].spans == (Span(0, 1, 0, 8), Span(1, 3, 0, 8))


def test_a_row_that_runs_over_another_starts_below_it() -> None:
    """It starts 4 bytes below. In the step that they share, 4 bytes of the dying row are its own."""
    bodies = make_bodies(chain([Overlap(1, 2, 4, 4)]), [0, 1, 2], frozenset({0, 3}))
    read, written = bodies.placements[1], bodies.placements[2]
    assert read.body == written.body
    assert (written.offset, read.offset) == (0, 4)
    assert sorted(bodies.bodies[read.body].spans, key=lambda s: (s.start, s.offset)) == [
        Span(0, 1, 4, 8), Span(1, 3, 0, 8), Span(1, 2, 8, 4)
    ] or set(bodies.bodies[read.body].spans) == {Span(0, 1, 4, 8), Span(1, 3, 0, 8), Span(1, 2, 8, 4)}  # fmt: skip


def test_a_chain_of_rows_in_place_is_one_body() -> None:
    bodies = make_bodies(chain([Overlap(1, 2, 0, 8), Overlap(2, 3, 0, 8)], final=()), [0, 1, 2], frozenset({0}))
    assert {bodies.placements[p].body for p in (1, 2, 3)} == {1}
    assert live_lower_bound(bodies.bodies) == 16


def test_a_row_that_is_read_again_is_not_written_over() -> None:
    again = graph_of(
        [Piece(p, 0, 8) for p in range(4)],
        [((), (0,), ()), ((0,), (1,), [Overlap(0, 1, 0, 8)]), ((0, 1), (2,), ())],
        final=[2],
    )
    bodies = make_bodies(again, [0, 1, 2], frozenset())
    assert bodies.placements[0].body != bodies.placements[1].body


def test_a_row_is_written_over_once_only() -> None:
    """Two operands die in one step, or one tensor is both operands: only one of the overlaps is used."""
    both = graph_of(
        [Piece(p, 0, 8) for p in range(3)],
        [((), (0,), ()), ((), (1,), ()), ((0, 1), (2,), [Overlap(0, 2, 0, 8), Overlap(1, 2, 0, 8)])],
        final=[2],
    )
    bodies = make_bodies(both, [0, 1, 2], frozenset())
    assert bodies.placements[2] == bodies.placements[0]
    assert bodies.placements[1].body != bodies.placements[0].body


def test_outputs_and_tensors_tflm_sees_are_not_written_over() -> None:
    overlaps = [Overlap(1, 2, 0, 8)]
    for found, contiguous in (
        (chain(overlaps, final=(1, 3)), frozenset({0, 3})),
        (chain(overlaps), frozenset({0, 1, 3})),
        (chain(overlaps), frozenset({0, 2, 3})),
    ):
        bodies = make_bodies(found, [0, 1, 2], contiguous)
        assert bodies.placements[1].body != bodies.placements[2].body


def test_rows_overlap_only_where_bytes_are_short() -> None:
    found = chain([Overlap(1, 2, 0, 8)])
    crowded = int(live_bytes(found, 3, lives(found, [0, 1, 2])).max())
    assert crowded == 16
    apart = make_bodies(found, [0, 1, 2], frozenset({0, 3}), overlap_above_bytes=crowded)
    together = make_bodies(found, [0, 1, 2], frozenset({0, 3}), overlap_above_bytes=crowded - 1)
    assert (len(apart.bodies), len(together.bodies)) == (4, 3)


def test_the_rows_of_a_tensor_tflm_sees_keep_their_distance() -> None:
    rows = graph_of([Piece(0, r, 8) for r in range(3)], [((0,), (), ()), ((1,), (), ()), ((1,), (), ())], [0, 1, 2])
    bodies = make_bodies(rows, [0, 1, 2], frozenset({0}))
    assert bodies.bodies == (Body((Span(0, 1, 0, 8), Span(0, 3, 8, 8), Span(0, 0, 16, 8)), 16),)
    assert [bodies.placements[p].offset for p in range(3)] == [0, 8, 16]


def test_a_tensor_can_be_asked_to_be_whole_at_a_position() -> None:
    """Not even a row that nobody reads may be reused while other inputs are written."""
    rows = graph_of([Piece(0, r, 8) for r in range(3)], [((0,), (), ()), ((1,), (), ()), ((1,), (), ())], [0, 1, 2])
    bodies = make_bodies(rows, [0, 1, 2], frozenset({0}), whole_at={0: [0]})
    assert bodies.bodies[0].spans == (Span(0, 1, 0, 8), Span(0, 3, 8, 8), Span(0, 1, 16, 8))


# Real networks.


def bodies_of(model: bytes, in_place: bool, above: int = 0) -> tuple[StepGraph, Sequence[int], Bodies]:
    split = rewritten_split(read_model(model).graph, SplitOptions(concatenate_in_place=in_place))
    step_graph, schedule = scheduled(split)
    contiguous = visible_storages(split, region_runs(schedule.nodes, split.stock))
    return step_graph, schedule.steps, make_bodies(step_graph, schedule.steps, contiguous, {}, above)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(), st.booleans())
def test_every_living_piece_has_a_place_and_its_bytes_are_covered(model: bytes, in_place: bool) -> None:
    step_graph, order, bodies = bodies_of(model, in_place)
    for p, (start, stop) in lives(step_graph, order).items():
        place = bodies.placements[p]
        spans = bodies.bodies[place.body].spans
        for t in range(start, stop - 1):  # a row may be overwritten in its last step
            covered = sorted((s.offset, s.offset + s.bytes) for s in spans if s.start <= t < s.stop)
            at = place.offset
            for low, high in covered:
                if low <= at < high:
                    at = high
            assert at >= place.offset + step_graph.pieces[p].bytes


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(), st.booleans())
def test_without_overlap_the_bodies_live_bytes_are_the_pieces(model: bytes, in_place: bool) -> None:
    step_graph, order, bodies = bodies_of(model, in_place, above=1 << 40)
    assert live_lower_bound(bodies.bodies) == live_bytes(step_graph, len(order), lives(step_graph, order)).max(
        initial=0
    )


def rows_written_in_two_groups() -> bytes:
    """A concatenation in place. One part exists when a group of steps begins, the others are written in it."""
    n = Network((1, 5, 3, 3))
    first, second, third = n.split(n.input, 3, 3)
    convolved = n.conv(n.pad(third, [(0, 0), (1, 1), (2, 1), (0, 0)]), 3, 3, 3, (1, 2))
    return n.finish(convolved, n.joined([third, first, second], 3), third)


def rows_written_in_parts_that_nobody_reads() -> bytes:
    """A pool reads every other row of a tensor that could cross a stock operator, so the tensor is made whole."""
    n = Network((1, 1, 4, 1))
    doubled = n.joined([n.input, n.input], 3)
    stock = n.reshape(n.input, (1, 1, 4, 1))
    pooled = n.pool(n.joined([doubled] * 3, 3), 1, 1, (2, 2), kind="MAX_POOL_2D")
    return n.finish(stock, n.sliced(pooled, (0, 0, 1, 0), (1, 1, 1, 6), strided=True), doubled)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(), st.booleans())
@example(rows_written_in_two_groups(), True)
@example(rows_written_in_parts_that_nobody_reads(), True)
@example(rows_written_in_parts_that_nobody_reads(), False)
def test_all_overlaps_used_the_live_peak_is_what_the_cuts_promised(model: bytes, in_place: bool) -> None:
    split = rewritten_split(read_model(model).graph, SplitOptions(concatenate_in_place=in_place))
    _, schedule = scheduled(split)
    _, _, bodies = bodies_of(model, in_place)
    assert live_lower_bound(bodies.bodies) == schedule.live_peak_bytes


def test_in_place_can_be_switched_off() -> None:
    b = Builder((1, 8, 4, 2))
    model = b.finish(b.conv(b.unary("RELU", b.conv(b.input, 2)), 2))
    split = rewritten_split(read_model(model).graph, SplitOptions())
    assert any(step.overlaps for step in steps_of(split).steps)
    assert not any(step.overlaps for step in build_step_graph(split, in_place=False).steps)


def test_what_tflm_sees_is_no_candidate_for_an_overlap() -> None:
    n = Network((1, 8, 8, 2))
    model = n.finish(n.unary("TANH", n.reversed(n.unary("RELU", n.input))))
    split = rewritten_split(read_model(model).graph, SplitOptions())
    assert not any(step.overlaps for step in steps_of(split).steps)


def test_rows_of_a_tensor_that_is_whole_are_joined_where_there_are_too_many_pairs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two rows to a body are a quarter of the pairs. Rows keep their alignment, and each its place."""
    n = 40
    pieces = [*(Piece(0, row, 6) for row in range(n)), Piece(1, 0, 8)]
    makes = [((), (row,), ()) for row in range(n)]
    graph = graph_of(pieces, [*makes, (range(n), (n,), ())])
    order = range(n + 1)
    apart = make_bodies(graph, order, frozenset())
    assert len(apart.bodies) == n + 1
    monkeypatch.setattr("tflm_split.schedule.lives.MAX_PAIRS", 300)
    joined = make_bodies(graph, order, frozenset())
    assert len(joined.bodies) == n // 2 + 1
    places = {(joined.placements[p].body, joined.placements[p].offset) for p in range(n)}
    assert len(places) == n
    assert {offset for _, offset in places} == {0, 8}
    check_layout(joined.bodies, plan(joined.bodies, 0))
