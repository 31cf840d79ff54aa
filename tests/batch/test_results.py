"""The file of results: whole lines, no line twice, nobody else's file harmed."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tempo_cli.batch import results
from tempo_cli.batch.jobs import Defaults, make_job
from tempo_cli.batch.outcome import Outcome
from tempo_cli.batch.results import ResultsFile
from tempo_cli.errors import SetupError, UsageError, VideoError
from tempo_cli.plan.schedule import Job

DEFAULTS = Defaults()


def job(name: str, question: str = "what?") -> Job:
    return make_job("a.mp4", question, DEFAULTS, name)


def failed(name: str) -> str:
    return Outcome(job(name), error=VideoError("broken", "Check it.")).to_json("nano")


def answered(name: str) -> str:
    return failed(name).replace('"status": "error"', '"status": "ok"')


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results.jsonl"


def test_lines_are_found_again(path: Path) -> None:
    with ResultsFile(path) as file:
        file.append(failed("1"))
        file.append(answered("2"))
    with ResultsFile(path) as file:
        assert list(file.recorded) == ["1", "2"]
        assert (file.recorded["2"].error, file.recorded["2"].digest) == (None, job("2").digest)
        error = file.recorded["1"].error
        assert isinstance(error, VideoError)
        assert (error.message, error.hint) == ("broken", "Check it.")
    assert path.read_text() == failed("1") + "\n" + answered("2") + "\n"


def test_lines_can_be_read_again_from_their_places(path: Path) -> None:
    with ResultsFile(path) as file:
        file.append(failed("1"))
        first, second = failed("1").encode() + b"\n", answered("2").encode() + b"\n"
        assert list(file.lines()) == [(0, first)]
        file.append(answered("2"))
        assert list(file.lines()) == [(0, first), (len(first), second)]
        assert list(file.lines(len(first))) == [(len(first), second)]
        file.append(failed("3"))
    assert path.read_bytes() == first + second + failed("3").encode() + b"\n"


@pytest.mark.parametrize("cut", [1, 20, 60, -1])
def test_a_half_line_is_cut_off(path: Path, cut: int) -> None:
    path.write_text(failed("1") + "\n" + failed("2")[:cut])
    with ResultsFile(path) as file:
        assert list(file.recorded) == ["1"]
        file.append(failed("3"))
    assert path.read_text() == failed("1") + "\n" + failed("3") + "\n"


def test_a_whole_line_without_its_end_is_kept(path: Path) -> None:
    path.write_text(failed("1"))
    with ResultsFile(path) as file:
        assert list(file.recorded) == ["1"]
        file.append(failed("2"))
    assert path.read_text() == failed("1") + "\n" + failed("2") + "\n"


@pytest.mark.parametrize(
    "text", ["notes", "notes\n", '{"schema": "tempo.run/1", "status": "ok", "id": null}\n', "[]\n", "{}\n"]
)
def test_a_file_of_something_else_is_left_alone(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(UsageError, match="does not hold results of tempo"):
        ResultsFile(path)
    assert path.read_text() == text


def test_a_second_batch_is_refused(path: Path) -> None:
    code = "import sys; from pathlib import Path; from tempo_cli.batch.results import ResultsFile; "
    with ResultsFile(path), pytest.raises(UsageError, match="another batch writes to"):
        ResultsFile(path)
    with ResultsFile(path):
        words = [sys.executable, "-c", f"{code}ResultsFile(Path(sys.argv[1]))", str(path)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert "another batch writes to" in done.stderr
    ResultsFile(path).close()


def test_lines_that_are_replaced_stay_until_the_next_one_is_written(path: Path, tmp_path: Path) -> None:
    path.write_text("\n".join([failed("1"), answered("2"), failed("3")]) + "\n")
    path.chmod(0o640)
    link = tmp_path / "link.jsonl"
    link.symlink_to(path)
    with ResultsFile(link) as file:
        before = path.read_bytes()
        file.replace(["1", "3"])
        assert (list(file.recorded), path.read_bytes()) == (["2"], before)
        with pytest.raises(UsageError, match="another batch"):
            ResultsFile(path)
        file.append(answered("1"))
        with pytest.raises(UsageError, match="another batch"):
            ResultsFile(path)
        file.append(answered("3"))
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.read_text() == "".join(answered(name) + "\n" for name in "213")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["link.jsonl", "results.jsonl"]


@pytest.mark.parametrize("where", ["write", "fsync"])
def test_a_full_disk_leaves_a_valid_file(path: Path, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write

    def half(descriptor: int, data: memoryview) -> int:
        if len(data) < 30:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, data[: len(data) // 2])

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with ResultsFile(path) as file:
        file.append(failed("1"))
        monkeypatch.setattr(results.os, where, half if where == "write" else full)
        with pytest.raises(SetupError, match="No space left on device"):
            file.append(failed("2"))
        file.replace([])
    assert path.read_text() == failed("1") + "\n"
    with ResultsFile(path) as file:
        file.replace(["1"])
        with pytest.raises(SetupError, match="No space left on device"):
            file.append(answered("1"))
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    assert path.read_text() == failed("1") + "\n"


def test_no_regular_file_is_only_written() -> None:
    with ResultsFile(Path(os.devnull)) as file, ResultsFile(Path(os.devnull)):
        file.append(failed("1"))
    with ResultsFile(Path("/dev/full")) as file, pytest.raises(SetupError, match="No space left"):
        file.append(failed("1"))
    with pytest.raises(SetupError, match="there is no folder"):
        ResultsFile(Path("/nosuch/results.jsonl"))


def test_a_job_with_the_id_of_another_is_named(path: Path) -> None:
    path.write_text(failed("1") + "\n" + answered("2") + "\n")
    with ResultsFile(path) as file:
        file.check([job("1"), job("3")])
        file.check_model("nano")
        with pytest.raises(UsageError) as error:
            file.check([job("2", "who?")])
        assert error.value.message == f"the job '2' is in '{path}' with another question, 'what?'"
        with pytest.raises(UsageError, match="with another video, 'a"):
            file.check([make_job("b.mp4", "what?", DEFAULTS, "2")])
        with pytest.raises(UsageError, match="with other options"):
            file.check([make_job("a.mp4", "what?", DEFAULTS, "2", sampling={"fps": 1.0})])
        with pytest.raises(UsageError, match="results of the model nano, not other"):
            file.check_model("other")
