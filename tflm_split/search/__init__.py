"""Which decisions give the smallest arena? Proposes, evaluates, keeps the best; every decision is carried out by `lower/`."""
