"""The process that reads videos: its answers, its limits, and what becomes of one that breaks."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, fields, replace
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tempo_cli.errors import SetupError, UsageError, VideoError
from tempo_cli.types import Colors, VideoInfo
from tempo_cli.video import isolated, probe, wire
from tempo_cli.video.limits import MOST_FRAMES, read_limits

from .clips import ClipMaker
from .test_child import ends

INFO = VideoInfo(
    path=Path("a.mp4"),
    stream=1,
    codec="hevc",
    width=640,
    height=480,
    rate=Fraction(30000, 1001),
    times=np.array([0.0, 0.1, 0.1 + 0.2]),
    duration=1 / 3,
    size=1 << 40,
    mtime=1234567890.1234567,
    pts=np.array([-5, 7], np.int64),
    keyframes=((0, 0.1), (2, 1e6 / 3)),
    sample_aspect_ratio=Fraction(64, 45),
    colors=Colors("smpte2084", frozenset({"matrix", "range"}), True),
    format="mjpeg",
    without_index=True,
    restarting=np.array([90_000, 93_003, 90_000], np.int64),
    restarts=(0.1 + 0.2, 1e6 / 3),
    packet_pts=np.array([-5, 9, 7], np.int64),
    packet_kinds=np.array([3, 0, 255], np.uint8),
    needs_beginning=True,
    ctime=1_234_567_890_123_456_789,
)


def plain(info: VideoInfo) -> dict[str, object]:
    """All fields, arrays as lists."""
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in asdict(info).items()
    }


def unpacked(answer: bytes) -> VideoInfo | tuple[str, str, str]:
    return wire.unpack(BytesIO(answer).read, Path("a.mp4"))


# --- answers ---


def test_every_fact_comes_through_unchanged() -> None:
    missing = {field.name for field in fields(VideoInfo)} - {
        name for name, value in plain(INFO).items() if value != getattr(VideoInfo, name, None)
    }
    assert missing == set(), "give the new field a value above that is not its default"
    told = unpacked(wire.pack_info(INFO))
    assert isinstance(told, VideoInfo)
    assert plain(told) == plain(INFO)
    bare = replace(
        INFO,
        pts=None,
        restarting=None,
        packet_pts=None,
        packet_kinds=None,
        keyframes=(),
        ctime=None,
        colors=Colors(),
        rate=Fraction(10**30 + 1, 10**29),
    )
    told = unpacked(wire.pack_info(bare))
    assert isinstance(told, VideoInfo)
    assert plain(told) == plain(bare)


def test_a_failure_comes_through_unchanged() -> None:
    lines = ("video", "'\udcff\n' is not readable", "Try another.")
    assert unpacked(wire.pack_failure(*lines)) == lines


def header(size: int = 2, **lengths: int) -> bytes:
    return wire._HEADER.pack(0, size, *(lengths.get(name, -1) for name, _ in wire._ARRAYS))


@pytest.mark.parametrize(
    "answer",
    [
        header(size=1 << 21),
        header(pts=-2),
        *(header(**{name: 2 * MOST_FRAMES + 1}) for name, _ in wire._ARRAYS),
    ],
)
def test_no_memory_is_taken_for_a_count_that_no_video_has(answer: bytes) -> None:
    with pytest.raises(wire.WireError, match="an answer of"):
        unpacked(answer)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"width": 640', b'"width": 0.5'),
        (b'"width": 640', b'"width": -64'),
        (b'"width": 640', b'"width": "a"'),
        (b'"height": 480', b'"height": 000'),
        (b'"codec"', b'"cadec"'),
        (b"[30000, 1001]", b"[30000,    0]"),
        (b"[30000, 1001]", b"[-3000, 1001]"),
        (b'"duration": 0', b'"duration": NaN, "a": 0'),
        (np.float64(0.1).tobytes(), np.float64("nan").tobytes()),
        (np.float64(0.1).tobytes(), np.float64(9).tobytes()),
        (np.int64(7).tobytes(), np.int64(-7).tobytes()),
        (np.int64(2).tobytes(), np.int64(4).tobytes()),
    ],
)
def test_an_answer_that_no_video_gives_is_refused(old: bytes, new: bytes) -> None:
    answer = wire.pack_info(INFO)
    assert old in answer
    kind, size, *counts = wire._HEADER.unpack(answer[: wire._HEADER.size])
    body = answer[wire._HEADER.size :]
    start = body.index(old)
    size += len(new) - len(old) if start < size else 0
    with pytest.raises(wire.WireError):
        unpacked(wire._HEADER.pack(kind, size, *counts) + body[:start] + new + body[start + len(old) :])


@pytest.mark.parametrize("name", ["h264.mp4", "vp9.webm", "h264.avi", "cut.mp4", "rotated_90.mp4"])
def test_the_process_tells_what_reading_here_tells(name: str, clip: ClipMaker) -> None:
    assert plain(isolated.probe(clip(name))) == plain(probe.probe(clip(name)))


def test_its_errors_are_those_of_reading_here(clip: ClipMaker, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("hello " * 1000)
    for path in (tmp_path / "none.mp4", tmp_path, tmp_path / "text.mp4", clip("tone.m4a")):
        with pytest.raises(VideoError) as here:
            probe.probe(path)
        with pytest.raises(VideoError) as there:
            isolated.probe(path)
        assert there.value.args == here.value.args
    with pytest.raises(UsageError, match="is a URL"):
        isolated.probe("https://example.com/a.mp4")
    with pytest.raises(TypeError, match="a video must be"):
        isolated.probe(b"a.mp4")  # type: ignore[arg-type]
    with pytest.raises(VideoError, match="is not a file name"):
        isolated.probe("a\0b.mp4")


def test_names_are_passed_on_as_they_are(
    clip: ClipMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("-i.mp4", "--help", "two\nlines.mp4", os.fsdecode(b"not utf-8 \xff.mp4"), "Ü 視.mp4"):
        Path(name).write_bytes(clip("frames_3.mp4").read_bytes())
        assert isolated.probe(name).frames == 3
        with pytest.raises(VideoError) as caught:
            isolated.probe(f"{name}.none")
        assert caught.value.message == f"'{name}.none' does not exist"


def test_it_imports_what_this_process_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clip: ClipMaker
) -> None:
    """And nothing from the working folder, where videos from others may be."""
    path = clip("h264.mp4")
    for name in ("av", "numpy", "json", "tempo_cli"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('not this one')")
    monkeypatch.chdir(tmp_path)
    assert isolated.probe(path).frames == 50


# --- limits ---


def test_the_limits_grow_with_the_file_and_with_the_pictures() -> None:
    small, large = read_limits(0), read_limits(10**9, 46_000_000)
    assert (small.seconds, small.memory, small.max_pixels, small.stall) == (60, 1_300_000_000, 36_000_000, 30)
    assert (large.seconds, large.memory) == (160, 1_620_000_000)


def behaves(monkeypatch: pytest.MonkeyPatch, code: str, **limits: float) -> None:
    """Let the process greet, then do something else."""
    begin = (
        "import os, signal, sys, time; sys.path[:] = sys.argv[2:]; w = os.write; w(1, b'tempo.probe/1\\n'); "
    )
    monkeypatch.setattr(
        isolated, "command", lambda path, _, folders: ["-c", begin + code, str(path), *folders]
    )
    if limits:
        usual = read_limits(0)
        monkeypatch.setattr(isolated, "read_limits", lambda *_: replace(usual, **limits))


def error_of(path: Path) -> VideoError:
    with pytest.raises(VideoError) as caught:
        isolated.probe(path)
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("os.kill(os.getpid(), 11)", "can't be read: the process that reads it was ended by SIGSEGV"),
        ("os.kill(os.getpid(), 9)", "can't be read: the process that reads it was ended by SIGKILL"),
        ("os.kill(os.getpid(), signal.SIGXCPU)", "takes more than 60 s to read"),
        ("sys.exit(1)", "takes more than 1.3 GB of memory to read"),
        ("w(1, b'x' * 100)", "gives no usable answer when it is read"),
        (
            "from tempo_cli.video.wire import pack_failure as p; w(1, p('memory', '', ''))",
            "takes more than 1.3 GB",
        ),
    ],
)
def test_a_process_that_breaks_is_an_error_of_the_video(
    code: str, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    behaves(monkeypatch, code)
    assert error_of(tmp_path / "a.mp4").message.startswith(f"'{tmp_path / 'a.mp4'}' {message}")


@pytest.mark.parametrize("code", ["time.sleep(600)", "\nwhile True: pass", "\nwhile True: w(1, b'')"])
def test_a_process_that_takes_too_long_is_ended(
    code: str, monkeypatch: pytest.MonkeyPatch, started: list[int]
) -> None:
    behaves(monkeypatch, code, seconds=1.0)
    assert error_of(Path("a.mp4")).message == "'a.mp4' takes more than 1 s to read"
    assert ends(started[0])


def test_a_bug_in_it_stays_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    behaves(
        monkeypatch,
        "from tempo_cli.video.wire import pack_failure as p; w(1, p('internal', 'KeyError: 1', 'a.py:2'))",
    )
    with pytest.raises(RuntimeError, match=r"reading 'a.mp4' failed: KeyError: 1 \(a.py:2\)"):
        isolated.probe("a.mp4")


def test_one_that_does_not_start_is_an_error_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated, "command", lambda *_: ["-c", "raise ImportError('no av')"])
    with pytest.raises(SetupError, match="the process that reads videos did not start: ImportError: no av"):
        isolated.probe("a.mp4")
    monkeypatch.setattr(sys, "executable", "/none/python")
    with pytest.raises(SetupError, match="Python can't be started to read videos"):
        isolated.probe("a.mp4")
    for nothing in (None, ""):  # as where Python is embedded in another program
        monkeypatch.setattr(sys, "executable", nothing)
        with pytest.raises(SetupError, match=r"sys\.executable is empty"):
            isolated.probe("a.mp4")


def test_what_libraries_print_blocks_nothing(clip: ClipMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than fits in a pipe, which nobody reads."""
    begin = """
import os, sys
sys.path[:] = sys.argv[3:]
from tempo_cli.video import probe, reader
real = probe.probe
def loud(*arguments):
    for pipe in (1, 2):
        os.write(pipe, bytes(1 << 20))
    return real(*arguments)
probe.probe = loud
reader.main()
"""
    usual = isolated.command

    def command(*arguments: Any) -> list[str]:
        words = usual(*arguments)
        return [words[0], begin, *words[2:]]

    monkeypatch.setattr(isolated, "command", command)
    limits = replace(read_limits(0), seconds=20)
    monkeypatch.setattr(isolated, "read_limits", lambda *_: limits)
    assert isolated.probe(clip("h264.mp4")).frames == 50


