"""Which of the ways to split a network do readers see, before anybody has searched for the best?"""

from __future__ import annotations

from tflm_split.analysis.boards import DEFAULT_BOARD
from tflm_split.ir.graph import Model
from tflm_split.rewrite.states import with_states
from tflm_split.search.evaluate import Evaluator
from tflm_split.search.ways import ways_to_split
from tflm_split.split.regions import Split


def shown_split(model: Model) -> Split:
    """The split that leaves the fewest of the model's operators stock, so that as many can be split as `optimize` may split.

    Among equals it is the plainest. No way is tried but the plain one where that leaves none stock and takes few steps.
    """
    evaluator = Evaluator(with_states(model.graph, model.other_graphs), DEFAULT_BOARD)
    ways = [way for way in ways_to_split(evaluator) if not way.concatenate_in_place]
    return min((evaluator.base(way) for way in ways), key=_stock, default=evaluator.base())


def _stock(split: Split) -> int:
    return len({source for k in split.stock for source in split.graph.operators[k].source})
