"""What the model sees is what a player shows: square pixels, and HDR as SDR; nothing else changes."""

import os
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from picture import apart, hdr_filters, off_by
from PIL import Image

from tempo_cli.config import FrameShape, SamplingOptions
from tempo_cli.plan.picture import HDR, shown_size, to_sdr
from tempo_cli.plan.sampling import plan_frames
from tempo_cli.types import Colors, Frame, Look, Pixels, VideoInfo
from tempo_cli.video import conversion, decode
from tempo_cli.video.decode import FrameDecoder
from tempo_cli.video.ffmpeg import FFmpegProcess, has_filters
from tempo_cli.video.opened import Video, open_video
from tempo_cli.video.probe import probe
from tempo_cli.video.resize import shrink

from ..conftest import GOLDEN
from .clips import FFMPEG, H264, H265, VP9, run_ffmpeg, source

Script = Callable[[str, str], str]
RAW = SamplingOptions(picture="raw")
MPEG2 = ("-c:v", "mpeg2video", "-q:v", "3")
EXAMPLES = Path(__file__).parents[2] / "examples"
LACKING = "the model sees other colors than a player shows"
TEN_BITS_264 = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "18")
TEN_BITS_265 = (*H265[:4], "-crf", "18", "-x265-params", "log-level=error:pools=1")


def frames_of(path: Path, picture: str = "auto", binary: str = FFMPEG) -> tuple[list[Frame], list[str]]:
    """Every frame, and the warnings."""
    info, warnings = probe(path), list[str]()
    plan = plan_frames(info.frames, float(info.rate), SamplingOptions(fps=float(info.rate)))
    with FrameDecoder(info, plan, binary, warnings.append, picture=picture) as decoder:
        return list(decoder.frames()), warnings


def pixels(frames: list[Frame]) -> Pixels:
    return np.stack([frame.pixels for frame in frames])


def seen(path: Path, sampling: SamplingOptions | None = None) -> tuple[Pixels, Video]:
    """The first segment, and the video, which is closed."""
    with open_video(path, sampling) as video:
        return next(video.read([0])).frames, video


def squeezed(tmp_path: Path, size: str, ratio: str, name: str, *arguments: str, before=()) -> Path:
    run_ffmpeg(*before, *source(0.4, size), "-vf", f"setsar={ratio}", *arguments, tmp_path / name)
    return tmp_path / name


def hdr(path: Path, transfer: str, original: Path, *encoder: str) -> Path:
    run_ffmpeg("-i", original, "-vf", hdr_filters(transfer), *encoder, path)
    return path


