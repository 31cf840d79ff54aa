"""The error classes. Each class has an exit code and a code string; each error has a hint.

Messages and hints name options as Python does, in backticks: `max_frames`, `quantize='int4'`. The command
line shows them as its flags.
"""

from typing import Any, Self


class TempoError(Exception):
    """An error with one line that says what is wrong and one that says what to do.

    Attributes:
        message: what is wrong, on one line, without a period.
        hint: what to do about it, on one line.
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
    """The question or an option is invalid."""

    exit_code = 2
    code = "usage"


class FailedRunError(UsageError):
    """A saved run that ended with an error.

    Attributes:
        video, question, model: path, text and id of that run; None where it does not name them.
    """

    video: str | None = None
    question: str | None = None
    model: str | None = None

    @classmethod
    def of(cls, saved: dict[str, Any]) -> Self:
        """The error of a failed run's JSON, which may have anything in its fields."""

        def text(value: object, name: str) -> str | None:
            found = value.get(name) if isinstance(value, dict) else None
            return found if isinstance(found, str) else None

        message = text(saved.get("error"), "message") or "unknown"
        error = cls(f"the saved run failed: {message}", "Run it again first.")
        error.video, error.model = text(saved.get("video"), "path"), text(saved.get("model"), "id")
        error.question = text(saved, "question")
        return error


class VideoError(TempoError):
    """The video is missing, unreadable, has no video stream or is damaged beyond use."""

    exit_code = 3
    code = "video"


class ModelError(TempoError):
    """The model is missing, incomplete or invalid."""

    exit_code = 4
    code = "model"


class NotDownloadedError(ModelError):
    """A model from the Hub is not on this machine, or is incomplete; a download fixes that."""


class SetupError(TempoError):
    """This machine lacks something, such as ffmpeg or the requested device."""

    exit_code = 5
    code = "environment"


class OutOfMemoryError(TempoError):
    """There is not enough memory."""

    exit_code = 6
    code = "memory"


class CancelledError(TempoError):
    """The work was cancelled: by its `CancelScope`, by closing its clip, or by a signal."""

    exit_code = 130
    code = "interrupted"


class Interrupted(BaseException):
    """A signal other than Ctrl-C asked the process to stop.

    Like KeyboardInterrupt, it is not an `Exception`, so that no handler swallows it.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number
