"""In which order do the operators run, and in which order their steps? Decisions only; nothing here edits a graph."""
