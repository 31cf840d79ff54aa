"""A journal: what is emitted and what is written down, exactly."""

from itertools import count
from types import SimpleNamespace

import pytest

from tempo_cli.events import Progress, Warned
from tempo_cli.runtime.journal import Journal


def test_a_warning_is_written_down_and_emitted():
    events = []
    journal = Journal(events.append)
    journal.warn("one")
    journal.fall_back("in_turn", "two")
    journal.emit(Progress("compress", 1, 2))
    assert (journal.warnings, journal.steps) == (["one", "two"], ["in_turn"])
    assert events == [Warned("one"), Warned("two"), Progress("compress", 1, 2)]


def test_without_a_listener_everything_is_written_down_all_the_same():
    journal = Journal(None)
    journal.fall_back("micro_batch=4", "four")
    assert (journal.warnings, journal.steps) == (["four"], ["micro_batch=4"])


def test_seconds_add_up_also_where_the_work_fails(monkeypatch):
    clock = SimpleNamespace(perf_counter=count().__next__)  # one second between two looks
    monkeypatch.setattr("tempo_cli.runtime.journal.time", clock)
    journal = Journal(None)
    with journal.compressing():
        pass
    with pytest.raises(ZeroDivisionError), journal.compressing():
        raise ZeroDivisionError
    assert journal.compress_seconds == 2
