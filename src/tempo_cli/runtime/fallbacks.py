"""What is given up when memory runs out, in one order for every stage.

1. segments that are kept for further questions;
2. the micro-batch, halved down to one segment (while compressing);
3. having both networks loaded: from then on one is offloaded before the other is loaded;
4. an error that names the option which helps.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypeVar

from ..errors import OutOfMemoryError
from ..model.device import is_out_of_memory, release_memory
from ..plan.memory import Work
from .journal import Journal

if TYPE_CHECKING:
    from .networks import Networks

IN_TURN = "both networks do not fit together; they are loaded in turn"

Result = TypeVar("Result")


def with_fallbacks(work: Callable[[], Result], fall_back: Callable[[], None]) -> Result:
    """Do `work`; each time memory runs out, fall back and do it again.

    `fall_back` raises where nothing is left to give up. It is called when the failure's own values are gone.
    """
    while True:
        try:
            return work()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        fall_back()


class Fallbacks:
    """The way down for one visual pass and its answers.

    Attributes:
        micro_batch: segments that are compressed at once by now.
    """

    def __init__(
        self, networks: "Networks", journal: Journal, work: Work, micro_batch: int, budget: int | None
    ) -> None:
        self._networks, self._journal = networks, journal
        self._work, self._budget = work, budget
        self.micro_batch = micro_batch

    def compressing(self, work: Callable[[], Result]) -> Result:
        """Do `work`, which compresses `micro_batch` segments at once at most."""

        def fall_back() -> None:
            if self._drop_kept("compress") or self._halve() or self._take_turns():
                release_memory(self._networks.target.device)
            else:
                self._fail("compress", "compress one segment")

        return with_fallbacks(work, fall_back)

    def answering(self, work: Callable[[], Result], begun: Callable[[], bool]) -> Result:
        """Do `work`, which answers; an answer that was `begun` is not begun again."""

        def fall_back() -> None:
            if not begun() and (self._drop_kept("answer") or self._take_turns()):
                release_memory(self._networks.decoder_target.device)
            else:
                self._fail("answer", "read the video's tokens")

        return with_fallbacks(work, fall_back)

    def _drop_kept(self, stage: Literal["compress", "answer"]) -> bool:
        if not self._networks.release_kept(stage):
            return False
        words = "memory ran out: dropping what was kept for later questions"
        self._journal.fall_back("kept_segments", words)
        return True

    def _halve(self) -> bool:
        if self.micro_batch == 1:
            return False
        self.micro_batch //= 2
        count = "1 segment is" if self.micro_batch == 1 else f"{self.micro_batch} segments are"
        words = f"memory ran out: {count} compressed at once from here on"
        self._journal.fall_back(f"micro_batch={self.micro_batch}", words)
        return True

    def _take_turns(self) -> bool:
        if not self._networks.has_decoder or not self._networks.offload():
            return False
        self._journal.fall_back("in_turn", f"memory ran out: {IN_TURN}")
        return True

    def _fail(self, stage: Literal["compress", "answer"], doing: str) -> None:
        hint = self._networks.advice(stage, self._work, self._budget)
        raise OutOfMemoryError(f"not enough memory to {doing}", hint)
