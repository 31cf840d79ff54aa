"""Tiny test videos, made by the bundled ffmpeg, and the frames that ffmpeg itself decodes from them."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np

from tempo_cli.types import Frame, FramePlan, Pixels, VideoInfo
from tempo_cli.video.decode import FrameDecoder

FFMPEG: str = imageio_ffmpeg.get_ffmpeg_exe()
ClipMaker = Callable[[str], Path]
FullDecode = Callable[[str], Pixels]


@dataclass(frozen=True)
class Recipe:
    """How ffmpeg makes a clip; `@NAME` in `arguments` is the clip NAME.

    Attributes:
        size: width and height, px, as shown (after rotation).
        frames: how many are shown.
        stream: index of the video stream.
    """

    arguments: tuple[str, ...]
    size: tuple[int, int] = (160, 90)
    frames: int = 50
    stream: int = 0


def source(seconds: float = 2, size: str = "160x90") -> tuple[str, ...]:
    """A moving pattern at 25 fps: no two neighbouring frames are alike."""
    return ("-f", "lavfi", "-i", f"testsrc2=size={size}:rate=25:duration={seconds}")


NOISE = ("-f", "lavfi", "-i", "color=gray:size=32x32:rate=25,noise=alls=100:allf=t")
H264 = ("-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g", "20", "-pix_fmt", "yuv420p")
H265 = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:pools=1:bframes=2")
VP8 = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8")
VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8")
VP9_HIDDEN = ("-c:v", "libvpx-vp9", "-deadline", "good", "-cpu-used", "5", "-auto-alt-ref", "1")
AV1 = ("-c:v", "libsvtav1", "-preset", "11")
FRAGMENTED = ("-movflags", "frag_keyframe+empty_moov+default_base_moof")
LIVE = ("-live", "1", "-cluster_time_limit", "500")
PASSTHROUGH = ("-fps_mode", "passthrough")
COPY = ("-map", "0", "-c", "copy")
COPY_BOTH = (*COPY, "-map", "1")


def _uneven(tick: str, time: str) -> tuple[str, ...]:
    """20 frames; `time` is each one's in ticks of `tick` seconds, N counting from 0."""
    return (*source(0.8), "-vf", f"settb={tick},setpts='{time}'", *PASSTHROUGH, "-enc_time_base", tick)


def _two_streams(*extra: str) -> tuple[str, ...]:
    return (*source(size="96x54"), *source(), "-map", "0", "-map", "1", *H264, *extra)


# the uneven clips show frame n at (40n + n²) / 1000 s, the GIF at (4n + n²) / 100 s
_MILLISECONDS = _uneven("1/1000", "40*N+N*N")

