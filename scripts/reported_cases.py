"""The small models after public reports: what each should reach, and what the compiler does to it. For `bench_corpus.py`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """`limit`: the head in bytes that the same mathematics needs when it is written otherwise, or 0 where nobody named one."""

    limit: int
    twin: str
    done: str


_SHAPE = "shapes that follow from static shapes are constants; what computes them is dropped"
_RANK3 = "PAD of three dimensions folded into the convolution"
_TALL = "cut along columns: a window as high as the map makes one row"
_LONG = "several samples to a row"
_REDUCED = "the reduction is fed row by row"
_PERMUTED = "moves of elements that lie in one row are done as rows are made"
_REFUSED = "refused with what TFLM said and how to convert"
_TWIN = "the twin, for comparison"

CASES: dict[str, Case] = {
    "c_dr": Case(0, "", _REFUSED),
    "c_fp16": Case(0, "", _REFUSED),
    "c_shuffle": Case(5344, "v_noshuffle", f"{_PERMUTED}: SPLIT in place, the shuffle a copy within a row"),
    "d_ei_like": Case(0, "", _SHAPE),
    "d_flat_1d": Case(0, "", _SHAPE),
    "d_flat_last": Case(0, "", _SHAPE),
    "d_flat_tiny": Case(0, "", _SHAPE),
    "e_batch2": Case(4512, "batch 1; two inputs alone are 6,144", "one sample after the other"),
    "e_causal_small": Case(0, "", _RANK3),
    "e_collapse_pool": Case(0, "", _TALL),
    "e_gather_chan2": Case(0, "the output alone is 8,192", "GATHER of one index is a slice"),
    "e_if": Case(0, "", "kept; what stays unknown is said"),
    "e_int4conv": Case(4512, "the same in int8", "weights unpacked when the model is compiled"),
    "e_max_time": Case(3216, "v_mean_freq_pool, which averages columns", _REDUCED),
    "e_mean_freq": Case(3216, "v_mean_freq_pool", _REDUCED),
    "e_mirrorpad": Case(14400, "v_zeropad, which needs no rows again", "MIRROR_PAD row by row"),
    "e_multisig_float": Case(0, "", _REFUSED),
    "e_raw16000": Case(16192, "twice e_raw8000; the input alone is 16,000", _LONG),
    "e_raw8000": Case(8096, "", _TWIN),
    "e_siamese": Case(0, "", "more inputs are tried until outputs differ"),
    "e_sig16000_k80": Case(
        16192, "the input alone is 16,000", f"{_LONG}; windows of 80 samples are windows of 20 rows"
    ),
    "e_sqrt_mid": Case(0, "", _REFUSED),
    "e_wavenet2000": Case(0, "", "SPACE_TO_BATCH_ND around a convolution is its dilation"),
    "e_while": Case(0, "", "kept; what stays unknown is said"),
    "eegnet_22x256": Case(5904, "v_eegnet_t_22x256", _TALL),
    "i2085_dyn_ct": Case(1936, "i2085_fixed_ct", _SHAPE),
    "i2085_fixed_ct": Case(1936, "", _TWIN),
    "i438_tcn400": Case(2400, "i438_tcn400_4d", _RANK3),
    "i438_tcn400_4d": Case(2400, "", _TWIN),
    "i771_ct_16x8": Case(0, "input or output alone is 24,576", "TRANSPOSE_CONV of int16 in rows"),
    "i870_chfirst_hswish": Case(14784, "i870_hswish_cancelled", "TRANSPOSE sunk until pairs cancel"),
    "i870_hswish_cancelled": Case(14784, "", _TWIN),
    "v_eegnet_t_22x256": Case(5904, "", _TWIN),
    "v_mean_freq_pool": Case(3216, "", _TWIN),
    "v_noshuffle": Case(5344, "", _TWIN),
    "v_zeropad": Case(14400, "", _TWIN),
}
"""By file stem."""
