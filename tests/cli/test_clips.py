"""`tempo clips`: the parts that stand out, as files, with a list of them."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tempo_cli.plan.stretches import Stretch, padded
from tempo_cli.video.isolated import probe

from .conftest import FRACTAL, MODEL, Outcome, on_terminal

Tempo = Callable[..., Outcome]
SAVED = Path(__file__).parent / "run.json"
NAME = "fractal_00h00m04.200s_00h00m10.000s.mp4"


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A saved run with its video beside it; its last two segments stand out."""
    video = tmp_path / "fractal.mp4"
    shutil.copy(FRACTAL, video)
    value = json.loads(SAVED.read_text())
    value["video"] |= {"size": video.stat().st_size, "mtime": video.stat().st_mtime}
    (tmp_path / "run.json").write_text(json.dumps(value))
    return tmp_path / "run.json"


def test_parts_of_a_saved_run(tempo: Tempo, saved: Path, tmp_path: Path) -> None:
    parts = tmp_path / "new" / "parts"
    done = tempo("clips", saved, "-o", parts)
    assert (done.code, done.out, done.err) == (0, f"{parts / NAME}\n", "")
    manifest = json.loads((parts / "clips.json").read_text())
    (made,) = manifest.pop("clips")
    assert made.pop("ends") == pytest.approx(10.0, abs=1e-3)
    assert made == {
        "file": NAME, "start": 4.2, "end": 10.0, "begins": 4.2, "pictures": 145, "earlier": 0.0,
        "segments": [1, 2], "relevance": 0.9523440003395081, "tokens": 176,
    }  # fmt: skip
    assert probe(parts / NAME).frames == 145
    assert (manifest["schema"], manifest["copied"], manifest["padding"]) == ("tempo.clips/1", False, 0.0)
    assert sorted(path.name for path in parts.iterdir()) == ["clips.json", NAME]
    again = tempo("clips", saved, "-o", parts)
    assert (again.code, "clips.json' exists" in again.err) == (2, True)


def test_a_long_name_of_wide_characters_fits_into_a_file_name(
    tempo: Tempo, saved: Path, tmp_path: Path
) -> None:
    (tmp_path / "fractal.mp4").rename(tmp_path / f"a{'映' * 80}.mp4")
    saved.write_text(saved.read_text().replace("fractal.mp4", f"a{'映' * 80}.mp4"))
    done = tempo("clips", saved, "-o", tmp_path / "parts", "--copy", "--top", 1)
    assert (done.code, done.err) == (0, "")
    (name,) = {path.name for path in (tmp_path / "parts").iterdir()} - {"clips.json"}
    assert name.startswith(f"a{'映' * 53}_00h")
    assert len(name.encode()) < 200


def test_a_saved_run_is_not_replaced_by_the_list_of_its_clips(
    tempo: Tempo, saved: Path, tmp_path: Path
) -> None:
    run = saved.rename(tmp_path / "clips.json")
    before = run.read_bytes()
    done = tempo("clips", run, "-o", tmp_path, "--force")
    assert (done.code, run.read_bytes()) == (2, before)
    assert f"'{run}' is read here, and is not replaced" in done.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clips.json", "fractal.mp4"]


def test_what_would_be_written(tempo: Tempo, saved: Path, tmp_path: Path) -> None:
    options = ["--dry-run", "--json", "--top", 1, "--padding", "0:01"]
    (part,) = tempo("clips", saved, "-o", tmp_path / "parts", *options).json["clips"]
    assert (part["start"], part["end"], part["begins"], part["segments"]) == (3.2, 9.4, 3.2, [1, 1])
    assert not (tmp_path / "parts").exists()
    code, shown = on_terminal("clips", saved, "-o", tmp_path, "--dry-run")
    assert (code, shown) == (0, f"0:04.2 - 0:10.0  0.95  {tmp_path / NAME}\n")


def test_copied_parts_tell_how_much_earlier_they_begin(tempo: Tempo, saved: Path, tmp_path: Path) -> None:
    (part,) = tempo("clips", saved, "-o", tmp_path / "parts", "--copy", "--json").json["clips"]
    assert part["begins"] + part["earlier"] == pytest.approx(4.2)
    assert part["begins"] in [probe(FRACTAL).times[place] for place, _ in probe(FRACTAL).keyframes]


