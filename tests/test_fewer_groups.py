"""Channel groups are merged where that costs no memory: fewer steps, the same head."""

from __future__ import annotations

from dataclasses import replace

import pytest
from random_networks import Network

from tflm_split.search.decision import Decision
from tflm_split.search.evaluate import Evaluation, Evaluator
from tflm_split.search.fewer_groups import fewer_groups, merges
from tflm_split.tflite.reader import read_model


def test_two_neighbours_at_an_end_are_merged_and_equal_groups_made() -> None:
    made = list(merges({3: (4, 4, 4, 4), 5: (4, 4, 4, 4), 7: (8, 8)}))
    assert {3: (4, 4, 8), 5: (4, 4, 8), 7: (8, 8)} in made
    assert {3: (8, 4, 4), 5: (8, 4, 4), 7: (8, 8)} in made
    assert {3: (4, 4, 4, 4), 5: (4, 4, 4, 4)} in made  # two groups become none
    assert all(sum(sizes) == 16 for groups in made for sizes in groups.values())


@pytest.fixture(scope="module")
def grouped() -> tuple[Evaluator, Evaluation]:
    """A network whose middle tensor is cut into four groups."""
    n = Network((1, 12, 12, 4))
    made = n.conv(n.conv(n.input, 16), 16)
    graph = read_model(n.finish(n.dense(n.unary("RELU", made), 3))).graph
    evaluator = Evaluator(graph, "m7")
    plain = evaluator.first(Decision(tuple(range(len(evaluator.base().graph.operators))), ()))
    tensor = min(plain.cut_graph.groupable)
    return evaluator, evaluator.first(plain.decision.grouped({tensor: (4, 4, 4, 4)}))


def test_states_stay_below_the_bytes_and_take_ever_fewer_instructions(grouped: tuple[Evaluator, Evaluation]) -> None:
    evaluator, state = grouped
    most = 2 * state.live_peak_bytes
    found = fewer_groups(evaluator, state.decision, most, 100, lambda made: made)
    assert found and all(made.live_peak_bytes <= most for made in found)
    assert all(made.instructions < state.instructions for made in found)
    assert not found[0].decision.channel_groups


def test_nothing_is_found_without_groups_evaluations_or_room(grouped: tuple[Evaluator, Evaluation]) -> None:
    evaluator, state = grouped
    assert fewer_groups(evaluator, replace(state.decision, channel_groups=()), 1 << 30, 100, lambda made: made) == []
    assert fewer_groups(evaluator, state.decision, 1 << 30, 0, lambda made: made) == []
    assert fewer_groups(evaluator, state.decision, 16, 100, lambda made: made) == []
