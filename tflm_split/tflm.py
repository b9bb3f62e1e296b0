"""TFLM with `TFLM_SPLIT` in it, for the user's own scripts: `tflm_split.tflm.interpreter(model)`."""

from tflm_split.verify.tflm import interpreter

__all__ = ["interpreter"]
