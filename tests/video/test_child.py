"""Processes that misbehave: they flood, hang, leave others behind, or are left behind themselves."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tempo_cli.errors import SetupError
from tempo_cli.video.child import Child, output
from tempo_cli.video.ffmpeg import FFmpegProcess, ffmpeg_version, find_ffmpeg

Script = Callable[[str, str], str]


@pytest.fixture
def leave(tmp_path: Path) -> Iterator[str]:
    """A script's line that leaves a process with its pipes behind; it is ended after the test."""
    file = tmp_path / "left"
    begin = f"setsid sh -c 'echo $$ > \"{file}\"; exec sleep 600' &"
    yield f"{begin}\nwhile [ ! -s '{file}' ]; do sleep 0.01; done"
    os.kill(int(file.read_text()), signal.SIGKILL)


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def ends(process: int) -> bool:
    """Whether a process ends without help."""
    for _ in range(500):
        if not is_running(process):
            return True
        time.sleep(0.01)
    return False


# --- what a program prints ---


def test_output_is_what_a_program_prints(script: Script) -> None:
    assert output([script("a", r"printf 'one\n\377'")], 20, 100) == b"one\n\xff"
    assert output([script("b", "exit 0")], 20, 100) == b""


@pytest.mark.parametrize(
    "body",
    ["echo one; exit 1", "printf 12345678901", "exec yes", "exec sleep 600", "exec >&-; exec sleep 600"],
)
def test_no_output_of_one_that_fails_floods_or_hangs(body: str, script: Script, started: list[int]) -> None:
    assert output([script("a", body)], 0.5, 10) is None
    assert not is_running(started[0])


def test_output_does_not_wait_for_what_was_left_behind(script: Script, leave: str) -> None:
    assert output([script("a", f"{leave}\necho one")], 60, 100) == b"one\n"


def test_a_version_text_may_be_in_any_encoding(script: Script) -> None:
    body = r"printf 'ffmpeg version 6.1 Copyright (c) Andr\351\nbuilt by J\374rgen\n'"
    assert ffmpeg_version(script("ffmpeg", body)) == (6, 1)


def test_an_ffmpeg_that_hangs_in_its_version_is_none(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempo_cli.video.ffmpeg.LISTING_SECONDS", 0.3)
    with pytest.raises(SetupError, match="is not an ffmpeg that runs on this machine"):
        find_ffmpeg(script("ffmpeg", "exec sleep 600"))


# --- ffmpeg ---


@pytest.mark.parametrize("kind", ["stdout", "stderr"])
def test_ffmpegs_end_is_seen_although_something_keeps_its_pipes(
    kind: str, script: Script, leave: str
) -> None:
    closed = "exec >&-" if kind == "stderr" else "exec 2>&-"
    process = FFmpegProcess([script("ffmpeg", f"{leave}\necho one\n{closed}")])
    assert process.read_line(60) == b"one\n"
    assert process.read_line(60) == b""
    process.wait(60)
    assert process.complaints() == []
    process.close()
    assert not process.stalled


def test_a_stall_is_noticed_although_something_keeps_its_pipes(script: Script, leave: str) -> None:
    process = FFmpegProcess([script("ffmpeg", f"{leave}\nexec sleep 600")])
    assert process.read_line(0.5) == b""
    assert process.stalled
    process.close()


def test_a_complaint_without_an_end_is_cut_off(script: Script) -> None:
    body = "printf '[error] ' >&2; head -c 3000000 /dev/zero | tr '\\0' x >&2; echo >&2; echo '[error] b' >&2"
    process = FFmpegProcess([script("ffmpeg", body)])
    assert process.read_line(20) == b""
    process.wait(20)
    first, second = process.complaints()
    assert (len(first), second) == (4096 - len("[error] "), "b")
    process.close()


def test_stamps_that_nobody_reads_make_ffmpeg_wait(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempo_cli.video.ffmpeg._MOST_STAMPS", 8)
    lines = "[Parsed_showinfo_1 @ 0x5f] [info] n:   0 pts:    512 pts_time:1"
    process = FFmpegProcess([script("ffmpeg", f"exec yes '{lines}' >&2")])
    stamps = [process.read_stamp(20) for _ in range(100)]
    assert [stamp and stamp.pts for stamp in stamps] == [512] * 100
    assert process._stamps.qsize() <= 8
    process.close()


@pytest.mark.skipif(sys.platform != "linux", reason="no limit for another process elsewhere")
@pytest.mark.parametrize(("size", "line"), [(10, b"done\n"), (400, b"")])
def test_a_child_gets_no_more_memory_than_it_may(size: int, line: bytes) -> None:
    code = f"import time; time.sleep(0.2); b = bytearray({size} << 20); print('done')"
    process = FFmpegProcess([sys.executable, "-c", code], memory=300 << 20)
    assert process.read_line(20) == line
    process.close()


# --- when we end ---

PARENT = """
import sys, time
from tempo_cli.video.child import Child
child = Child([{program}])
print(child.stdout.readline().decode().strip(), flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_children_end_with_us(number: int, script: Script) -> None:
    """And those that they started, unless these left their group."""
    program = script("ffmpeg", "sleep 600 & echo $$ $!; sleep 600")
    with subprocess.Popen(
        [sys.executable, "-c", PARENT.format(program=repr(program))], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        children = [int(word) for word in parent.stdout.readline().split()]
        assert [is_running(child) for child in children] == [True, True]
        parent.send_signal(number)
    assert [ends(child) for child in children] == [True, True]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("late", [False, True])
def test_our_own_child_ends_with_us_by_itself(late: bool) -> None:
    """It needs no parent that lived long enough to ask for that."""
    code = "import time; from tempo_cli.video.child import hold_lifeline; print(flush=True)"
    code += "; time.sleep(0.5)" if late else ""
    code += "; hold_lifeline(); print(flush=True); time.sleep(600)"
    theirs, ours = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        pass_fds=[theirs],
        env={**os.environ, "TEMPO_LIFELINE": str(theirs)},
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"\n"
        if not late:
            assert child.stdout.readline() == b"\n"
        os.close(theirs)
        os.close(ours)
        assert child.wait(20) == (1 if late else -signal.SIGIO)


def test_a_child_that_was_never_closed_ends_when_it_is_forgotten() -> None:
    child = Child(["sleep", "600"])
    process = child._process
    child._lifeline.close()
    assert process.wait(20) == -signal.SIGIO
    child.close()
