"""A Keras model as an int8 .tflite file, through TensorFlow's own converter."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from tflm_split.errors import InputError
from tflm_split.shrink.backend import tensorflow
from tflm_split.shrink.slicing import sliced
from tflm_split.shrink.trace import Trace

Samples = npt.NDArray[Any]

CALIBRATION_SAMPLES = 200
"""No more samples than this are run to find the ranges of activations."""


def calibration_samples(model: Any, calibration: Any) -> Samples:
    """`calibration` as an array [samples, ...] that the model takes. Raises InputError where it is none."""
    if len(model.inputs) != 1:
        raise InputError(f"the model has {len(model.inputs)} inputs, shrinking takes models of one")
    shape = tuple(model.inputs[0].shape)[1:]
    if None in shape:
        raise InputError(f"the model's input has the shape {list(shape)}: give it a fixed one")
    try:
        samples = np.asarray(calibration)
    except ValueError as fault:
        raise InputError(f"the calibration data is no array of samples: {fault}") from fault
    if samples.ndim != len(shape) + 1 or samples.shape[1:] != shape or not len(samples):
        raise InputError(
            f"the calibration data has the shape {list(samples.shape)}, needs [samples, {', '.join(map(str, shape))}]"
        )
    if not np.issubdtype(samples.dtype, np.number) or not np.isfinite(samples).all():
        raise InputError("the calibration data holds values that are no finite numbers")
    return samples[:: max(1, len(samples) // CALIBRATION_SAMPLES)][:CALIBRATION_SAMPLES].astype(np.float32)


def traced_to_int8(traced: Trace, removed: frozenset[int], calibration: Samples) -> bytes:
    """The traced model without the `removed` units as an int8 file that takes one sample; `calibration` is [samples, ...]."""
    return converted(sliced(traced, removed, batch=1), calibration)


def converted(single: Any, calibration: Samples) -> bytes:
    """A Keras model that takes one sample as an int8 file. Fully connected weights get one scale per tensor.

    Older kernels of TFLM know no other for these. Raises InputError where TensorFlow cannot convert the model.
    """
    tf = tensorflow()

    def representative() -> Iterator[list[Samples]]:
        for sample in calibration:
            yield [sample[None]]

    with _quiet():
        converter = tf.lite.TFLiteConverter.from_keras_model(single)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = representative
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
        try:
            return bytes(converter.convert())
        except Exception as fault:  # the converter raises exceptions of several libraries
            raise InputError(f"TensorFlow cannot convert the model to int8: {str(fault).splitlines()[0]}") from fault


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The converter prints all variables, and C++ code behind it writes to the file descriptors themselves."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        open(os.devnull, "w") as nowhere,
    ):
        warnings.simplefilter("ignore")
        saved = os.dup(2)
        try:
            logger.setLevel(logging.ERROR)  # in a notebook TensorFlow says where it writes
            os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            logger.setLevel(level)
