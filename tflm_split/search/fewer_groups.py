"""Would fewer groups of channels do as well?

The search cuts a tensor into equal groups, and looks at the live peak before steps are polished. Often a few small groups at one
end are enough, and each group less saves the overhead of its steps:

    4 4 4 4 4 4 4 4   ->   4 4 4 4 4 4 8   ->   ...   ->   4 4 4 20

Two neighbours at an end are merged, or one equal group less is made, as long as the live peak, polished, stays below the head
that is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from tflm_split.errors import Refusal
from tflm_split.search.decision import Decision
from tflm_split.search.evaluate import Evaluation, Evaluator
from tflm_split.search.propose.channels import sizes_of
from tflm_split.split.channel_rules import Sizes


def fewer_groups(
    evaluator: Evaluator,
    decision: Decision,
    most_bytes: int,
    evaluations: int,
    polished: Callable[[Evaluation], Evaluation],
) -> list[Evaluation]:
    """`decision` with fewer channel groups, in every way whose live peak is at most `most_bytes`; fewest instructions first.

    `polished` puts the steps of a state into a better order. At most about `evaluations` states are looked at.
    """
    found: list[Evaluation] = []
    now = replace(decision, steps=None, layout=None)
    while now.channel_groups and evaluations > 0:
        states = []
        for groups in merges(dict(now.channel_groups)):
            evaluations -= 1
            try:
                states.append(polished(evaluator.first(now.grouped(groups))))
            except Refusal:
                continue
        states = [state for state in states if state.live_peak_bytes <= most_bytes]
        if not states:
            break
        found += states
        now = replace(min(states, key=lambda state: (state.rank, state.instructions)).decision, steps=None)
    return sorted(found, key=lambda state: (state.instructions, state.rank))


def merges(groups: dict[int, Sizes]) -> Iterator[dict[int, Sizes]]:
    """`groups` with one group less: the last two merged, the first two, or all of them equal. Tensors cut alike stay so."""
    for sizes in dict.fromkeys(groups.values()):
        alike = [t for t, its in groups.items() if its == sizes]
        others = {t: its for t, its in groups.items() if its != sizes}
        last, first = (*sizes[:-2], sum(sizes[-2:])), (sum(sizes[:2]), *sizes[2:])
        equal = sizes_of(sum(sizes), len(sizes) - 1) or last
        for merged in dict.fromkeys((last, first, equal)):
            yield {**others, **(dict.fromkeys(alike, merged) if len(merged) > 1 else {})}