@pytest.fixture(scope="module")
def chase(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few frames of SDR."""
    path = tmp_path_factory.mktemp("sdr") / "chase.mp4"
    cut = ("-ss", "10", "-i", EXAMPLES / "chase.mp4", "-frames:v", "6")
    run_ffmpeg(*cut, "-c:v", "libx264", "-crf", "16", path)
    return path


# --- square pixels ---


@pytest.mark.parametrize(
    ("size", "aspect", "expected"),
    [
        ((576, 720), Fraction(64, 45), (576, 1024)),
        ((576, 720), Fraction(16, 15), (576, 768)),
        ((480, 720), Fraction(8, 9), (540, 720)),
        ((1080, 1440), Fraction(4, 3), (1080, 1920)),
        ((720, 576), Fraction(45, 64), (1024, 576)),
        ((90, 160), Fraction(4), (90, 640)),
        ((90, 160), Fraction(1, 4), (360, 160)),
        ((90, 160), Fraction(401, 100), (90, 160)),
        ((90, 160), Fraction(1, 10_000), (90, 160)),
        ((90, 160), Fraction(0), (90, 160)),
        ((91, 161), Fraction(1), (91, 161)),
    ],
)
def test_the_narrower_edge_of_a_pixel_is_stretched_unless_its_shape_is_absurd(size, aspect, expected):
    assert shown_size(size, aspect) == expected


@pytest.mark.parametrize(
    ("size", "ratio", "name", "encoder", "shown", "stored_ratio"),
    [
        ("720x576", "64/45", "pal.mpg", MPEG2, (16, 9), "64:45"),
        ("720x576", "16/15", "pal.ts", MPEG2, (4, 3), "16:15"),
        ("720x480", "8/9", "ntsc.mkv", H264, (4, 3), "8:9"),
        ("1440x1080", "4/3", "hdv.mp4", H264, (16, 9), "4:3"),
        ("576x720", "45/64", "portrait.mp4", H264, (9, 16), "45:64"),
    ],
)
def test_a_squeezed_video_has_the_shape_that_a_player_shows(
    size, ratio, name, encoder, shown, stored_ratio, tmp_path
):
    path = squeezed(tmp_path, size, ratio, name, *encoder)
    with open_video(path) as video:
        assert video.shown[1] / video.shown[0] == pytest.approx(
            shown[0] / shown[1], rel=0.002
        )  # known by now
    frames, video = seen(path)
    assert off_by(frames.shape[2:0:-1], shown) <= 64
    assert video.shown[1] / video.shown[0] == pytest.approx(shown[0] / shown[1], rel=0.002)
    assert probe(path).sample_aspect_ratio == Fraction(stored_ratio.replace(":", "/"))
    assert video.warnings == []


def test_a_squeezed_video_looks_like_the_one_that_it_was_made_from(tmp_path):
    run_ffmpeg(*source(0.2, "1024x576"), *H264, tmp_path / "square.mp4")
    squeeze = ("-vf", "scale=720:576:flags=bicubic,setsar=64/45")
    run_ffmpeg("-i", tmp_path / "square.mp4", *squeeze, *H264, tmp_path / "squeezed.mp4")
    (square, _), (squeezed_, _) = seen(tmp_path / "square.mp4"), seen(tmp_path / "squeezed.mp4")
    assert square.shape == squeezed_.shape
    assert np.abs(square.astype(int) - squeezed_).mean() < 4


@pytest.mark.parametrize("degrees", ["90", "180", "270"])
def test_rotation_turns_the_pixels_as_well(degrees, tmp_path):
    upright = squeezed(tmp_path, "720x576", "64/45", "upright.mp4", *H264)
    turned = tmp_path / "turned.mp4"
    run_ffmpeg("-display_rotation", degrees, "-i", upright, "-c", "copy", turned)
    frames, video = seen(turned)
    assert video.shown == ((576, 1024) if degrees == "180" else (1024, 576))
    assert frames.shape[1:3] == ((256, 512) if degrees == "180" else (512, 256))
    assert video.findings.sample_aspect_ratio == Fraction(64, 45)


@pytest.mark.parametrize("ratio", ["1/5", "5/1"])
def test_an_absurd_ratio_is_ignored(ratio, tmp_path):
    path = squeezed(tmp_path, "160x96", ratio, "absurd.mp4", *H264)
    (auto, video), (raw, same) = seen(path), seen(path, RAW)
    assert (auto == raw).all()
    assert video.shown == same.shown == (96, 160)
    assert video.warnings == same.warnings == []


def test_a_small_picture_is_resized_once_and_never_grows_beyond_the_last_size():
    """A picture that is shown within the longest edge takes its shape in the step that changes its size."""
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    assert shrink(noise, FrameShape(), (256, 512)).shape == (256, 512, 3)
    assert (shrink(noise, FrameShape(), (256, 256)) == noise).all()
    once = np.asarray(Image.fromarray(noise).resize((384, 320), Image.Resampling.BICUBIC))
    assert (shrink(noise, FrameShape(), (300, 400)) == once).all()
    huge = shown_size((16, 4096), Fraction(4))
    assert shrink(np.zeros((16, 4096, 3), np.uint8), FrameShape(), huge).shape == (64, 512, 3)


def test_frames_of_one_segment_have_one_size(monkeypatch):
    """Where the ratio changes, the next segment has the new shape."""

    def changing(_: FrameDecoder):
        for position in range(12):
            aspect = Fraction(1) if position < 4 else Fraction(2)
            look = Look(256, 256, aspect, Colors())
            yield Frame(position, np.full((256, 256, 3), position, np.uint8), look)

    monkeypatch.setattr(FrameDecoder, "frames", changing)
    with open_video(GOLDEN / "videos/fractal.mp4", SamplingOptions(fps=1.2, window=6)) as video:
        sizes = [segment.frames.shape[:3] for segment in video.read([0, 1])]
    assert sizes == [(6, 256, 256), (6, 256, 512)]


# --- what stays as it is ---


@pytest.mark.parametrize("path", sorted((GOLDEN / "videos").iterdir()), ids=lambda path: path.name)
def test_sdr_with_square_pixels_is_the_same_bit_for_bit(path):
    auto, raw = (seen(path, SamplingOptions(picture=picture))[0] for picture in ("auto", "raw"))
    assert (auto == raw).all()


@pytest.mark.parametrize("picture", ["auto", "raw"])
@pytest.mark.parametrize(
    "colors",
    [
        "bt709:color_primaries=bt709:color_trc=bt709",
        "bt2020nc:color_primaries=bt2020:color_trc=bt2020-10",
        "bt470bg:color_primaries=bt470bg:color_trc=bt470bg",
    ],
)
def test_sdr_gets_no_filter_of_ours(picture, colors, tmp_path, monkeypatch):
    """Wide primaries with an ordinary transfer included, in 10 bits."""
    graphs = []
    original = decode.FFmpegProcess
    monkeypatch.setattr(
        decode,
        "FFmpegProcess",
        lambda words, memory: graphs.append(words[words.index("-vf") + 1]) or original(words, memory),
    )
    path = tmp_path / "clip.mkv"
    run_ffmpeg(*source(0.2), "-vf", f"setparams=colorspace={colors}", *H265, "-pix_fmt", "yuv420p10le", path)
    frames, warnings = frames_of(path, picture)
    assert (len(frames), warnings) == (5, [])
    assert [re.fullmatch(r"select='[^']+',showinfo=checksum=0", graph) is not None for graph in graphs] == [
        True
    ]


def test_raw_is_what_is_stored_and_says_so_once(tmp_path, chase):
    wide = squeezed(tmp_path, "160x96", "2/1", "wide.mp4", *H264)
    frames, video = seen(wide, RAW)
    plain = run_ffmpeg("-i", wide, "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    first = np.frombuffer(plain, np.uint8).reshape(-1, 96, 160, 3)[0]
    assert (frames[0] == shrink(first, FrameShape())).all()
    assert video.shown == (96, 160)
    assert video.warnings == [
        "with `picture='raw'` the model sees another shape (pixels are 2:1) than a player shows"
    ]
    path = hdr(tmp_path / "hdr.mkv", "smpte2084", chase, *TEN_BITS_265)
    assert seen(path, RAW)[1].warnings == [
        "with `picture='raw'` the model sees other colors (HDR: smpte2084) than a player shows"
    ]


# --- HDR ---


@pytest.mark.parametrize(
    ("transfer", "encoder", "name"),
    [
        ("smpte2084", TEN_BITS_265, "pq.mp4"),
        ("arib-std-b67", TEN_BITS_265, "hlg.mkv"),
        ("smpte2084", TEN_BITS_264, "pq.mkv"),
        ("arib-std-b67", (*VP9, "-crf", "18", "-b:v", "0"), "hlg.webm"),
    ],
)
@pytest.mark.parametrize("content", ["chase", "bars"])
def test_hdr_is_seen_like_the_sdr_that_it_was_made_from(transfer, encoder, name, content, chase, tmp_path):
    original = chase
    if content == "bars":
        original = tmp_path / "bars.mp4"
        bars = ("-f", "lavfi", "-i", "smptehdbars=size=320x180:rate=10:duration=0.4")
        run_ffmpeg(*bars, *H264, "-crf", "16", original)
    path = hdr(tmp_path / name, transfer, original, *encoder)
    true = pixels(frames_of(original, "raw")[0])
    frames, warnings = frames_of(path)
    error, saturation = apart(pixels(frames), true)
    limit = 2 if content == "chase" else 8  # saturated edges lose more where they are stored with less color
    assert (error < limit, abs(saturation - 1) < 0.06, warnings) == (True, True, [])
    raw, kept = apart(pixels(frames_of(path, "raw")[0]), true)
    assert raw > 2 * error
    assert kept < 0.7
    assert seen(path)[1].findings.color_transfer == transfer


def test_highlights_end_in_white_and_white_stays_white(tmp_path):
    """1.0, 2 and 4.9 times the reference white; gray stays gray."""
    light = "if(lt(X,32),1,if(lt(X,64),2,4.9))"
    gray = f"nullsrc=size=96x64:rate=10:duration=0.3,format=gbrpf32le,geq=r='{light}':g='{light}':b='{light}'"
    tagged = hdr_filters("smpte2084").split("format=gbrpf32le,")[1]
    linear = "setparams=colorspace=gbr:color_primaries=bt709:color_trc=linear:range=pc"
    path = tmp_path / "bright.mkv"
    run_ffmpeg("-f", "lavfi", "-i", gray, "-vf", f"{linear},{tagged}", *TEN_BITS_265, path)
    levels = frames_of(path)[0][0].pixels[32, [16, 48, 80]].astype(int)
    assert np.abs(levels - [[252], [254], [255]]).max() <= 1


def test_what_is_not_told_is_taken_for_what_hdr_usually_has(chase, tmp_path):
    full = hdr(tmp_path / "full.mkv", "smpte2084", chase, *TEN_BITS_265)
    told = pixels(frames_of(full)[0])
    untold = tmp_path / "untold.mkv"
    filters = hdr_filters("smpte2084") + ",setparams=colorspace=unknown:color_primaries=unknown"
    run_ffmpeg("-i", chase, "-vf", filters, *TEN_BITS_265, untold)
    assert probe(untold).colors == Colors("smpte2084", frozenset({"matrix", "primaries"}))
    frames, warnings = frames_of(untold)
    assert warnings == []
    assert apart(pixels(frames), told)[0] < 1


@pytest.mark.parametrize("believed", [Colors(), Colors("smpte2084"), Colors("arib-std-b67")])
def test_a_frame_knows_its_colors_better_than_the_header(believed, chase, tmp_path):
    path = hdr(tmp_path / "hlg.mkv", "arib-std-b67", chase, *TEN_BITS_265)
    right = pixels(frames_of(path)[0])
    probed = probe(path)
    info = VideoInfo(**{**vars(probed), "colors": believed})
    plan = plan_frames(info.frames, float(info.rate), SamplingOptions(fps=float(info.rate)))
    with FrameDecoder(info, plan, FFMPEG, pytest.fail) as decoder:
        assert (pixels(list(decoder.frames())) == right).all()


def test_a_change_to_sdr_within_a_video_is_followed(chase, tmp_path):
    """The second part is seen as it would be alone; every frame comes once."""
    in_order = (*TEN_BITS_265[:-1], f"{TEN_BITS_265[-1]}:bframes=0")
    first = hdr(tmp_path / "first.ts", "smpte2084", chase, *in_order)
    second = tmp_path / "second.ts"
    plain = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv,format=yuv420p10le"
    shifted = ("-output_ts_offset", str(probe(first).duration))
    run_ffmpeg("-i", chase, "-vf", f"format=gbrp,{plain}", *in_order, *shifted, second)
    both = tmp_path / "both.ts"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    frames, warnings = frames_of(both)
    assert warnings == []
    assert [frame.position for frame in frames] == list(range(len(frames)))
    parts = [*frames_of(first)[0], *frames_of(second, "raw")[0]]
    assert len(frames) == len(parts)
    assert all((one.pixels == other.pixels).all() for one, other in zip(frames, parts, strict=True))


def test_a_large_picture_is_converted_small_and_keeps_its_size(tmp_path):
    tagged = (
        "format=yuv420p10le,setparams=colorspace=bt2020nc:color_primaries=bt2020:color_trc=smpte2084:range=tv"
    )
    path = tmp_path / "large.mkv"
    run_ffmpeg(*source(0.04, "2560x1440"), "-vf", tagged, *H265, path)
    frames, _ = frames_of(path)
    assert frames[0].pixels.shape == (1152, 2048, 3)
    assert seen(path)[1].shown == (1440, 2560)


def test_an_ffmpeg_without_the_filters_shows_what_is_stored_and_says_so(chase, tmp_path, monkeypatch):
    path = hdr(tmp_path / "hdr.mkv", "arib-std-b67", chase, *TEN_BITS_265)
    stored = seen(path, RAW)[0]
    monkeypatch.setattr(conversion, "has_filters", lambda *_: False)
    frames, video = seen(path)
    assert (frames == stored).all()
    assert video.warnings == [f"this ffmpeg has no zscale and tonemap to convert HDR: {LACKING}"]


def test_filters_that_fail_are_done_without(chase, tmp_path, monkeypatch):
    path = hdr(tmp_path / "hdr.mkv", "smpte2084", chase, *TEN_BITS_265)
    raw = pixels(frames_of(path, "raw")[0])
    monkeypatch.setattr(conversion, "to_sdr", lambda _: "scale=w=nonsense")
    frames, warnings = frames_of(path)
    assert (pixels(frames) == raw).all()
    assert warnings == [f"this ffmpeg can't convert these HDR colors: {LACKING}"]


def test_dolby_vision_that_has_no_other_colors_is_left_as_it_is(tmp_path):
    path = tmp_path / "dolby.mp4"
    run_ffmpeg(*source(0.4), *H265, "-pix_fmt", "yuv420p10le", "-tag:v", "dvh1", "-strict", "-2", path)
    assert probe(path).colors.dolby
    frames, video = seen(path)
    assert (frames == seen(path, RAW)[0]).all()
    assert video.warnings == [f"Dolby Vision's own colors can't be converted: {LACKING}"]


def test_a_video_that_changes_all_the_time_is_not_followed_for_ever():
    said: list[str] = []
    converting = conversion.Conversion(Colors(), FFMPEG, True, said.append)
    for number in range(40):
        colors = Colors("smpte2084" if number % 2 == 0 else "bt709")
        converting.begin()
        if converting.suits(Look(90, 160, Fraction(1), colors)):
            break
    assert (number, len(said)) == (16, 1)


def test_only_hdr_is_converted():
    transfers = [None, "bt709", "bt2020-10", "linear", "smpte428", "iec61966-2-1", *sorted(HDR)]
    assert [bool(to_sdr(Colors(transfer))) for transfer in transfers] == [False] * 6 + [True] * 2
    assert "matrixin=bt2020nc" in to_sdr(Colors("smpte2084", frozenset({"matrix"})))


def test_the_filters_are_these():
    """Those that were measured (docs/decisions/picture.md)."""
    assert to_sdr(Colors("arib-std-b67")) == (
        "zscale=w='iw*min(1,2048/max(iw,ih))':h='ih*min(1,2048/max(iw,ih))':f=bicubic:t=linear:p=bt709:"
        "npl=203,format=gbrpf32le,tonemap=mobius:param=0.95:peak=4.926:desat=0,zscale=t=bt709:m=gbr:r=pc,format=gbrp"
    )


def test_whether_an_ffmpeg_has_a_filter(script: Script):
    assert has_filters(FFMPEG, "zscale", "tonemap")
    assert not has_filters(FFMPEG, "zscale", "nonsense")
    assert not has_filters(script("mute", "exit 1"), "zscale")
    assert not has_filters(os.devnull, "zscale")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            [
                "n:   0 pts:      0 pts_time:0 fmt:yuv420p10le cl:left sar:64/45 s:720x576 i:P iskey:1 ",
                "color_range:tv color_space:bt2020nc color_primaries:bt2020 color_trc:smpte2084",
            ],
            Look(576, 720, Fraction(64, 45), Colors("smpte2084")),
        ),
        (
            [
                "n:   0 pts:      0 pts_time:0 fmt:yuv420p10le cl:left sar:0/1 s:720x576 i:P iskey:1 ",
                "  side data - Dolby Vision Metadata:",
                "color_range:pc color_space:unknown color_primaries:unknown color_trc:unknown",
            ],
            Look(576, 720, Fraction(1), Colors(None, frozenset({"matrix", "primaries"}), dolby=True)),
        ),
        (
            [
                "n:   0 pts:  NOPTS pts_time:NOPTS pos: 5 fmt:yuv420p sar:1/1 s:2x4 i:P iskey:1 ",
                "  side data - Dolby Vision Metadata:",
                "color_range:tv color_space:bt2020nc color_primaries:bt2020 color_trc:arib-std-b67",
            ],
            Look(4, 2, Fraction(1), Colors("arib-std-b67")),
        ),
        (["n:   0 pts:      0 pts_time:0 fmt:yuv420p sar:1/1 s:2x4 i:P "], Look(4, 2, Fraction(1), Colors())),
    ],
)
def test_a_frame_says_how_it_is_shown(lines, expected, script: Script):
    body = "\n".join(f"echo '[Parsed_showinfo_1 @ 0x5f] [info] {line}' >&2" for line in lines)
    plain = [
        "n:   1 pts:      1 pts_time:0 fmt:yuv420p cl:left sar:1/1 s:2x4 i:P iskey:1 ",
        "color_range:unknown color_space:unknown color_primaries:unknown color_trc:unknown",
    ]
    body += "\n" + "\n".join(f"echo '[Parsed_showinfo_1 @ 0x5f] [info] {line}' >&2" for line in plain)
    process = FFmpegProcess([script("ffmpeg", body)])
    looks = [stamp and stamp.look for stamp in (process.read_stamp(20) for _ in range(3))]
    nothing = Colors(None, frozenset({"matrix", "primaries", "range"}))
    assert looks == [expected, Look(4, 2, Fraction(1), nothing), None]
    process.close()
