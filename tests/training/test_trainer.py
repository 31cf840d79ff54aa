"""The loop: decided by its seed, and an interrupted run ends where an uninterrupted one does."""

import os
import signal
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from json import loads
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from training import corpus, network, train, trainer
from training.export import export
from training.layout import TEMPO, TYPING_ERRORS, warm_start
from training.network import Story
from training.shape import DECODER, WIDTH
from training.stages import Long, Reading, Scores, Stage, Vision, memory_ids
from training.train import (
    batches_of_memories,
    curriculum,
    join,
    keep_memory_words,
    note_run,
    side_by_side,
)
from training.trainer import HELD_OUT, TRAINED_ON, Trainer, load_shelves

from .conftest import new_model

STEPS = 4


def vision() -> Vision:
    torch.manual_seed(5)  # its heads
    return Vision(STEPS, batch=6)


def reading() -> Reading:
    return Reading(STEPS, segments=6, longest=3)


def long() -> Long:
    return Long(STEPS, videos=3, own=2, questions=2, longest=4, segments=8)


@dataclass
class Stopping:
    """A stage that is interrupted in the loss of step `at`; counts its steps."""

    stage: Stage
    at: int | None = None
    steps_done: int = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self.stage, name)

    def loss(self, *arguments: object) -> tuple[Tensor, Scores]:
        if torch.is_grad_enabled():
            if self.steps_done == self.at:
                raise KeyboardInterrupt
            self.steps_done += 1
        return self.stage.loss(*arguments)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def often(monkeypatch):
    """Save after every second step, score and log at once."""
    for name, value in {
        "_SAVE_EVERY": 2,
        "_CHECK_EVERY": 3,
        "_CHECKS": 1,
        "_LOG_EVERY": 2,
        "_WARMUP": 2,
    }.items():
        monkeypatch.setattr(trainer, name, value)


@pytest.fixture
def run(tokenizer_json, shelf, tmp_path) -> Callable[..., dict[str, Tensor]]:
    """Train a stage in a folder; gives every weight, the stage's own among them."""

    def trained(
        stage: Stage | Stopping,
        name: str = "run",
        seed: int = 0,
        turn: float = 1.0,
        halt: int | None = None,
    ) -> dict[str, Tensor]:
        model = new_model(tokenizer_json)
        with torch.no_grad():
            for weight in model.parameters():
                weight *= turn
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        Trainer(model, folder, seed, [shelf], [shelf]).run(stage, 1, halt)  # type: ignore[arg-type]
        own = getattr(stage, "heads", None)
        return model.state_dict() | (
            {f"heads.{key}": value for key, value in own.state_dict().items()} if own else {}
        )

    return trained


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    assert first.keys() == second.keys()
    return all(torch.equal(first[name], second[name]) for name in first)


def test_a_seed_decides_all_weights(run):
    first, second, other = run(reading(), "first"), run(reading(), "second"), run(reading(), "other", seed=1)
    assert same(first, second)
    assert not same(first, other)


def interrupted_and_not(run: Callable[..., dict[str, Tensor]], made: Callable[[], Stage]) -> bool:
    """Whether both end with the same weights."""
    whole = run(made(), "whole")
    with pytest.raises(KeyboardInterrupt):
        run(Stopping(made(), at=3), "stopped")
    again = Stopping(made())
    resumed = run(again, "stopped", turn=0.5)  # what it begins with is not what counts
    assert again.steps_done == STEPS - 2
    return same(whole, resumed)


@pytest.mark.parametrize("made", [vision, reading, long])
def test_an_interrupted_run_ends_with_the_same_weights(run, made):
    assert interrupted_and_not(run, made)


