"""What can be computed before run time, exact to the int8 reference kernels of TFLM.

`fixed_point` is the integer arithmetic TFLM's kernels share, `gemmlowp` the fixed-point functions they call,
`requantize` the multipliers and limits of operators, `tables` and `softmax` whole functions as tables.
"""
