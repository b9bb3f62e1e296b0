"""In which order do operators run, and in which order their steps? This package decides; it edits no graph."""
