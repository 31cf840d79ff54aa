"""A second question on an opened clip: the same as on a fresh one, from what was kept."""

from dataclasses import replace

import pytest

from tempo_cli import KeepOptions, SamplingOptions, Tempo, TempoError
from tempo_cli.errors import UsageError, VideoError
from tempo_cli.events import AnswerText, Progress, Warned
from tempo_cli.model.compressor import Compressor
from tempo_cli.schema import Reused
from tempo_cli.scope import CancelScope
from tempo_cli.video.opened import open_video

from .conftest import CPU, LENGTH, MODEL, PLENTY, QUESTIONS, SAMPLING, VIDEO, same, tempo_with

FIRST, SECOND, THIRD = QUESTIONS


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
    path, events = tmp_path / "cut.mp4", []
    data = bytearray(VIDEO.read_bytes())
    place = data.index(b"mdat") + 4 + len(data) // 2
    data[place : place + 30_000] = bytes(30_000)
    path.write_bytes(data)
    with tempo_with(host_bytes=PLENTY).open(path, sampling=SAMPLING) as clip:
        first = clip.ask(FIRST, generation=LENGTH, on_event=events.append)
        second = clip.ask(SECOND, generation=LENGTH, on_event=events.append)
    (warning,) = first.warnings
    assert warning.startswith("the video is damaged (")
    assert second.warnings == first.warnings
    assert [event.message for event in events if isinstance(event, Warned)] == [warning]


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
        assert run.warnings[0] == "memory ran out: what was kept for further questions is dropped"
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
    flat = replace(second, warnings=())
    same(flat, fresh[SECOND])


def test_a_forgotten_clip_leaves_no_decoder_behind():
    clip = tempo_with().open(VIDEO, sampling=SamplingOptions(fps=25, max_frames=250, window=2))
    video = clip.video
    del clip
    assert not video.is_open


def test_what_a_forgotten_clip_kept_goes_with_the_next_question():
    tempo = tempo_with(host_bytes=PLENTY)
    store = tempo.networks.store
    clip = tempo.open(VIDEO, sampling=SAMPLING)
    clip.ask(FIRST, generation=LENGTH)
    kept = store.host_bytes
    del clip
    with tempo.open(VIDEO, sampling=replace(SAMPLING, max_frames=4)) as clip:  # one segment
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
    assert repr(tempo) == f"Tempo('{MODEL}' on cpu, float32)"
