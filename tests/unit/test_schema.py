"""A run as a dictionary, as JSON and back: of this version, of an older and of a newer one."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tempo_cli import __version__
from tempo_cli.errors import UsageError, VideoError
from tempo_cli.schema import (
    Answer,
    AnsweredRun,
    BudgetSummary,
    DecoderSummary,
    GenerationSummary,
    Memory,
    ModelInfo,
    Request,
    Reused,
    Run,
    SamplingSummary,
    SegmentReport,
    Timing,
    VideoSummary,
    build_run,
    error_to_json,
    run_from_json,
)
from tempo_cli.types import Evidence, Exchange, Unseen

OLDER = Path(__file__).parent.parent / "cli" / "run.json"  # written before the newer fields came
VIDEO = VideoSummary(
    "a/ü.mp4",
    10.0,
    25.0,
    640,
    272,
    "h264",
    0.0,
    10.0,
    size=1234,
    mtime=1.5,
    picture="auto",
    sample_aspect_ratio="64:45",
    color_transfer="smpte2084",
    decoder=DecoderSummary(2, 700, 300),
    constant_rate=True,
    unseen=Unseen(1, 2, True, False, False, True),
)
RUN = AnsweredRun(
    video=VIDEO,
    question="what?",
    answer=Answer("A car.", "stop", 3),
    model=ModelInfo("nano", None, "cpu", "float32", None, "Knows cars.", "cuda:1", "bfloat16"),
    sampling=SamplingSummary(12, 2.0, 8, "time"),
    budget=BudgetSummary(8192, 1132, "linear", 16384),
    segments=(
        SegmentReport(0, 0.0, 4.2, 2.0, 0.1, 132, 8),
        SegmentReport(1, 4.2, 10.0, 6.0, 0.97, 1000, 4),
    ),
    timing=Timing(1.0, 2.0, 3.0, 4.0, 8.5),
    memory=Memory(1000, None, 8, True, ("micro_batch=4", "in_turn")),
    warnings=("so be it",),
    generation=GenerationSummary(24, 0.7, 5),
    reused=Reused("memory", "host"),
    history=(Exchange("where?", "There."),),
    evidence=Evidence(0.97, (1,), 0.5, False),
)
INSPECTED = Run(**{**vars(RUN), "answer": None, "generation": None})
PLAIN = {
    "schema": "tempo.run/1",
    "status": "ok",
    "id": None,
    "video": {
        "path": "a/ü.mp4", "duration": 10.0, "fps": 25.0, "width": 640, "height": 272, "codec": "h264",
        "start": 0.0, "end": 10.0, "size": 1234, "mtime": 1.5,
        "picture": "auto", "sample_aspect_ratio": "64:45", "color_transfer": "smpte2084",
        "decoder": {"processes": 2, "packets": 700, "decoded": 300},
        "constant_rate": True,
        "unseen": {
            "sound": 1, "texts": 2, "interlaced": True, "alpha": False, "hdr": False, "shape": True,
        },
    },
    "question": "what?",
    "answer": {"text": "A car.", "finish_reason": "stop", "tokens": 3},
    "model": {
        "id": "nano", "revision": None, "device": "cpu", "dtype": "float32", "quantization": None,
        "scope": "Knows cars.", "decoder_device": "cuda:1", "decoder_dtype": "bfloat16",
    },
    "sampling": {"frames": 12, "fps": 2.0, "window": 8, "mode": "time"},
    "budget": {"limit": 8192, "used": 1132, "mode": "linear", "context": 16384},
    "segments": [
        {"index": 0, "start": 0.0, "end": 4.2, "time": 2.0, "relevance": 0.1, "tokens": 132, "frames": 8},
        {"index": 1, "start": 4.2, "end": 10.0, "time": 6.0, "relevance": 0.97, "tokens": 1000, "frames": 4},
    ],
    "timing": {"load": 1.0, "decode": 2.0, "compress": 3.0, "answer": 4.0, "total": 8.5},
    "memory": {
        "host_peak_bytes": 1000, "device_peak_bytes": None, "micro_batch": 8, "together": True,
        "steps": ["micro_batch=4", "in_turn"],
    },
    "warnings": ["so be it"],
    "generation": {"max_new_tokens": 24, "temperature": 0.7, "seed": 5},
    "reused": {"frames": "memory", "prefix": "host"},
    "history": [{"question": "where?", "answer": "There."}],
    "tempo": __version__,
    "evidence": {"highest": 0.97, "segments": [1], "threshold": 0.5, "weak": False},
}  # fmt: skip


def test_a_run_as_a_dictionary_is_plain():
    assert RUN.to_dict() == PLAIN
    assert list(RUN.to_dict()) == list(PLAIN)


def test_a_run_as_json_is_one_ascii_line():
    line = RUN.to_json()
    assert line.isascii()
    assert "\n" not in line
    assert json.loads(line) == PLAIN


def test_json_knows_no_infinity():
    with pytest.raises(ValueError, match="not JSON compliant"):
        replace(RUN, timing=replace(RUN.timing, total=float("inf"))).to_json()


@pytest.mark.parametrize("run", [RUN, INSPECTED])
def test_a_run_survives_its_journey(run: Run):
    back = run_from_json(run.to_json())
    assert (back, type(back)) == (run, type(run))


def test_a_run_shows_what_matters():
    assert repr(RUN) == (
        "AnsweredRun(video='a/ü.mp4', question='what?', answer='A car.', 2 segments, 1,132 tokens, "
        "highest relevance 0.97)"
    )
    segments = tuple(replace(segment, relevance=None) for segment in RUN.segments)
    plain = replace(INSPECTED, segments=segments)
    assert repr(plain) == "Run(video='a/ü.mp4', question='what?', 2 segments, 1,132 tokens)"


def test_only_an_answer_makes_an_answered_run():
    fields = {name: value for name, value in vars(RUN).items() if name != "answer"}
    assert type(build_run(RUN.answer, **fields)) is AnsweredRun
    assert type(build_run(None, **fields)) is Run


def test_a_run_of_an_older_tempo_lacks_what_came_later():
    older = OLDER.read_text()
    run = run_from_json(older)
    assert (run.tempo, run.generation, run.reused) == (None, None, Reused(None, None))
    assert (run.video.size, run.video.mtime, run.budget.context) == (None, None, None)
    assert (run.memory.micro_batch, run.memory.together, run.memory.steps) == (None, None, ())
    assert run.sampling.mode == "index"
    told, again = json.loads(older), run.to_dict()
    assert (run.evidence, run.model.scope) == (None, None)
    grown = {"video", "sampling", "budget", "memory", "model"}
    for part in grown:
        assert {**again[part], **told[part]} == again[part]
    for part in told.keys() - grown:
        assert again[part] == told[part]
    assert run_from_json(run.to_json()) == run


def test_a_run_of_a_newer_tempo_is_read_without_what_is_unknown():
    newer = json.loads(RUN.to_json())
    for part in [value for value in newer.values() if isinstance(value, dict)] + newer["segments"]:
        part["later"] = [1]
    newer |= {"later": {"a": 1}, "tempo": "99.0"}
    assert run_from_json(json.dumps(newer)) == replace(RUN, tempo="99.0")


@pytest.mark.parametrize("lost", ["video", "question", "answer", "segments", "timing", "warnings"])
def test_a_run_without_a_field_that_was_always_there_is_refused(lost: str):
    value = {name: item for name, item in PLAIN.items() if name != lost}
    with pytest.raises(UsageError, match=f"^the saved run can't be used: {lost} is "):
        run_from_json(json.dumps(value))


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("history", None, "history is not a list"),
        ("history", {"question": "a", "answer": "b"}, "history is not a list"),
        ("history", ["a"], "history[0] is not an object"),
        ("history", [{"question": "a"}], "history[0].answer is missing"),
        ("history", [{"question": 1, "answer": "b"}], "history[0].question is not text"),
        ("evidence", PLAIN["evidence"] | {"threshold": 1e300}, "a relevance is not between 0 and 1"),
        ("evidence", PLAIN["evidence"] | {"highest": -1}, "a relevance is not between 0 and 1"),
    ],
)  # fmt: skip
def test_a_part_that_does_not_fit_is_refused(part: str, value: object, message: str):
    with pytest.raises(UsageError) as caught:
        run_from_json(json.dumps(PLAIN | {part: value}))
    assert (caught.value.exit_code, caught.value.message) == (2, f"the saved run can't be used: {message}")


def test_tokens_must_add_up():
    with pytest.raises(ValueError, match=r"^segments and budget disagree$"):
        replace(RUN, segments=RUN.segments[:1])


def test_a_failure_names_what_was_asked_for():
    error = VideoError("no video", "look again")
    facts = {"code": "video", "message": "no video", "hint": "look again"}
    head = {"schema": "tempo.run/1", "status": "error", "id": None, "tempo": __version__, "error": facts}
    assert json.loads(error_to_json(error, Request("what?", "a.mp4", "nano"))) == {
        **head, "video": {"path": "a.mp4"}, "question": "what?", "model": {"id": "nano"},
    }  # fmt: skip
    assert json.loads(error_to_json(error)) == {
        **head, "video": {"path": None}, "question": None, "model": {"id": None},
    }  # fmt: skip
