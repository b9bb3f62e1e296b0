"""C sources of a model, for firmware: the file as an array, and, without TFLM, the program with its executor's calls."""

FORMATS = ("c", "xxd")
"""How the array may be written: a .c and a .h file, or one file like that of `xxd -i`."""
