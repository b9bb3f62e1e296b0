"""Graph -> Graph, exact: the rewritten graph computes the same bytes."""
