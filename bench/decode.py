"""How much slower than plain ffmpeg do frames reach the model?

Measures frames of video passed per second by (a) `ffmpeg -f null`, which throws its frames away, (b) our
`FrameDecoder`, which hands over the planned frames, (c) the same with the product's three resizing steps,
cut into segments. Each with the default plan (2 fps, 1,024 frames at most) and with every frame. All in one
run, in turns, so that they meet the same machine; the ratio is time over the time of (a).

Run: python bench/decode.py [--video FILE | --seconds 60] [--runs 3]
"""

import subprocess
from functools import partial
from pathlib import Path

from common import Neighbours, make_clip, medians, parser, report, spreads, timed

from tempo_cli.config import FrameShape, SamplingOptions
from tempo_cli.model.pixels import fit
from tempo_cli.plan.sampling import plan_frames
from tempo_cli.plan.segments import cut_segments
from tempo_cli.types import Frame, FramePlan, VideoInfo
from tempo_cli.video.decode import FrameDecoder
from tempo_cli.video.ffmpeg import find_ffmpeg
from tempo_cli.video.probe import probe
from tempo_cli.video.resize import shrink


def ffmpeg_alone(info: VideoInfo) -> None:
    """Decode the same stream to nowhere."""
    where = ["-i", f"file:{info.path}", "-map", f"0:{info.stream}", "-f", "null", "-"]
    subprocess.run([find_ffmpeg(), "-nostdin", "-loglevel", "error", *where], check=True)


def decode(info: VideoInfo, plan: FramePlan) -> None:
    """Take every planned frame, and check that none was left out."""
    with FrameDecoder(info, plan, find_ffmpeg(), _fail) as decoder:
        count = sum(1 for _ in decoder.frames())
    assert count == len(plan.indices), f"{count} of {len(plan.indices)} frames"


def decode_and_resize(info: VideoInfo, plan: FramePlan) -> None:
    """The same, resized in all three steps and cut into segments."""
    shape = FrameShape()
    with FrameDecoder(info, plan, find_ffmpeg(), _fail) as decoder:
        frames = (Frame(frame.position, shrink(frame.pixels, shape)) for frame in decoder.frames())
        segments = cut_segments(frames, plan, SamplingOptions().window, shape.temporal_patch)
        count = sum(len(segment.plan.positions) for segment in segments if len(fit(segment.frames, shape)))
    assert count == len(plan.indices), f"{count} of {len(plan.indices)} frames"


def _fail(warning: str) -> None:
    raise AssertionError(warning)


def plans(info: VideoInfo) -> dict[str, FramePlan]:
    """The default plan, and every frame."""
    rate = float(info.rate)
    everything = SamplingOptions(fps=rate, max_frames=info.frames)
    return {
        "default": plan_frames(info.frames, rate, SamplingOptions()),
        "every": plan_frames(info.frames, rate, everything),
    }


def one_round(info: VideoInfo) -> dict[str, float]:
    """Seconds of each way, one after the other."""
    seconds = {"ffmpeg": timed(partial(ffmpeg_alone, info))}
    for name, plan in plans(info).items():
        seconds[f"{name} decoded"] = timed(partial(decode, info, plan))
        seconds[f"{name} resized"] = timed(partial(decode_and_resize, info, plan))
    return seconds


def main() -> None:
    """Measure and report."""
    options_of = parser(__doc__, runs=3)
    options_of.add_argument("--video", type=Path, help="a file (default: a generated 720p H.264 clip)")
    options_of.add_argument(
        "--seconds", type=int, default=60, help="length of the generated clip (default 60)"
    )
    options = options_of.parse_args()
    info = probe(options.video or make_clip(options.seconds))
    neighbours = Neighbours()
    rounds = [one_round(info) for _ in range(options.runs)]
    seconds, ranges = medians(rounds), spreads(rounds)
    speeds = {name: info.frames / value for name, value in seconds.items()}
    ratios = {name: value / seconds["ffmpeg"] for name, value in seconds.items()}
    taken = {"ffmpeg": info.frames} | {
        f"{name} {way}": len(plan.indices)
        for name, plan in plans(info).items()
        for way in ("decoded", "resized")
    }
    report(
        "decode",
        ["way", "frames taken", "seconds", "lowest", "highest", "frames of video/s", "time / ffmpeg"],
        [[name, taken[name], seconds[name], *ranges[name], speeds[name], ratios[name]] for name in seconds],
        options,
        neighbours,
        video={
            "codec": info.codec,
            "width": info.width,
            "height": info.height,
            "fps": float(info.rate),
            "frames": info.frames,
        },
        frames_taken=taken,
        seconds=seconds,
        lowest_and_highest_seconds=ranges,
        frames_of_video_per_second=speeds,
        time_over_ffmpeg=ratios,
    )


if __name__ == "__main__":
    main()
