"""Changes that may lower the live peak of a decision. Each way of splitting is one file, and one entry here.

A proposer is a function `propose(state, limits) -> Iterator[Decision]`: decisions like that of `state`, with one change
around the step where most bytes live, the most promising first. It knows nothing of how good they are. Some do not fit
the operators; the evaluation then refuses them.
"""
