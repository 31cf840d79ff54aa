"""Ask questions about long videos with Tempo (arXiv 2604.08120).

`from tempo_cli import Tempo` is the Python API: `dir(tempo_cli)` lists its names. They load on first use, so
that importing the package (and `tempo --help`) never imports torch.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .clip import Clip
    from .config import (
        BudgetOptions,
        CacheOptions,
        FrameShape,
        GenerationOptions,
        KeepOptions,
        LoadOptions,
        SamplingOptions,
    )
    from .errors import (
        CancelledError,
        ModelError,
        NotDownloadedError,
        OutOfMemoryError,
        SetupError,
        TempoError,
        UsageError,
        VideoError,
    )
    from .events import AnswerText, Event, Listener, Progress, Warned
    from .hub.locations import read_shape
    from .schema import Answer, AnsweredRun, Run, SegmentReport, run_from_json
    from .scope import CancelScope
    from .tempo import Tempo
    from .types import Evidence, Exchange, VideoInfo
    from .video.isolated import probe
    from .video.opened import Video, open_video

__version__ = "0.1.0"

_MODULES = {
    "Answer": "schema",
    "AnswerText": "events",
    "AnsweredRun": "schema",
    "BudgetOptions": "config",
    "CacheOptions": "config",
    "CancelScope": "scope",
    "CancelledError": "errors",
    "Clip": "clip",
    "Event": "events",
    "Evidence": "types",
    "Exchange": "types",
    "FrameShape": "config",
    "GenerationOptions": "config",
    "KeepOptions": "config",
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
    "Tempo": "tempo",
    "TempoError": "errors",
    "UsageError": "errors",
    "Video": "video.opened",
    "VideoError": "errors",
    "VideoInfo": "types",
    "Warned": "events",
    "open_video": "video.opened",
    "probe": "video.isolated",
    "read_shape": "hub.locations",
    "run_from_json": "schema",
}

__all__ = [
    "Answer",
    "AnswerText",
    "AnsweredRun",
    "BudgetOptions",
    "CacheOptions",
    "CancelScope",
    "CancelledError",
    "Clip",
    "Event",
    "Evidence",
    "Exchange",
    "FrameShape",
    "GenerationOptions",
    "KeepOptions",
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
    "Video",
    "VideoError",
    "VideoInfo",
    "Warned",
    "__version__",
    "open_video",
    "probe",
    "read_shape",
    "run_from_json",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)


def __dir__() -> list[str]:
    return list(__all__)