VIDEOS: dict[str, Recipe] = {
    "h264.mp4": Recipe((*source(), *H264, "-movflags", "+faststart")),
    "h264.mkv": Recipe((*source(), *H264)),
    "h264.ts": Recipe((*source(), *H264)),
    "h264.flv": Recipe((*source(), *H264)),
    "h264.h264": Recipe((*source(), *H264)),
    "hevc.mp4": Recipe((*source(), *H265)),
    "hevc.hevc": Recipe((*source(), *H265)),
    "hevc_10_bit.mp4": Recipe((*source(), *H265, "-pix_fmt", "yuv420p10le")),
    "vp8.webm": Recipe((*source(), *VP8)),
    "vp9.webm": Recipe((*source(), *VP9)),
    "vp9.ivf": Recipe((*source(), *VP9)),
    "vp9_hidden_frames.webm": Recipe((*source(), *VP9_HIDDEN)),
    "av1.mp4": Recipe((*source(), *AV1)),
    "av1.mkv": Recipe((*source(), *AV1)),
    "mpeg4.avi": Recipe((*source(), "-c:v", "mpeg4")),
    "mpeg4_b_frames.avi": Recipe((*source(), "-c:v", "mpeg4", "-bf", "2")),
    "mjpeg.avi": Recipe((*source(), "-c:v", "mjpeg", "-pix_fmt", "yuvj420p")),
    "mpeg4_b_frames.asf": Recipe((*source(), "-c:v", "mpeg4", "-bf", "2")),
    # only decoding times, in codecs that may have B-frames
    "h264.avi": Recipe((*source(), *H264)),
    "h264.asf": Recipe((*source(), *H264)),
    "h264_no_b_frames.avi": Recipe((*source(), *H264, "-bf", "0")),
    "h264_no_b_frames.asf": Recipe((*source(), *H264, "-bf", "0")),
    "h264_no_b_frames.wmv": Recipe((*source(), *H264, "-bf", "0")),
    "mpeg2.mpg": Recipe((*source(), "-c:v", "mpeg2video", "-bf", "2")),
    "h264.mpg": Recipe((*source(), *H264)),  # only some packets have a time
    "sorenson.flv": Recipe((*source(), "-c:v", "flv")),
    "wmv2.wmv": Recipe((*source(), "-c:v", "wmv2")),
    "theora.ogv": Recipe((*source(), "-c:v", "libtheora")),
    "prores.mov": Recipe((*source(), "-c:v", "prores_ks")),
    "raw.y4m": Recipe(source()),
    "live_vp9.webm": Recipe((*source(), *VP9, "-live", "1")),
    "fragmented.mp4": Recipe((*source(), *H264, *FRAGMENTED)),
    "interlaced.ts": Recipe((*source(size="160x96"), *H264, "-x264-params", "interlaced=1"), (160, 96)),
    "open_gop.ts": Recipe((*source(), *H264, "-x264-params", "open-gop=1")),
    "odd_size.mp4": Recipe((*source(), "-vf", "scale=321:181", *H264[:-1], "yuv444p"), (321, 181)),
    "portrait.mp4": Recipe((*source(size="90x160"), *H264), (90, 160)),
    "wide_pixels.mp4": Recipe((*source(), "-vf", "setsar=2", *H264)),
    "uneven.mp4": Recipe((*_MILLISECONDS, *H264), frames=20),
    "uneven.mkv": Recipe((*_MILLISECONDS, *H264), frames=20),
    "uneven.gif": Recipe(_uneven("1/100", "4*N+N*N"), frames=20),
    "rotated_90.mp4": Recipe(("-display_rotation", "90", "-i", "@h264.mp4", *COPY), (90, 160)),
    "rotated_180.mp4": Recipe(("-display_rotation", "180", "-i", "@h264.mp4", *COPY)),
    "rotated_270.mp4": Recipe(("-display_rotation", "270", "-i", "@h264.mp4", *COPY), (90, 160)),
    "rotated_90.mkv": Recipe(("-display_rotation", "90", "-i", "@h264.mp4", *COPY), (90, 160)),
    "long.mp4": Recipe((*source(4), *H264), frames=100),
    # from 1.5 s on: the packets from the key frame at 0.8 s stay in the file, an edit list hides them
    "cut.mp4": Recipe(("-ss", "1.5", "-i", "@long.mp4", *COPY), frames=62),
    "cut.mkv": Recipe(("-ss", "1.5", "-i", "@long.mp4", *COPY), frames=80),
    "late_start.mp4": Recipe(("-itsoffset", "0.7", "-i", "@h264.mp4", "-i", "@tone.m4a", *COPY_BOTH)),
    "longer_sound.mkv": Recipe(("-i", "@h264.mp4", "-i", "@tone.m4a", *COPY_BOTH)),
    "sound_first.mp4": Recipe(("-i", "@tone.m4a", "-i", "@h264.mp4", *COPY_BOTH), stream=1),
    "cover.mp4": Recipe(
        ("-i", "@h264.mp4", "-i", "@cover.jpg", *COPY_BOTH, "-disposition:v:1", "attached_pic")
    ),
    "cover.mkv": Recipe(
        ("-i", "@h264.mp4", *COPY, "-attach", "@cover.jpg", "-metadata:s:t", "mimetype=image/jpeg")
    ),
    "two_streams.mp4": Recipe(_two_streams(), (96, 54)),
    "two_streams.mkv": Recipe(_two_streams(), (96, 54)),
    "two_streams_second_default.mkv": Recipe(
        _two_streams("-disposition:v:0", "0", "-disposition:v:1", "default"), stream=1
    ),
    **{
        f"frames_{frames}.mp4": Recipe((*source(), "-frames:v", str(frames), *H264), frames=frames)
        for frames in range(1, 10)
    },
    "short.mp4": Recipe((*source(0.7), *H264), frames=18),
    # as a browser records: no duration, no index
    "live.webm": Recipe((*source(), *VP8, *LIVE)),
    "uneven_live.webm": Recipe((*_MILLISECONDS, *VP8, *LIVE), frames=20),
    "live_sound.mkv": Recipe(("-i", "@h264.mp4", "-i", "@tone.m4a", *COPY_BOTH, *LIVE)),
}
_GROUPS = ("-g", "10", "-keyint_min", "10")
_OPEN = ("-x264-params", "open-gop=1:keyint=10:min-keyint=10:scenecut=0:bframes=3:b-pyramid=normal")
_REFRESHED = ("-x264-params", "intra-refresh=1:keyint=10:bframes=0:ref=1")
_OPEN_265 = (*H265[:4], "-x265-params", f"{H265[-1]}:open-gop=1:keyint=10:min-keyint=10:scenecut=0:bframes=3")
_COPY_GROUPS = ("-i", "@open_groups.mp4", *COPY)