ANSWER = "from tempo_cli.video import reader; from pathlib import Path; import json, sys; {before}; "
ANSWER += "print(reader.answer(Path(sys.argv[1]), reader.ReadLimits(**json.loads(sys.argv[2]))))"


def answered(path: Path, before: str, **limits: float) -> subprocess.CompletedProcess[str]:
    """What `reader.answer` gives, in a process that ran `before` first."""
    words = json.dumps(asdict(replace(read_limits(0), **limits)))  # type: ignore[arg-type]
    command = [sys.executable, "-c", ANSWER.format(before=before), str(path), words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
def test_reading_stays_within_its_memory(clip: ClipMaker) -> None:
    done = answered(clip("h264.mp4"), "reader.limit(600 << 20, 60); b = bytearray(100 << 20)")
    assert '"codec": "h264"' in done.stdout
    done = answered(clip("h264.mp4"), "reader.limit(600 << 20, 60); b = bytearray(900 << 20)")
    assert done.stderr.endswith("MemoryError\n")


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGALRM")
def test_reading_without_packets_ends(clip: ClipMaker) -> None:
    """A demuxer in search of a packet does not come back to Python."""
    path = clip("h264.mp4")
    before = "import time, tempo_cli.video.probe as p; p._opened = lambda path: time.sleep(600)"
    assert answered(path, before, stall=0.5).returncode == -signal.SIGALRM


def test_packets_wind_the_alarm_up_again(clip: ClipMaker) -> None:
    calls: list[None] = []
    probe.probe(clip("many_frames.mp4"), watch=lambda: calls.append(None))
    assert len(calls) == -(-3300 // 64) + (3300 % 64 == 0)


def test_more_frames_than_any_video_has(clip: ClipMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "MOST_FRAMES", 20)
    with pytest.raises(VideoError, match="has more than 20 frames"):
        probe.probe(clip("h264.mp4"))


# --- signals ---

# it holds no lifeline of its own: tempo needs a moment to tie it to itself
HANG = "import os, sys, time; time.sleep(.3); open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)"
ASK = """
import sys
from tempo_cli.video import isolated
from tempo_cli.__main__ import main
isolated.command = lambda *_: ["-c", {code!r}, {file!r}]
sys.argv = ["tempo", "ask", "a.mp4", "what", "--model", "nano"]
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGKILL, -signal.SIGKILL)],
)
def test_a_signal_while_a_video_is_read_ends_both(number: int, code: int, tmp_path: Path) -> None:
    file = tmp_path / "reader"
    with subprocess.Popen([sys.executable, "-c", ASK.format(code=HANG, file=str(file))]) as tempo:
        while not (file.exists() and file.read_text()):
            assert tempo.poll() is None
            time.sleep(0.01)
        tempo.send_signal(number)
        assert tempo.wait(20) == code
    assert ends(int(file.read_text()))
