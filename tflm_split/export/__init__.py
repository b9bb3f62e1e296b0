"""C sources of a model for firmware: the file as an array, or, without TFLM, the program with calls of its executor."""

FORMATS = ("c", "xxd")
"""The forms of the array: `c` is a .c and a .h file, `xxd` one file like that of `xxd -i`."""