# every tenth frame is a key frame, or said to be one
GROUPS: dict[str, Recipe] = {
    "groups.mp4": Recipe((*source(4), *H264, *_GROUPS), frames=100),
    "groups.mkv": Recipe(("-i", "@groups.mp4", *COPY), frames=100),
    "groups.ts": Recipe(("-i", "@groups.mp4", *COPY), frames=100),
    "groups_fragmented.mp4": Recipe((*source(4), *H264, *_GROUPS, *FRAGMENTED), frames=100),
    "groups_vp9.webm": Recipe((*source(4), *VP9_HIDDEN, *_GROUPS), frames=100),
    "groups_av1.mkv": Recipe((*source(4), *AV1, "-g", "10"), frames=100),
    "groups_mpeg4.avi": Recipe((*source(4), "-c:v", "mpeg4", *_GROUPS), frames=100),
    "groups_mpeg2.mpg": Recipe((*source(4), "-c:v", "mpeg2video", "-bf", "2", *_GROUPS), frames=100),
    "groups_theora.ogv": Recipe((*source(4), "-c:v", "libtheora", *_GROUPS), frames=100),
    "groups_wmv2.wmv": Recipe((*source(4), "-c:v", "wmv2", *_GROUPS), frames=100),
    "groups_prores.mov": Recipe((*source(4), "-c:v", "prores_ks"), frames=100),
    "groups_interlaced.ts": Recipe(
        (*source(4, "160x96"), *H264, "-x264-params", "interlaced=1:keyint=10:open-gop=1"), (160, 96), 100
    ),
    "open_groups.mp4": Recipe((*source(4), *H264, *_OPEN), frames=100),
    "open_groups.mkv": Recipe(_COPY_GROUPS, frames=100),
    "open_groups.ts": Recipe((*source(4), *H264, *_OPEN), frames=100),
    "open_groups.flv": Recipe(_COPY_GROUPS, frames=100),
    "open_groups_rotated.mp4": Recipe(("-display_rotation", "90", *_COPY_GROUPS), (90, 160), 100),
    "open_groups_sound.mkv": Recipe((*_COPY_GROUPS[:2], "-i", "@tone.m4a", *COPY_BOTH), frames=100),
    "open_groups_late.mp4": Recipe(
        ("-itsoffset", "0.7", *_COPY_GROUPS[:2], "-i", "@tone.m4a", *COPY_BOTH), frames=100
    ),
    "open_groups_late.mkv": Recipe(
        ("-itsoffset", "0.7", *_COPY_GROUPS[:2], "-i", "@tone.m4a", *COPY_BOTH), frames=100
    ),
    "open_groups_wrapping.ts": Recipe(
        (*_COPY_GROUPS, "-output_ts_offset", "95441"), frames=100
    ),  # its clock restarts after 2.7 s
    "open_groups_cut.mp4": Recipe(("-ss", "1.5", "-i", "@longer_open_groups.mp4", *COPY), frames=112),
    "open_groups_265.mp4": Recipe((*source(4), *_OPEN_265), frames=100),
    "open_groups_265.ts": Recipe(("-i", "@open_groups_265.mp4", *COPY), frames=100),
    "groups_av1.obu": Recipe((*source(4), *AV1, "-g", "10"), frames=100),
    # its "key frames" are those where a refresh of the picture begins
    "refreshed.mp4": Recipe((*source(4), *H264[:2], "-pix_fmt", "yuv420p", *_REFRESHED), frames=100),
}
OTHERS: dict[str, Recipe] = {
    "cover.jpg": Recipe((*source(size="320x320"), "-frames:v", "1")),
    "picture.png": Recipe((*source(), "-frames:v", "1")),
    "tone.m4a": Recipe(("-f", "lavfi", "-i", "sine=duration=5")),
    "tone.mp3": Recipe(("-f", "lavfi", "-i", "sine=duration=1")),
    "tone_with_cover.m4a": Recipe(
        ("-i", "@tone.m4a", "-i", "@cover.jpg", *COPY_BOTH, "-disposition:v:0", "attached_pic")
    ),
    "index_last.mp4": Recipe((*source(), *H264)),
    "small.h264": Recipe((*source(size="96x54"), *H264), (96, 54)),
    "whole_chroma.h264": Recipe((*source(), *H264[:-1], "yuv444p")),
    "late_start.mkv": Recipe(("-itsoffset", "0.7", "-i", "@h264.mp4", "-i", "@tone.m4a", *COPY_BOTH)),
    "pause.ts": Recipe(
        (*source(), "-vf", "setpts='(N+2500*gte(N,25))/25/TB'", *PASSTHROUGH, *H264),
    ),
    "long.ts": Recipe(("-i", "@long.mp4", *COPY), frames=100),
    "nine_hours.mp4": Recipe(
        ("-f", "lavfi", "-i", "testsrc2=size=32x32:rate=1:duration=32400", "-c:v", "mpeg4", "-g", "60"),
        (32, 32),
        32400,
    ),
    "longer_open_groups.mp4": Recipe((*source(6), *H264, *_OPEN), frames=150),
    # a recording of a screen: 5 s at 30 per second, then a frame at 10, 20, … 60 s
    "screen.mp4": Recipe(
        (
            *source(6.24, "96x54"),
            *("-vf", "settb=1/90000,setpts='if(lt(N,150),N*3000,(N-149)*900000)'", *PASSTHROUGH),
            *("-enc_time_base", "1/90000", *H264),
        ),
        (96, 54),
        156,
    ),
    # 9 hours: the same minute over and over, 5 frames per second, a key frame every 2 s
    "minute.mp4": Recipe((*source(12), "-vf", "setpts=5*PTS", "-r", "5", *H264, "-g", "10"), frames=300),
    "hours.mp4": Recipe(("-stream_loop", "539", "-i", "@minute.mp4", *COPY), frames=162_000),
    "no_packets.mp4": Recipe((*source(), "-vf", "trim=end=0", *H264, "-movflags", "empty_moov"), frames=0),
    "no_packets.mkv": Recipe((*source(), "-vf", "trim=end=0", *H264), frames=0),
    "many_frames.mp4": Recipe((*NOISE, "-frames:v", "3300", *H264), (32, 32), 3300),
}
_SOUND = ("-f", "lavfi", "-i", "sine=duration=2")
_MIRRORED = (*source(3), "-vf", "hflip,negate")
_MPEG2 = ("-c:v", "mpeg2video", "-bf", "2", "-g", "12")
# parts that are joined: no two of their frames are alike
PARTS: dict[str, Recipe] = {
    "plain.ts": Recipe((*source(), *H264)),
    "fast.ts": Recipe(("-f", "lavfi", "-i", "testsrc2=size=160x90:rate=50:duration=1", *H264)),
    "plain_10_hours.ts": Recipe(("-i", "@plain.ts", *COPY, "-output_ts_offset", "36000")),
    "mirrored.ts": Recipe((*_MIRRORED, *H264), frames=75),
    "mirrored_2_hours.ts": Recipe(("-i", "@mirrored.ts", *COPY, "-output_ts_offset", "7200"), frames=75),
    "plain.m2ts": Recipe((*source(), *_SOUND, *H264, "-mpegts_m2ts_mode", "1")),
    "mirrored.m2ts": Recipe(
        (*source(3), *_SOUND, *_MIRRORED[-2:], *H264, "-mpegts_m2ts_mode", "1"), frames=75
    ),
    "plain.vob": Recipe((*source(), *_SOUND, *_MPEG2, "-f", "vob")),
    "mirrored.vob": Recipe((*source(3), *_SOUND, *_MIRRORED[-2:], *_MPEG2, "-f", "vob"), frames=75),
    "plain.ogv": Recipe((*source(), "-c:v", "libtheora")),
    "mirrored.ogv": Recipe((*_MIRRORED, "-c:v", "libtheora"), frames=75),
    "plain.mkv": Recipe((*source(), *H264)),
    "mirrored.mkv": Recipe((*_MIRRORED, *H264), frames=75),
}


