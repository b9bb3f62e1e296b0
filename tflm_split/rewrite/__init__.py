"""Graph -> Graph. Rewrites are exact: the new graph computes the same bytes."""
