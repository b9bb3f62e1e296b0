"""Connected axes: which axis of an operator's output follows which axis of its operands? This folder owns that fact.

`table.py` has one entry per kind of operator. `connected.py` uses it to find the tensors that can be cut along a common
axis.
"""
