"""torch's number of threads: ours while we compute, the caller's again afterwards."""

import threading
from pathlib import Path

import pytest
import torch

from tempo_cli import BudgetOptions, CancelledError, CancelScope, Tempo, UsageError
from tempo_cli.runtime.threads import computing_with

from ..conftest import GOLDEN

MODEL = GOLDEN / "checkpoints/a/Tempo-tiny"


@pytest.fixture
def three() -> object:
    """The caller computes with three threads, and may choose."""
    before = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("OMP_NUM_THREADS", raising=False)
        patch.delenv("MKL_NUM_THREADS", raising=False)
        torch.set_num_threads(3)
        yield
        torch.set_num_threads(before)


@pytest.mark.usefixtures("three")
def test_the_number_is_restored_after_the_block_and_after_an_error():
    with computing_with(1):
        assert torch.get_num_threads() == 1
        with computing_with(None):
            assert torch.get_num_threads() == 1
        with computing_with(2):
            assert torch.get_num_threads() == 2
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 3
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error), computing_with(1):
            raise error
        assert torch.get_num_threads() == 3


@pytest.mark.usefixtures("three")
def test_each_thread_has_its_own_number():
    seen, inside, go_on = {}, threading.Event(), threading.Event()

    def other() -> None:
        torch.set_num_threads(2)
        with computing_with(1):
            inside.set()
            go_on.wait(10)
            seen["inside"] = torch.get_num_threads()
        seen["after"] = torch.get_num_threads()

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait(10)
    here = torch.get_num_threads()
    go_on.set()
    thread.join()
    assert (here, seen) == (3, {"inside": 1, "after": 2})


@pytest.mark.usefixtures("three")
def test_questions_compute_with_one_thread_and_leave_the_callers_number(golden: Path):
    video, during = golden / "videos/pattern.mp4", list[int]()

    def note(_: object) -> None:
        during.append(torch.get_num_threads())

    with Tempo.load(MODEL, on_event=note) as tempo:
        assert tempo.networks.effort.threads == 1
        assert torch.get_num_threads() == 3
        runs = tempo.ask_many(video, ["what?", "who?"], on_event=note)
        during.clear()
        next(runs)
        assert torch.get_num_threads() == 3  # between two answers the caller computes
        next(runs)
        assert set(during) == {1}
        assert torch.get_num_threads() == 3
        with pytest.raises(UsageError):
            tempo.inspect(video, "what?", budget=BudgetOptions(context=20))
        scope = CancelScope()
        scope.cancel()
        with pytest.raises(CancelledError):
            tempo.inspect(video, "what?", cancel=scope)
    assert torch.get_num_threads() == 3


@pytest.mark.usefixtures("three")
def test_a_number_that_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    with Tempo.load(MODEL) as tempo:
        assert tempo.networks.effort.threads is None
