"""How much slower than plain ffmpeg do frames reach the model, or how much faster?

Measures (a) `ffmpeg -f null`, which decodes every frame and throws it away, (b) our `FrameDecoder`, which
hands over the frames of the default plan (2 fps, 1,024 frames at most), (c) an opened video, whose frames are
resized and cut into segments, with the model's own last resizing step. All in one run, in turns, so that they
meet the same machine; the ratio is time over the time of (a). Packets that no wanted frame needs are not
decoded, so the ratio depends on the video:

    default   x264 as it comes: 10 minutes of 720p
    keys      a key frame every 2 s: 60 minutes of 720p
    chain     nothing can be left out: every frame refers to the one before it; 1 minute of 720p

Run: python bench/decode.py [--case default|keys|chain | --video FILE] [--runs 3]
"""

import subprocess
from functools import partial
from pathlib import Path

from common import Neighbours, made, medians, parser, report, spreads, timed

from tempo_cli.config import FrameShape, SamplingOptions
from tempo_cli.model.pixels import fit
from tempo_cli.plan.sampling import plan_frames
from tempo_cli.types import FramePlan, VideoInfo
from tempo_cli.video.decode import FrameDecoder
from tempo_cli.video.ffmpeg import find_ffmpeg
from tempo_cli.video.opened import open_video
from tempo_cli.video.probe import probe
from tempo_cli.video.thinning import DecodingRecord

_SOURCE = "testsrc2=size=1280x720:rate={rate}:duration=60,noise=alls=8:allf=t"
# frames per second, minutes, and how it is encoded
CASES = {
    "default": (30, 10, ()),
    "keys": (25, 60, ("-preset", "veryfast", "-g", "50", "-keyint_min", "50")),
    "chain": (30, 1, ("-preset", "veryfast", "-bf", "0", "-g", "100000", "-sc_threshold", "0")),
}


def clip(case: str) -> Path:
    """The video of a case: a minute, over and over by stream copy."""
    rate, minutes, options = CASES[case]
    source = ("-f", "lavfi", "-i", _SOURCE.format(rate=rate))
    minute = made(f"decode-{case}.mp4", [*source, "-c:v", "libx264", *options, "-pix_fmt", "yuv420p"])
    if minutes == 1:
        return minute
    again = ["-stream_loop", str(minutes - 1), "-i", f"file:{minute}", "-c", "copy"]
    return made(f"decode-{case}-{minutes}.mp4", again)


def ffmpeg_alone(info: VideoInfo) -> None:
    """Decode the same stream to nowhere."""
    where = ["-i", f"file:{info.path}", "-map", f"0:{info.stream}", "-f", "null", "-"]
    subprocess.run([find_ffmpeg(), "-nostdin", "-loglevel", "error", *where], check=True)


def decode(info: VideoInfo, plan: FramePlan, record: DecodingRecord) -> None:
    """Take every planned frame, and check that none was left out."""
    with FrameDecoder(info, plan, find_ffmpeg(), _fail, record=record) as decoder:
        count = sum(1 for _ in decoder.frames())
    assert count == len(plan.indices), f"{count} of {len(plan.indices)} frames"


def decode_and_resize(info: VideoInfo, plan: FramePlan) -> None:
    """The same, resized in all three steps and cut into segments."""
    shape = FrameShape()
    with open_video(info, SamplingOptions(), shape) as video:
        segments = video.read(range(video.total))
        count = sum(len(segment.plan.positions) for segment in segments if len(fit(segment.frames, shape)))
        assert not video.warnings, video.warnings
    assert count == len(plan.indices), f"{count} of {len(plan.indices)} frames"


def _fail(warning: str) -> None:
    raise AssertionError(warning)


def main() -> None:
    """Measure and report."""
    options_of = parser(__doc__, runs=3)
    options_of.add_argument("--case", choices=CASES, default="default", help="a generated video")
    options_of.add_argument("--video", type=Path, help="a file instead")
    options = options_of.parse_args()
    info = probe(options.video or clip(options.case))
    plan = plan_frames(info.frames, float(info.rate), SamplingOptions())
    neighbours, record = Neighbours(), DecodingRecord()
    rounds = []
    for _ in range(options.runs):
        record = DecodingRecord()
        ways = {
            "ffmpeg": partial(ffmpeg_alone, info),
            "decoded": partial(decode, info, plan, record),
            "resized": partial(decode_and_resize, info, plan),
        }
        rounds.append({name: timed(work) for name, work in ways.items()})
    seconds, ranges = medians(rounds), spreads(rounds)
    speeds = {name: info.frames / value for name, value in seconds.items()}
    ratios = {name: value / seconds["ffmpeg"] for name, value in seconds.items()}
    taken = {name: info.frames if name == "ffmpeg" else len(plan.indices) for name in seconds}
    report(
        "decode",
        ["way", "frames taken", "seconds", "lowest", "highest", "frames of video/s", "time / ffmpeg"],
        [[name, taken[name], seconds[name], *ranges[name], speeds[name], ratios[name]] for name in seconds],
        options,
        neighbours,
        case="file" if options.video else options.case,
        video={
            "codec": info.codec,
            "width": info.width,
            "height": info.height,
            "fps": float(info.rate),
            "frames": info.frames,
        },
        decoder=vars(record),
        frames_taken=taken,
        seconds=seconds,
        lowest_and_highest_seconds=ranges,
        frames_of_video_per_second=speeds,
        time_over_ffmpeg=ratios,
    )


if __name__ == "__main__":
    main()
