"""Models like those of users, for the tests of the API, the command line and the record."""

from __future__ import annotations

from pathlib import Path

from tiny_models import Builder, Op, T, single_op

MODELS = Path(__file__).resolve().parent.parent / "models"
DSCNN = MODELS / "digits_dscnn.tflite"


def small_network() -> bytes:
    """Two convolutions and a classifier on 16x16x2: small, quick, and better split than whole."""
    net = Builder((1, 16, 16, 2), seed=1)
    wide = net.conv(net.input, 8, 3)
    narrow = net.conv(wide, 4, 3, stride=2)
    return net.finish(net.softmax(net.dense(net.mean(narrow), 5)))


def float_network() -> bytes:
    """The same kind of network behind a float interface: QUANTIZE first, DEQUANTIZE last."""
    net = Builder((1, 12, 12, 3), seed=2)
    out = net.conv(net.conv(net.input, 8, 3), 2, 3)
    net.tensors += [T(net.shape(net.input), "FLOAT32", name="real_in"), T(net.shape(out), "FLOAT32", name="real_out")]
    real_in, real_out = len(net.tensors) - 2, len(net.tensors) - 1
    net.operators = [Op("QUANTIZE", [real_in], [net.input]), *net.operators, Op("DEQUANTIZE", [out], [real_out])]
    net.inputs = [real_in]
    return net.finish(real_out)


def float_sine() -> bytes:
    """A model that cannot be split: there is no kernel of ours for its operator."""
    return single_op("SIN", [T((1, 4), "FLOAT32")], T((1, 4), "FLOAT32"))
