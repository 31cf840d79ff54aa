"""The rehearsal on a CPU: every part runs, its facts are right, and the file is whole whatever ends it."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from checkpoints import SIZES
from gpu_parts.counts import keys_and_values
from gpu_parts.scale import SMALL

from .conftest import ROOT, SCRIPT, Rehearsal, environment, rehearse, running, until, words, written

PARTS = ["correctness", "speed", "memory", "nvdec"]
LINUX = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")


def test_every_part_runs_and_the_last_line_is_the_result_file(whole: Rehearsal) -> None:
    assert {name: part["status"] for name, part in whole.parts.items()} == dict.fromkeys(PARTS, "done")
    assert list(whole.parts) == PARTS
    assert whole.code == 0
    first, second = whole.parts["correctness"], whole.parts["speed"]
    assert first["limit"] == 130
    assert second["limit"] == pytest.approx(130 + (130 - first["seconds"]), abs=0.5)  # what was left
    kept = written(whole.folder)
    assert kept["small"] is True
    assert kept["accelerator"] is None
    assert {key: whole.printed[key] for key in kept if key != "machine"} == {
        key: value for key, value in kept.items() if key != "machine"
    }
    assert "\n  golden, bfloat16 " in whole.out


def test_the_tolerances_are_those_of_the_requirements_and_are_met(whole: Rehearsal) -> None:
    rows = whole.rows("correctness")
    for name in ("golden, bfloat16", "nano, bfloat16"):
        bound = 0.02 if name == "golden, bfloat16" else 0.04
        assert rows[name]["relevance_99"] <= rows[name]["tolerances"]["relevance_99"] == bound
        assert rows[name]["within_2_tokens"] >= rows[name]["tolerances"]["within_2_tokens"] == 0.9
    assert rows["nano, bfloat16"]["same_answers"] >= rows["nano, bfloat16"]["tolerances"]["same_answers"]
    assert rows["nano, bfloat16"]["tolerances"]["same_answers"] == 0.98
    assert rows["golden, bfloat16"]["relevance"] > 0  # another type gives other numbers
    for name in ("golden, float32", "nano, float32"):
        due = {"relevance": 1e-3, "same_tokens": 0.99, "same_answers": 1.0}
        assert rows[name]["tolerances"] == due
        assert (rows[name]["relevance"], rows[name]["same_tokens"], rows[name]["same_answers"]) == (0, 1, 1)
    assert rows["golden, float32"]["questions"] == 5
    assert rows["nano, float32"]["questions"] == SMALL.questions


def test_commands_end_with_their_codes_and_leave_nothing(whole: Rehearsal) -> None:
    rows = whole.rows("correctness")
    codes = {
        "tempo ask with nano": 0,
        "interrupt while compressing": 130,
        "out of memory": 6,
        "tempo ask with the small size": 0,
    }
    assert {name: rows[name]["exit"] for name in codes} == codes
    assert all(rows[name]["left"] == {"processes": [], "files": []} for name in codes)
    assert all(rows[name]["ok"] for name in codes)
    assert rows["tempo ask with nano"]["answer"] == "The car was red."
    assert rows["tempo ask with the small size"]["segments"] == SMALL.asks[0][0]


def test_every_speed_stands_beside_its_floor(whole: Rehearsal) -> None:
    rows = whole.rows("speed")
    batches = [row for name, row in rows.items() if name.startswith("compress")]
    assert [row["micro_batch"] for row in batches] == list(SMALL.micro_batches)
    for row in batches:
        assert row["segments"] == SMALL.segments
        assert row["seconds"] > 0 < row["floor_seconds"]
        assert set(row["segment_seconds"]) == set(row["segment_floor_seconds"])
        assert set(row["segment_seconds"]) == {"vision", "prefix", "suffix"}
        ratios = row["second_question_over_first"]
        assert 0 < ratios["keys_and_values_kept"] < 1 == ratios["frames_kept"]
        kept = keys_and_values(SIZES["small"].text, row["prefix_tokens"], itemsize=4)
        assert row["keys_and_values_bytes_per_segment"] == kept
    assert [rows[f"read {tokens} tokens"]["tokens"] for tokens in SMALL.prefills] == list(SMALL.prefills)
    for position in SMALL.positions:
        row = rows[f"write after {position} tokens"]
        assert row["floor_seconds"] > 0
        assert row["tokens_per_second"] == pytest.approx(1 / row["seconds"])
    assert {
        "operations_per_second",
        "copy_bytes_per_second",
        "pinned_host_to_device_bytes_per_second",
    } <= set(rows["ceilings"])
    questions = [rows[name]["questions"] for name in rows if "question" in name]
    assert questions == [1, 4, 4, 4]
    floors = [rows[name]["floor_seconds"] for name in rows if "question" in name]
    assert floors[1] == pytest.approx(4 * floors[0], rel=0.5)  # other questions, other answers
    assert floors[0] < floors[2] < floors[1]  # one visual pass for four
    loads = [
        rows[name]["weights_bytes"] for name in ("load, weights made on the device", "load from the file")
    ]
    assert loads[0] == loads[1] > 0


def test_what_fits_with_every_number_of_bits(whole: Rehearsal) -> None:
    rows = whole.rows("memory")
    for bits in ("none", "int8", "int4"):
        assert rows[f"4 segments, budget 256, weights {bits}"]["used"] <= 256
        assert rows[f"within 0.02 GB, weights {bits}, planned"]["together"] is False
        assert rows[f"within 0.02 GB, weights {bits}, planned"]["used"] == 4 * 128
        assert rows[f"within 0.02 GB, weights {bits}, not planned"]["steps"] == []
    sizes = [rows[f"load, weights {bits}"]["weights_bytes"] for bits in ("none", "int8", "int4")]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[1] > sizes[2]
    least = rows["within 0.0006 GB, weights none, planned"]
    assert (least["fits"], least["note"].split(":")[0]) == (False, "does not fit")


def test_decoders_without_a_card_are_named_and_not_tried(whole: Rehearsal) -> None:
    rows = whole.rows("nvdec")
    for size in ("1280x720", "1920x1080"):
        for tool in ("ffmpeg", "PyAV"):
            here = rows[f"{size} through {tool} on the cpu"]
            assert (here["frames"], here["compared"], here["ok"]) == (60, 60, True)
            if not rows["video driver"]["found"]:
                note = rows[f"{size} through {tool} on the cuda"]["note"]
                assert note == "no video driver (libnvcuvid.so.1)"


@LINUX
def test_nothing_runs_on(whole: Rehearsal) -> None:
    assert running(whole.folder) == []


def test_parts_that_are_done_are_skipped(whole: Rehearsal, tmp_path: Path) -> None:
    name = next(whole.folder.iterdir()).name
    (tmp_path / name).write_bytes((whole.folder / name).read_bytes())
    again = rehearse(tmp_path)
    assert (again.code, again.parts) == (0, whole.parts)


@LINUX
@pytest.mark.parametrize(
    ("number", "code", "status"),
    [(signal.SIGTERM, 143, "interrupted"), (signal.SIGKILL, -9, "running")],
)
def test_killed_in_the_middle_it_leaves_the_finished_parts(
    number: int, code: int, status: str, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        words(tmp_path, "--parts", "nvdec,correctness", "--folder", str(tmp_path)),
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    file = tmp_path / "2026-01-02-gpu-small.json"
    assert until(
        lambda: file.exists() and bool(written(tmp_path)["parts"].get("correctness", {}).get("rows"))
    )
    process.send_signal(number)
    assert process.wait(30) == code
    assert until(lambda: not running(tmp_path), 10)
    parts = written(tmp_path)["parts"]
    assert parts["nvdec"]["status"] == "done"
    assert len(parts["nvdec"]["rows"]) == 9
    assert parts["correctness"]["status"] == status
    assert parts["correctness"]["rows"][0]["name"] == "device"


@LINUX
@pytest.mark.parametrize("late", [["correctness", "speed", "memory"], ["nvdec"]])
def test_a_part_beyond_its_limit_is_ended_and_the_others_run(late: list[str], tmp_path: Path) -> None:
    limits = [word for part in late for word in ("--limit", f"{part}=0.01")]
    wanted = ",".join([*late, "nvdec"] if "nvdec" not in late else late)
    done = rehearse(tmp_path, "--parts", wanted, "--folder", str(tmp_path), *limits)
    assert done.code == 1
    statuses = {part: found["status"] for part, found in done.parts.items()}
    assert statuses == dict.fromkeys(late, "timed_out") | ({"nvdec": "done"} if "nvdec" not in late else {})
    assert [done.parts[part]["limit"] for part in late] == [0.01] * len(late)
    assert running(tmp_path) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a card")
def test_without_a_card_the_whole_measurement_says_so(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "--parts", "speed", "--out", str(tmp_path)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    message = "RuntimeError: no CUDA device here: give --small to try the code on the CPU"
    assert message in done.stdout
    assert '"status": "failed"' in done.stdout
