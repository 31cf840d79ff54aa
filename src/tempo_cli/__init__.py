"""Ask questions about long videos with Tempo (arXiv 2604.08120).

`from tempo_cli import Tempo` is the Python API. Names load on first use, so that importing
the package (and `tempo --help`) never imports torch.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .config import BudgetOptions, GenerationOptions, LoadOptions, SamplingOptions
    from .errors import TempoError
    from .schema import Answer, AnsweredRun, Run, SegmentReport
    from .tempo import Tempo

__version__ = "0.1.0"

_HOMES = {
    "Tempo": "tempo",
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
    "GenerationOptions",
    "LoadOptions",
    "Run",
    "SamplingOptions",
    "SegmentReport",
    "Tempo",
    "TempoError",
    "__version__",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
