"""What a packet's own header says of it, where no clip of ours has such packets."""

from types import SimpleNamespace
from typing import Any, cast

import av
import pytest

from tempo_cli.plan.packets import CUT, DISPOSABLE
from tempo_cli.video.parameter_sets import ParameterSets
from tempo_cli.video.references import PacketKinds

MP4 = "mov,mp4,m4a,3gp,3g2,mj2"


def kinds(
    codec: str, *packets: bytes, reader: str = MP4, pts: list[int | None] | None = None
) -> list[int] | None:
    """Bits of the packets, all of which the container calls key frames."""
    collected, sets = PacketKinds(reader, codec, None), ParameterSets(codec, None)
    for number, content in enumerate(packets):
        packet = av.Packet(content)
        packet.pts = number if pts is None else pts[number]
        collected.add(packet, random_access=True, brought=sets.look(packet))
    found = collected.result(sets.changing)
    return None if found is None else found[1].tolist()


def units(*heads: str) -> bytes:
    """Units that begin with these bytes, in hexadecimal, behind start codes."""
    return b"".join(b"\0\0\1" + bytes.fromhex(head) + b"\xaa\xaa" for head in heads)


def test_h264_is_disposable_only_if_no_field_is_referred_to() -> None:
    idr, referenced, other, layer = "65", "41", "01", "14"
    assert kinds("h264", units("67", "68", idr), units(referenced), units("09", other)) == [
        CUT,
        0,
        DISPOSABLE,
    ]
    assert kinds("h264", units(other, other), units(referenced, other), units(other, layer)) == [
        DISPOSABLE,
        0,
        0,
    ]
    assert kinds("h264", units("06")) == [0]


@pytest.mark.parametrize(
    ("codec", "idr", "sequence", "picture", "other", "unreferenced"),
    [("h264", "65", "67", "6801", "6802", "01"), ("hevc", "2601", "4201", "440101", "440102", "0001")],
)
def test_where_parameter_sets_change_a_cut_brings_its_own(
    codec: str, idr: str, sequence: str, picture: str, other: str, unreferenced: str
) -> None:
    first, same = units(sequence, picture, idr), units(picture, idr)
    assert kinds(codec, first, units(idr), same, units(idr)) == [CUT] * 4
    assert kinds(codec, first, units(idr), units(sequence, other, idr), units(idr)) == [CUT, 0, CUT, 0]
    assert kinds(codec, first, units(other, idr), units(idr)) == [CUT, 0, 0], "not all of them"
    several = units(sequence, picture, other, idr), first, units(sequence, picture, picture + "03", idr)
    assert kinds(codec, *several) == [CUT, 0, CUT], "not as many as before"
    late = kinds(codec, first, units(other, unreferenced), units(unreferenced), units(idr))
    assert late == [CUT, 0, DISPOSABLE, 0], "later pictures need them"


def test_where_the_container_changes_the_header_a_packet_brings_it() -> None:
    sets = ParameterSets("mpeg4", None)
    brought = [
        sets.look(
            cast(Any, SimpleNamespace(has_sidedata=lambda kind, here=here: here and kind == "new_extradata"))
        )
        for here in (False, True, False)
    ]
    assert brought == [(False, False), (True, True), (False, False)]
    assert sets.changing


def test_hevc_is_disposable_in_the_highest_temporal_layer_only() -> None:
    idr, cra, trail_n, trail_r = "2601", "2a01", "0001", "0201"
    assert kinds("hevc", units(idr), units(cra), units(trail_n), units(trail_r)) == [CUT, 0, DISPOSABLE, 0]
    assert kinds("hevc", units(idr), units(trail_n), units("0002")) == [CUT, 0, DISPOSABLE]
    assert kinds("hevc", units(idr), units("0009")) == [CUT, 0], "of another layer of a layered stream"


