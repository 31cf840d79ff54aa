"""Does the model see what a player shows? HDR against the SDR originals that it was made from, and shapes.

Makes HDR clips (PQ and HLG; H.264, HEVC, VP9; 10 bits, BT.2020) from SDR originals, with the reference white
at 203 nits, and reads both with `FrameDecoder`: the mean error in levels of 255 and the saturation (mean of
max - min of RGB) over the original's, as stored (raw), as converted (auto), and behind the filters that undo
just what made the clip: what is off there is lost in the file. Exit status 1 where a clip is more than 8
levels or 10 % off (`HARD` is shown, but does not count). Then videos with pixels that are not square: the
size that the model sees must be within one step of the 64-px grid of the right shape.

Run: python bench/picture.py [--curves]

`--curves` compares other filters on the same clips instead: how exact they are, and how many levels they
leave for what is brighter than the white (203 to 1,000 nits).
"""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from common import Neighbours, made, parser, report

from tempo_cli.config import FrameShape, SamplingOptions
from tempo_cli.plan.picture import HDR, WHITE, to_sdr
from tempo_cli.plan.sampling import plan_frames
from tempo_cli.types import Colors, Pixels
from tempo_cli.video.decode import FrameDecoder
from tempo_cli.video.ffmpeg import find_ffmpeg
from tempo_cli.video.opened import open_video
from tempo_cli.video.probe import probe

MOST_LEVELS, MOST_SATURATION = 8.0, 0.1
GRID = 64  # px
HARD = "pattern"  # 176x144, saturated edges in every pixel: more than that is lost in every file
ROOT = Path(__file__).resolve().parents[1]
FRAMES = 8
_X264 = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "16")
ENCODERS: dict[str, tuple[str, ...]] = {
    "h264": _X264,
    "hevc": ("-c:v", "libx265", "-preset", "superfast", "-crf", "16", "-x265-params", "log-level=error"),
    "vp9": ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "0", "-crf", "16"),
}
FILES = {
    "chase": "examples/chase.mp4",
    "harbour": "examples/harbour.webm",
    "sky": "examples/sky.mkv",
    "long-walk": "examples/long-walk.mp4",
    "bunny": "tests/golden/videos/bunny.mp4",
    "fractal": "tests/golden/videos/fractal.mp4",
    "pattern": "tests/golden/videos/pattern.mp4",
}
GENERATED = {
    "bars": "smptehdbars=size=640x360:rate=4",
    "gradients": "gradients=size=640x360:rate=4:seed=1",
    "white": "color=white:size=640x360:rate=4",
    "testsrc2": "testsrc2=size=1280x720:rate=4",
}
# stored size, filter, encoder, container: what a player shows is as wide as the ratio says
SHAPES: dict[str, tuple[str, str, Sequence[str], str, tuple[int, int]]] = {
    "PAL DVD 16:9": ("720x576", "setsar=64/45", ("-c:v", "mpeg2video", "-q:v", "3"), "mpg", (16, 9)),
    "PAL DVD 4:3": ("720x576", "setsar=16/15", ("-c:v", "mpeg2video", "-q:v", "3"), "ts", (4, 3)),
    "NTSC DVD 16:9": ("720x480", "setsar=32/27", ("-c:v", "mpeg2video", "-q:v", "3"), "mpg", (16, 9)),
    "NTSC DVD 4:3": ("720x480", "setsar=8/9", _X264, "mkv", (4, 3)),
    "HDV": ("1440x1080", "setsar=4/3", _X264, "mp4", (16, 9)),
    "portrait": ("576x720", "setsar=45/64", _X264, "mp4", (9, 16)),
}
CURVES = {
    f"{white} nits, {curve}": (white, curve)
    for white, curve in (
        (100, "hable:peak=10"),
        (100, "mobius:param=0.3:peak=10"),
        (203, "hable:peak=4.926"),
        (203, "reinhard:peak=4.926"),
        (203, "mobius:param=0.3:peak=4.926"),
        (203, "mobius:param=0.8:peak=4.926"),
        (203, "mobius:param=0.9:peak=4.926"),
        (203, "mobius:param=0.95:peak=4.926"),
        (203, "clip"),
    )
}


