"""Which ffmpeg is used, and that it can't outlive or block us."""

import os
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import pytest

from tempo_cli.errors import SetupError
from tempo_cli.video import ffmpeg
from tempo_cli.video.ffmpeg import FFmpegProcess, ffmpeg_version, find_ffmpeg

from .clips import FFMPEG

Script = Callable[[str, str], str]


def saying(version: str) -> str:
    """A script body that answers `-version` as ffmpeg does."""
    return f"echo 'ffmpeg version {version} Copyright (c) the FFmpeg developers'\necho 'built with gcc'"


@pytest.fixture
def only_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PATH is the folder of the test's scripts."""
    monkeypatch.setenv("PATH", str(tmp_path))


# --- versions ---


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("5.1", (5, 1)),
        ("9.0.2", (9, 0)),
        ("n9.0.2-17-g2a571b6068-20260930", (9, 0)),
        ("n10.1", (10, 1)),
        ("5.1.9-0+deb12u1", (5, 1)),
        ("4.4.2-0ubuntu0.22.04.1", (4, 4)),
        ("7.0.2-static", (7, 0)),
        ("8.0-full_build-www.gyan.dev", (8, 0)),
        ("N-109542-g2e8ea1e9dd", (999, 0)),
        ("git-2020-01-13-7225479", (999, 0)),
        ("2024-05-01-git-2c4d5b1f5f-full_build", (999, 0)),
    ],
)
def test_version_is_read(version: str, expected: tuple[int, int], script: Script) -> None:
    """A build from the source tree names no version and counts as new."""
    assert ffmpeg_version(script("ffmpeg", saying(version))) == expected


def test_version_of_the_bundled_one_is_read() -> None:
    version = ffmpeg_version(FFMPEG)
    assert version is not None
    assert version >= (5, 1)


@pytest.mark.parametrize(
    "body",
    [
        f"{saying('9.0')}\nexit 1",
        "echo hello",
        "exit 0",
        r"printf 'ffmpeg version \377'",
        "echo 'ffprobe version 9.0'",
    ],
    ids=["fails", "says something else", "says nothing", "says no text", "is another program"],
)
def test_what_is_no_ffmpeg_has_no_version(body: str, script: Script) -> None:
    assert ffmpeg_version(script("ffmpeg", body)) is None


def test_a_missing_program_has_no_version(tmp_path: Path) -> None:
    assert ffmpeg_version(str(tmp_path / "none")) is None


# --- the one that is used ---


@pytest.mark.usefixtures("only_path")
def test_the_one_asked_for_is_used_before_path(script: Script) -> None:
    script("ffmpeg", saying("9.0"))
    other = script("other", saying("6.0"))
    assert find_ffmpeg(other) == other
    assert find_ffmpeg("other") == other


@pytest.mark.usefixtures("only_path")
@pytest.mark.parametrize("version", ["7.0.2-static", "9.0.2", "N-109542-g2e8ea1e9dd"])
def test_the_one_on_path_is_used_before_the_bundled_one(version: str, script: Script) -> None:
    on_path = script("ffmpeg", saying(version))
    assert find_ffmpeg() == on_path


@pytest.mark.usefixtures("only_path")
@pytest.mark.parametrize("body", [saying("6.1.1"), saying("4.4.2-0ubuntu0.22.04.1"), "exit 1", "echo hello"])
def test_an_unfit_one_on_path_is_passed_over(body: str, script: Script) -> None:
    script("ffmpeg", body)
    assert find_ffmpeg() == FFMPEG


@pytest.mark.usefixtures("only_path")
def test_without_one_on_path_the_bundled_one_is_used() -> None:
    assert find_ffmpeg() == FFMPEG


@pytest.mark.usefixtures("only_path")
@pytest.mark.parametrize("version", ["5.1", "6.1.1"])
def test_without_a_bundled_one_an_older_one_on_path_is_used(
    version: str, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ffmpeg, "bundled_ffmpeg", lambda: None)
    on_path = script("ffmpeg", saying(version))
    assert find_ffmpeg() == on_path


@pytest.mark.usefixtures("only_path")
def test_none_at_all_is_an_error_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise RuntimeError("No ffmpeg exe could be found.")

    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", none)
    with pytest.raises(SetupError, match="no ffmpeg was found") as caught:
        find_ffmpeg()
    assert caught.value.exit_code == 5
    assert caught.value.hint


@pytest.mark.usefixtures("only_path")
@pytest.mark.parametrize(
    ("body", "reason"),
    [(saying("5.0.3"), "is older than ffmpeg 5.1"), ("exit 1", "is not an ffmpeg that runs on this machine")],
)
def test_an_unfit_one_that_was_asked_for_is_an_error(body: str, reason: str, script: Script) -> None:
    """And not quietly replaced by another one."""
    script("ffmpeg", saying("9.0"))
    asked = script("asked", body)
    with pytest.raises(SetupError) as caught:
        find_ffmpeg(asked)
    assert caught.value.message == f"'{asked}' {reason}"
    assert caught.value.hint == "Leave `ffmpeg` out to use the bundled one."


