"""Ask questions about long videos with Tempo (arXiv 2604.08120).

`from tempo_cli import Tempo` is the Python API. Names load on first use, so that importing
the package (and `tempo --help`) never imports torch.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .clip import Clip
    from .config import (
        BudgetOptions,
        FrameShape,
        GenerationOptions,
        KeepOptions,
        LoadOptions,
        SamplingOptions,
    )
    from .errors import TempoError
    from .hub.locations import read_shape
    from .schema import Answer, AnsweredRun, Run, SegmentReport
    from .scope import CancelScope
    from .tempo import Tempo
    from .video.opened import Video, open_video

__version__ = "0.1.0"

_HOMES = {
    "CancelScope": "scope",
    "Clip": "clip",
    "FrameShape": "config",
    "KeepOptions": "config",
    "Tempo": "tempo",
    "Video": "video.opened",
    "open_video": "video.opened",
    "read_shape": "hub.locations",
    "TempoError": "errors",
    "SamplingOptions": "config",
    "BudgetOptions": "config",
    "GenerationOptions": "config",
    "LoadOptions": "config",
    "Answer": "schema",
    "AnsweredRun": "schema",
    "Run": "schema",
    "SegmentReport": "schema",
}

__all__ = [
    "Answer",
    "AnsweredRun",
    "BudgetOptions",
    "CancelScope",
    "Clip",
    "FrameShape",
    "GenerationOptions",
    "KeepOptions",
    "LoadOptions",
    "Run",
    "SamplingOptions",
    "SegmentReport",
    "Tempo",
    "TempoError",
    "Video",
    "__version__",
    "open_video",
    "read_shape",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
