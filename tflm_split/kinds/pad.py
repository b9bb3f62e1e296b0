"""PAD: a constant around the input, or a plain copy."""

from __future__ import annotations

from collections.abc import Iterator

from tflm_split.kinds.kind import ANY, Case, InPlace, Kind, Reads, Row
from tflm_split.kinds.quantized import INT8_VALUES
from tflm_split.kinds.record import Field, Record

PAD_PARAMS = Record(
    "split_pad_params",
    "PAD, and a copy where every pad is 0: the input lies `pad_*` from the output's start on each axis, `value` around it. "
    "Elements of more than one byte are padded with 0 only.",
    (
        Field("pad_rows", "uint16_t"),
        Field("pad_columns", "uint16_t"),
        Field("pad_channels", "uint16_t"),
        Field("value", "int16_t", "the byte around it, as int8", INT8_VALUES),
    ),
)


def _rows(case: Case, row: int) -> Iterator[Row]:
    tap = row - case.number("pad_rows")
    if 0 <= tap < case.source.row_count:
        yield Row(0, tap)


def _fault(case: Case) -> str | None:
    output, source = case.output, case.source
    pads = [case.number(name) for name in ("pad_rows", "pad_columns", "pad_channels")]
    for have, want, pad in zip(source.shape, output.shape, pads, strict=True):
        if pad < 0 or pad + have > want:
            return f"its input of shape {list(source.shape)} at {pads} leaves {list(output.shape)}"
    if output.element_bytes != source.element_bytes:
        return f"it copies elements of {source.element_bytes} bytes to {output.element_bytes}"
    value = case.params["value"]
    if output.element_bytes != 1 and value != 0 and output.shape != source.shape:
        return f"it pads elements of {output.element_bytes} bytes with bytes of {value}, can only with 0"
    return None


PAD = Kind(
    "PAD",
    PAD_PARAMS,
    reads=Reads("padded", _rows),
    c_check="pad",
    c_run="pad",
    check=_fault,
    input_bytes=ANY,
    output_bytes=ANY,
    in_place=InPlace.IN_ORDER,
)
KINDS = (PAD,)
RECORDS = (PAD_PARAMS,)
