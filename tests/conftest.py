"""What every test may rely on: the package is installed, and its C runtime was built from the sources that are here."""

from __future__ import annotations

import signal

import made_once
import pytest
import skips


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--all-heads", action="store_true", help="hold the heads of all real models, not of the quick ones"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Builds the C runtime again when its sources are newer; stops with one sentence where that cannot be done."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as shells start what runs in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(config, "workerinput"):  # a worker of pytest-xdist: the one that started it has seen to this
        return
    made_once.begin()
    try:
        from tflm_split.errors import ToolError
        from tflm_split.native import build as host_library
    except ImportError as error:
        raise pytest.UsageError(f"{error}; first run: python -m pip install -e '.[test]'") from None
    library = host_library.LIBRARY_PATH
    headers = [*host_library.executor_headers(), *host_library.RUNTIME_FOLDER.glob("*/*.h")]
    newest_s = max(path.stat().st_mtime for path in (*host_library.host_sources(), *headers))
    if library.is_file() and library.stat().st_mtime >= newest_s:
        return
    try:
        host_library.compile_host_library(library)
    except ToolError as error:
        raise pytest.UsageError(str(error)) from None


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        made_once.end()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fails a run in CI that skipped what CI has the tools for."""
    if any(skips.unexpected(session.config)) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says which those are."""
    found = list(skips.unexpected(terminalreporter.config))
    if found:
        terminalreporter.section("skipped in CI for a reason that tests/skips.py does not allow", red=True)
        terminalreporter.write("\n".join((*found, "")))
