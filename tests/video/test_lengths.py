"""Very short and very long videos, and such as announce no length at all."""

from pathlib import Path

import av
import numpy as np
import pytest

from tempo_cli.config import FrameShape, SamplingOptions
from tempo_cli.video.opened import open_video
from tempo_cli.video.probe import probe
from tempo_cli.video.resize import shrink

from .clips import RECIPES, ClipMaker, FullDecode, decode_plan, every_frame, run_ffmpeg

# frames of the file, and those that are sampled: at least four, except of one
SHORT = {
    1: [0],
    2: [0, 0, 1, 1],
    3: [0, 1, 1, 2],
    4: [0, 1, 2, 3],
    5: [0, 1, 3, 4],
    6: [0, 2, 3, 5],
    7: [0, 2, 4, 6],
    8: [0, 2, 5, 7],
    9: [0, 3, 5, 8],
    18: [0, 6, 11, 17],
}


@pytest.mark.parametrize("frames", SHORT)
def test_a_short_clip_is_one_segment_with_its_frames(frames: int, clip: ClipMaker, truth: FullDecode) -> None:
    name = "short.mp4" if frames == 18 else f"frames_{frames}.mp4"
    with open_video(clip(name)) as video:
        (segment,) = video.read(range(video.total))
    assert (video.info.frames, video.total, video.end) == (frames, 1, pytest.approx(frames / 25, abs=1e-6))
    assert video.plan.indices.tolist() == SHORT[frames]
    seen = [shrink(one, FrameShape()) for one in truth(name)[SHORT[frames]]]
    if frames == 1:
        seen *= 2  # a segment has an even number
    np.testing.assert_array_equal(segment.frames, seen)
    assert video.warnings == []


# --- live ---

SEGMENT, CLUSTER, CUES = b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75", b"\x1c\x53\xbb\x6b"
UNKNOWN = b"\x01" + b"\xff" * 7  # a size


def of_unknown_size(data: bytes) -> bytes:
    """Every cluster without its size, as a browser writes it."""
    begin, *clusters = data.split(CLUSTER)
    assert len(clusters) > 2
    widths = [9 - cluster[0].bit_length() for cluster in clusters]
    sizes = [((1 << 7 * width + 1) - 1).to_bytes(width, "big") for width in widths]
    rests = (size + rest[width:] for size, width, rest in zip(sizes, widths, clusters, strict=True))
    return CLUSTER.join([begin, *rests])


@pytest.mark.parametrize("name", ["live.webm", "uneven_live.webm", "live_sound.mkv"])
def test_a_live_recording_announces_nothing_and_has_its_length(
    name: str, clip: ClipMaker, truth: FullDecode, tmp_path: Path
) -> None:
    data, path = of_unknown_size(clip(name).read_bytes()), tmp_path / name
    path.write_bytes(data)
    assert SEGMENT + UNKNOWN in data
    assert CUES not in data
    with av.open(str(path)) as container:
        assert container.duration is None
    info, recipe = probe(path), RECIPES[name]
    assert info.frames == recipe.frames
    steps = np.arange(20)
    expected = (40 * steps + steps**2) / 1000 if name.startswith("uneven") else np.arange(50) / 25
    np.testing.assert_allclose(info.times, expected, rtol=0, atol=1e-9)
    assert expected[-1] < info.duration < expected[-1] + 0.1
    frames, warnings = decode_plan(info, every_frame(info))
    np.testing.assert_array_equal([frame.pixels for frame in frames], truth(name))
    assert warnings == []


def test_a_live_recording_that_was_cut_off_has_what_is_there(
    clip: ClipMaker, truth: FullDecode, tmp_path: Path
) -> None:
    data = of_unknown_size(clip("live.webm").read_bytes())
    path = tmp_path / "live.webm"
    path.write_bytes(data[: len(data) * 2 // 3])
    with open_video(path, SamplingOptions(fps=25)) as video:
        frames = np.concatenate([segment.frames for segment in video.read(range(video.total))])
    held = len(video.plan.indices)
    assert 20 < held < 45
    whole = [shrink(one, FrameShape()) for one in truth("live.webm")[: held - 1]]  # the last one may be cut
    np.testing.assert_array_equal(frames[: held - 1], whole)
    assert video.warnings == []


# --- nine hours ---


def test_the_end_of_nine_hours_is_seen_from_where_it_starts(clip: ClipMaker) -> None:
    """From 8:30:00, a frame a second."""
    start, path = 30_600, clip("nine_hours.mp4")
    with open_video(path, SamplingOptions(start=float(start), max_frames=64)) as video:
        segments = list(video.read(range(video.total)))
    indices = video.plan.indices
    assert (video.info.frames, video.info.duration) == (32_400, 32_400.0)
    assert indices.tolist() == np.round(np.linspace(start, 32_399, 64)).astype(int).tolist()
    assert video.plan.origin == start
    first, *_, last = segments
    spacing = 1800 / 64
    assert first.plan.time == pytest.approx(start + 4 * spacing)
    assert last.plan.time == pytest.approx(start + 60 * spacing)

    wanted = "+".join(f"eq(n,{index})" for index in indices)
    picked = ("-vf", f"select='{wanted}'", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24")
    truth = np.frombuffer(run_ffmpeg("-i", path, *picked, "-"), np.uint8).reshape(64, 32, 32, 3)
    seen = np.concatenate([segment.frames for segment in segments])
    np.testing.assert_array_equal(seen, [shrink(frame, FrameShape()) for frame in truth])
    assert video.warnings == []
