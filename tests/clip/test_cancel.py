"""Cancelling, and threads that share a model: the next answer is right, nothing waits for ever."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from tempo_cli import CancelScope
from tempo_cli.errors import CancelledError
from tempo_cli.events import AnswerText, Progress, Warned
from tempo_cli.schema import Reused

from .conftest import CUT, LENGTH, PLENTY, QUESTIONS, SAMPLING, VIDEO, damaged_copy, same, tempo_with

FIRST, SECOND, THIRD = QUESTIONS
SECONDS = 60.0  # that a test may hang before it fails


@pytest.fixture(scope="module")
def tempo():
    return tempo_with(host_bytes=PLENTY)


@pytest.mark.parametrize("moment", range(20))
def test_after_a_question_that_was_cancelled_at_any_moment_the_next_is_right(moment, tempo, fresh):
    scope = CancelScope()
    with tempo.open(VIDEO, sampling=SAMPLING) as clip:
        timer = threading.Timer(random.Random(moment).uniform(0, 0.5), scope.cancel)
        timer.start()
        with suppress(CancelledError):
            clip.ask(FIRST, generation=LENGTH, cancel=scope)
        timer.join()
        same(clip.ask(SECOND, generation=LENGTH), fresh[SECOND])
        again = clip.ask(FIRST, generation=LENGTH)
        same(again, fresh[FIRST])
        assert again.reused == Reused(prefix="host")


@pytest.mark.parametrize("stage", ["decode", "compress"])
def test_what_was_complete_when_it_was_cancelled_is_kept(stage, tempo, fresh, monkeypatch):
    from tempo_cli.model.compressor import Compressor

    scope, seen = CancelScope(), []
    see = Compressor.see
    monkeypatch.setattr(Compressor, "see", lambda self, rows: seen.append(len(rows)) or see(self, rows))

    def stop(event):
        moments = {"decode": 7, "compress": 8}
        if isinstance(event, Progress) and (event.stage, event.done) == (stage, moments[stage]):
            scope.cancel()

    with tempo.open(VIDEO, sampling=SAMPLING) as clip:
        with pytest.raises(CancelledError):
            clip.ask(FIRST, generation=LENGTH, cancel=scope, on_event=stop)
        before = sum(seen)
        assert before == {"decode": 4, "compress": 8}[stage]
        same(clip.ask(SECOND, generation=LENGTH), fresh[SECOND])
        assert sum(seen) == 15  # each segment once, over both questions


def test_an_answer_is_cancelled_at_the_next_token(tempo, fresh):
    scope, pieces = CancelScope(), []

    def stop(event):
        if isinstance(event, AnswerText):
            pieces.append(event.text)
            scope.cancel()

    with tempo.open(VIDEO, sampling=SAMPLING) as clip:
        with pytest.raises(CancelledError):
            clip.ask(FIRST, generation=LENGTH, cancel=scope, on_event=stop)
        assert len(pieces) == 1
        same(clip.ask(FIRST, generation=LENGTH), fresh[FIRST])


def test_closing_from_another_thread_ends_a_question(tempo):
    clip = tempo.open(VIDEO, sampling=SAMPLING)
    threading.Timer(0.05, clip.close).start()

    def ask_on() -> None:
        for _ in range(1000):
            clip.ask(FIRST, generation=LENGTH)

    with pytest.raises(CancelledError):
        ask_on()
    clip.close()
    assert tempo.networks.store.host_bytes == 0


def test_closing_in_a_callback_ends_the_question_and_releases(tempo):
    clip = tempo.open(VIDEO, sampling=SAMPLING)

    def close(event):
        if isinstance(event, Progress) and (event.stage, event.done) == ("compress", 4):
            clip.close()

    with pytest.raises(CancelledError):
        clip.ask(FIRST, generation=LENGTH, on_event=close)
    assert tempo.networks.store.host_bytes == 0
    assert clip.video._closed


def test_eight_threads_on_two_clips_get_right_answers(fresh):
    tempo, wrong, done = tempo_with(host_bytes=PLENTY), [], []

    def ask(clip, number):
        try:
            if number == 3:  # abandons a generator after its first answer
                runs = clip.ask_many([FIRST, SECOND], generation=LENGTH)
                same(next(runs), fresh[FIRST])
                runs.close()
            elif number == 4:  # keeps one open while others work
                runs = clip.ask_many([SECOND, THIRD], generation=LENGTH)
                same(next(runs), fresh[SECOND])
                time.sleep(0.2)
                same(next(runs), fresh[THIRD])
            else:
                for question in QUESTIONS[number % 3 :]:
                    same(clip.ask(question, generation=LENGTH), fresh[question])
            done.append(number)
        except BaseException as error:  # noqa: BLE001  shown by the main thread
            wrong.append(error)

    with tempo.open(VIDEO, sampling=SAMPLING) as one, tempo.open(VIDEO, sampling=SAMPLING) as two:
        threads = [threading.Thread(target=ask, args=((one, two)[n % 2], n), daemon=True) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS)
    assert wrong == []
    assert sorted(done) == list(range(8))


def test_eight_threads_ask_one_model_about_one_file(tempo, fresh):
    """Each opens it anew; the questions are three, the answers too."""
    asked = [QUESTIONS[number % 3] for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        runs = pool.map(
            lambda question: tempo.ask(VIDEO, question, sampling=SAMPLING, generation=LENGTH), asked
        )
        for question, run in zip(asked, runs, strict=True):
            same(run, fresh[question])


def test_an_abandoned_generator_of_the_model_closes_its_video(tempo, fresh):
    runs = tempo.ask_many(VIDEO, [FIRST, SECOND], sampling=SAMPLING, generation=LENGTH)
    same(next(runs), fresh[FIRST])
    runs.close()
    with tempo.open(VIDEO, sampling=SAMPLING) as clip:
        same(clip.ask(SECOND, generation=LENGTH), fresh[SECOND])


def test_what_is_kept_before_an_interruption_is_not_reserved_again(tempo):
    scope, store = CancelScope(), tempo.networks.store

    def stop(event):
        if isinstance(event, Progress) and (event.stage, event.done) == ("compress", 8):
            scope.cancel()

    with tempo.open(VIDEO, sampling=SAMPLING) as clip:
        with pytest.raises(CancelledError):
            clip.ask(FIRST, generation=LENGTH, cancel=scope, on_event=stop)
        reserved = store.host_bytes
        clip.ask(FIRST, generation=LENGTH)
        assert store.host_bytes == reserved


@pytest.mark.parametrize("what", ["clip", "model"])
def test_what_is_closed_elsewhere_releases_after_the_running_question(what):
    closing, early, tempo = [], [], tempo_with(host_bytes=PLENTY)
    clip, turns = tempo.open(VIDEO, sampling=SAMPLING), tempo.turns
    close = clip.close if what == "clip" else tempo.close

    def block(event):
        if isinstance(event, Progress) and (event.stage, event.done) == ("compress", 8) and not closing:
            closing.append(threading.Thread(target=close, daemon=True))
            closing[0].start()
            end = time.monotonic() + 10
            while not (turns._waiting or turns._due) and time.monotonic() < end:
                time.sleep(0.001)
            early.append((closing[0].is_alive(), tempo.networks.store.host_bytes > 0, not clip.video._closed))

    with pytest.raises(CancelledError):
        clip.ask(FIRST, generation=LENGTH, on_event=block)
    closing[0].join(SECONDS)
    # the clip's video ends at once, memory when nothing reads it; whoever closes waits for that
    assert early == [(True, True, what == "model")]
    assert tempo.networks.store.host_bytes == 0
    clip.close()


def test_closing_does_not_wait_for_another_clips_question(fresh):
    """Its memory goes at the end of that question."""
    tempo, found = tempo_with(host_bytes=PLENTY), []
    one, two = (tempo.open(VIDEO, sampling=SAMPLING) for _ in range(2))
    one.ask(FIRST, generation=LENGTH)
    held = tempo.networks.store.host_bytes

    def close(event):
        if isinstance(event, Progress) and (event.stage, event.done) == ("compress", 8) and not found:
            thread = threading.Thread(target=one.close, daemon=True)
            thread.start()
            thread.join(SECONDS)
            found.append((thread.is_alive(), not one.video._closed, one._segments.shelf.tier(0)))

    same(two.ask(SECOND, generation=LENGTH, on_event=close), fresh[SECOND])
    assert found == [(False, False, "host")]
    assert one._segments.shelf.tier(0) is None
    assert tempo.networks.store.host_bytes == held
    two.close()
    assert tempo.networks.store.host_bytes == 0


@pytest.mark.parametrize("what", ["clip", "model"])
def test_closing_another_clip_or_the_model_in_a_callback_releases_when_the_question_ends(what):
    tempo = tempo_with(host_bytes=PLENTY)
    one, two = (tempo.open(VIDEO, sampling=SAMPLING) for _ in range(2))
    one.ask(FIRST, generation=LENGTH)

    def close(event):
        if isinstance(event, Progress) and (event.stage, event.done) == ("compress", 8):
            (one if what == "clip" else tempo).close()

    if what == "clip":
        two.ask(SECOND, generation=LENGTH, on_event=close)
        assert one._segments.shelf.tier(0) is None
        assert two._segments.shelf.tier(0) == "host"
        two.close()
    else:
        with pytest.raises(CancelledError):
            two.ask(SECOND, generation=LENGTH, on_event=close)
    assert tempo.networks.store.host_bytes == 0


def test_a_question_that_waits_ends_when_its_clip_is_closed(tempo, fresh):
    """Closing waits for it, and not for the question that it waits for."""
    ended, closed = [], []
    one, two = (tempo.open(VIDEO, sampling=SAMPLING) for _ in range(2))

    def wait():
        try:
            two.ask(SECOND, generation=LENGTH)
        except CancelledError:
            ended.append(two._running)

    def close(event):
        if isinstance(event, Progress) and (event.stage, event.done) == ("compress", 8) and not closed:
            threads = [threading.Thread(target=work, daemon=True) for work in (wait, two.close)]
            threads[0].start()
            end = time.monotonic() + 10
            while not tempo.turns._waiting and time.monotonic() < end:
                time.sleep(0.001)
            threads[1].start()
            for thread in threads:
                thread.join(SECONDS)
            closed.extend(not thread.is_alive() for thread in threads)

    same(one.ask(FIRST, generation=LENGTH, on_event=close), fresh[FIRST])
    assert (closed, ended) == ([True, True], [0])
    one.close()


def test_damage_that_was_found_for_a_cancelled_question_is_said_by_the_next(tmp_path):
    scope, events = CancelScope(), []

    def stop(event):
        events.append(event)
        if isinstance(event, Progress) and (event.stage, event.done) == ("compress", 8):
            clip.video._stream._prefetch._thread.join(SECONDS)  # by now it has decoded everything
            scope.cancel()

    with tempo_with(host_bytes=PLENTY).open(damaged_copy(tmp_path), sampling=SAMPLING) as clip:
        with pytest.raises(CancelledError):
            clip.ask(FIRST, generation=LENGTH, cancel=scope, on_event=stop)
        (warning,) = clip.video.warnings
        assert not any(isinstance(event, Warned) for event in events)
        run = clip.ask(SECOND, generation=LENGTH, on_event=events.append)
    assert [event.message for event in events if isinstance(event, Warned)] == [warning, CUT]
    assert run.warnings == (warning, CUT)