def _beside_sound(video: str, *sound: str, late: float) -> Recipe:
    """A clip `late` seconds after the beginning of a sound, or before it where that is negative."""
    seconds = 2 + max(0, late)
    parts = ("-i", f"@{video}", *_offset(-late), "-f", "lavfi", "-i", f"sine=duration={seconds}")
    return Recipe((*_offset(late), *parts, "-map", "0:v", "-map", "1:a", "-c:v", "copy", *sound))


def _offset(seconds: float) -> tuple[str, ...]:
    return ("-itsoffset", str(seconds)) if seconds > 0 else ()


# clips whose picture begins some seconds after the sound, or before it
LATE: dict[str, Recipe] = {
    f"late_{late}.{suffix}": _beside_sound(video, *sound, late=late)
    for late in (-5, -1, 1, 5, 8)
    for suffix, video, sound in (
        ("mkv", "h264.mp4", ()),
        ("mp4", "h264.mp4", ()),
        ("ts", "h264.mp4", ()),
        ("webm", "vp8.webm", ("-c:a", "libopus")),
    )
}
RECIPES = VIDEOS | GROUPS | OTHERS | PARTS | LATE

# files that were joined end to end
JOINED: dict[str, tuple[str, ...]] = {
    "longer_last.ts": ("plain.ts", "mirrored.ts"),
    "longer_first.ts": ("mirrored.ts", "plain.ts"),
    "three.ts": ("plain.ts", "mirrored.ts", "plain.ts"),
    "later.ts": ("plain.ts", "mirrored_2_hours.ts"),
    "earlier.ts": ("plain_10_hours.ts", "mirrored.ts"),  # libav takes it for a clock that has wrapped
    "joined.m2ts": ("mirrored.m2ts", "plain.m2ts"),
    "joined.vob": ("mirrored.vob", "plain.vob"),
    "joined.ogv": ("plain.ogv", "mirrored.ogv"),
    "joined.mkv": ("plain.mkv", "mirrored.mkv"),
    "rates.ts": ("fast.ts", "plain.ts"),
}


