"""A second question on an opened clip: the same as on a fresh one, from what was kept."""

import os
import subprocess
import sys
from dataclasses import replace
from itertools import count
from types import SimpleNamespace

import pytest
import torch

from tempo_cli import BudgetOptions, CacheOptions, Exchange, KeepOptions, SamplingOptions, Tempo, TempoError
from tempo_cli.errors import CancelledError, SetupError, UsageError, VideoError
from tempo_cli.events import AnswerText, Progress, Warned
from tempo_cli.model.compressor import Compressor
from tempo_cli.model.device import Target, Targets
from tempo_cli.plan import prompts
from tempo_cli.runtime.effort import Effort
from tempo_cli.runtime.fallbacks import IN_TURN
from tempo_cli.schema import Reused
from tempo_cli.scope import CancelScope
from tempo_cli.video.decode import FrameDecoder
from tempo_cli.video.opened import open_video

from .conftest import CPU, LENGTH, MODEL, PLENTY, QUESTIONS, SAMPLING, VIDEO, damaged_copy, same, tempo_with

FIRST, SECOND, THIRD = QUESTIONS
ONE_SEGMENT = replace(SAMPLING, max_frames=4)


def counted(monkeypatch: pytest.MonkeyPatch, *methods: str) -> dict[str, int]:
    """How many segments pass each of the compressor's methods."""
    counts = dict.fromkeys(methods, 0)
    for method in methods:
        original = getattr(Compressor, method)

        def noted(self, rows, *more, original=original, method=method):
            counts[method] += len(rows)
            return original(self, rows, *more)

        monkeypatch.setattr(Compressor, method, noted)
    return counts


@pytest.mark.parametrize(
    ("keep", "reused", "work"),
    [
        ({"device_bytes": PLENTY}, Reused(prefix="device"), (0, 0)),
        ({"tier": "host", "host_bytes": PLENTY}, Reused(prefix="host"), (0, 0)),
        ({"tier": "features", "host_bytes": PLENTY}, Reused(prefix="features"), (0, 15)),
        ({"tier": "frames", "host_bytes": PLENTY}, Reused(frames="memory"), (15, 15)),
    ],
)
def test_every_tier_gives_what_a_fresh_run_gives(keep, reused, work, fresh, no_decoding, monkeypatch):
    tempo = tempo_with(**keep)
    with tempo.open(VIDEO, sampling=SAMPLING) as clip:
        first = clip.ask(FIRST, generation=LENGTH)
        no_decoding()
        counts = counted(monkeypatch, "see", "read")
        second, third = clip.ask(SECOND, generation=LENGTH), clip.ask(THIRD, generation=LENGTH)
    same(first, fresh[FIRST])
    same(second, fresh[SECOND])
    same(third, fresh[THIRD])
    assert (first.reused, second.reused, third.reused) == (Reused(), reused, reused)
    assert (counts["see"], counts["read"]) == (2 * work[0], 2 * work[1])
    assert second.timing.decode == 0.0


def test_what_is_not_kept_is_decoded_again(fresh):
    tempo = tempo_with(tier="none")
    with tempo.open(VIDEO, sampling=SAMPLING) as clip:
        clip.ask(FIRST, generation=LENGTH)
        second = clip.ask(SECOND, generation=LENGTH)
    same(second, fresh[SECOND])
    assert second.reused == Reused()
    assert second.timing.decode > 0.0


