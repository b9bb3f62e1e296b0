"""Connected axes: which axis of an operator's output follows which axis of its operands. The one owner of that fact.

`table.py` has an entry per kind of operator, `connected.py` asks it for the tensors that can be cut along a common axis.
"""