def test_mpeg2_fields_are_disposable_only_together() -> None:
    def picture(kind: int, structure: int) -> bytes:
        return (
            b"\0\0\1\0" + bytes([0, kind << 3, 0, 0]) + b"\0\0\1\xb5" + bytes([0x8F, 0xFF, 0xF0 | structure])
        )

    frame, upper, lower = 3, 1, 2
    packets = [picture(1, frame), picture(2, frame), picture(3, frame), picture(3, upper)]
    assert kinds("mpeg2video", *packets) == [CUT, 0, DISPOSABLE, 0]
    pairs = [(1, 2), (2, 2), (3, 3), (3, 2)]
    packets = [picture(first, lower) + picture(second, upper) for first, second in pairs]
    assert kinds("mpeg2video", *packets) == [CUT, 0, DISPOSABLE, 0]


def test_mpeg4_packets_of_two_pictures_are_needed() -> None:
    intra, predicted, both_ways = (b"\0\0\1\xb6" + bytes([kind << 6, 0]) for kind in (0, 1, 2))
    assert kinds("mpeg4", intra, both_ways, predicted + both_ways) == [CUT, DISPOSABLE, 0]


def test_vp9_is_disposable_where_the_next_picture_goes_on_from_nothing() -> None:
    key, alone, last, going_on = (bytes.fromhex(text) for text in ("82498342", "870000", "870100", "860000"))
    assert kinds("vp9", key, alone, last, alone, alone, key) == [
        CUT,
        DISPOSABLE,
        0,
        DISPOSABLE,
        DISPOSABLE,
        CUT,
    ]
    assert kinds("vp9", key, alone, alone) == [CUT, DISPOSABLE, DISPOSABLE]
    assert kinds("vp9", key, alone, going_on) == [CUT, 0, 0], "what it passes on is needed"
    hidden, superframe, existing = bytes.fromhex("850000"), alone + b"\xc0", bytes.fromhex("88")
    assert kinds("vp9", key, hidden, superframe, alone, existing) == [CUT, 0, 0, 0, 0]
    profile_3 = [bytes.fromhex(text) for text in ("b1498342", "b38000", "b38080")]
    assert kinds("vp9", *profile_3) == [CUT, DISPOSABLE, 0]


def test_av1_is_disposable_where_no_slot_is_refreshed() -> None:
    """Behind a sequence header of libaom's."""
    sequence = bytes.fromhex("0a0b000000043cfeccdaf90040")
    key, none = frame(0b0_00_1), frame(0b0_01_1, refreshed=0)
    one, hidden = frame(0b0_01_1, refreshed=1), frame(0b0_01_0, refreshed=0)
    assert kinds("av1", sequence + key, none, one, one + none, none + none) == [
        CUT,
        DISPOSABLE,
        0,
        0,
        DISPOSABLE,
    ]
    assert kinds("av1", key, none) == [0, 0], "without a sequence header nothing is known"
    assert kinds("av1", sequence + key, hidden, none[:3]) == [CUT, DISPOSABLE, 0]
    layered = bytes([none[0] | 4, 0x08]) + none[1:]
    assert kinds("av1", sequence + key, layered, frame(0b1_00_1)) == [CUT, 0, 0]


def frame(first: int, refreshed: int = 0) -> bytes:
    """A frame of AV1, as far as it is read.

    Args:
        first: 4 bits: show_existing_frame, frame_type, show_frame.
    """
    bits = f"{first:04b}"
    bits += "" if first & 1 else "1"  # showable_frame
    bits += "0" + "0"  # error_resilient_mode, disable_cdf_update
    bits += "0"  # allow_screen_content_tools
    bits += "0" + "0000101" + "000"  # frame_size_override_flag, order_hint, primary_ref_frame
    bits += f"{refreshed:08b}"
    payload = int(bits.ljust(40, "0"), 2).to_bytes(5, "big")
    return bytes([6 << 3 | 2, len(payload)]) + payload


@pytest.mark.parametrize(
    ("codec", "reader", "pts"),
    [
        ("mjpeg", MP4, [1, None]),
        ("mjpeg", MP4, [1, 1]),
        ("mjpeg", "avi", [1, 2]),
        ("mpeg4", "matroska,webm", [1, 2]),
        ("wmv2", MP4, [1, 2]),
    ],
)
def test_what_is_not_known_for_sure_is_decoded(codec: str, reader: str, pts: list[int | None]) -> None:
    assert kinds(codec, b"xx", b"yy", reader=reader, pts=pts) is None
    assert kinds("mjpeg", b"xx", b"yy") == [CUT, CUT]
