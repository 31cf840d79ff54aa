"""When a step is recorded, and that an answer goes on where it can't be. A class stands for CUDA's graph."""

from contextlib import nullcontext
from typing import Any, ClassVar

import pytest
import torch

from tempo_cli.model import llm
from tempo_cli.model.llm import ANSWER_ROOM
from tempo_cli.model.step import Step

from .test_step import ids_of, noise, written


class Graph:
    """Runs the step where CUDA replays it; recording leaves the position as it was, as CUDA does.

    Attributes:
        made: all of them.
        step: that is recorded.
        broken: whether recording fails.
    """

    made: list["Graph"]
    step: Step
    broken = False

    def __init__(self) -> None:
        self.replays = 0
        self.made.append(self)

    def capture_begin(self, *, capture_error_mode: str) -> None:
        assert capture_error_mode == "thread_local"
        self.position = self.step._position.clone()

    def capture_end(self) -> None:
        self.step._position.copy_(self.position)
        if self.broken:
            raise RuntimeError("CUDA error: operation not permitted when stream is capturing")

    def replay(self) -> None:
        self.replays += 1
        self.step._logits.copy_(self.step._step())


class Stream:
    def wait_stream(self, other: "Stream") -> None:
        """Nothing runs beside the host."""


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> type[Graph]:
    """Steps are recorded, as on CUDA."""

    class Own(Graph):
        made: ClassVar[list[Graph]] = []

    whole = Step._bind

    def bind(self: Step) -> None:
        whole(self)
        self._eager, Own.step = 3, self

    monkeypatch.setattr(Step, "_bind", bind)
    monkeypatch.setattr("tempo_cli.model.step._recording_stream", lambda _: Stream())
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Own)
    monkeypatch.setattr(torch.cuda, "stream", lambda _: nullcontext())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda *_: Stream())
    monkeypatch.setattr(llm, "device_free_bytes", lambda _: 10**12)
    return Own


def replays(graphs: type[Graph]) -> list[int]:
    return [graph.replays for graph in graphs.made]


def plain(decoder: Any, length: int, count: int) -> list[int]:
    """Ids without recording."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Step, "_record", lambda self: setattr(self, "_eager", -1))
        ids = ids_of(written(decoder, noise(decoder, length), count))
    decoder.forget()
    return ids


@pytest.mark.parametrize(("count", "found"), [(4, []), (5, [1]), (12, [8])])
def test_three_tokens_come_before_the_recording(tiny_model, graphs, count, found):
    decoder = tiny_model.decoder
    right = plain(decoder, 9, count)
    assert ids_of(written(decoder, noise(decoder, 9), count)) == right
    assert replays(graphs) == found
    assert decoder.forget() is bool(found)


def test_the_next_answer_is_all_replayed(tiny_model, graphs):
    decoder = tiny_model.decoder
    right = [plain(decoder, length, 8) for length in (20, 9)]
    assert [ids_of(written(decoder, noise(decoder, length), 8)) for length in (20, 9)] == right
    assert replays(graphs) == [4 + 7]
    decoder.forget()


def test_a_cache_that_grows_is_recorded_again(tiny_model, graphs):
    decoder, count = tiny_model.decoder, ANSWER_ROOM + 12
    right = plain(decoder, 5, count)
    assert ids_of(written(decoder, noise(decoder, 5), count)) == right
    assert replays(graphs) == [ANSWER_ROOM - 3, 11 - 3]
    decoder.forget()


def test_an_answer_goes_on_where_recording_fails(tiny_model, graphs, caplog):
    decoder = tiny_model.decoder
    right = plain(decoder, 9, 12)
    graphs.broken = True
    with caplog.at_level("INFO", "tempo_cli"):
        assert ids_of(written(decoder, noise(decoder, 9), 12)) == right
    assert replays(graphs) == [0]  # it is not tried again
    assert "can't be recorded as a CUDA graph here" in caplog.text
    assert not decoder.forget()
