"""Verification on machines for which there is no TFLM: the host build of the executor against our own model of TFLM.

The original runs operator by operator in `graph_oracle/`. The optimised file runs in an arena laid out by its offline plan;
its programs are executed by the C runtime, or by numpy where that is not built. `machine.py` is that interpreter.
"""
