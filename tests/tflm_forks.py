"""TFLM's processes are forked from one that has imported all they need, because starting one anew takes 0.4 s.

Each job still has a process of its own, with its own memory limit, and a crash ends that process alone. `test_tflm.py` and
everything that tests start as a program use processes as they are.
"""

from __future__ import annotations

import atexit
import os
import select
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
WORKER = "tflm_split.verify.tflm_worker"
_lock = threading.Lock()
_servers: list[subprocess.Popen[str]] = []


class Forked:
    """What `verify/tflm.py` needs of `subprocess`: `run` with the worker's command is answered by a forked process."""

    DEVNULL = subprocess.DEVNULL
    TimeoutExpired = subprocess.TimeoutExpired

    @staticmethod
    def run(command: Sequence[str], *, timeout: float, **_: Any) -> subprocess.CompletedProcess[bytes]:
        assert list(command[1:3]) == ["-m", WORKER]
        folder = Path(command[3])
        os.mkfifo(folder / "told")
        told = os.open(folder / "told", os.O_RDONLY | os.O_NONBLOCK)
        try:
            _ask(folder)
            pid, code = _listen(told, time.monotonic() + timeout)
        finally:
            os.close(told)
        stderr = folder / "stderr"
        said = stderr.read_bytes() if stderr.exists() else b""
        if code is None:
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(command, timeout, stderr=said)
        return subprocess.CompletedProcess(command, code, b"", said)


def _ask(folder: Path) -> None:
    with _lock:
        if not _servers or _servers[0].poll() is not None:
            env = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
            _servers[:] = [subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, text=True, env=env)]
            atexit.register(close)
        pipe = _servers[0].stdin
        assert pipe is not None
        pipe.write(f"{folder}\n")
        pipe.flush()


def close() -> None:
    """End the process that the others are forked from."""
    for server in _servers:
        assert server.stdin is not None
        server.stdin.close()
        server.wait()
    _servers.clear()


def _listen(told: int, until: float) -> tuple[int | None, int | None]:
    """The number of the process and its exit code; None for what was not told in time."""
    data = b""
    while data.count(b"\n") < 2:
        ready = select.select([told], [], [], max(0.0, until - time.monotonic()))[0]
        if not ready:
            break
        part = os.read(told, 100)
        if not part:
            break
        data += part
    lines = data.split(b"\n")[:-1]
    return (int(lines[0]) if lines else None), (int(lines[1]) if len(lines) > 1 else None)


def _serve() -> None:
    """Fork a process for each folder that is named on stdin."""
    import importlib

    for needed in ("tflite_micro", WORKER):
        importlib.import_module(needed)

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        if os.fork() == 0:
            with suppress(FileNotFoundError):  # whoever asked has gone, and has taken the folder along
                _watch(Path(line.rstrip("\n")))
            os._exit(0)


def _watch(folder: Path) -> None:
    """Do the job in `folder` in another process, and tell its number and its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        _work(folder)
    with (folder / "told").open("w") as told:
        print(pid, file=told, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), file=told, flush=True)


def _work(folder: Path) -> None:
    from tflm_split.verify import tflm_worker

    code = 1
    try:
        if not folder.is_dir():  # whoever asked has gone
            return
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(folder / "stderr", os.O_WRONLY | os.O_CREAT), 2)
        os.chdir(folder)
        tflm_worker.main(folder)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
