"""The tool among other processes: signals, neighbours, odd paths, the same bytes every time, and how much memory it takes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tflite_helpers import CORPUS, needs_corpus
from user_models import small_network

MODULE = [sys.executable, "-m", "tflm_split"]
OUTPUT = "out.tflite"
MAX_BYTES = 2 << 30

DYING = """
import os, signal, sys
from tflm_split.cli import main
def die(*_): os.kill(os.getpid(), signal.{signal})
os.{call} = die
main(sys.argv[1:])
"""
"""Runs the command line. The process gets a signal just before it flushes, or renames, the written file."""


MEASURED = """
import atexit, resource, sys
from tflm_split.cli import main
def tell():
    own = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss), file=sys.stderr)
atexit.register(tell)
sys.exit(main(sys.argv[1:]))
"""
"""Runs the command line and tells its peak memory in KB, or that of the largest process it started.

`ru_maxrss` counts the process that started this one, too; that of a child counts nothing larger than what is asked for here.
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "net.tflite"
    path.write_bytes(small_network())
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def run(*arguments: object, **settings: str) -> subprocess.CompletedProcess[bytes]:
    command = [*MODULE, *(a if isinstance(a, bytes) else str(a) for a in arguments)]
    return subprocess.run(command, capture_output=True, check=False, timeout=300, env=os.environ | settings)


class TestSignals:
    @pytest.mark.parametrize("call", ["fsync", "replace"])
    @pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
    def test_interrupted_while_it_writes_it_leaves_nothing_behind(self, model, name, call):
        (model.parent / OUTPUT).write_bytes(b"old")
        code = DYING.format(signal=name, call=call)
        command = ["optimize", str(model), "--no-verify", "--effort", "0", "--force", "-o", str(model.parent / OUTPUT)]
        done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, check=False, timeout=120)
        assert done.returncode == 128 + signal.SIGINT
        assert done.stderr.strip() == b"tflm-split: interrupted; nothing was written"
        assert names(model.parent) == ["net.tflite", OUTPUT]
        assert (model.parent / OUTPUT).read_bytes() == b"old"

    @pytest.mark.parametrize("call", ["fsync", "replace"])
    def test_killed_while_it_writes_the_old_file_is_whole(self, model, call):
        """Nobody can clean up after SIGKILL. The file that is left has a hidden name."""
        (model.parent / OUTPUT).write_bytes(b"old")
        code = DYING.format(signal="SIGKILL", call=call)
        command = ["optimize", str(model), "--no-verify", "--effort", "0", "--force", "-o", str(model.parent / OUTPUT)]
        done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, check=False, timeout=120)
        assert done.returncode == -signal.SIGKILL
        assert (model.parent / OUTPUT).read_bytes() == b"old"
        (left,) = set(names(model.parent)) - {"net.tflite", OUTPUT}
        assert left.startswith(f".{OUTPUT}.")
        assert left.endswith(".tmp")

    def test_terminated_early_it_says_so_and_writes_nothing(self, model):
        command = [*MODULE, "optimize", str(model), "--inputs", "100000", "-o", str(model.parent / OUTPUT)]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
        assert process.returncode != 0
        assert b"Traceback" not in err
        assert names(model.parent) == ["net.tflite"]


class TestNeighbours:
    def test_several_processes_write_the_same_file_and_it_is_whole(self, model):
        command = [*MODULE, "optimize", str(model), "--no-verify", "--effort", "0", "--force"]
        processes = [
            subprocess.Popen([*command, "-o", str(model.parent / OUTPUT)], stdout=subprocess.DEVNULL) for _ in range(4)
        ]
        assert [process.wait(120) for process in processes] == [0] * 4
        assert names(model.parent) == ["net.tflite", OUTPUT]
        alone = run("optimize", model, "--no-verify", "--effort", "0", "-o", model.parent / "alone.tflite")
        assert alone.returncode == 0
        assert (model.parent / OUTPUT).read_bytes() == (model.parent / "alone.tflite").read_bytes()

    def test_several_processes_verify_side_by_side(self, model):
        outputs = [model.parent / f"{k}.tflite" for k in range(3)]
        processes = [
            subprocess.Popen([*MODULE, "optimize", str(model), "-o", str(path)], stdout=subprocess.DEVNULL)
            for path in outputs
        ]
        assert [process.wait(120) for process in processes] == [0] * 3
        assert len({path.read_bytes() for path in outputs}) == 1


class TestPaths:
    ODD = os.fsencode("netz-ü-") + b"\xff\xfe.tflite"

    def test_a_name_that_is_not_utf_8_works_everywhere(self, model):
        folder = os.fsencode(model.parent)
        os.rename(model, os.path.join(folder, self.ODD))
        source, target = os.path.join(folder, self.ODD), os.path.join(folder, b"out-\xff.tflite")
        record = os.path.join(folder, b"\xfe.json")
        done = run("optimize", source, "-o", target, "--json", record)
        assert (done.returncode, done.stderr) == (0, b"")
        assert sorted(os.listdir(folder)) == sorted([self.ODD, b"out-\xff.tflite", b"\xfe.json"])
        with open(record, "rb") as file:
            assert json.loads(file.read())["model"]["name"].startswith("netz-ü-")
        assert run("optimize", source, "--no-verify", "--json", "-").returncode == 0
        for command in (["inspect", source], ["inspect", source, "--json"], ["verify", source, target, "--json"]):
            done = run(*command)
            assert (done.returncode, done.stderr) == (0, b"")

    def test_a_missing_file_with_such_a_name_is_one_sentence(self, tmp_path):
        done = run("inspect", os.path.join(os.fsencode(tmp_path), b"none-\xff.tflite"))
        assert done.returncode == 2
        assert done.stderr.endswith(b": no such file\n")
        assert done.stderr.count(b"\n") == 1

    def test_a_terminal_that_knows_ascii_only_gets_the_report_too(self, model):
        done = run("optimize", model, "--no-verify", LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
        assert (done.returncode, done.stderr) == (0, b"")

    def test_the_input_may_be_read_only(self, model):
        model.chmod(0o444)
        assert run("optimize", model, "--no-verify", "-o", model.parent / OUTPUT).returncode == 0
        assert (model.parent / OUTPUT).stat().st_mode & 0o200

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_a_write_protected_output_is_refused_and_survives(self, model):
        (model.parent / OUTPUT).write_bytes(b"old")
        (model.parent / OUTPUT).chmod(0o444)
        done = run("optimize", model, "--force", "-o", model.parent / OUTPUT)
        assert done.returncode == 2
        assert b"is write-protected" in done.stderr
        assert (model.parent / OUTPUT).read_bytes() == b"old"


def test_the_same_bytes_whatever_the_hash_seed_and_however_often(model):
    made = set()
    for seed in ("0", "1", "random"):
        out, record = model.parent / f"{seed}.tflite", model.parent / f"{seed}.json"
        done = run("optimize", model, "--no-verify", "-o", out, "--json", record, PYTHONHASHSEED=seed)
        assert done.returncode == 0
        made.add((out.read_bytes(), record.read_bytes()))
    assert len(made) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read as Linux counts it")
@needs_corpus
def test_the_largest_corpus_model_takes_less_than_two_gigabytes(tmp_path):
    largest = max((CORPUS / "models").glob("*.tflite"), key=lambda path: path.stat().st_size)
    command = ["optimize", str(largest), "--inputs", "1", "--effort", "20", "-o", str(tmp_path / OUTPUT)]
    done = subprocess.run([sys.executable, "-c", MEASURED, *command], capture_output=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert 0 < int(done.stderr.split()[-1]) * 1024 < MAX_BYTES
