"""Frames that are stored as two pictures, one for each field: they count as one, wherever the fields are."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import pytest

from tempo_cli.plan.packets import DISPOSABLE
from tempo_cli.video import thinning
from tempo_cli.video.fields import Fields
from tempo_cli.video.probe import probe
from tempo_cli.video.thinning import DecodingRecord

from .clips import FFMPEG, PASSTHROUGH, run_ffmpeg
from .fields import Bits, yuv420p
from .thinned import PAIRED, digests, make

PLANAR = (*PASSTHROUGH, "-f", "rawvideo", "-pix_fmt", "yuv420p", "-")
SEEKING = ("mpeg2_pairs.ts", "mpeg2_pairs_apart.mkv", "h264_pairs.ts", "h264_pairs_apart.mp4")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("fields")
    return lambda name: make(name, folder)


@pytest.mark.parametrize("name", PAIRED)
def test_ffmpeg_decodes_what_was_meant(name: str, clip: Callable[[str], Path]) -> None:
    assert run_ffmpeg("-i", clip(name), *PLANAR) == yuv420p(PAIRED[name].coded())


@pytest.mark.parametrize("name", PAIRED)
def test_two_fields_are_one_frame(name: str, clip: Callable[[str], Path]) -> None:
    info = probe(clip(name))
    assert info.frames == PAIRED[name].frames
    assert info.times[-1] - info.times[0] == pytest.approx((info.frames - 1) / 25, rel=0.03)
    apart = PAIRED[name].apart and not name.endswith(".ts")
    assert info.packet_kinds is None or not apart, "no packet may go without the other one of its frame"


@pytest.mark.parametrize("name", SEEKING)
def test_frames_after_a_seek(name: str, clip: Callable[[str], Path]) -> None:
    info, record = probe(clip(name)), DecodingRecord(exact=False)
    for wanted in ([61], [50, 55, 77]):
        plain = dict(digests(info, wanted, FFMPEG, DecodingRecord(exact=False, seekable=False)))
        assert list(plain) == wanted
        assert dict(digests(info, wanted, FFMPEG, record)) == plain
    assert record.seekable is True
    assert record.packets < 2 * 77, "nothing was skipped"


def test_a_field_that_is_missing_shows(clip: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A P-pair that is called disposable: the frames that come differ, and all is decoded."""
    monkeypatch.setattr(thinning, "_LEAST_PACKETS", 0)
    monkeypatch.setattr(thinning, "_LEAST_PARTS", 0)
    info, wanted = probe(clip("mpeg2_pairs_closed.mkv")), [8, 18, 77]
    assert info.packet_kinds is not None
    kinds = info.packet_kinds.copy()
    kinds[1::10] |= DISPOSABLE  # the first P of each group
    plain = dict(digests(info, wanted, FFMPEG, DecodingRecord(exact=False)))
    wrong = replace(info, packet_kinds=kinds)
    assert dict(digests(wrong, wanted, FFMPEG, DecodingRecord(exact=True))) != plain
    record = DecodingRecord()
    assert dict(digests(wrong, wanted, FFMPEG, record)) == plain
    assert record.exact is False


@pytest.mark.parametrize("name", ["mpeg2_pairs.mkv", "h264_pairs.mkv"])
def test_only_the_other_field_of_the_same_frame_is_a_second_one(name: str) -> None:
    told = PAIRED[name]
    (first, second), (other, _) = (one.fields for one in told.coded()[:2])

    def second_ones(*packets: bytes) -> list[bool]:
        seconds = Fields(told.codec, None)
        return [seconds.is_second(av.Packet(packet)) for packet in packets]

    assert second_ones(first, second, other) == [False, True, False]
    assert second_ones(first, first, second) == [False, False, True], "one field was lost"
    assert second_ones(first, second, second) == [False, True, False], "a frame has two"
    assert second_ones(first, first + second, second) == [False, False, False], "both are in one packet"
    assert second_ones(first, b"\0\0\1", second) == [False, False, False], "there is something between"


def test_h264_is_paired_by_frame_number_and_by_whether_others_refer_to_it() -> None:
    coded = PAIRED["h264_pairs.mkv"].coded()
    (first, _), (_, spare), (_, referred) = (one.fields for one in coded[:3])
    for stranger in (spare, referred):
        seconds = Fields("h264", None)
        assert [seconds.is_second(av.Packet(packet)) for packet in (first, stranger)] == [False, False]


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("planes", [0, 1])
def test_what_parameter_sets_may_tell_before_it(order: int, planes: int) -> None:
    """A high profile with whole chroma and scaling lists, and all kinds of picture order."""
    sequence = (
        Bits().put((244, 8), (0, 8), (30, 8)).golomb(0, 3).put((planes, 1)).golomb(0, 0).put((0, 1), (1, 1))
    )
    sequence.put((1, 1)).golomb(*[1] * 16).put((0, 5))  # a list of 16, and five that are not there
    sequence.put((1, 1)).golomb(2, 14).put((0, 5))  # one that ends after two of 64
    sequence.golomb(1, order)  # frame numbers of five bits
    if order == 0:
        sequence.golomb(2)
    elif order == 1:
        sequence.put((0, 1)).golomb(4, 3, 2, 6, 5)
    sequence.golomb(2).put((0, 1)).golomb(3, 1).put((0, 1), (0, 6))
    sets = b"\0\0\1\x67" + sequence.data() + b"\0\0\1\x68" + Bits().golomb(0, 0).put((1, 1)).data()

    def field(number: int, lower: int) -> bytes:
        header = Bits().golomb(0, 7, 0).put((0, 2 * planes)) if planes else Bits().golomb(0, 7, 0)
        return b"\0\0\1\x61" + header.put((number, 5), (1, 1), (lower, 1), (0, 30)).data()

    seconds = Fields("h264", None)
    packets = [sets + field(30, 0), field(30, 1), field(31, 0), field(30, 1), field(30, 0)]
    assert [seconds.is_second(av.Packet(packet)) for packet in packets] == [False, True, False, False, True]
