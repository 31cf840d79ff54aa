"""Which formats are read, and what is said of the others."""

import struct
import subprocess
from pathlib import Path

import av
import numpy as np
import pytest

from tempo_cli.errors import VideoError
from tempo_cli.types import FramePlan
from tempo_cli.video.formats import CONTAINERS
from tempo_cli.video.probe import probe

from .clips import (
    FFMPEG,
    H264,
    ClipMaker,
    decode_plan,
    every_frame,
    run_ffmpeg,
    source,
)

MJPEG = ("-c:v", "mjpeg", "-pix_fmt", "yuvj420p")
CIRCLE = "format=rgba,geq=r='r(X,Y)':g='g(X,Y)':b='b(X,Y)':a='255*lt(hypot(X-80,Y-45),40)'"
PAL, CIF = source(0.4, "720x576"), source(0.4, "352x288")

# beside those of `clips.VIDEOS`: arguments, size
READ: dict[str, tuple[tuple[str, ...], tuple[int, int]]] = {
    "pictures.mjpeg": ((*source(0.4), *MJPEG), (160, 90)),
    "parts.mpjpeg": ((*source(0.4), *MJPEG, "-f", "mpjpeg"), (160, 90)),
    "loki.mjpg": ((*source(0.4), *MJPEG, "-f", "smjpeg"), (160, 90)),
    "animation.apng": ((*source(0.4), "-plays", "0"), (160, 90)),
    "animation.webp": ((*source(0.4), "-c:v", "libwebp_anim"), (160, 90)),
    "transparent.webp": ((*source(0.4), "-vf", CIRCLE, "-c:v", "libwebp_anim"), (160, 90)),
    "animation.avif": ((*source(0.4), "-c:v", "libsvtav1", "-preset", "11"), (160, 90)),
    "mpeg2.m2v": ((*source(0.4), "-c:v", "mpeg2video"), (160, 90)),
    "mpeg2_b_frames.m2v": ((*source(0.4), "-c:v", "mpeg2video", "-bf", "2"), (160, 90)),
    "mpeg4.m4v": ((*source(0.4), "-c:v", "mpeg4", "-f", "m4v"), (160, 90)),
    "tape.dv": ((*PAL, "-c:v", "dvvideo", "-pix_fmt", "yuv420p"), (720, 576)),
    "broadcast.gxf": ((*PAL, "-c:v", "mpeg2video", "-g", "1", "-b:v", "20M"), (720, 576)),
    "h264.mxf": ((*source(0.4), *H264), (160, 90)),
    "h264.nut": ((*source(0.4), *H264), (160, 90)),
    "recorded.wtv": ((*source(0.4), "-c:v", "mpeg2video", "-bf", "0"), (160, 90)),
    "dirac.ts": ((*source(0.4), "-c:v", "vc2", "-pix_fmt", "yuv420p"), (160, 90)),
    "conference.h261": ((*CIF, "-c:v", "h261"), (352, 288)),
    "conference.h263": ((*CIF, "-c:v", "h263"), (352, 288)),
    "flash.swf": ((*source(0.4), "-c:v", "flv1"), (160, 90)),
}