def hdr_filters(transfer: str) -> str:
    """What turns decoded SDR pictures into HDR ones: BT.709's white becomes 203 nits."""
    return (
        "format=gbrp,setparams=colorspace=gbr:color_primaries=bt709:color_trc=bt709:range=pc,"
        f"zscale=t=linear:npl={WHITE},format=gbrpf32le,"
        f"zscale=p=bt2020:t={transfer}:m=bt2020nc:r=tv:npl={WHITE},format=yuv420p10le"
    )


def sdr_filters(transfer: str) -> str:
    """What undoes `hdr_filters`, and no more: it knows that nothing is brighter than the white."""
    stored = f"tin={transfer}:pin=bt2020:min=bt2020nc:rin=tv:npl={WHITE}:f=bicubic"
    return (
        f"zscale={stored}:t=linear,format=gbrpf32le,"
        f"zscale=p=bt709:t=bt709:m=gbr:r=pc:npl={WHITE},format=gbrp,format=rgb24"
    )


def pixels_of(path: Path, picture: str) -> Pixels:
    """All frames as `FrameDecoder` gives them, (T, H, W, 3)."""
    info = probe(path)
    every = plan_frames(info.frames, float(info.rate), SamplingOptions(fps=float(info.rate)))
    with FrameDecoder(info, every, find_ffmpeg(), _fail, picture=picture) as decoder:
        return np.stack([frame.pixels for frame in decoder.frames()])


def _fail(warning: str) -> None:
    raise AssertionError(warning)


def filtered(path: Path, filters: str) -> Pixels:
    """All frames as ffmpeg gives them behind other filters."""
    info = probe(path)
    command = [find_ffmpeg(), "-nostdin", "-loglevel", "error", "-i", f"file:{path}", "-vf", filters]
    done = subprocess.run(
        [*command, "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"], check=True, stdout=subprocess.PIPE
    )
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, info.height, info.width, 3)


def apart(seen: Pixels, original: Pixels) -> tuple[float, float]:
    """Mean error in levels, and saturation over the original's (1 where it has none)."""
    error = float(np.abs(seen.astype(np.int16) - original).mean())
    ours, theirs = (float((one.max(-1) - one.min(-1)).mean()) for one in (seen, original))
    return error, ours / theirs if theirs >= 1 else 1.0


def originals() -> dict[str, Path]:
    """SDR clips of a few frames, by name."""
    sources = {name: ["-i", f"file:{ROOT / path}", "-vf", "fps=4"] for name, path in FILES.items()}
    sources |= {name: ["-f", "lavfi", "-i", source] for name, source in GENERATED.items()}
    encode = ["-frames:v", str(FRAMES), *_X264, "-pix_fmt", "yuv420p"]
    return {name: made(f"picture-{name}.mp4", [*source, *encode]) for name, source in sources.items()}


def hdr_clips(original: Path) -> dict[tuple[str, str], Path]:
    """HDR made from a clip, by transfer and codec."""
    return {
        (transfer, codec): made(
            f"{original.stem}-{transfer}-{codec}.mkv",
            ["-i", f"file:{original}", "-vf", hdr_filters(transfer), *encoder],
        )
        for transfer in sorted(HDR)
        for codec, encoder in ENCODERS.items()
    }


def measured_hdr() -> list[list[object]]:
    """A row for each HDR clip: error and saturation as stored and as converted."""
    rows: list[list[object]] = []
    for name, original in originals().items():
        true = pixels_of(original, "raw")
        for (transfer, codec), path in hdr_clips(original).items():
            raw, auto = (apart(pixels_of(path, picture), true) for picture in ("raw", "auto"))
            lost = apart(filtered(path, sdr_filters(transfer)), true)
            rows.append([f"{name} {transfer} {codec}", *raw, *auto, *lost])
    return rows