def test_tiers_mix_where_the_limits_are_short(fresh, monkeypatch):
    sizes = {}
    plan = "tempo_cli.runtime.visual_pass.plan_tiers"
    from tempo_cli.runtime import visual_pass

    original = visual_pass.plan_tiers

    def noted(count, found, limits):
        sizes["one"] = found
        return original(count, found, limits)

    monkeypatch.setattr(plan, noted)
    tempo = tempo_with(device_bytes=PLENTY)
    with tempo.open(VIDEO, sampling=SAMPLING) as clip:
        clip.ask(FIRST, generation=LENGTH)
    one = sizes["one"]
    assert one.frames == 4 * 256 * 512 * 3
    # four prefixes on the device; on the host three prefixes, and features of the other eight
    tempo = tempo_with(
        device_bytes=4 * one.prefix + 5000, host_bytes=3 * one.prefix + 8 * one.features + 9000
    )
    with tempo.open(VIDEO, sampling=SAMPLING) as clip:
        clip.ask(FIRST, generation=LENGTH)
        counts = counted(monkeypatch, "see", "read")
        second = clip.ask(SECOND, generation=LENGTH)
        store = tempo.networks.store
        assert store.device_bytes <= store.limits.device
        assert store.host_bytes <= store.limits.host
    same(second, fresh[SECOND])
    assert (counts["see"], counts["read"]) == (0, 8)
    assert second.reused == Reused(prefix="features")


def test_questions_asked_together_on_a_clip_share_one_pass(fresh, monkeypatch):
    counts = counted(monkeypatch, "see", "read")
    with tempo_with(host_bytes=PLENTY).open(VIDEO, sampling=SAMPLING) as clip:
        runs = list(clip.ask_many(QUESTIONS, generation=LENGTH))
    for run in runs:
        same(run, fresh[run.question])
    assert (counts["see"], counts["read"]) == (15, 15)


def test_nothing_is_kept_where_no_further_question_can_come():
    tempo = tempo_with(device_bytes=PLENTY, host_bytes=PLENTY)
    taken = []

    def watch(event):
        if isinstance(event, AnswerText):
            store = tempo.networks.store
            taken.append((store.device_bytes, store.host_bytes))

    tempo.ask(VIDEO, FIRST, sampling=SAMPLING, generation=LENGTH, on_event=watch)
    assert set(taken) == {(0, 0)}


def test_inspecting_a_video_keeps_nothing():
    tempo, taken = tempo_with(device_bytes=PLENTY, host_bytes=PLENTY), []

    def watch(event):
        if isinstance(event, Progress) and event.stage == "compress":
            taken.append((tempo.networks.store.device_bytes, tempo.networks.store.host_bytes))

    tempo.inspect(VIDEO, FIRST, sampling=SAMPLING, on_event=watch)
    assert taken == [(0, 0)] * 4


