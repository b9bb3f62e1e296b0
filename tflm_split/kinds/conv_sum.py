"""CONV_SUM and CONV_SUM_LAST: a convolution that takes in its input channels group by group."""

from __future__ import annotations

from tflm_split.kinds.convolution import CONV, CONV_PARAMS
from tflm_split.kinds.kind import Accumulator, Case, Kind, first_fault
from tflm_split.kinds.modes import WeightFlags
from tflm_split.kinds.quantized import quantized_fault, shifts_fault
from tflm_split.kinds.reads import WINDOW as WINDOW_ROWS
from tflm_split.kinds.record import Record
from tflm_split.kinds.window import window_fault


def _sums_fault(case: Case) -> str | None:
    """What is wrong with the accumulator: it must have one int32 per output element, without gaps."""
    assert case.accumulator is not None
    if case.params["groups"] != 1:
        return f"it has {case.params['groups']} groups, needs 1"
    if case.accumulator.pixel_stride_bytes != 4 * case.accumulator.channel_count:
        return "its accumulator has room between its pixels"
    if case.accumulator.shape != case.output.shape:
        return f"its accumulator is {list(case.accumulator.shape)}, needs {list(case.output.shape)}"
    return None


def _fault(case: Case) -> str | None:
    flags = int(WeightFlags.PER_CHANNEL | WeightFlags.FIRST)
    apart = None if case.output == case.accumulator else "its output is not its accumulator"
    return first_fault(window_fault(case), apart, _sums_fault(case), quantized_fault(case, flags))


CONV_SUM = Kind(
    "CONV_SUM",
    CONV_PARAMS,
    reads=WINDOW_ROWS,
    c_check="conv_sum",
    c_run="conv_sum",
    check=_fault,
    check_constants=shifts_fault,
    constants=CONV.constants,
    output_bytes=(4,),
    accumulator=Accumulator.SUMS,
)
CONV_SUM_LAST = Kind(
    "CONV_SUM_LAST",
    CONV_PARAMS,
    reads=WINDOW_ROWS,
    c_check="conv_sum",
    c_run="conv_sum",
    check=lambda case: first_fault(window_fault(case), _sums_fault(case), quantized_fault(case)),
    check_constants=shifts_fault,
    constants=CONV.constants,
    accumulator=Accumulator.SUMS,
)
KINDS = (CONV_SUM, CONV_SUM_LAST)
RECORDS: tuple[Record, ...] = ()