def run_ffmpeg(*arguments: str | Path, check: bool = True) -> bytes:
    """What ffmpeg writes to its standard output; an error if it fails and `check`."""
    command = [FFMPEG, "-nostdin", "-loglevel", "error", "-y", *map(str, arguments)]
    return subprocess.run(command, check=check, capture_output=True).stdout


def decode_all(path: Path, recipe: Recipe, check: bool = True) -> Pixels:
    """Every frame by ffmpeg alone, without our code: (N, height, width, 3)."""
    output = ("-map", f"0:{recipe.stream}", *PASSTHROUGH, "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    raw = run_ffmpeg("-i", f"file:{path}", *output, check=check)
    width, height = recipe.size
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)


def decode_plan(info: VideoInfo, plan: FramePlan) -> tuple[list[Frame], list[str]]:
    """The planned frames and the warnings, by our code."""
    warnings: list[str] = []
    with FrameDecoder(info, plan, FFMPEG, warnings.append) as decoder:
        return list(decoder.frames()), warnings


def every_frame(info: VideoInfo) -> FramePlan:
    return FramePlan(np.arange(info.frames), float(info.rate))


def complete_prefixes(path: Path) -> list[tuple[int, int, int]]:
    """(n, start, size) of the packets, in bytes, before which exactly the first n frames are stored.

    B-frames are stored after a later frame, so that not every packet is one of these.
    """
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    pts = [packet.pts for packet in packets]
    return [
        (count, packet.pos, packet.size)
        for count, packet in enumerate(packets)
        if count and max(pts[:count]) < min(pts[count:])
    ]


def middle_prefix(path: Path) -> tuple[int, int, int]:
    """The one of `complete_prefixes` in the middle of the video."""
    prefixes = complete_prefixes(path)
    return prefixes[len(prefixes) // 2]