def test_closing_a_clip_gives_back_what_it_kept():
    tempo = tempo_with(device_bytes=PLENTY // 4, host_bytes=PLENTY)
    clip = tempo.open(VIDEO, sampling=SAMPLING)
    clip.ask(FIRST, generation=LENGTH)
    store = tempo.networks.store
    assert store.device_bytes + store.host_bytes > 0
    clip.close()
    clip.close()
    assert (store.device_bytes, store.host_bytes) == (0, 0)
    with pytest.raises(UsageError, match="the clip is closed"):
        clip.ask(FIRST)


def test_closing_the_model_releases_everything():
    with tempo_with(host_bytes=PLENTY) as tempo:
        clip = tempo.open(VIDEO, sampling=SAMPLING)
        clip.ask(FIRST, generation=LENGTH)
    assert (tempo.networks.store.host_bytes, tempo.networks._compressor, tempo.networks._decoder) == (
        0,
        None,
        None,
    )
    with pytest.raises(UsageError, match="the model is closed"):
        tempo.open(VIDEO)
    with pytest.raises(UsageError, match="the model is closed"):
        clip.ask(FIRST)
    clip.close()


def test_another_clip_takes_the_place_of_the_one_that_was_used_least_recently(fresh):
    tempo = tempo_with(
        tier="frames", host_bytes=15 * 4 * 256 * 512 * 3 * 2 - 1
    )  # one byte less than two clips
    with (
        tempo.open(VIDEO, sampling=SAMPLING) as one,
        tempo.open(VIDEO, sampling=SAMPLING) as two,
        tempo.open(VIDEO, sampling=replace(SAMPLING, max_frames=4)) as small,
    ):
        one.ask(FIRST, generation=LENGTH)
        two.ask(FIRST, generation=LENGTH)  # takes the place of one's first segment
        one_again = one.ask(SECOND, generation=LENGTH)  # which now takes two's
        assert one_again.reused == Reused()
        same(one_again, fresh[SECOND])
        assert one.ask(THIRD, generation=LENGTH).reused == Reused(frames="memory")
        small.ask(FIRST, generation=LENGTH)  # one segment: takes two's next
        assert one.ask(THIRD, generation=LENGTH).reused == Reused(frames="memory")
        two_again = two.ask(SECOND, generation=LENGTH)
        assert two_again.reused == Reused()
        same(two_again, fresh[SECOND])


def test_an_opened_video_decodes_before_the_model_is_there(fresh):
    tempo = tempo_with(host_bytes=PLENTY)
    with open_video(VIDEO, SAMPLING, tempo.shape) as video:
        with tempo.open(video) as clip:
            same(clip.ask(FIRST, generation=LENGTH), fresh[FIRST])
        with pytest.raises(UsageError, match="is closed"):
            list(video.read(range(video.total)))


def test_a_video_that_was_opened_for_another_model_is_refused():
    nano = Tempo.load("nano", options=CPU)
    with open_video(VIDEO) as video:
        with pytest.raises(UsageError) as caught:
            nano.open(video)
        assert caught.value.message == "the video was opened for a model with other frame sizes"
        with pytest.raises(UsageError, match="other sampling"):
            tempo_with().open(video, sampling=SamplingOptions(fps=1))


def test_a_file_that_changes_between_two_questions_is_an_error(tmp_path):
    path = tmp_path / "v.mp4"
    path.write_bytes(VIDEO.read_bytes())
    with tempo_with(tier="none").open(path, sampling=SAMPLING) as clip:
        clip.ask(FIRST, generation=LENGTH)
        path.write_bytes(VIDEO.read_bytes() + b"\0")
        with pytest.raises(VideoError) as caught:
            clip.ask(SECOND)
        assert caught.value.message == f"'{path}' has changed since it was opened"


def test_inspecting_and_asking_share_what_is_kept(fresh):
    with tempo_with(host_bytes=PLENTY).open(VIDEO, sampling=SAMPLING) as clip:
        seen = clip.inspect(FIRST)
        run = clip.ask(SECOND, generation=LENGTH)
    assert seen.answer is None
    assert [s.tokens for s in seen.segments] == [s.tokens for s in fresh[FIRST].segments]
    assert run.reused == Reused(prefix="host")
    same(run, fresh[SECOND])


def test_events_of_a_second_question_speak_of_no_decoding():
    events = []
    with tempo_with(host_bytes=PLENTY).open(VIDEO, sampling=SAMPLING) as clip:
        clip.ask(FIRST, generation=LENGTH)
        clip.ask(SECOND, generation=LENGTH, on_event=events.append)
    stages = [(event.stage, event.done, event.total) for event in events if isinstance(event, Progress)]
    assert stages == [("compress", done, 15) for done in (4, 8, 12, 15)]


def test_a_damaged_video_is_said_to_be_so_in_every_run_and_emitted_once(tmp_path):
    events = []
    with tempo_with(host_bytes=PLENTY).open(damaged_copy(tmp_path), sampling=SAMPLING) as clip:
        first = clip.ask(FIRST, generation=LENGTH, on_event=events.append)
        second = clip.ask(SECOND, generation=LENGTH, on_event=events.append)
    warning, cut = first.warnings
    assert warning.startswith("the video is damaged (")
    assert second.warnings == first.warnings
    assert [event.message for event in events if isinstance(event, Warned)] == [warning, cut, cut]


def test_memory_that_runs_out_drops_what_is_kept_first(fresh, monkeypatch):
    import torch

    see, failing = Compressor.see, []

    def limited(self, rows):
        if failing:
            raise torch.OutOfMemoryError(failing.pop())
        return see(self, rows)

    monkeypatch.setattr(Compressor, "see", limited)
    tempo = tempo_with(host_bytes=PLENTY)
    with (
        tempo.open(VIDEO, sampling=SAMPLING) as clip,
        tempo.open(VIDEO, sampling=SAMPLING) as other,
    ):
        clip.ask(FIRST, generation=LENGTH)
        failing += ["CUDA out of memory"] * 2
        run = other.ask(SECOND, generation=LENGTH)
        assert run.memory.steps == ("kept_segments", "micro_batch=2")
        assert run.warnings[0] == "memory ran out: dropping what was kept for later questions"
        assert [s.tokens for s in run.segments] == [s.tokens for s in fresh[SECOND].segments]
        again = clip.ask(THIRD, generation=LENGTH)
        assert again.reused == Reused()
        same(again, fresh[THIRD])


def test_what_is_dropped_in_the_middle_of_a_pass_is_read_again(fresh, monkeypatch):
    import torch

    compress, calls = Compressor.compress, []

    def limited(self, prefix, question):
        calls.append(len(prefix))
        if len(calls) == 6:  # the second batch of the second question
            raise torch.OutOfMemoryError("CUDA out of memory")
        return compress(self, prefix, question)

    monkeypatch.setattr(Compressor, "compress", limited)
    with tempo_with(host_bytes=PLENTY).open(VIDEO, sampling=SAMPLING) as clip:
        clip.ask(FIRST, generation=LENGTH)
        second = clip.ask(SECOND, generation=LENGTH)
    assert second.memory.steps == ("kept_segments",)
    flat = replace(second, warnings=fresh[SECOND].warnings)
    same(flat, fresh[SECOND])


def test_a_forgotten_clip_leaves_no_decoder_behind():
    clip = tempo_with().open(VIDEO, sampling=SamplingOptions(fps=25, max_frames=250, window=2))
    video = clip.video
    del clip
    assert video._closed
    video._stream._prefetch._thread.join(60)
    assert not video._stream._prefetch._thread.is_alive()


def test_what_a_forgotten_clip_kept_goes_with_the_next_question():
    tempo = tempo_with(host_bytes=PLENTY)
    store = tempo.networks.store
    clip = tempo.open(VIDEO, sampling=SAMPLING)
    clip.ask(FIRST, generation=LENGTH)
    kept = store.host_bytes
    del clip
    with tempo.open(VIDEO, sampling=ONE_SEGMENT) as clip:  # one segment
        clip.ask(FIRST, generation=LENGTH)
        assert 0 < store.host_bytes < kept / 10


def test_the_keep_options_are_checked():
    with pytest.raises(UsageError, match="tier is disk"):
        KeepOptions(tier="disk")
    with pytest.raises(UsageError, match="host_bytes is -1"):
        KeepOptions(host_bytes=-1)


def test_asking_from_a_callback_is_refused(fresh):
    caught = []
    with tempo_with(host_bytes=PLENTY).open(VIDEO, sampling=SAMPLING) as clip:

        def nested(event):
            if isinstance(event, AnswerText) and not caught:
                with pytest.raises(UsageError) as error:
                    clip.ask(SECOND)
                caught.append(error.value.message)

        same(clip.ask(FIRST, generation=LENGTH, on_event=nested), fresh[FIRST])
    assert caught == ["the model is busy in this thread"]


def test_a_scope_that_was_cancelled_before_stops_at_once():
    scope = CancelScope()
    scope.cancel()
    with tempo_with().open(VIDEO, sampling=SAMPLING) as clip, pytest.raises(TempoError) as caught:
        clip.ask(FIRST, cancel=scope)
    assert (caught.value.code, caught.value.exit_code) == ("interrupted", 130)


def test_reprs_are_readable():
    tempo = Tempo.load(MODEL, options=CPU)
    with tempo.open(VIDEO, sampling=SAMPLING) as clip:
        assert repr(clip) == f"Clip('{VIDEO}', 10.0 s, 15 segments)"
    assert repr(tempo) == f"Tempo('{MODEL}' on cpu in float32)"


def lose(monkeypatch: pytest.MonkeyPatch, positions: range) -> None:
    """No decoder gives the frames at `positions` of the plan."""
    with open_video(VIDEO, SAMPLING) as video:
        lost = video.plan.indices[list(positions)].tolist()
    decoded = FrameDecoder._decoded
    monkeypatch.setattr(
        FrameDecoder, "_decoded", lambda self: (one for one in decoded(self) if one[0] not in lost)
    )


def test_segments_in_the_middle_that_can_not_be_decoded_are_left_out(fresh, no_decoding, monkeypatch):
    lose(monkeypatch, range(12, 20))  # segments 3 and 4
    with tempo_with(host_bytes=PLENTY).open(VIDEO, sampling=SAMPLING) as clip:
        no_decoding()  # but by the decoder that is running
        first, second = clip.ask(FIRST, generation=LENGTH), clip.ask(SECOND, generation=LENGTH)
    whole = [part.relevance for part in fresh[FIRST].segments if part.index not in (3, 4)]
    for run in (first, second):
        assert [part.index for part in run.segments] == [0, 1, 2, *range(5, 15)]
        assert run.sampling.frames == 52
    assert [part.relevance for part in first.segments] == pytest.approx(whole, abs=1e-5)
    assert second.reused == Reused(prefix="host")


def test_a_segment_that_lost_its_place_in_the_middle_of_a_pass_is_read_again_in_its_place(fresh):
    with tempo_with(host_bytes=PLENTY).open(VIDEO, sampling=SAMPLING) as clip:
        clip.ask(FIRST, generation=LENGTH)

        def drop(event):
            if isinstance(event, Progress) and (event.stage, event.done) == ("compress", 4):
                clip._segments.shelf.drop(9)

        second = clip.ask(SECOND, generation=LENGTH, on_event=drop)
        same(second, fresh[SECOND])
        assert second.reused == Reused()
        assert clip.ask(THIRD, generation=LENGTH).reused == Reused(prefix="host")


def cancelling_at_the_first_segment() -> dict[str, object]:
    """Arguments that cancel a question as soon as one segment is decoded."""
    scope = CancelScope()

    def stop(event):
        if isinstance(event, Progress) and event.stage == "decode":
            scope.cancel()

    return {"cancel": scope, "on_event": stop}


def test_a_segment_that_was_decoded_for_a_cancelled_question_is_not_decoded_again(no_decoding):
    with tempo_with(tier="none").open(VIDEO, sampling=ONE_SEGMENT) as clip:
        with pytest.raises(CancelledError):
            clip.ask(FIRST, **cancelling_at_the_first_segment())
        no_decoding()
        assert clip.ask(FIRST, generation=LENGTH).reused == Reused(frames="memory")


def test_closing_lets_go_of_what_was_decoded_for_a_cancelled_question():
    with tempo_with().open(VIDEO, sampling=SAMPLING) as clip:
        with pytest.raises(CancelledError):
            clip.ask(FIRST, **cancelling_at_the_first_segment())
        assert clip._segments._waiting != {}
    assert clip._segments._waiting == {}


def test_events_of_a_first_question_count_every_segment():
    events, tempo = [], tempo_with(host_bytes=PLENTY)
    with tempo.open(VIDEO, sampling=SAMPLING) as clip:
        clip.ask(FIRST, generation=LENGTH, on_event=events.append)
    stages = [event for event in events if isinstance(event, Progress)]
    assert [event for event in stages if event.stage == "decode"] == [
        Progress("decode", done, 15) for done in range(1, 16)
    ]
    assert [event.done for event in stages if event.stage == "compress"] == [4, 8, 12, 15]
    assert [event for event in stages if event.stage == "load"] == []


def test_loading_for_a_question_is_told_to_its_listener():
    events, tempo = [], tempo_with()
    tempo.networks.offload()
    with tempo.open(VIDEO, sampling=ONE_SEGMENT) as clip:
        clip.ask(FIRST, generation=LENGTH, on_event=events.append)
    loads = [event.done for event in events if isinstance(event, Progress) and event.stage == "load"]
    assert loads == [0, 1]  # the decoder, once the compressor is gone


def test_seconds_belong_to_their_stage():
    tempo = tempo_with(host_bytes=PLENTY)
    tempo.networks.seconds = 1000.0
    with tempo.open(VIDEO, sampling=ONE_SEGMENT) as clip:
        seen = clip.inspect(FIRST).timing
        assert seen.compress > 0
        assert seen.answer == 0
        runs = [run.timing for run in clip.ask_many([FIRST, SECOND], generation=LENGTH)]
    assert all(timing.answer > 0 for timing in runs)
    assert all(1000 <= timing.load < timing.total for timing in [seen, *runs])


def test_questions_asked_together_share_their_seconds_and_number_their_pieces():
    events = []
    with tempo_with(tier="none").open(VIDEO, sampling=ONE_SEGMENT) as clip:
        first, second = clip.ask_many([FIRST, SECOND], generation=LENGTH, on_event=events.append)
        assert first.timing.decode == second.timing.decode == clip.video.findings.decode_seconds > 0
    pieces = {0: "", 1: ""}
    for event in events:
        if isinstance(event, AnswerText):
            pieces[event.question] += event.text
    assert pieces == {0: first.answer.text, 1: second.answer.text}


def test_a_segment_ends_where_the_next_begins():
    with tempo_with().open(VIDEO, sampling=replace(SAMPLING, max_frames=9)) as clip:
        parts = clip.inspect(FIRST).segments
    assert [part.frames for part in parts] == [4, 4, 1]
    assert [part.end for part in parts] == [*[part.start for part in parts[1:]], 10.0]


def test_warnings_of_the_pass_come_before_the_question_s_own():
    tempo = tempo_with()
    tempo.networks.offload()
    with tempo.open(VIDEO, sampling=ONE_SEGMENT) as clip:
        run = clip.ask(FIRST, budget=BudgetOptions(context=120), generation=LENGTH)
    first, second, *_ = run.warnings
    assert first == IN_TURN
    assert second.startswith("budget lowered from 8,192 to ")


def test_cancelling_is_noticed_between_kept_segments():
    events, scope = [], CancelScope()

    def stop(event):
        if isinstance(event, Progress):
            events.append((event.stage, event.done))
            scope.cancel()

    with tempo_with(host_bytes=PLENTY).open(VIDEO, sampling=SAMPLING) as clip:
        clip.ask(FIRST, generation=LENGTH)
        with pytest.raises(CancelledError):
            clip.ask(SECOND, cancel=scope, on_event=stop)
    assert events == [("compress", 4)]


def test_between_two_answers_others_have_their_turn_and_cancelling_is_noticed():
    scope = CancelScope()
    with tempo_with(host_bytes=PLENTY).open(VIDEO, sampling=ONE_SEGMENT) as clip:
        runs = clip.ask_many([FIRST, SECOND, THIRD], generation=LENGTH, cancel=scope)
        assert next(runs).question == FIRST
        assert clip.ask(THIRD, generation=LENGTH).question == THIRD
        assert next(runs).question == SECOND
        scope.cancel()
        with pytest.raises(CancelledError):
            next(runs)


def test_a_large_model_on_a_cpu_is_told_before_the_first_question_only(monkeypatch):
    monkeypatch.setattr("tempo_cli.runtime.effort._SLOW_PARAMETERS", 1)
    tempo = tempo_with(host_bytes=PLENTY)
    with tempo.open(VIDEO, sampling=ONE_SEGMENT) as clip:
        (warning,) = clip.inspect(FIRST).warnings
        assert "billion weights on a CPU" in warning
        assert clip.inspect(SECOND).warnings == ()
    cuda = Target(torch.device("cuda", 0), torch.bfloat16)
    tempo.networks.effort = Effort(tempo.checkpoint, Targets(cuda, cuda))
    with tempo.open(VIDEO, sampling=ONE_SEGMENT) as clip:
        assert clip.inspect(FIRST).warnings == ()


def test_lower_limits_hold_from_the_next_question_on():
    tempo = tempo_with(host_bytes=PLENTY)
    with tempo.open(VIDEO, sampling=ONE_SEGMENT) as clip:
        clip.ask(FIRST, generation=LENGTH)
        tempo.keep = KeepOptions(device_bytes=0, host_bytes=0)
        second = clip.ask(SECOND, generation=LENGTH)
        assert tempo.networks.store.host_bytes == 0
    assert second.reused == Reused()


def test_without_a_decoder_asking_is_refused_at_once():
    with Tempo.load(MODEL, options=CPU, decoder=False) as tempo, tempo.open(VIDEO, sampling=SAMPLING) as clip:
        with pytest.raises(UsageError, match="loaded without its decoder"):
            clip.ask_many([FIRST])
        with pytest.raises(UsageError, match="loaded without its decoder"):
            next(tempo.ask_many("missing.mp4", [FIRST]))


@pytest.mark.parametrize("method", ["ask", "inspect"])
def test_a_blank_question_is_refused_before_the_video_is_opened(method):
    with pytest.raises(UsageError, match="question"):
        getattr(tempo_with(), method)("missing.mp4", " ")


def test_a_video_s_own_sampling_may_be_given_again():
    tempo = tempo_with()
    with tempo.open(open_video(VIDEO, SAMPLING, tempo.shape), sampling=SAMPLING) as clip:
        assert clip.video.total == 15


def test_closing_the_model_in_a_callback_ends_the_question():
    tempo, closed = tempo_with(host_bytes=PLENTY), []

    def close(event):
        if isinstance(event, Progress) and (event.stage, event.done) == ("compress", 1):
            tempo.close()
            closed.append(tempo.closing.cancelled)

    with tempo.open(VIDEO, sampling=ONE_SEGMENT) as clip:
        with pytest.raises(CancelledError):
            clip.ask(FIRST, generation=LENGTH, on_event=close)
        assert closed == [True]
    tempo.close()
    assert tempo.networks._compressor is None


def test_seconds_of_opening_a_checkpoint_count_as_loading(monkeypatch):
    clock = SimpleNamespace(perf_counter=count(step=1000).__next__)
    monkeypatch.setattr("tempo_cli.tempo.time", clock)
    assert 1000 <= tempo_with().networks.seconds < 2000


def test_a_given_ffmpeg_is_the_one_that_decodes(tmp_path):
    with pytest.raises(SetupError):
        tempo_with().ask(VIDEO, FIRST, ffmpeg=str(tmp_path / "ffmpeg"))


def test_the_work_of_several_questions_counts_each():
    work = tempo_with().work((272, 640), 60, SAMPLING, BudgetOptions(), [10, 30, 20])
    assert (work.questions, work.segments) == (3, 15)
    alone = tempo_with().work((272, 640), 60, SAMPLING, BudgetOptions(), [30])
    assert replace(work, questions=1) == alone  # the longest text counts


def test_a_question_that_fails_closes_its_video():
    scope, tempo = CancelScope(), tempo_with()
    scope.cancel()
    video = open_video(VIDEO, SAMPLING, tempo.shape)
    with pytest.raises(CancelledError) as caught:
        tempo.ask(video, FIRST, cancel=scope)
    assert caught.value.code == "interrupted"  # as long as its frames are held
    assert video._closed


# --- conversations ---

EARLIER = Exchange(FIRST, "It was red.")


def test_a_follow_up_goes_on_with_the_conversation(fresh, monkeypatch):
    asked, decoder_prompt = [], prompts.decoder_prompt
    monkeypatch.setattr(
        prompts, "decoder_prompt", lambda *given: asked.append(given[1:]) or decoder_prompt(*given)
    )
    with tempo_with(device_bytes=PLENTY).open(VIDEO, sampling=SAMPLING) as clip:
        run = clip.ask("why", history=[EARLIER], generation=LENGTH)
        joined = clip.inspect(f"{FIRST}\nwhy")
        inspected = clip.inspect("why", history=[EARLIER])
    assert [(part.relevance, part.tokens) for part in run.segments] == [
        (part.relevance, part.tokens) for part in joined.segments
    ], "the compressor reads the earlier question, too"
    assert inspected.segments == run.segments
    assert asked == [("why", (EARLIER,)), (f"{FIRST}\nwhy", ()), ("why", (EARLIER,))]
    assert (run.question, run.history) == ("why", (EARLIER,))
    assert run.exchange == Exchange("why", run.answer.text)
    assert [part.relevance for part in run.segments] != [part.relevance for part in fresh["why"].segments]


def test_a_conversation_takes_room_of_the_context(fresh):
    (alone,) = [sum(part.tokens for part in fresh["why"].segments)]
    long = Exchange("what", "word " * 600)
    with tempo_with().open(VIDEO, sampling=SAMPLING) as clip:
        run = clip.ask("why", history=[long], budget=BudgetOptions(context=2600), generation=LENGTH)
    assert run.budget.used < alone
    assert any("budget" in warning for warning in run.warnings)


@pytest.mark.parametrize(
    ("history", "error"),
    [
        ("what", TypeError),
        (EARLIER, TypeError),
        ([("what", "It.")], TypeError),
        (None, TypeError),
        ([Exchange(" ", "It.")], UsageError),
    ],
)
def test_a_history_is_checked_before_anything_is_decoded(history, error, no_decoding):
    tempo = tempo_with()
    with tempo.open(VIDEO, sampling=SAMPLING) as clip:
        no_decoding()
        with pytest.raises(error, match="history"):
            clip.ask("why", history=history)
        with pytest.raises(error, match="history"):
            clip.inspect("why", history=history)


def test_an_exchange_holds_texts():
    with pytest.raises(TypeError, match="both str"):
        Exchange("what", None)  # type: ignore[arg-type]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_is_told_to_load_its_own_model():
    code = (
        "import os; from tempo_cli import Tempo\n"
        f"tempo = Tempo.load({str(MODEL)!r}); clip = tempo.open({str(VIDEO)!r})\n"
        "calls = (lambda: clip.ask('what'), lambda: tempo.ask('a', 'b'), lambda: tempo.inspect('a', 'b'))\n"
        "if os.fork() == 0:\n"
        "    for call in calls:\n"
        "        try: call()\n"
        "        except Exception as error: print(type(error).__name__, error, flush=True)\n"
        "    os._exit(0)\n"
        "print(os.waitstatus_to_exitcode(os.wait()[1])); clip.close()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    told = "UsageError a forked process can't use its parent's model"
    assert done.stdout.splitlines() == [told, told, told, "0"]


# --- frames on disk ---


def test_frames_on_disk_are_read_there_and_take_no_memory(fresh, no_decoding, tmp_path, monkeypatch):
    """Where nothing else is kept, a second question reads them; else they are not kept twice."""
    monkeypatch.setattr("tempo_cli.video.kept.WORTH_KEEPING", 0.0)  # seconds
    cache = CacheOptions(tmp_path)
    tempo = tempo_with(tier="frames", host_bytes=PLENTY)
    with tempo.open(VIDEO, sampling=SAMPLING, cache=cache) as clip:
        first = clip.ask(FIRST, generation=LENGTH)
        no_decoding()
        second = clip.ask(SECOND, generation=LENGTH)
        assert tempo.networks.store.host_bytes == 0
    same(first, fresh[FIRST])
    same(second, fresh[SECOND])
    assert (first.reused, second.reused) == (Reused(), Reused(frames="disk"))
    tempo = tempo_with(tier="features", host_bytes=PLENTY)
    with tempo.open(VIDEO, sampling=SAMPLING, cache=cache) as clip:
        clip.ask(FIRST, generation=LENGTH)
        assert clip.ask(SECOND, generation=LENGTH).reused == Reused(prefix="features")