def test_nothing_stands_out(tempo: Tempo, saved: Path, tmp_path: Path) -> None:
    done = tempo("clips", saved, "-o", tmp_path / "parts", "--min-relevance", 1)
    assert (done.code, done.out) == (0, "")
    assert done.err == "no segment stands out: there is nothing to cut\n"
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["clips.json"]
    assert json.loads((tmp_path / "parts" / "clips.json").read_text())["clips"] == []


def test_a_video_that_has_changed_and_runs_that_do_not_tell(
    tempo: Tempo, saved: Path, tmp_path: Path
) -> None:
    os.utime(tmp_path / "fractal.mp4", (1.0, 1.0))
    done = tempo("clips", saved, "-o", tmp_path / "parts")
    assert (done.code, "has changed since the run" in done.err) == (3, True)
    shutil.copy(SAVED, saved)
    assert "an older tempo saved it" in tempo("clips", saved, "-o", tmp_path / "parts").err
    saved.write_text(saved.read_text() * 2)
    assert tempo("clips", saved, "-o", tmp_path / "parts").code == 2
    (tmp_path / "fractal.mp4").unlink()
    shutil.copy(SAVED, saved)
    assert tempo("clips", saved, "-o", tmp_path / "parts").code == 3
    assert not (tmp_path / "parts").exists()


def test_a_failure_leaves_no_empty_folder_and_no_clip_of_another_is_replaced(
    tempo: Tempo, saved: Path, tmp_path: Path
) -> None:
    os.utime(tmp_path / "fractal.mp4", (1.0, 1.0))
    (tmp_path / "new").mkdir()
    assert tempo("clips", saved, "-o", tmp_path / "new" / "a" / "b").code == 3
    assert list((tmp_path / "new").iterdir()) == []
    assert tempo("clips", saved, "-o", tmp_path / "run.json" / "a").code == 5
    assert saved.is_file()
    value = json.loads(saved.read_text())
    os.utime(tmp_path / "fractal.mp4", (1.0, value["video"]["mtime"]))
    words = ["clips", saved, "-o", tmp_path / "new", "--top", "all"]
    last = tempo(*words, "--dry-run", "--json").json["clips"][2]["file"]
    (tmp_path / "new" / last).write_text("mine")
    done = tempo(*words)
    assert (done.code, f"{last}' exists" in done.err) == (2, True)
    assert [path.name for path in (tmp_path / "new").iterdir()] == [last]  # not even the first one
    assert tempo(*words, "--force").code == 0


def test_a_failure_beside_the_run_and_weak_evidence_are_told(
    tempo: Tempo, saved: Path, tmp_path: Path
) -> None:
    value = json.loads(saved.read_text())
    value["evidence"] = {"highest": 0.95, "segments": [1, 2], "threshold": 0.99, "weak": True}
    failure = {"schema": "tempo.run/1", "status": "error", "error": {"message": "no luck"}}
    saved.write_text(json.dumps(failure) + "\n" + json.dumps(value) + "\n")
    done = tempo("clips", saved, "-o", tmp_path / "parts", "--dry-run")
    assert done.err.splitlines() == [
        f"warning: 1 of 2 runs in '{saved}' failed: left out",
        "warning: weak evidence: no segment above 0.99",
    ]
    assert (done.code, done.out) == (0, f"{tmp_path / 'parts' / NAME}\n")


def test_without_a_question_the_hint_is_about_clips(tempo: Tempo, tmp_path: Path) -> None:
    done = tempo("clips", FRACTAL, "-o", tmp_path / "parts")
    assert (done.code, f'tempo clips {FRACTAL} "what happens?"' in done.err) == (2, True)
    assert not (tmp_path / "parts").exists()


def test_of_a_video_and_a_question(tempo: Tempo, tmp_path: Path) -> None:
    options = ["--model", MODEL, "--device", "cpu", "-o", tmp_path, "--dry-run", "--json"]
    (part,) = tempo("clips", FRACTAL, "what color was the car", *options).json["clips"]
    assert (part["file"], part["segments"]) == (NAME, [1, 2])


def test_padding_joins_what_meets_and_stays_within_the_video() -> None:
    parts = [
        Stretch(1.0, 2.0, 0, 0, 0.5, 4),
        Stretch(3.0, 4.0, 2, 2, 0.9, 8),
        Stretch(9.0, 10.0, 8, 8, None, 8),
    ]
    assert padded(parts, 0.0, 10.0) == parts
    assert padded(parts, 1.5, 10.0) == [Stretch(0.0, 5.5, 0, 2, 0.9, 12), Stretch(7.5, 10.0, 8, 8, None, 8)]
