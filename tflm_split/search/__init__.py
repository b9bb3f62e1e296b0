"""Which decisions give the smallest arena? Proposes them, evaluates them and keeps the best; `lower/` carries them out."""
