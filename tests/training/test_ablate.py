"""Curves of a stage that was run with a part left out, beside those of the full run."""

import json
import sys

from training import ablate

HEAD = {"run": {"seed": 3, "videos": 7, "workers": 2, "scale": 1.0, "device": "cpu", "router_weight": 1.0}}


def write_log(path, shift):
    lines: list[dict] = [HEAD]
    for stage in ("vision held out", "compressor", "compressor held out", "together held out"):
        for step in (200, 400, 600):
            scores = {"auc": shift + step / 1000, "first": 0.1, "words": 0.2, "loss": 1.0}
            lines.append({"stage": stage, "step": step, **scores})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_curve_is_what_the_compressor_scores_on_held_out_videos(tmp_path):
    write_log(tmp_path / "log.jsonl", 0.25)
    assert ablate.curve(tmp_path / "log.jsonl", 400) == {
        "200": {"auc": 0.45, "first": 0.1, "words": 0.2},
        "400": {"auc": 0.65, "first": 0.1, "words": 0.2},
    }


def test_parts_are_trained_from_the_full_run_with_its_own_options(tmp_path, monkeypatch):
    start, called = tmp_path / "full", []
    start.mkdir()
    for name in ("tokenizer.json", "typing_errors.json", "decoder.pt", "stories.pt", "vision.pt"):
        (start / name).write_text(name)
    write_log(start / "log.jsonl", 0.0)

    def train(command, **_):
        folder = command[3]
        write_log(tmp_path / "work" / folder.rpartition("/")[2] / "log.jsonl", 0.25 * (len(called) + 1))
        called.append(command)

    monkeypatch.setattr(ablate.subprocess, "run", train)
    report = tmp_path / "report.json"
    words = ["ablate", tmp_path / "work", report, "--corpus", tmp_path, "--start", start, "--steps", 200]
    monkeypatch.setattr(sys, "argv", [str(word) for word in words])
    ablate.main()
    told = json.loads(report.read_text())
    assert {name: own["200"]["auc"] for name, own in told["runs"].items()} == {
        "whole": 0.2, "without vision": 0.45, "without the router's loss": 0.7,
    }  # fmt: skip
    blind, unrouted = called
    shared = [*f"--corpus {tmp_path} --halt 200 --seed 3 --videos 7 --workers 2 --scale 1.0".split()]
    assert blind[4:] == [*shared, "--no-vision"]
    assert unrouted[4:] == [*shared, "--router-weight", "0"]
    folders = [{path.name for path in (tmp_path / "work" / name).iterdir()} for name in (
        "without-vision", "without-the-routers-loss")]  # fmt: skip
    assert folders[0] == {"tokenizer.json", "typing_errors.json", "decoder.pt", "stories.pt", "log.jsonl"}
    assert folders[1] == folders[0] | {"vision.pt"}
