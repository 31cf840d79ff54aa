"""One tree of errors. Each class has its exit code and its code string; each error has a hint.

Messages and hints name options as Python does, in backticks: `max_frames`, `quantize='int4'`. The command
line shows them as its flags.
"""


class TempoError(Exception):
    """An error with one line that says what is wrong and one that says what to do.

    Attributes:
        message: what is wrong, one line, no full stop needed.
        hint: what to do about it, one line.
        exit_code: the exit status of the command.
        code: the stable name of the class of error in `--json`.
    """

    exit_code = 1
    code = "internal"

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message, hint)  # both, so that it comes back whole from another process
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class UsageError(TempoError):
    """The question or an option makes no sense."""

    exit_code = 2
    code = "usage"


class FailedRunError(UsageError):
    """A saved run that ended with an error."""


class VideoError(TempoError):
    """The video is missing, unreadable, has no video stream or is damaged beyond use."""

    exit_code = 3
    code = "video"


class ModelError(TempoError):
    """The model is missing, incomplete or not what it should be."""

    exit_code = 4
    code = "model"


class NotDownloadedError(ModelError):
    """A model of the Hub that is not on this machine, or not whole: a download fixes that."""


class SetupError(TempoError):
    """This machine lacks something: ffmpeg, or the device that was asked for."""

    exit_code = 5
    code = "environment"


class OutOfMemoryError(TempoError):
    """The memory of the device does not suffice."""

    exit_code = 6
    code = "memory"


class CancelledError(TempoError):
    """The work was cancelled: by its `CancelScope`, by closing its clip, or by a signal."""

    exit_code = 130
    code = "interrupted"


class Interrupted(BaseException):
    """A signal other than Ctrl-C asked the process to stop.

    Like KeyboardInterrupt no `Exception`, so that nothing swallows it on the way up.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number