def test_a_halted_run_goes_on_later(run, tmp_path):
    whole = run(vision(), "whole")
    run(vision(), "halted", halt=3)
    assert sorted(path.name for path in (tmp_path / "halted").iterdir()) == ["log.jsonl", "vision.part.pt"]
    assert same(whole, run(vision(), "halted", turn=0.5))
    told = [(tmp_path / name / "log.jsonl").read_text().splitlines() for name in ("whole", "halted")]
    steps = [[loads(line)["step"] for line in lines if "held out" in line] for lines in told]
    assert steps == [[3, 4], [3, 4]]


def test_a_stage_leaves_its_weights_and_a_log(run, tmp_path, fresh, shelf):
    weights = run(reading())
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["decoder.pt", "log.jsonl"]
    lines = [loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [(line["stage"], line["step"]) for line in lines] == [
        ("decoder", 2),
        ("decoder held out", 3),
        ("decoder", 4),
        ("decoder held out", 4),
    ]
    assert all(0 < line["loss"] < 10 for line in lines)
    later = Trainer(fresh, tmp_path / "run", 0, [shelf], [shelf])
    assert not later.done("vision")
    assert later.done("decoder")
    assert same(fresh.state_dict(), weights)


def test_a_stage_changes_only_what_it_trains(run, fresh):
    before, after = fresh.state_dict(), run(reading())
    changed = {
        name.split(".")[0] + "." + name.split(".")[1]
        for name in before
        if not torch.equal(before[name], after[name])
    }
    assert changed == {"decoder.llm"}


def test_every_weight_has_one_optimizer_and_only_hidden_matrices_have_muon(nano):
    weights = list(nano.parameters())
    muon, adam = trainer._optimizers(weights, 1e-3, nano)
    chosen, rest = (
        [id(one) for group in own.param_groups for one in group["params"]] for own in (muon, adam)
    )
    assert sorted(chosen + rest) == sorted(map(id, weights))
    names = {id(one): name for name, one in nano.named_parameters()}
    tables = {names[one] for one in rest if dict(nano.named_parameters())[names[one]].ndim == 2}
    assert tables == {
        "compressor.vlm.language_model.embed_tokens.weight",
        "compressor.vlm.visual.pos_embed.weight",
        "decoder.llm.model.embed_tokens.weight",
    }
    assert len(chosen) > 60


def test_the_rate_rises_stays_and_falls(monkeypatch):
    monkeypatch.setattr(trainer, "_WARMUP", 60)
    rates = [trainer._schedule(step, 1000) for step in (0, 29, 59, 300, 550, 775, 999)]
    assert rates == pytest.approx([1 / 60, 0.5, 1, 1, 1, 0.5, 1 / 450])


def test_the_vision_of_one_and_the_rest_of_the_other_become_one_model(tokenizer_json, nano, tmp_path):
    seeing, reading = (new_model(tokenizer_json) for _ in range(2))
    for model, turn in ((seeing, 2.0), (reading, 3.0)):
        with torch.no_grad():
            for weight in model.parameters():
                weight *= turn
    torch.save(seeing.state_dict(), tmp_path / "vision.pt")
    torch.save(reading.state_dict(), tmp_path / "stories.pt")
    torch.save(seeing.state_dict(), tmp_path / "tighten.pt")
    parts = {
        ("stories", "vision"): (".visual.", "decoder.llm."),
        ("stories",): (None, "decoder.llm."),
        ("stories", "tighten"): (("compressor.", "decoder.projector."), "decoder.llm."),
    }
    for stages, (sees, reads) in parts.items():
        joined = new_model(tokenizer_json)
        join(joined, [tmp_path], stages)
        for name, weight in joined.state_dict().items():
            turn = 3.0 if reads in name else 1.0
            if sees is not None and any(own in name for own in ([sees] if isinstance(sees, str) else sees)):
                turn = 2.0
            assert torch.equal(weight, nano.state_dict()[name] * turn), name


def test_the_compressors_of_several_runs_become_their_mean(nano, tokenizer_json, tmp_path):
    state = nano.state_dict()
    for factor in (1, 2, 6):
        (tmp_path / str(factor)).mkdir()
        scaled = {name: factor * tensor for name, tensor in state.items()}
        torch.save(scaled, tmp_path / str(factor) / "tighten.pt")
    joined = new_model(tokenizer_json)
    join(joined, [tmp_path / "1", tmp_path / "2", tmp_path / "6"], ["tighten"])
    for name, weight in joined.state_dict().items():
        expected = 3 * state[name] if name.startswith(("compressor.", "decoder.projector.")) else state[name]
        assert torch.allclose(weight, expected), name


def test_training_goes_on_from_exported_weights(tokenizer_json, fresh, tmp_path):
    with torch.no_grad():
        for number, weight in enumerate(fresh.parameters()):
            weight.copy_(torch.full_like(weight, float(number % 100)))  # as bfloat16 holds them
    export(fresh, tokenizer_json, tmp_path)
    again = new_model(tokenizer_json)
    warm_start(again, tmp_path)
    for name, weight in again.state_dict().items():
        assert torch.equal(weight, fresh.state_dict()[name]), name


def test_a_deeper_decoder_begins_as_what_it_goes_on_from(tokenizer_json, fresh, tmp_path, monkeypatch):
    with torch.no_grad():
        for weight in fresh.parameters():
            weight.copy_(weight.bfloat16().float())
    export(fresh, tokenizer_json, tmp_path)
    layers = len(fresh.decoder.llm.model.layers)
    monkeypatch.setattr(network, "DECODER", DECODER | {"num_hidden_layers": layers + 2})
    deeper = new_model(tokenizer_json)
    warm_start(deeper, tmp_path)
    assert len(deeper.decoder.llm.model.layers) == layers + 2
    story = Story((2.0, 6.0), [torch.randn(3, WIDTH), torch.randn(1, WIDTH)], "what was it?", "A red car.")
    with torch.no_grad():
        assert torch.equal(fresh.write([story])[0], deeper.write([story])[0])


def test_embeddings_of_memory_words_stay_as_the_compressor_has_learned_them(fresh):
    keep_memory_words(fresh)
    table = fresh.decoder.llm.model.embed_tokens.weight
    table.sum().backward()
    rows = memory_ids(fresh)
    assert (table.grad[rows] == 0).all()
    assert int((table.grad[:, 0] == 1).sum()) == len(table) - len(rows)


def test_from_trained_weights_the_last_stages_are_shorter():
    new, warm = curriculum(1.0), curriculum(1.0, warm=True)
    assert list(new) == list(warm)
    assert [name for name in new if warm[name].steps < new[name].steps] == ["tighten", "settle"]
    assert [stage.steps for stage in curriculum(0.001).values()] == [4, 4, 2, 4, 2, 2, 2, 2, 2]


def test_processes_share_the_batches_of_memories():
    assert [batches_of_memories(750, processes) for processes in (1, 2, 400)] == [400, 200, 2]


def test_the_first_stages_share_the_processes():
    assert side_by_side(1, True) == [(["decoder", "stories"], 1), (["vision"], 1)]
    assert side_by_side(14, True) == [(["decoder", "stories"], 7), (["vision"], 7)]
    assert side_by_side(2, False) == [(["decoder", "stories"], 1)]


def test_what_is_held_out_is_never_trained_on(segments, tmp_path: Path):
    """Twenty videos as shards, every fourth of another frame size, joined and divided."""
    for number in range(20):
        rows = segments.place[:, 0] == number
        own = corpus.Segments(*(array[rows] for array in segments))
        if number % 4 == 3:
            own = own._replace(frames=np.swapaxes(own.frames, 2, 3))
        np.savez(tmp_path / f"{number:05}.npz", **own._asdict())
    corpus.join(tmp_path, range(20))
    shelves = {part: load_shelves(tmp_path, part, 20) for part in (TRAINED_ON, HELD_OUT)}
    numbers = {
        part: {int(shelf.place[row, 0]) for shelf in own for row in shelf.rows}
        for part, own in shelves.items()
    }
    assert numbers == {TRAINED_ON: set(range(19)), HELD_OUT: {19}}
    assert [shelf.frames.shape[2:4] for shelf in shelves[TRAINED_ON]] == [(64, 96), (96, 64)]
    assert [shelf.frames.shape[2:4] for shelf in shelves[HELD_OUT]] == [(96, 64)]
    assert sum(len(shelf) for own in shelves.values() for shelf in own) == len(segments.place)
    more = load_shelves(tmp_path, TRAINED_ON, 20, more=[tmp_path])  # of a further folder all is trained on
    assert [len(shelf) for shelf in more] == [
        *(len(shelf) for shelf in shelves[TRAINED_ON]), *(int(n) for n in (90, 30))
    ]  # fmt: skip
    vary = load_shelves(tmp_path, TRAINED_ON, 20, vary=True)
    assert [shelf.varied for shelf in vary] == [True] * 8
    assert {int(shelf.place[row, 0]) for shelf in vary for row in shelf.rows} == set(range(19))
    assert [len(shelf) for shelf in vary[:4]] == [90, 75, 75, 75]  # as filmed, and 2, 4 and 6 frames later
    assert not any(shelf.varied for shelf in shelves[HELD_OUT])


def test_a_further_corpus_begins_with_the_next_video(monkeypatch, tmp_path: Path):
    made: list[int] = []

    class Here:
        def __init__(self, workers: int) -> None: ...
        def __enter__(self):
            return self

        def __exit__(self, *error: object) -> None: ...
        def map(self, make, numbers): return map(make, numbers)  # fmt: skip

    monkeypatch.setattr(corpus, "ProcessPoolExecutor", Here)
    monkeypatch.setattr(corpus, "make_shard", lambda _, number: made.append(number))
    monkeypatch.setattr(corpus, "join", lambda _, videos: made.append(list(videos)))
    monkeypatch.setattr("sys.argv", ["corpus", str(tmp_path), "--first", "1000", "--videos", "3"])
    corpus.main()
    assert made == [1000, 1001, 1002, [1000, 1001, 1002]]


def test_a_run_goes_on_only_as_it_began(tmp_path, monkeypatch):
    begun = {
        "work": tmp_path, "corpus": [tmp_path], "average": [], "seed": 1, "scale": 1.0, "device": "cpu",
        "start": None,
    }  # fmt: skip
    note_run(Namespace(**begun))
    note_run(Namespace(**begun | {"device": "cuda", "average": [tmp_path]}))
    lines = [loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["run"] for line in lines] == [
        {
            "corpus": 1, "average": average, "seed": 1, "scale": 1.0, "device": device, "start": False,
            "steps": train._STEPS,
        }
        for device, average in (("cpu", 0), ("cuda", 1))
    ]  # fmt: skip
    assert lines[0]["versions"]["torch"] == torch.__version__
    for changed in ({"seed": 2}, {"scale": 0.5}, {"start": tmp_path}):
        with pytest.raises(SystemExit, match="holds a run with other options"):
            note_run(Namespace(**begun | changed))
    monkeypatch.setitem(train._STEPS, "settle", 7)  # a newer version of the curriculum
    with pytest.raises(SystemExit, match="holds a run with other options"):
        note_run(Namespace(**begun))
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize("more", [(), ("--halt", "3"), ("--workers", "5")])
def test_from_trained_weights_two_stages_share_all_processes(tmp_path, monkeypatch, more):
    ran: list = []
    monkeypatch.setattr(train, "run", lambda groups, *_: ran.append(groups))
    for name, value in train.ALLOCATOR.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(train, "exit_on_signals", lambda: None)
    start = Path(train.__file__).parents[1] / "src/tempo_cli/nano"
    monkeypatch.setattr(
        "sys.argv", ["train", str(tmp_path), "--corpus", str(tmp_path), "--start", str(start), *more]
    )
    train.main()
    assert ran == [[(["tighten", "settle"], 5 if "5" in more else 2)]]
    run = loads((tmp_path / "log.jsonl").read_text())["run"]
    assert run["steps"] == {name: curriculum(1.0, warm=True)[name].steps for name in ("tighten", "settle")}
    assert (tmp_path / "tokenizer.json").read_text() == (start / "Tempo-nano/tokenizer.json").read_text()


def test_groups_of_stages_run_side_by_side_each_in_its_processes(monkeypatch):
    begun, ended = [], []

    class Process:
        def __init__(self, target, args):
            assert target is train.work
            self.own, self.sentinel, self.exitcode = args, object(), None

        def start(self):
            begun.append(self.own)

        def join(self):
            self.exitcode = int(self.own[:2] == failing)

        def is_alive(self):
            return self.exitcode is None

        def terminate(self):
            ended.append(self.own)
            self.exitcode = -15

    options, failing = Namespace(), None
    monkeypatch.setattr(train.mp, "get_context", lambda _: Namespace(Process=Process))
    monkeypatch.setattr(train, "wait", lambda sentinels: sentinels[-1:])
    train.run([(["stories"], 2), (["vision"], 3)], options, 7000)
    assert begun == [
        (0, 2, options, ["stories"], 7000), (1, 2, options, ["stories"], 7000),
        *((rank, 3, options, ["vision"], 7001) for rank in range(3)),
    ]  # fmt: skip
    assert ended == []
    failing = (1, 3)
    with pytest.raises(SystemExit, match="a stage failed with 1"):
        train.run([(["stories"], 2), (["vision"], 3)], options, 7000)
    assert ended == begun[:3]  # the fifth had ended, the fourth failed

    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "wait", interrupted)
    ended.clear()
    with pytest.raises(KeyboardInterrupt):
        train.run([(["stories"], 2), (["vision"], 3)], options, 7000)
    assert ended == begun[:5]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_ended_takes_its_processes_with_it(tmp_path, number):
    (tmp_path / "waiting.py").write_text(
        "import os, pathlib, time\n"
        "def work(rank, *_):\n"
        "    pathlib.Path(__file__).with_name(f'{rank}.pid').write_text(str(os.getpid()))\n"
        "    time.sleep(60)\n"
    )
    code = (
        "import waiting\nfrom training import train\ntrain.work = waiting.work\n"
        "train.exit_on_signals()\ntrain.run([(['vision'], 2)], None, 0)\n"
    )
    root = Path(train.__file__).parents[1]
    paths = os.pathsep.join(map(str, (tmp_path, root, root / "src")))
    with subprocess.Popen([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": paths}) as process:
        names = [tmp_path / f"{rank}.pid" for rank in range(2)]
        until = time.monotonic() + 50
        while not all(name.exists() and name.read_text() for name in names):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)
        process.send_signal(number)
        assert process.wait(20) == 128 + number
    for name in names:
        with pytest.raises(ProcessLookupError):
            os.kill(int(name.read_text()), 0)


def test_typing_errors_come_from_a_word_list_or_from_the_first_weights(tmp_path):
    (tmp_path / TEMPO).mkdir()
    (tmp_path / TEMPO / "config.json").write_text('{"tempo": {"typing_errors": {"car": "cra"}}}')
    for start, table in ((tmp_path, {"car": "cra"}), (None, {})):
        train.save_typing_errors(tmp_path, (), start)
        assert loads((tmp_path / TYPING_ERRORS).read_text()) == table
    train.save_typing_errors(tmp_path, ("far",), tmp_path)
    table = loads((tmp_path / TYPING_ERRORS).read_text())
    assert {"cra", "carr"} <= {*table["car"].split()}
    assert "far" not in table["car"].split()