def assert_all_frames(path: Path, size: tuple[int, int], frames: int) -> None:
    """Every frame is ffmpeg's, and nothing is reported."""
    info = probe(path)
    forced = ("-f", info.format) if info.format else ()
    output = ("-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    raw = run_ffmpeg(*forced, "-i", path, "-map", f"0:{info.stream}", *output)
    truth = np.frombuffer(raw, np.uint8).reshape(-1, *size[::-1], 3)
    assert info.frames == len(truth) == frames
    decoded, warnings = decode_plan(info, every_frame(info))
    np.testing.assert_array_equal([frame.pixels for frame in decoded], truth)
    assert warnings == []


@pytest.mark.parametrize("name", READ)
def test_formats_that_hold_their_own_data_are_read(name: str, tmp_path: Path) -> None:
    arguments, size = READ[name]
    run_ffmpeg(*arguments, tmp_path / name)
    assert_all_frames(tmp_path / name, size, 10)


def dav(pictures: list[bytes], size: tuple[int, int]) -> bytes:
    """A recorder's file: H.264 at 25 frames per second, from 12:00:00 on."""
    found = []
    for number, picture in enumerate(pictures):
        key = number == 0
        extra = b"\x82\0\0\0" + struct.pack("<HH", *size) + b"\x81\0\x02\x19"
        length = 24 + len(extra) + len(picture) + 8
        date = 24 << 26 | 5 << 22 | 6 << 17 | 12 << 12 | number // 25
        head = struct.pack("<4sBBBBII", b"DHAV", 0xFD if key else 0xFC, 0, 0, 0, number, length)
        head += struct.pack("<IHBB", date, number * 40 % 65536, len(extra), 0)
        found.append(head + extra + picture + b"dhav" + struct.pack("<I", length))
    return b"".join(found)


def test_a_recorders_file_is_read(tmp_path: Path) -> None:
    run_ffmpeg(*source(0.4), *H264, "-bf", "0", tmp_path / "a.h264")
    with av.open(str(tmp_path / "a.h264")) as container:
        pictures = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    path = tmp_path / "camera.dav"
    path.write_bytes(dav(pictures, (160, 90)))
    assert_all_frames(path, (160, 90), 10)
    np.testing.assert_allclose(probe(path).times, np.arange(10) / 25, rtol=0, atol=1e-6)


# --- animated WebP ---


@pytest.fixture(scope="module")
def animation(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """20 frames at (40n + n²) / 1000 s, each in a chunk of its own."""
    path = tmp_path_factory.mktemp("webp") / "uneven.webp"
    uneven = ("-vf", "settb=1/1000,setpts='40*N+N*N'", "-fps_mode", "passthrough", "-enc_time_base", "1/1000")
    run_ffmpeg(*source(0.8), *uneven, "-c:v", "libwebp_anim", path)
    return path.read_bytes()


def chunks(data: bytes) -> list[int]:
    """Where each frame's chunk begins."""
    found, place = [], 12
    while place < len(data):
        if data[place : place + 4] == b"ANMF":
            found.append(place)
        size = int.from_bytes(data[place + 4 : place + 8], "little")
        place += 8 + size + size % 2
    return found


def test_an_animated_webp_has_the_times_of_its_frames(animation: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.webp"
    path.write_bytes(animation)
    info, steps = probe(path), np.arange(20)
    assert (info.codec, info.width, info.height) == ("webp", 160, 90)
    places = chunks(animation)
    lengths = [int.from_bytes(animation[place + 20 : place + 23], "little") for place in places]
    assert lengths[:19] == (41 + 2 * steps[:19]).tolist()
    np.testing.assert_allclose(info.times, np.cumsum([0, *lengths[:19]]) / 1000, rtol=0, atol=1e-9)
    assert info.duration == pytest.approx(sum(lengths) / 1000)
    frames, warnings = decode_plan(info, FramePlan(np.array([0, 7, 19]), 1.0))
    assert [frame.position for frame in frames] == [0, 1, 2]
    assert warnings == []


def test_a_frame_without_a_length_is_shown_for_a_tenth_of_a_second(animation: bytes, tmp_path: Path) -> None:
    data = bytearray(animation)
    for place in chunks(animation)[3:5]:
        data[place + 20 : place + 23] = b"\0\0\0"
    path = tmp_path / "a.webp"
    path.write_bytes(data)
    assert_all_frames(path, (160, 90), 20)
    assert np.diff(probe(path).times)[2:5].tolist() == pytest.approx([0.045, 0.1, 0.1])


@pytest.mark.parametrize("part", [0.0, 0.3, 0.9])
def test_an_animated_webp_that_was_cut_off_is_not_silent(
    part: float, animation: bytes, tmp_path: Path
) -> None:
    places = chunks(animation)
    path = tmp_path / "a.webp"
    path.write_bytes(animation[: places[10] + 24 + int((places[11] - places[10] - 24) * part)])
    info = probe(path)
    assert info.frames == 11
    frames, warnings = decode_plan(info, every_frame(info))
    assert 10 <= len(frames) <= 11
    assert len(warnings) == (len(frames) < 11)


@pytest.mark.parametrize("size", [0, 12, 20, 29, 30, 40, 60])
def test_a_webp_of_few_bytes_is_an_error(size: int, animation: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.webp"
    path.write_bytes(animation[:size])
    with pytest.raises(VideoError):
        probe(path)


# --- JPEG pictures ---


@pytest.fixture(scope="module")
def jpeg(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Five pictures."""
    folder = tmp_path_factory.mktemp("jpeg")
    run_ffmpeg(*source(0.2), *MJPEG, folder / "%d.jpg")
    return [(folder / f"{number}.jpg").read_bytes() for number in range(1, 6)]


def with_thumbnails(picture: bytes, thumbnails: list[bytes]) -> bytes:
    """As cameras write it: whole pictures within segments of the first."""
    segments = (b"\xff\xe1" + struct.pack(">H", 2 + len(small)) + small for small in thumbnails)
    return picture[:2] + b"".join(segments) + picture[2:]


@pytest.mark.parametrize("name", ["video.mjpeg", "video.mp4", "video", "video.jpg", "a.avi"])
def test_jpeg_pictures_in_a_row_are_a_video_under_any_name(
    name: str, jpeg: list[bytes], tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(b"".join(jpeg))
    info = probe(path)
    assert (info.frames, info.rate, info.format) == (5, 25, "mjpeg")
    frames, warnings = decode_plan(info, FramePlan(np.array([1, 4]), 25.0))
    assert [frame.position for frame in frames] == [0, 1]
    assert warnings == []


def test_pictures_that_are_padded_or_hold_thumbnails_are_a_video(jpeg: list[bytes], tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    path.write_bytes(b"\0\0\0".join(with_thumbnails(one, [jpeg[0]]) for one in jpeg))
    assert probe(path).frames == 5


@pytest.mark.parametrize(
    "kind", ["one", "thumbnails", "a second one behind it", "a film behind it", "cut off"]
)
def test_a_photo_is_no_video(kind: str, jpeg: list[bytes], clip: ClipMaker, tmp_path: Path) -> None:
    contents = {
        "one": jpeg[0],
        "thumbnails": with_thumbnails(jpeg[0], jpeg),
        "a second one behind it": jpeg[0] + jpeg[1],
        "a film behind it": jpeg[0] + clip("h264.mp4").read_bytes(),
        "cut off": jpeg[0][:-100],
    }
    path = tmp_path / "photo.jpg"
    path.write_bytes(contents[kind])
    with pytest.raises(VideoError, match="is a picture, not a video"):
        probe(path)


# --- what is refused ---

HLS = b"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\na.ts\n#EXT-X-ENDLIST\n"
SDP = b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=a\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
WRITTEN = {
    "list.m3u8": HLS,
    "list.txt": b"ffconcat version 1.0\nfile 'a.ts'\n",
    "list.mpd": b'<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">\n</MPD>\n',
    "camera.sdp": SDP,
    "titles.srt": b"1\n00:00:01,000 --> 00:00:02,000\nhi\n\n",
    "notes.txt": b"Dear diary, " * 500,
}
ENCODED = {
    "picture.png": (*source(0.04),),
    "picture.bmp": (*source(0.04),),
    "picture.tiff": (*source(0.04),),
    "picture.webp": (*source(0.04), "-c:v", "libwebp"),
    "raw.yuv": (*source(0.4), "-f", "rawvideo", "-pix_fmt", "yuv420p"),
    "tone.wav": ("-f", "lavfi", "-i", "sine=duration=1"),
    "tone.mp3": ("-f", "lavfi", "-i", "sine=duration=1"),
    "dirac.drc": (*source(0.4), "-c:v", "vc2", "-f", "dirac"),
}
PICTURE = ("is a picture, not a video", "Give a video file")
TEXT = ("is text, not a video", "Give a video file")
SOUND = ("has no video stream", "tempo looks at pictures only")
TOGETHER = "ffmpeg -i FILE -c copy video.mp4"
SAID = {
    "list.m3u8": ("is an HLS playlist; tempo opens only the file it is given", TOGETHER),
    "list.txt": ("is a list of files for ffmpeg; tempo opens only the file it is given", TOGETHER),
    "camera.sdp": ("is a description of a network stream; tempo opens only the file it is given", TOGETHER),
    "titles.srt": TEXT,
    "notes.txt": TEXT,
    "picture.png": PICTURE,
    "picture.bmp": PICTURE,
    "picture.tiff": PICTURE,
    "picture.webp": PICTURE,
    "raw.yuv": ("has no header with the size and format of its pictures (rawvideo)", "-video_size"),
    "tone.wav": SOUND,
    "tone.mp3": SOUND,
    "dirac.drc": ("is in a format that tempo does not read (dirac)", "ffmpeg -i FILE video.mp4"),
}


@pytest.mark.parametrize("name", SAID)
def test_what_is_not_read_is_named(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if name in WRITTEN:
        path.write_bytes(WRITTEN[name])
    else:
        run_ffmpeg(*ENCODED[name], path)
    for _ in range(2):  # libav logs the same line only once
        with pytest.raises(VideoError) as caught:
            probe(path)
        says, hint = SAID[name]
        assert caught.value.message.startswith(f"'{path}' {says}")
        assert hint in caught.value.hint


def test_nothing_is_printed_about_what_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "list.m3u8"
    path.write_bytes(HLS)
    with pytest.raises(VideoError):
        probe(path)
    assert av.logging.get_level() is None
    assert capfd.readouterr() == ("", "")


# --- the list ---

# they open other files, devices or the network, or read nothing without being told what it is
NEVER = {
    "concat", "dash", "hls", "image2", "image2pipe", "imf", "mlv", "rtp", "rtsp", "sap", "sdp", "vobsub",
    "webm_dash_manifest", "avisynth", "dvdvideo", "lavfi", "v4l2", "video4linux2", "x11grab", "fbdev",
    "kmsgrab", "rawvideo", "bitpacked", "v210", "v210x", "data",
}  # fmt: skip


def demuxers(binary: str) -> set[str]:
    done = subprocess.run([binary, "-hide_banner", "-demuxers"], capture_output=True, text=True, check=True)
    rows = [line.split() for line in done.stdout.splitlines()]
    return {name for row in rows if len(row) > 1 and row[0].startswith("D") for name in row[1].split(",")}


def test_the_list_has_no_format_that_opens_others() -> None:
    listed = CONTAINERS.split(",")
    assert len(listed) == len(set(listed))
    assert NEVER.isdisjoint(listed)
    assert not [name for name in listed if name.endswith("_pipe")]


def test_both_readers_know_the_formats_by_the_same_names() -> None:
    listed = set(CONTAINERS.split(","))
    assert listed <= demuxers(FFMPEG)
    # PyAV's libav has no animated WebP yet: `webp.py` reads it
    assert listed - {"webp_anim"} <= {name for one in av.formats_available for name in one.split(",")}
