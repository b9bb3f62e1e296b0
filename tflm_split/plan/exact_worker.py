"""Solves one problem of `exact.py` in a process without TensorFlow: from standard input to standard output, both pickled."""

from __future__ import annotations

import pickle
import sys

from tflm_split.plan.exact import solve_exactly

if __name__ == "__main__":
    sys.stdout.buffer.write(pickle.dumps(solve_exactly(*pickle.load(sys.stdin.buffer))))