@pytest.mark.parametrize("kind", ["missing", "folder", "not executable", "no name on PATH"])
def test_one_asked_for_that_does_not_run_is_an_error(kind: str, tmp_path: Path) -> None:
    asked = "no-such-ffmpeg" if kind == "no name on PATH" else str(tmp_path / "asked")
    if kind == "folder":
        Path(asked).mkdir()
    if kind == "not executable":
        Path(asked).write_text(f"#!/bin/sh\n{saying('9.0')}\n", encoding="utf-8")
    with pytest.raises(SetupError) as caught:
        find_ffmpeg(asked)
    assert caught.value.message == f"'{asked}' is not an ffmpeg that runs on this machine"


# --- its process ---


def test_output_is_read_by_line_and_by_size(script: Script) -> None:
    process = FFmpegProcess([script("ffmpeg", r"printf 'one\ntwo\n12345678'")])
    buffer = bytearray(6)
    assert process.read_line(20) == b"one\n"
    assert process.read_line(20) == b"two\n"
    assert process.read_into(memoryview(buffer), 20)
    assert buffer == b"123456"
    assert not process.read_into(memoryview(buffer), 20)
    assert process.read_line(20) == b""
    assert not process.stalled
    process.wait(20)
    assert not process.stalled
    process.close()


def test_the_first_complaints_are_kept_without_who_said_them(script: Script) -> None:
    body = 'i=1; while [ $i -le 60 ]; do echo "[h264 @ 0x5f] [error] line $i" >&2; i=$((i+1)); done'
    process = FFmpegProcess([script("ffmpeg", r"printf '[info] hello\n[fatal] \377\n\n' >&2" + "\n" + body)])
    assert process.read_line(20) == b""
    process.wait(20)
    assert process.complaints() == ["\ufffd", *(f"line {number}" for number in range(1, 50))]
    process.close()


def test_time_stamps_come_in_the_order_of_the_pictures(script: Script) -> None:
    lines = [
        f"[Parsed_showinfo_1 @ 0x5f] [info] n:   {n} pts: {pts:6d} pts_time:1 "
        for n, pts in enumerate((-512, 0, 9000))
    ]
    body = "\n".join(f"echo '{line}' >&2" for line in lines)
    process = FFmpegProcess([script("ffmpeg", body)])
    stamps = [process.read_stamp(20) for _ in range(4)]
    assert [stamp and stamp.pts for stamp in stamps] == [-512, 0, 9000, None]
    process.close()


def test_its_input_is_not_ours(script: Script) -> None:
    """Else it would swallow the jobs that a shell loop reads."""
    ours, jobs = os.pipe()
    os.write(jobs, b"job 1\n")
    os.close(jobs)
    standard = os.dup(0)
    os.dup2(ours, 0)
    try:
        process = FFmpegProcess([script("ffmpeg", "cat; echo end")])
        assert process.read_line(20) == b"end\n"
        process.close()
        assert os.read(0, 100) == b"job 1\n"
    finally:
        os.dup2(standard, 0)
        os.close(standard)
        os.close(ours)


def test_ctrl_c_does_not_reach_it(script: Script) -> None:
    process = FFmpegProcess([script("ffmpeg", "echo $$; exec sleep 600")])
    number = int(process.read_line(20))
    assert os.getsid(number) == number
    process.close()


@pytest.mark.parametrize(
    "body", ["exec sleep 600", "exit 0", "exec yes", "trap '' TERM INT; while :; do :; done"]
)
def test_close_ends_and_reaps_it(body: str, script: Script, started: list[int]) -> None:
    FFmpegProcess([script("ffmpeg", body)]).close()
    (number,) = started
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


def test_close_twice_does_no_harm(script: Script) -> None:
    process = FFmpegProcess([script("ffmpeg", "exec sleep 600")])
    process.close()
    process.close()
    process.kill()


def test_waiting_too_long_ends_it(script: Script) -> None:
    process = FFmpegProcess([script("ffmpeg", r"printf '123'; exec sleep 600")])
    assert not process.read_into(memoryview(bytearray(6)), 0.3)
    assert process.stalled
    process.wait(20)
    process.close()


def test_one_that_does_not_end_after_its_output_is_ended(script: Script) -> None:
    process = FFmpegProcess([script("ffmpeg", "exec >&-; exec sleep 600")])
    assert process.read_line(20) == b""
    process.wait(0.3)
    assert process.stalled
    process.close()


def test_a_program_that_does_not_start_is_an_error_of_the_machine(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="ffmpeg can't be started"):
        FFmpegProcess([str(tmp_path / "none")])


def test_arguments_go_through_no_shell(script: Script, tmp_path: Path) -> None:
    argument = f"$(touch '{tmp_path}/pwned'); \"quoted\" * ~"
    process = FFmpegProcess([script("ffmpeg", 'printf "%s\\n" "$1"'), argument])
    assert process.read_into(memoryview(buffer := bytearray(len(argument))), 20)
    assert buffer.decode() == argument
    process.close()
    assert not (tmp_path / "pwned").exists()