def measured_curves() -> list[list[object]]:
    """A row for each way to convert: errors over all clips, white, and levels for what is brighter."""
    own = to_sdr(Colors("smpte2084"))
    rows: list[list[object]] = []
    ramp = made("picture-ramp.mkv", [*_ramp(), *ENCODERS["hevc"]])
    for name, (white, curve) in CURVES.items():
        filters = re.sub(r"tonemap=[^,]*", f"tonemap={curve}:desat=0", own)
        filters = filters.replace(f"npl={WHITE}", f"npl={white}")
        found = [
            apart(filtered(path, filters), pixels_of(original, "raw"))
            for original in originals().values()
            for path in hdr_clips(original).values()
        ]
        errors, saturations = zip(*found, strict=True)
        levels = filtered(ramp, filters)[0, 90].mean(-1)
        off = float(np.mean(errors)), max(errors), min(saturations), max(saturations)
        rows.append([name, *off, float(levels[0]), len(np.unique(levels.round()))])
    return rows


def _ramp() -> list[str]:
    """Gray from 203 to 1,000 nits, from left to right."""
    light = f"({WHITE}+{1000 - WHITE}*X/319)/{WHITE}"
    source = (
        f"nullsrc=size=320x180:rate=4:duration=0.5,format=gbrpf32le,geq=r='{light}':g='{light}':b='{light}'"
    )
    linear = "setparams=colorspace=gbr:color_primaries=bt709:color_trc=linear:range=pc"
    pq = f"zscale=p=bt2020:t=smpte2084:m=bt2020nc:r=tv:npl={WHITE},format=yuv420p10le"
    return ["-f", "lavfi", "-i", source, "-vf", f"{linear},{pq}"]


def measured_shapes() -> list[list[object]]:
    """A row for each kind of video with other than square pixels."""
    rows: list[list[object]] = []
    for name, (size, ratio, encoder, container, shown) in SHAPES.items():
        source = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate=25:duration=0.4", "-vf", ratio]
        path = made(f"picture-{name.replace(' ', '-').replace(':', '')}.{container}", [*source, *encoder])
        for picture in ("raw", "auto"):
            with open_video(path, SamplingOptions(picture=picture)) as video:
                height, width = next(video.read([0])).frames.shape[1:3]
            seen = width, height
            told = f"{name} {picture}", size, f"{shown[0]}:{shown[1]}", f"{width}x{height}"
            rows.append([*told, off_by(seen, shown)])
    return rows


def off_by(size: tuple[int, int], shown: tuple[int, int]) -> float:
    """How far, in px, the edges are from those of the right shape with the model's longest edge."""
    longest = FrameShape().limits.longest_edge
    right = [longest * edge / max(shown) for edge in shown]
    return max(abs(ours - edge) for ours, edge in zip(size, right, strict=True))


def main() -> int:
    """Measure and report; 1 where something is further off than allowed."""
    options_of = parser(__doc__, runs=1)
    options_of.add_argument("--curves", action="store_true", help="compare other filters (minutes)")
    options = options_of.parse_args()
    neighbours = Neighbours()
    if options.curves:
        heads = ["filters", "mean error", "worst", "saturation from", "to", "white", "levels above"]
        curves = measured_curves()
        report("picture-curves", heads, curves, options, neighbours, curves=curves)
        return 0
    shapes = measured_shapes()
    report("picture-shapes", ["video", "stored", "shown", "seen", "off, px"], shapes, options, neighbours)
    print()
    clips = measured_hdr()
    heads = ["clip", "error raw", "saturation raw", "error auto", "saturation auto"]
    heads += ["error of the file", "saturation of the file"]
    report("picture", heads, clips, options, neighbours, clips=clips, shapes=shapes)
    easy = [row for row in clips if not str(row[0]).startswith(HARD)]
    bad = [row[0] for row in easy if row[3] > MOST_LEVELS or abs(row[4] - 1) > MOST_SATURATION]  # type: ignore[operator]
    bad += [row[0] for row in shapes if str(row[0]).endswith("auto") and row[4] > GRID]  # type: ignore[operator]
    for name in bad:
        print(f"further off than allowed: {name}", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
