"""What is given up when memory runs out, step by step, with networks that only count."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
import torch

from tempo_cli.errors import OutOfMemoryError
from tempo_cli.plan.memory import Work
from tempo_cli.runtime.fallbacks import IN_TURN, Fallbacks, with_fallbacks
from tempo_cli.runtime.journal import Journal

WORK = Work(visual=512, segments=15, questions=1, tokens=100)
DROPPED = "memory ran out: dropping what was kept for later questions"


@dataclass
class Networks:
    """As the real ones, as far as the way down asks them."""

    kept: bool = True
    has_decoder: bool = True
    resident: bool = True
    asked: list[tuple[object, ...]] = field(default_factory=list)
    short: list[str] = field(default_factory=list)
    target = SimpleNamespace(device=torch.device("cpu"))
    decoder_target = SimpleNamespace(device=torch.device("cuda", 1))

    def release_kept(self, stage: str) -> bool:
        self.short.append(stage)
        before, self.kept = self.kept, False
        return before

    def offload(self) -> bool:
        before, self.resident = self.resident, False
        return before

    def advice(self, *arguments: object) -> str:
        self.asked.append(arguments)
        return "Buy memory."


def failing(times: int) -> Callable[[], str]:
    """Work that runs out of memory so many times."""
    left = [torch.OutOfMemoryError("CUDA out of memory")] * times

    def work() -> str:
        if left:
            raise left.pop()
        return "done"

    return work


@pytest.fixture
def released(monkeypatch: pytest.MonkeyPatch) -> list[torch.device]:
    """Devices whose memory was handed back."""
    found: list[torch.device] = []
    monkeypatch.setattr("tempo_cli.runtime.fallbacks.release_memory", found.append)
    return found


def test_compressing_gives_up_kept_segments_then_batches_then_company(released):
    networks, journal = Networks(), Journal(None)
    down = Fallbacks(networks, journal, WORK, 4, 8192)
    assert down.compressing(failing(4)) == "done"
    assert journal.steps == ["kept_segments", "micro_batch=2", "micro_batch=1", "in_turn"]
    assert journal.warnings == [
        DROPPED,
        "memory ran out: 2 segments are compressed at once from here on",
        "memory ran out: 1 segment is compressed at once from here on",
        f"memory ran out: {IN_TURN}",
    ]
    assert (down.micro_batch, networks.asked) == (1, [])
    assert released == [torch.device("cpu")] * 4
    assert set(networks.short) == {"compress"}


def test_answering_gives_up_kept_segments_then_company(released):
    networks, journal = Networks(), Journal(None)
    down = Fallbacks(networks, journal, WORK, 4, 8192)
    assert down.answering(failing(2), lambda: False) == "done"
    assert (journal.steps, journal.warnings) == (
        ["kept_segments", "in_turn"],
        [DROPPED, f"memory ran out: {IN_TURN}"],
    )
    assert (down.micro_batch, released) == (4, [torch.device("cuda", 1)] * 2)
    assert set(networks.short) == {"answer"}


def test_nothing_is_given_up_for_an_answer_that_was_begun(released):
    networks, journal = Networks(), Journal(None)
    with pytest.raises(OutOfMemoryError, match="to read the video's tokens"):
        Fallbacks(networks, journal, WORK, 4, 8192).answering(failing(1), lambda: True)
    assert (networks.kept, networks.resident, journal.steps, released) == (True, True, [], [])


@pytest.mark.parametrize(("budget", "stage"), [(8192, "compress"), (None, "answer")])
def test_the_advice_is_asked_for_the_stage_that_failed(budget, stage):
    networks = Networks(kept=False, resident=False)
    down = Fallbacks(networks, Journal(None), WORK, 1, budget)
    with pytest.raises(OutOfMemoryError) as caught:
        down.compressing(failing(1)) if stage == "compress" else down.answering(failing(1), lambda: False)
    assert networks.asked == [(stage, WORK, budget)]
    assert caught.value.hint == "Buy memory."


def test_without_a_decoder_there_is_no_company_to_give_up():
    networks, journal = Networks(kept=False, has_decoder=False), Journal(None)
    with pytest.raises(OutOfMemoryError):
        Fallbacks(networks, journal, WORK, 1, 8192).compressing(failing(1))
    assert (networks.resident, journal.steps) == (True, [])


def test_the_failure_is_gone_when_something_is_given_up():
    found = []
    assert with_fallbacks(failing(2), lambda: found.append(sys.exc_info()[0])) == "done"
    assert found == [None, None]


def test_another_error_gives_nothing_up():
    def broken() -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    networks = Networks()
    with pytest.raises(RuntimeError, match="illegal"):
        Fallbacks(networks, Journal(None), WORK, 4, 8192).compressing(broken)
    assert networks.kept
