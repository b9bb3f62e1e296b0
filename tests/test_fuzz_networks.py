"""Networks of many kinds with stock operators anywhere come out with the same bytes: a few of those that the script makes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from odd_networks import ODD_GROWERS, OddNetwork, odd_network
from tflm_server import TflmServer

from tflm_split.tflite.reader import read_model

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

from fuzz_networks import INTERFACES, judged, options_of  # of scripts/, which is no package


@pytest.fixture(scope="module")
def tflm() -> Iterator[TflmServer]:
    server = TflmServer()
    yield server
    server.close()


@pytest.mark.parametrize("number", range(8))
def test_a_random_network_comes_out_with_the_same_bytes(tflm: TflmServer, number: int) -> None:
    outcome = judged(number, tflm)
    assert outcome in ("kept", "split", "split in part", *INTERFACES) or " refused (" in outcome


def test_a_number_always_gives_the_same_network_and_options() -> None:
    assert odd_network(3) == odd_network(3) != odd_network(4)
    assert options_of(3) == options_of(3)


def test_the_networks_hold_what_stays_stock_and_what_is_split() -> None:
    kinds = {op.kind for number in range(120) for op in read_model(odd_network(number)).graph.operators}
    assert {"SHAPE", "CAST", "REVERSE_V2", "COS", "MIRROR_PAD", "SPACE_TO_BATCH_ND", "GATHER", "CONV_2D"} <= kinds


@pytest.mark.parametrize("kind", ODD_GROWERS)
def test_every_kind_of_operator_grows_somewhere(tflm: TflmServer, kind: str) -> None:
    """And TFLM runs it."""
    network = OddNetwork((1, 8, 12, 4), Random(1))
    made = ODD_GROWERS[kind](network)
    assert made is not None
    model = network.finish(made)
    assert tflm.run(model, [[network.rng.integers(-128, 128, (1, 8, 12, 4), dtype="int8")]]).outputs[0]
