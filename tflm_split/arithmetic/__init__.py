"""What does TFLM compute before the first inference? The same numbers, bit for bit as its reference kernels use them.

`fixed_point` is the integer arithmetic TFLM's kernels share, `gemmlowp` the fixed-point functions they call,
`requantize` the multipliers and limits of operators, `tables` and `softmax` whole functions as tables.
"""
