"""Are the frames that are decoded from fewer packets the frames of plain decoding?

Decodes random sets of frames of generated clips (many codecs, containers and structures) in both ways, and
compares a hash of every frame. Nothing is checked on the way, so that a packet that was left out wrongly
shows. A seeded part of this runs with the tests.

Run: python bench/frames.py [--runs 50] [--ffmpeg FILE] [--clips TEXT] [--seed 1]
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from common import Neighbours, parser, report

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.video.thinned import CLIPS, digests, drawn, make

from tempo_cli.errors import VideoError
from tempo_cli.video import thinning
from tempo_cli.video.ffmpeg import ffmpeg_version, find_ffmpeg
from tempo_cli.video.probe import probe
from tempo_cli.video.thinning import DecodingRecord


def compare(path: Path, binary: str, sets: int, seed: int) -> list[object]:
    """Codec, compared sets, wrong ones, fallbacks, and the part of the packets that was decoded."""
    info = probe(path)
    try:
        plain = dict(digests(info, np.arange(info.frames), binary, DecodingRecord(exact=False)))
    except VideoError:
        return [info.codec, 0, 0, 0, None]  # this ffmpeg can't decode it at all
    random, total = np.random.default_rng([seed, *path.name.encode()]), DecodingRecord()
    wrong = fallbacks = 0
    for _ in range(sets):
        wanted, record = drawn(random, info.frames), DecodingRecord(exact=True)
        found = dict(digests(info, wanted, binary, record))
        wrong += found != {index: plain[index] for index in wanted if index in plain}
        fallbacks += record.exact is False
        total.count(record.processes, record.packets, record.decoded)
    return [info.codec, sets, wrong, fallbacks, total.decoded / total.packets]


def main() -> None:
    """Compare and report; exit status 1 if a frame differs."""
    options_of = parser(__doc__, runs=50)
    options_of.add_argument("--ffmpeg", help="the one that decodes (default: the one that tempo takes)")
    options_of.add_argument("--clips", default="", help="those whose name holds this (default: all)")
    options_of.add_argument("--seed", type=int, default=1, help="of the random sets (default 1)")
    options = options_of.parse_args()
    binary, neighbours = find_ffmpeg(options.ffmpeg), Neighbours()
    # clips of a few seconds would be decoded plainly
    thinning._LEAST_PACKETS, thinning._LEAST_SHARE = 0, 2
    with tempfile.TemporaryDirectory() as folder:
        clips = {name: make(name, Path(folder)) for name in CLIPS if options.clips in name}
        rows = [[name, *compare(path, binary, options.runs, options.seed)] for name, path in clips.items()]
    header = ["clip", "codec", "sets", "wrong", "fallbacks", "decoded"]
    report(
        "frames",
        header,
        rows,
        options,
        neighbours,
        ffmpeg=".".join(map(str, ffmpeg_version(binary) or ())),
        clips=[dict(zip(header, row, strict=True)) for row in rows],
    )
    sys.exit(any(row[3] for row in rows))


if __name__ == "__main__":
    main()
