"""What of a file the model is not shown."""

from pathlib import Path

import pytest

from tempo_cli.plan.unseen import unseen
from tempo_cli.types import Tracks
from tempo_cli.video.isolated import probe

from .clips import COPY, H264, VP8, ClipMaker, run_ffmpeg, source


def test_tracks_of_made_clips(clip: ClipMaker) -> None:
    assert probe(clip("h264.mp4")).tracks == Tracks()
    assert probe(clip("longer_sound.mkv")).tracks == Tracks(sound=1)
    assert probe(clip("interlaced.ts")).tracks == Tracks(interlaced=True)


@pytest.mark.parametrize(("shown", "disposition"), [(True, "default"), (True, "forced"), (False, "0")])
def test_text_tracks(shown: bool, disposition: str, clip: ClipMaker, tmp_path: Path) -> None:
    words, path = tmp_path / "a.srt", tmp_path / "a.mkv"
    words.write_text("1\n00:00:00,000 --> 00:00:01,000\nhi\n")
    inputs = ("-i", clip("h264.mp4"), "-i", words, *COPY, "-map", "1")
    run_ffmpeg(*inputs, "-disposition:s:0", disposition, path)
    tracks = probe(path).tracks
    assert tracks == Tracks(texts=1, texts_on=shown)
    assert len(unseen(tracks)) == shown


def test_transparency(tmp_path: Path) -> None:
    for name, arguments in (
        ("a.mov", ("-vf", "format=rgba", "-c:v", "png")),
        ("a.webm", ("-vf", "format=yuva420p", *VP8, "-auto-alt-ref", "0")),
    ):
        run_ffmpeg(*source(0.2), *arguments, tmp_path / name)
        assert probe(tmp_path / name).tracks == Tracks(alpha=True)
    run_ffmpeg(*source(0.2), tmp_path / "a.gif")
    assert probe(tmp_path / "a.gif").tracks == Tracks()


def test_a_constant_rate_and_an_uneven_one(clip: ClipMaker, tmp_path: Path) -> None:
    for name in ("h264.mp4", "h264.mkv", "h264.ts", "mpeg4.avi", "vp8.webm"):
        assert probe(clip(name)).constant_rate
    for name in ("uneven.mp4", "uneven.mkv"):
        assert not probe(clip(name)).constant_rate
    path = tmp_path / "ntsc.mkv"  # whose timestamps are whole milliseconds
    run_ffmpeg("-f", "lavfi", "-i", "testsrc2=size=96x54:rate=30000/1001:duration=9", *H264, path)
    assert probe(path).constant_rate


def test_a_warning_for_what_a_player_shows_otherwise() -> None:
    assert unseen(Tracks(sound=2, texts=1)) == ()
    words = " ".join(unseen(Tracks(texts_on=True, interlaced=True, alpha=True)))
    assert words.count("the model") == 3
