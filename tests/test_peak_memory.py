"""The tool needs less than 1 GB, however many rows a network has: rows that live together are bounded, or joined."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
PROGRAM = """
import sys
sys.path[:0] = {paths!r}
import tflm_split
from random_networks import Network
n = Network((1, {rows}, 1, 8))
x = n.conv(n.input, 8, 3, 1)
gate = n.conv(n.mean(x, keep_dims=True), 8, 1, 1)
x = n.add(x, gate, kind="MUL")
result = tflm_split.optimize(n.finish(n.conv(x, 8, 3, 1, stride=(2, 1))), verify=False, effort="low")
assert result.plan is not None
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
"""All rows of a tensor wait for the mean of it. VmHWM is in KB. (`ru_maxrss` counts the process that started this one, too.)"""


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read as Linux counts it")
def test_a_network_of_4000_rows_is_planned_in_less_than_a_gigabyte() -> None:
    program = PROGRAM.format(paths=[str(TESTS.parent), str(TESTS)], rows=4000)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=600)
    assert int(done.stdout.split()[-1]) < 1_000_000
