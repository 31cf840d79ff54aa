"""Clips for decoding without what no wanted frame needs, and the hashes of frames."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tempo_cli.types import FramePlan, VideoInfo
from tempo_cli.video.decode import FrameDecoder
from tempo_cli.video.thinning import DecodingRecord

from .clips import (
    AV1,
    COPY,
    COPY_BOTH,
    H264,
    H265,
    PASSTHROUGH,
    RECIPES,
    VP8,
    VP9,
    VP9_HIDDEN,
    Recipe,
    run_ffmpeg,
    source,
)
from .fields import Coded, mpeg2, write
from .fields_h264 import h264


@dataclass(frozen=True)
class Paired:
    """A clip whose frames are stored as two pictures.

    Attributes:
        kinds: of the frames as they are shown; the others as in `fields.mpeg2` and `fields.write`.
    """

    kinds: str
    codec: str = "mpeg2video"
    second: str = "P"
    lower_first: bool = False
    apart: bool = False

    @property
    def frames(self) -> int:
        """How many are shown."""
        return len(self.kinds)

    def coded(self) -> list[Coded]:
        """The frames, and what they must look like."""
        maker = h264 if self.codec == "h264" else mpeg2
        return maker(self.kinds, len(self.kinds), second=self.second, lower_first=self.lower_first)


def _x264(*parameters: str) -> tuple[str, ...]:
    return ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-x264-params", ":".join(parameters))


def _x265(*parameters: str) -> tuple[str, ...]:
    return (*H265[:4], "-x265-params", ":".join(("log-level=error:pools=1", *parameters)))


_KEYS = "keyint=12:min-keyint=12:scenecut=0"
_MPEG = ("-bf", "2", "-g", "12")
_FIELDS = ("-flags", "+ildct+ilme", "-field_order", "tt")
_VARIABLE = ("-vf", "settb=1/1000,setpts='40*N+17*mod(N,3)+N*N/9'", *PASSTHROUGH, "-enc_time_base", "1/1000")
_FRAME_IDS = ("-pix_fmt", "yuv420p10le", "-aom-params", "error-resilient=1")
_TWO_LAYERS = (
    *(
        "-ts-parameters",
        "ts_number_layers=2:ts_target_bitrate=100,200:ts_rate_decimator=2,1:ts_periodicity=2:"
        "ts_layer_id=0,1:ts_layering_mode=2",
    ),
    *("-error-resilient", "default"),
)
_BARE = ("-i", "@x264_pyramid.mkv", *COPY, "-avoid_negative_ts", "disabled")

_CLOSED, _OPEN = "IBBPBBPBBP" * 8, "IBBPBBP" + "BBIBBPBBP" * 8
_SPARE = "IpBBPpBPppP" * 8

PAIRED: dict[str, Paired] = {
    "mpeg2_pairs.m2v": Paired(_CLOSED),
    "mpeg2_pairs.ts": Paired(_OPEN),
    "mpeg2_pairs.mpg": Paired(_OPEN, lower_first=True),
    "mpeg2_pairs.mkv": Paired(_OPEN),
    "mpeg2_pairs_closed.mkv": Paired(_CLOSED, second="I", lower_first=True),
    "mpeg2_pairs.mp4": Paired(_CLOSED),
    "mpeg2_pairs.avi": Paired("IPPPPP" * 14),
    "mpeg2_pairs_apart.mkv": Paired(_CLOSED, apart=True),
    "mpeg2_pairs_apart.mp4": Paired(_OPEN, apart=True),
    "h264_pairs.h264": Paired(_SPARE, "h264"),
    "h264_pairs.ts": Paired(_CLOSED, "h264"),
    "h264_pairs.mkv": Paired(_SPARE, "h264"),
    "h264_pairs_b.mkv": Paired(_CLOSED, "h264", second="I", lower_first=True),
    "h264_pairs.mp4": Paired(_SPARE, "h264", lower_first=True),
    "h264_pairs.flv": Paired(_CLOSED, "h264"),
    "h264_pairs_apart.ts": Paired(_SPARE, "h264", apart=True),
    "h264_pairs_apart.mkv": Paired(_CLOSED, "h264", apart=True, lower_first=True),
    "h264_pairs_apart.mp4": Paired(_SPARE, "h264", apart=True),
}
CLIPS: dict[str, Recipe | Paired] = {
    "x264.mp4": Recipe((*source(4), *_x264("keyint=30")), frames=100),
    "x264_pyramid.mkv": Recipe(
        (*source(4), *_x264(_KEYS, "bframes=5:b-pyramid=strict:b-adapt=0")), frames=100
    ),
    "x264_open.mp4": Recipe((*source(4), *_x264(_KEYS, "open-gop=1:bframes=3")), frames=100),
    "x264_no_b.ts": Recipe((*source(4), *_x264(_KEYS, "bframes=0")), frames=100),
    "x264_refresh.mp4": Recipe((*source(4), *_x264("intra-refresh=1:keyint=12:bframes=2")), frames=100),
    "x264_interlaced.ts": Recipe(
        (*source(4, "160x96"), *_x264(_KEYS, "interlaced=1:bframes=3")), (160, 96), 100
    ),
    "x264_444.mp4": Recipe((*source(4), "-c:v", "libx264", "-pix_fmt", "yuv444p", "-g", "12"), frames=100),
    "x264_variable.mkv": Recipe((*source(4), *_VARIABLE, *_x264(_KEYS, "bframes=3")), frames=100),
    "x264_negative.mp4": Recipe(
        ("-itsoffset", "-0.5", *_BARE, "-movflags", "+negative_cts_offsets"), frames=87
    ),
    "x264_cut.mp4": Recipe(("-ss", "1.1", "-i", "@x264.mp4", *COPY), frames=72),
    "x264_two.mkv": Recipe(("-i", "@x264_no_b.ts", "-i", "@x264_pyramid.mkv", *COPY_BOTH), frames=100),
    "x264_late.ts": Recipe((*("-i", "@x264_pyramid.mkv"), *COPY, "-output_ts_offset", "95441"), frames=100),
    "x264_fragmented.mp4": Recipe(
        ("-i", "@x264_pyramid.mkv", *COPY, "-movflags", "frag_keyframe+empty_moov"), frames=100
    ),
    "x264.flv": Recipe(("-i", "@x264_pyramid.mkv", *COPY), frames=100),
    "x264.avi": Recipe((*source(4), *H264, "-g", "12"), frames=100),
    "x264.asf": Recipe((*source(4), *H264, "-g", "12"), frames=100),
    "mpeg4.asf": Recipe((*source(4), "-c:v", "mpeg4", *_MPEG), frames=100),
    "x265.mp4": Recipe((*source(4), *_x265(_KEYS, "bframes=4:b-pyramid=1:open-gop=0")), frames=100),
    "x265_open.mkv": Recipe((*source(4), *_x265(_KEYS, "bframes=4:open-gop=1")), frames=100),
    "x265_layers.ts": Recipe(
        (*source(4), *_x265(_KEYS, "temporal-layers=3:b-pyramid=1:bframes=4")), frames=100
    ),
    "vp8.webm": Recipe(
        (*source(4), *VP8, "-g", "12", "-auto-alt-ref", "1", "-lag-in-frames", "8"), frames=100
    ),
    "vp9.webm": Recipe((*source(4), *VP9_HIDDEN, "-g", "12"), frames=100),
    "vp9_layers.webm": Recipe((*source(4), *VP9, "-g", "40", *_TWO_LAYERS), frames=100),
    "vp9_layers_going_on.webm": Recipe((*source(4), *VP9, "-g", "40", *_TWO_LAYERS[:2]), frames=100),
    "av1_aom.mkv": Recipe(
        (*source(4), "-c:v", "libaom-av1", "-cpu-used", "8", "-g", "40", *_FRAME_IDS), frames=100
    ),
    "av1_screen.mkv": Recipe(
        (*source(4), *AV1, "-g", "33", "-svtav1-params", "scm=1:film-grain=8"), frames=100
    ),
    "av1.mp4": Recipe((*source(4), *AV1, "-g", "17"), frames=100),
    "av1.mkv": Recipe((*source(4), *AV1, "-g", "17", "-svtav1-params", "pred-struct=1"), frames=100),
    "mpeg2.mpg": Recipe((*source(4), "-c:v", "mpeg2video", *_MPEG), frames=100),
    "mpeg2.vob": Recipe((*source(4), "-c:v", "mpeg2video", *_MPEG, "-f", "vob"), frames=100),
    "mpeg2.mkv": Recipe((*source(4), "-c:v", "mpeg2video", *_MPEG), frames=100),
    "mpeg2_closed.ts": Recipe(
        (*source(4), "-c:v", "mpeg2video", *_MPEG, "-flags", "+cgop", "-sc_threshold", "1000000000"),
        frames=100,
    ),
    "mpeg2_fields.ts": Recipe((*source(4, "160x96"), "-c:v", "mpeg2video", *_MPEG, *_FIELDS), (160, 96), 100),
    "mpeg4.mp4": Recipe((*source(4), "-c:v", "mpeg4", *_MPEG), frames=100),
    "mpeg4.avi": Recipe((*source(4), "-c:v", "mpeg4", "-g", "12"), frames=100),
    "mjpeg.avi": Recipe((*source(4), "-c:v", "mjpeg", "-pix_fmt", "yuvj420p"), frames=100),
    "mjpeg.mov": Recipe((*source(4), "-c:v", "mjpeg", "-pix_fmt", "yuvj420p"), frames=100),
    "prores.mov": Recipe((*source(4), "-c:v", "prores_ks"), frames=100),
    **PAIRED,
}


def make(name: str, folder: Path) -> Path:
    """A clip by its name in `CLIPS` or `RECIPES`, made once."""
    path = folder / name
    if path.exists():
        return path
    recipe = (RECIPES | CLIPS)[name]
    if isinstance(recipe, Paired):
        return write(path, recipe.coded(), recipe.codec, apart=recipe.apart)
    parts = recipe.arguments
    run_ffmpeg(*(make(part[1:], folder) if part.startswith("@") else part for part in parts), path)
    return path


def digests(
    info: VideoInfo, indices: Sequence[int] | np.ndarray, binary: str, record: DecodingRecord
) -> Iterator[tuple[int, str]]:
    """(frame index, hash of the frame) of every frame that comes."""
    plan = FramePlan(np.array(sorted(indices)), float(info.rate))
    with FrameDecoder(info, plan, binary, lambda _: None, record=record) as decoder:
        for frame in decoder.frames():
            yield int(plan.indices[frame.position]), hashlib.md5(frame.pixels).hexdigest()


def drawn(random: np.random.Generator, frames: int) -> list[int]:
    """A few frames: spread evenly, close together, or anywhere."""
    count = int(random.integers(1, 13))
    first = int(random.integers(0, frames))
    near = np.arange(first, min(first + count, frames))
    even = np.linspace(first, frames - 1, count).round().astype(int)
    anywhere = random.integers(0, frames, count)
    return sorted({int(index) for index in (near, even, anywhere)[int(random.integers(0, 3))]})
