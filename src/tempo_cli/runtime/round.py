"""Questions that share one visual pass, and each question's own state."""

from dataclasses import dataclass, field

from ..config import BudgetOptions, GenerationOptions
from ..types import Exchange
from .fallbacks import Fallbacks
from .journal import Journal
from .visual_pass import Compressed


@dataclass
class Question:
    """One question's own state on its way through a clip.

    Attributes:
        query: what the compressor reads: `text` behind earlier questions, with typing errors corrected.
        history: the conversation before it, as it was typed.
        before, after: token ids around the video in the decoder's input.
        room: tokens that the context leaves to the video.
        warnings: its own; those of the pass that it shares are the journal's.
        begun: whether a part of its answer was emitted.
    """

    text: str
    query: str
    history: tuple[Exchange, ...]
    before: list[int]
    after: list[int]
    room: int
    warnings: list[str] = field(default_factory=list)
    begun: bool = False


@dataclass(frozen=True)
class Round:
    """Some questions after their visual pass.

    Attributes:
        generation: None where no answer is wanted.
        tags: token ids of each segment's time tag, (S,).
        loaded: seconds spent on loading before the questions came.
    """

    questions: list[Question]
    budget: BudgetOptions
    generation: GenerationOptions | None
    journal: Journal
    fallbacks: Fallbacks
    compressed: Compressed
    tags: list[list[int]]
    loaded: float
