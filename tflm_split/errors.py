"""Which sentence does the user see, and which exit code goes with it?

One exception tree. The message of every exception is one sentence meant for the person at the keyboard; the command
line prints it without a traceback. "Limit not met" is not here: it is an answer (`Result.report["goal"]`), not an error.
"""


class TflmSplitError(Exception):
    """Base of everything this package raises on purpose."""

    exit_code = 3


class InputError(TflmSplitError):
    """The file, option or path the user gave cannot be used; nothing was written."""

    exit_code = 2


class ModelError(InputError):
    """The bytes are not a model this package can carry (not TFL3, truncated, inconsistent, dynamic shapes, ...)."""


class ProgramError(InputError):
    """A program blob is malformed: bad magic, version, offset or count."""


class ToolError(InputError):
    """Something the machine lacks: a shared library, an emulator, a compiler, a supported `tflite-micro` wheel."""


class TflmError(TflmSplitError):
    """TFLM itself refused, crashed or ran out of time on a model."""


class UnrunnableError(TflmError):
    """TFLM cannot run the model the user gave, as it was given; nothing was written."""

    exit_code = 2


class VerificationError(TflmSplitError):
    """The optimised model does not do what the original does; nothing was written."""


class InternalError(TflmSplitError):
    """A checker caught a mistake of this package (a plan that fails its replay, a layout that overlaps)."""


class Refusal(Exception):
    """Why one operator stays a stock operator. Caught inside the compiler and reported, never shown as a failure.

    `kind` is a stable short word for tools (`dtype`, `batch`, `operator`, `geometry`, ...), `reason` the sentence.
    """

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(kind, reason)  # both: a result that holds refusals can be pickled
        self.kind = kind
        self.reason = reason

    def __str__(self) -> str:
        return self.reason
