"""Does this ffmpeg do its work? Tried out on a clip of ours rather than believed."""

from pathlib import Path

import numpy as np

from ..errors import SetupError, VideoError
from ..types import FramePlan
from .child import output
from .decode import FrameDecoder
from .ffmpeg import LISTING_BYTES, FFmpegProcess
from .isolated import probe

CLIP = Path(__file__).with_name("clip.mp4")  # moving bars in H.264 with B-frames, no sound, 2 KB
CLIP_FRAMES = 8
CLIP_SIZE = (256, 144)  # px; NVDEC refuses pictures that are much smaller
PATIENCE = 5.0  # seconds; the clip takes milliseconds, waking a GPU up takes up to two

# codecs that videos have, each with the decoders that need no special hardware
SOFTWARE_DECODERS = {
    "h264": ("h264", "libopenh264"),
    "hevc": ("hevc",),
    "vp8": ("vp8", "libvpx"),
    "vp9": ("vp9", "libvpx-vp9"),
    "av1": ("libdav1d", "libaom-av1", "libgav1"),  # the one called av1 is a frame for hardware
    "mpeg4": ("mpeg4",),
    "mpeg2": ("mpeg2video",),
    "prores": ("prores",),
    "theora": ("theora",),
    "wmv": ("wmv2", "wmv3"),
}


def missing_decoders(binary: str) -> list[str]:
    """Codecs of `SOFTWARE_DECODERS` that `binary` can't decode on a CPU.

    Raises:
        SetupError: it does not report it.
    """
    printed = output([binary, "-hide_banner", "-decoders"], PATIENCE, LISTING_BYTES)
    if printed is None:
        raise SetupError(
            f"'{binary}' does not list its decoders", "Leave `ffmpeg` out to use the bundled one."
        )
    # ` V....D libdav1d             dav1d AV1 decoder`
    rows = (line.split() for line in printed.decode("utf-8", "replace").splitlines())
    there = {row[1] for row in rows if len(row) > 1 and row[0].startswith("V")}
    return [codec for codec, names in SOFTWARE_DECODERS.items() if there.isdisjoint(names)]


def decode_clip(binary: str) -> int:
    """Decode the clip the way a video is decoded; the number of frames that came.

    Raises:
        SetupError: not all of them came.
    """
    complaints: list[str] = []
    info = probe(CLIP)
    plan = FramePlan(np.arange(info.frames), float(info.rate))
    try:
        with FrameDecoder(info, plan, binary, complaints.append, stall=PATIENCE) as decoder:
            shapes = [frame.pixels.shape for frame in decoder.frames()]
    except VideoError as error:
        complaints, shapes = [error.message], []
    width, height = CLIP_SIZE
    if shapes != [(height, width, 3)] * CLIP_FRAMES:
        reason = f": {complaints[0]}" if complaints else ""
        raise SetupError(
            f"'{binary}' decodes {len(shapes)} of {CLIP_FRAMES} frames of a good clip{reason}",
            "Install another ffmpeg, or set TEMPO_FFMPEG to one that works.",
        )
    return len(shapes)


def decode_clip_on_gpu(binary: str) -> str | None:
    """Decode the clip with NVDEC, with no way back to the CPU: None if it works, else the reason.

    Raises:
        SetupError: ffmpeg does not start.
    """
    process = FFmpegProcess(_nvdec_arguments(binary))
    try:
        width, height = CLIP_SIZE
        pictures = bytearray(CLIP_FRAMES * width * height * 3 // 2)  # nv12
        if process.read_into(memoryview(pictures), PATIENCE):
            return None
        process.wait(PATIENCE)
        if process.stalled:
            return f"no answer within {PATIENCE:.0f} s"
        return (process.complaints() or ["it ends without a message"])[0]
    finally:
        process.close()


def _nvdec_arguments(binary: str) -> list[str]:
    """`hwdownload` takes pictures from GPU memory only, so a decoder that fell back to the CPU fails here."""
    return [
        binary, "-nostdin", "-hide_banner", "-nostats", "-loglevel", "level+error",
        "-hwaccel", "cuda", "-hwaccel_output_format", "cuda", "-i", f"file:{CLIP}",
        "-vf", "hwdownload,format=nv12", "-f", "rawvideo", "pipe:1",
    ]  # fmt: skip
