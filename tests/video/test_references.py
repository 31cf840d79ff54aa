"""What a packet's own header says of it, where no clip of ours has such packets."""

import av
import pytest

from tempo_cli.plan.packets import CUT, DISPOSABLE
from tempo_cli.video.references import PacketKinds

MP4 = "mov,mp4,m4a,3gp,3g2,mj2"


def kinds(
    codec: str, *packets: bytes, reader: str = MP4, pts: list[int | None] | None = None
) -> list[int] | None:
    """Bits of the packets, all of which the container calls key frames."""
    collected = PacketKinds(reader, codec, None)
    for number, content in enumerate(packets):
        packet = av.Packet(content)
        packet.pts = number if pts is None else pts[number]
        collected.add(packet, random_access=True)
    found = collected.result()
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


def test_hevc_is_disposable_in_the_highest_temporal_layer_only() -> None:
    idr, cra, trail_n, trail_r = "2601", "2a01", "0001", "0201"
    assert kinds("hevc", units(idr), units(cra), units(trail_n), units(trail_r)) == [CUT, 0, DISPOSABLE, 0]
    assert kinds("hevc", units(idr), units(trail_n), units("0002")) == [CUT, 0, DISPOSABLE]
    assert kinds("hevc", units(idr), units("0009")) == [CUT, 0], "of another layer of a layered stream"


def test_mpeg2_fields_are_not_disposable() -> None:
    def picture(kind: int, structure: int) -> bytes:
        return (
            b"\0\0\1\0" + bytes([0, kind << 3, 0, 0]) + b"\0\0\1\xb5" + bytes([0x8F, 0xFF, 0xF0 | structure])
        )

    frame, top = 3, 1
    packets = [picture(1, frame), picture(2, frame), picture(3, frame), picture(3, top)]
    assert kinds("mpeg2video", *packets) == [CUT, 0, DISPOSABLE, 0]


def test_mpeg4_packets_of_two_pictures_are_needed() -> None:
    intra, predicted, both_ways = (b"\0\0\1\xb6" + bytes([kind << 6, 0]) for kind in (0, 1, 2))
    assert kinds("mpeg4", intra, both_ways, predicted + both_ways) == [CUT, DISPOSABLE, 0]


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
