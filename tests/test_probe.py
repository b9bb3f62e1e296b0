"""Another `tflite-micro` wheel than the pinned one is used if it passes the probe, and named with the reason if not."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator

import pytest
from tiny_models import Builder

import tflm_split
from tflm_split.errors import TflmUnavailable, ToolError
from tflm_split.verify import probe, tflm
from tflm_split.verify.tflm import PINNED_TFLM_VERSION, TflmRun, run_in_tflm


@pytest.fixture
def other_wheel(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The installed wheel says that it is another version."""
    installed = importlib.metadata.version
    version = "0.dev20270101000000"
    monkeypatch.setattr(
        importlib.metadata, "version", lambda name: version if name == "tflite-micro" else installed(name)
    )
    probe.probe_fault.cache_clear()
    yield version
    probe.probe_fault.cache_clear()


def tiny() -> bytes:
    net = Builder((1, 8, 8, 3))
    return net.finish(net.conv(net.input, 4, 3, 3))


def test_the_pinned_wheel_passes_the_probe() -> None:
    assert probe.probe_fault(PINNED_TFLM_VERSION) is None


def test_another_wheel_that_passes_is_used(other_wheel: str) -> None:
    assert tflm.tflm_version() == other_wheel
    report = tflm_split.optimize(tiny()).report
    assert report["verified"] is not None
    assert report["verified"]["level"] == "tflm"


@pytest.mark.parametrize("fault", ["refuses", "computes"])
def test_another_wheel_that_does_not_is_named_in_one_sentence(
    other_wheel: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*_: object, **__: object) -> TflmRun:
        if fault == "refuses":
            raise ToolError("TFLM_SPLIT cannot be registered: another layout")
        return TflmRun(((bytes(256),),), 0, 0, 0, other_wheel)

    monkeypatch.setattr(probe, "run_in_tflm", run)
    why = "cannot be registered: another layout" if fault == "refuses" else "it computes other bytes"
    with pytest.raises(TflmUnavailable, match=f"{other_wheel} is installed, and did not pass the probe: .*{why}"):
        run_in_tflm(tiny(), [])
    verified = tflm_split.optimize(tiny()).report["verified"]
    assert verified is not None
    assert verified["level"] == "own_model"
    assert verified["not_in_tflm_because"] is not None
    assert f"pip install tflite-micro=={PINNED_TFLM_VERSION}" in verified["not_in_tflm_because"]


def test_a_wheel_that_is_not_there_is_answered_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", absent)
    with pytest.raises(TflmUnavailable, match=f"pip install tflite-micro=={PINNED_TFLM_VERSION}"):
        tflm.tflm_version()
    monkeypatch.setattr(tflm.sys, "platform", "darwin")
    with pytest.raises(TflmUnavailable, match="for Linux on x86-64 only"):
        tflm.tflm_version()
