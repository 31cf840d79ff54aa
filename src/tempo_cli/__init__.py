"""Ask questions about long videos with Tempo (arXiv 2604.08120).

`from tempo_cli import Tempo` is the Python API: `dir(tempo_cli)` lists its names. They load on first use, so
that importing the package (and `tempo --help`) never imports torch.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .config import BudgetOptions, GenerationOptions, LoadOptions, SamplingOptions
    from .errors import (
        ModelError,
        NotDownloadedError,
        OutOfMemoryError,
        SetupError,
        TempoError,
        UsageError,
        VideoError,
    )
    from .events import AnswerText, Event, Listener, Progress, Warned
    from .pipeline import Tempo
    from .schema import Answer, AnsweredRun, Run, SegmentReport, run_from_json
    from .types import VideoInfo
    from .video.probe import probe

__version__ = "0.1.0"

_MODULES = {
    "Answer": "schema",
    "AnswerText": "events",
    "AnsweredRun": "schema",
    "BudgetOptions": "config",
    "Event": "events",
    "GenerationOptions": "config",
    "Listener": "events",
    "LoadOptions": "config",
    "ModelError": "errors",
    "NotDownloadedError": "errors",
    "OutOfMemoryError": "errors",
    "Progress": "events",
    "Run": "schema",
    "SamplingOptions": "config",
    "SegmentReport": "schema",
    "SetupError": "errors",
    "Tempo": "pipeline",
    "TempoError": "errors",
    "UsageError": "errors",
    "VideoError": "errors",
    "VideoInfo": "types",
    "Warned": "events",
    "probe": "video.probe",
    "run_from_json": "schema",
}

__all__ = [
    "Answer",
    "AnswerText",
    "AnsweredRun",
    "BudgetOptions",
    "Event",
    "GenerationOptions",
    "Listener",
    "LoadOptions",
    "ModelError",
    "NotDownloadedError",
    "OutOfMemoryError",
    "Progress",
    "Run",
    "SamplingOptions",
    "SegmentReport",
    "SetupError",
    "Tempo",
    "TempoError",
    "UsageError",
    "VideoError",
    "VideoInfo",
    "Warned",
    "__version__",
    "probe",
    "run_from_json",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)


def __dir__() -> list[str]:
    return list(__all__)
