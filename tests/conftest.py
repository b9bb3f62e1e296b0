"""What every test may rely on: the package is installed, and its C runtime was built from the sources that are here."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from typing import Any

import made_once
import pytest
import skips


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--all-heads", action="store_true", help="hold the heads of all real models, not of the quick ones"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Build the C runtime again when its sources are newer. Stop with one sentence where that is impossible."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # shells start background processes like this
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
    if library.is_file() and not host_library.is_stale():
        return
    try:
        host_library.compile_host_library(library)
    except ToolError as error:
        raise pytest.UsageError(str(error)) from None


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        made_once.end()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run in CI that skipped a test for which CI has the tools."""
    if any(skips.unexpected(session.config)) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the tests that CI should not have skipped."""
    found = list(skips.unexpected(terminalreporter.config))
    if found:
        terminalreporter.section("skipped in CI for a reason that tests/skips.py does not allow", red=True)
        terminalreporter.write("\n".join((*found, "")))


@pytest.fixture(scope="session", autouse=True)
def _every_record_is_valid() -> Iterator[None]:
    """Check every record that a test makes in this process against its schema."""
    try:
        from jsonschema import Draft202012Validator
    except ImportError:  # the tests of the schema skip then, with the reason
        yield
        return
    from tflm_split import pipeline
    from tflm_split.report import front, inspection, verdict
    from tflm_split.report.json_schema import schemas

    validators = {name: Draft202012Validator(schema) for name, schema in schemas().items()}

    def checked(name: str, make: Callable[..., Any]) -> Callable[..., Any]:
        def made(*arguments: Any, **words: Any) -> Any:
            result = make(*arguments, **words)
            validators[name].validate(result[0] if isinstance(result, tuple) else result)
            return result

        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "make_record", checked("record", pipeline.make_record))
        patch.setattr(front, "front_record", checked("front", front.front_record))
        patch.setattr(verdict, "verdict_record", checked("verdict", verdict.verdict_record))
        patch.setattr(inspection, "inspect_model", checked("inspection", inspection.inspect_model))
        yield


@pytest.fixture(scope="session", autouse=True)
def _boards_share_their_objects() -> Iterator[None]:
    """Firmware of the same flags and sources is compiled once per session, not once per process."""
    from hashlib import sha256
    from pathlib import Path

    from tflm_split.board import firmware

    def compiled(compiler: str, flags: tuple[str, ...], sources: tuple[Path, ...], digest: str) -> Path:
        def make(folder: Path) -> None:
            folder.mkdir()
            firmware.compile_into(folder, compiler, flags, sources)

        key = sha256("\0".join((compiler, *flags, *map(str, sources), digest)).encode()).hexdigest()[:24]
        return made_once.made_once(f"board_{key}", make)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(firmware, "_compiled", compiled)
        yield


@pytest.fixture(scope="session", autouse=True)
def _tflm_processes_are_forked() -> Iterator[None]:
    """Models run in TFLM in processes that need not import everything first."""
    import tflm_forks

    from tflm_split.verify import tflm

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tflm, "subprocess", tflm_forks.Forked)
        yield
    tflm_forks.close()
