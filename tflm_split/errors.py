"""Which sentence does the user see, and which exit code goes with it?

There is one exception tree. The message of every exception is one sentence for the person at the keyboard, and the command
line prints it without a traceback. "Limit not met" is not here: it is an answer (`Result.report["goal"]`), not an error.
"""


class TflmSplitError(Exception):
    """Base of all exceptions that this package raises on purpose."""

    exit_code = 3


class InputError(TflmSplitError):
    """A file, option or path of the user cannot be used. Nothing was written."""

    exit_code = 2


class ModelError(InputError):
    """The bytes are no model that this package can read (not TFL3, cut off, inconsistent, dynamic shapes, ...)."""


class ProgramError(InputError):
    """A program's bytes are malformed: bad magic, version, offset or count."""


class ToolError(InputError):
    """The machine lacks something: a shared library, an emulator, a compiler, a supported `tflite-micro` wheel."""


class TflmUnavailable(ToolError):
    """TFLM cannot run here: there is no wheel for this machine, or not one that works. Verification has another way then."""


class TflmError(TflmSplitError):
    """TFLM itself refused a model, crashed on it, or ran out of time."""


class UnrunnableError(TflmError):
    """TFLM cannot run the user's model as it is. Nothing was written."""

    exit_code = 2


class VerificationError(TflmSplitError):
    """The optimised model gives other outputs than the original. Nothing was written."""


class InternalError(TflmSplitError):
    """A checker caught a mistake of this package: a plan that fails its replay, a layout that overlaps."""


class Refusal(Exception):
    """Why one operator stays stock. The compiler catches and reports it; it is never shown as a failure.

    `kind` is a short, stable word for tools (`dtype`, `batch`, `operator`, `geometry`, ...). `reason` is for people.
    """

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(kind, reason)  # with both, a result that holds refusals can be pickled
        self.kind = kind
        self.reason = reason

    def __str__(self) -> str:
        return self.reason
