"""The command on a real (pseudo) terminal, and its end by a signal or a closed pipe."""

import json
import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import imageio_ffmpeg
import pytest

from .conftest import CUT, FRACTAL, GOLDEN, MODEL, SHORT, on_terminal, spawn

CONTROL = "Which of these is shown?\nA. A race.\nB. A street with bicycles.\nAnswer with the letter."


@pytest.fixture(scope="session")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two and a half minutes of video: some seconds of work here."""
    path = tmp_path_factory.mktemp("clips") / "long.mp4"
    source = ["-stream_loop", "14", "-i", str(FRACTAL), "-c", "copy", str(path)]
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", *source], check=True)
    return path


@pytest.mark.parametrize("columns", [80, 160])
def test_answer_then_table_then_summary(columns: int) -> None:
    code, shown = on_terminal(
        "ask", FRACTAL, "what color was the car", *SHORT, "--color", "never", "--quiet", columns=columns
    )
    answer = json.loads((GOLDEN / "cases" / "a_fractal.json").read_text())["answer"]
    assert code == 0
    assert shown.startswith(answer + "\n\n#   time")
    assert "2   0:04.2 - 0:08.4   █████████▌ 0.95      128   16.0/frame" in shown
    assert "\n    3 segments · 180 of 8,192 tokens · highest relevance 0.95 · decode " in shown
    assert (" · compress " in shown) == (columns == 160), "one line where it fits"
    assert "\x1b" not in shown


def test_progress_leaves_the_screen_as_it_was() -> None:
    """Bars come and go: the cursor is shown again and the answer stands on a line of its own."""
    code, shown = on_terminal("ask", FRACTAL, "what color was the car", *SHORT)
    assert code == 0
    assert "compress" in shown.split("ly m-)istant")[0]
    assert "loading the model" in shown.split("compress")[0]
    assert "0/1" not in shown
    assert 0 <= shown.rfind("\x1b[?25l") < shown.rfind("\x1b[?25h")
    assert shown.rindex("\x1b[?25h") < shown.index("ly m-)istant")


def test_several_videos_are_introduced_to_the_model_once() -> None:
    other = GOLDEN / "videos" / "pattern.mp4"
    words = ["--model", "nano", "--device", "cpu", "--max-new-tokens", 1, "--top", 0, "--color", "never"]
    code, shown = on_terminal("ask", FRACTAL, other, "-q", "is there a car", *words)
    assert code == 0
    assert shown.count("note: nano knows") == 1


def test_control_characters_of_an_answer_are_escaped_on_a_terminal() -> None:
    """This golden answer begins with a control character."""
    model = GOLDEN / "checkpoints" / "b" / "Tempo-tiny"
    code, shown = on_terminal(
        "ask", FRACTAL, CONTROL, "--model", model, "--device", "cpu", "--fps", 4, "--budget", 128,
        "--max-new-tokens", 24, "--quiet", "--color", "never",
    )  # fmt: skip
    assert code == 0
    assert shown.startswith("\\x18ue")
    assert "\x18" not in shown


def test_markup_in_a_question_is_not_interpreted() -> None:
    questions = ["-q", "[bold]a[/bold]\x1b[31m", "-q", "b [/]"]
    code, shown = on_terminal("ask", FRACTAL, *questions, *SHORT, "--color", "never", "--quiet")
    assert code == 0
    assert shown.startswith("> [bold]a[/bold]\\x1b[31m\n")
    assert "\n> b [/]\n" in shown


def children(parent: int) -> list[int]:
    """Processes whose parent is `parent`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.append(int(entry.parent.name))
    return found


def decoding(parent: int, video: Path) -> list[int]:
    """Children that have to do with the video, from the moment they are forked."""
    found = []
    for pid in children(parent):
        with suppress(OSError):  # it is gone already
            if bytes(video) in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_decoding_leaves_no_ffmpeg(number: int, code: int, long_clip: Path) -> None:
    process = spawn("ask", long_clip, "what", *SHORT, "--fps", 25, "--max-frames", 4000, "--json")
    deadline = time.monotonic() + 60
    while not (offspring := decoding(process.pid, long_clip)) and time.monotonic() < deadline:
        time.sleep(0.001)
    assert offspring
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code
    told = json.loads(out)
    assert told["error"]["code"] == "interrupted"
    assert (told["video"]["path"], told["question"], told["model"]["id"]) == (
        str(long_clip),
        "what",
        str(MODEL),
    )
    assert err.startswith(b"error: interrupted by SIG")
    deadline = time.monotonic() + 10  # it was killed; a busy machine may not have ended it yet
    while any(alive(pid) for pid in offspring) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not [pid for pid in offspring if alive(pid)]


def after_decoding(process: "subprocess.Popen[bytes]") -> None:
    """Wait until ffmpeg has come and gone."""
    seen, deadline = False, time.monotonic() + 60
    while time.monotonic() < deadline:
        here = bool(children(process.pid))
        if seen and not here:
            return
        seen = seen or here
        time.sleep(0.01)
    pytest.fail("ffmpeg did not come and go")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
@pytest.mark.parametrize(
    "work",
    [["--fps", 25, "--window", 1, "--max-new-tokens", 1], ["--max-new-tokens", 39_000]],
    ids=["compressing", "answering"],
)
def test_ctrl_c_after_decoding(work: list[object]) -> None:
    """A terminal's Ctrl-C goes to the whole process group."""
    process = spawn("ask", FRACTAL, "what", *SHORT[:4], *work, start_new_session=True)
    after_decoding(process)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, b"", b"")


@pytest.mark.parametrize("at", [b"decode", b"ly m-)"], ids=["progress", "answer"])
def test_ctrl_c_leaves_the_terminal_as_it_was(at: bytes) -> None:
    """The cursor is shown again, and the prompt begins on a line of its own."""
    code, shown = on_terminal(
        "ask", FRACTAL, "what color was the car", *SHORT[:4], "--max-new-tokens", 39_000, interrupt_at=at
    )
    assert code == 130
    assert 0 <= shown.rfind("\x1b[?25l") < shown.rfind("\x1b[?25h")
    assert "Traceback" not in shown
    if at != b"decode":
        assert shown.removesuffix("\x1b[?25h").endswith("\n")


def test_a_closed_pipe_is_quiet() -> None:
    process = spawn("ask", FRACTAL, "what", *SHORT)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr as stream:
        assert stream.read().splitlines() == [f"warning: {CUT}".encode()]
    assert process.wait(60) == 141


def test_color_always_colours_a_pipe_and_never_does_not(tmp_path: Path) -> None:
    saved = tmp_path / "run.json"
    saved.write_text((Path(__file__).parent / "run.json").read_text())
    coloured = spawn("inspect", saved, "--color", "always").communicate()[0]
    plain = spawn("inspect", saved, "--color", "never").communicate()[0]
    assert b"\x1b[" in coloured
    assert b"\x1b" not in plain
    assert str(MODEL).encode() not in plain
