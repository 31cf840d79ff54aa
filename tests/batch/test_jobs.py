"""Where jobs come in."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tempo_cli.batch import jobs as border
from tempo_cli.batch.jobs import Defaults, read_jobs, stream_jobs
from tempo_cli.batch.live import live_groups
from tempo_cli.config import SamplingOptions
from tempo_cli.errors import UsageError
from tempo_cli.plan.schedule import Job, job_id

DEFAULTS = Defaults(SamplingOptions(fps=1.0))
EVERY = {
    "video": "a.mp4", "question": "what?", "id": 7, "start": "1:30", "end": 100, "fps": 0.5, "max_frames": 64,
    "window": 4, "picture": "raw", "sampling": "time", "budget": 64, "context": 4096, "no_ata": False,
    "max_new_tokens": 9, "temperature": 0.5, "seed": 3,
}  # fmt: skip


def read(text: str | bytes) -> list[Job]:
    return read_jobs(text if isinstance(text, bytes) else text.encode(), "'jobs'", DEFAULTS)


def lines(*values: Any) -> str:
    return "\n".join(json.dumps(value) for value in values)


def test_every_field_arrives() -> None:
    (job,) = read(lines(EVERY))
    assert (job.id, job.video, job.question, job.fault) == ("7", "a.mp4", "what?", None)
    assert job.sampling == SamplingOptions(0.5, 64, 4, 90.0, 100.0, "raw", "time")
    assert (job.budget.budget, job.budget.context, job.budget.ata) == (64, 4096, True)
    assert (job.generation.max_new_tokens, job.generation.temperature, job.generation.seed) == (9, 0.5, 3)


def test_the_three_forms_say_the_same() -> None:
    values = [EVERY, {"video": "b.mp4", "question": "who, and\n\nwhy?"}]
    table = ",".join(EVERY) + "\n" + ",".join(str(item) for item in EVERY.values())
    table += '\nb.mp4,"who, and\n\nwhy?"' + "," * (len(EVERY) - 2) + "\n"
    expected = read(lines(*values))
    assert expected[1].id == job_id("b.mp4", "who, and\n\nwhy?", None, None)
    assert expected[1].sampling.fps == 1.0
    assert read(json.dumps(values, indent=1)) == expected
    assert read(table) == expected
    assert read("\ufeff" + table) == expected
    assert read(table.replace(",", ";").replace("who;", "who,")) == expected
    assert read("video\tquestion\na.mp4\twhat, then?")[0].question == "what, then?"


def test_names_of_the_released_scripts_are_known() -> None:
    (job,) = read('[{"video_path": "a.mp4", "query": "what?"}]')
    assert (job.video, job.question) == ("a.mp4", "what?")


def test_nothing_is_no_job() -> None:
    assert read("") == read("\n \n") == read("[]") == read("video,question\n") == []


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"video": "a.mp4"}, "there is no question"),
        ({"question": "what?"}, "there is no video"),
        ({"video": 3, "question": "what?"}, "video is 3: it is not text"),
        ({"video": "a.mp4", "question": ["what?"]}, "question is ['what?']: it is not text"),
        ({"video": "a\ud800.mp4", "question": "what?"}, "video is 'a\\ud800.mp4': it has half a character"),
        ({"video": "a.mp4", "question": "a \ud83d"}, "question is 'a \\ud83d': it has half a character"),
        ({**EVERY, "id": "\ud800"}, "id is '\\ud800': it has half a character"),
        ({**EVERY, "sampling": "foo"}, "sampling is 'foo': it is not auto, index or time"),
        ({"video": "a.mp4", "question": "?!"}, "'?!' is not a question"),
        ({**EVERY, "fps": -1}, "fps is -1; it can be from"),
        ({**EVERY, "fps": "fast"}, "fps is 'fast': it is not a number"),
        ({**EVERY, "window": 1.5}, "window is 1.5: it is not a whole number"),
        ({**EVERY, "seed": True}, "seed is True: it is not a whole number"),
        ({**EVERY, "end": "9:99"}, "end is '9:99': '9:99' has a minute"),
        ({**EVERY, "end": 90}, "start (90 s) is not before end (90 s)"),
        ({**EVERY, "no_ata": "maybe"}, "no_ata is 'maybe': it is not true or false"),
        ({**EVERY, "id": [1]}, "id is neither text nor a whole number"),
        ({**EVERY, "id": "x" * 1001}, "id has more than 1,000 characters"),
        ({**EVERY, "model": "x"}, "a job can't set 'model'"),
        ({**EVERY, "ffmpeg": "/bin/sh"}, "a job can't set 'ffmpeg'"),
        ({**EVERY, "decoder_device": "cpu"}, "a job can't set 'decoder_device'"),
        ({**EVERY, "max_frame": 3}, "a job has no field 'max_frame'"),
        ({**EVERY, "video_path": "b.mp4"}, "a field is given under two names"),
        ([1], "not an object"),
    ],
)
def test_a_bad_line_is_a_faulty_job_in_its_place(value: Any, message: str) -> None:
    first, bad, last = read(lines({**EVERY, "id": "first"}, value, {**EVERY, "id": "last"}))
    assert (first.id, first.fault, last.id, last.fault) == ("first", None, "last", None)
    assert bad.fault is not None
    assert bad.fault.message.startswith("line 2")
    assert message in bad.fault.message
    if isinstance(value, dict) and value.get("id") == 7:
        assert bad.id == "7"
    assert "\\ud8" not in json.dumps([bad.id, bad.video, bad.question])  # jq can't read half a character


def test_a_name_that_is_not_utf8_is_a_name() -> None:
    (job,) = read(lines({"video": "a\udcff.mp4", "question": "what?"}))
    assert (job.video, job.fault) == ("a\udcff.mp4", None)


def test_broken_json_is_a_faulty_job_with_an_id_of_its_own() -> None:
    one, other, same = read('{"video": \n{"video": 1\n{"video":')
    assert one.fault is not None
    assert one.fault.message == "line 1 is not JSON: Expecting value"
    assert one.id == same.id != other.id


def test_rows_that_do_not_fit_their_header() -> None:
    long, short = read("video,question\na,b,c\na.mp4\n")
    assert long.fault is not None
    assert long.fault.message == "line 2 has 3 cells, the header 2"
    assert short.fault is not None
    assert short.fault.message == "line 3: there is no question"


def test_a_lost_quote_is_a_faulty_job_and_no_long_question() -> None:
    first, lost = read('video,question\na.mp4,say "what"?\na.mp4,"what?\na.mp4,who?\n')
    assert (first.question, first.fault) == ('say "what"?', None)
    assert lost.fault is not None
    assert lost.fault.message == "line 4 is not CSV: unexpected end of data"


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"\x00\x00\x00\x18ftypmp42\xff", "'jobs', line 1 is not text in UTF-8"),
        (b"what happens?", "'jobs' is neither JSON nor a table with the columns video and question"),
        (b"video,question,query\na,b,c", "'jobs' has several columns for question"),
        (b"video,question,model\na,b,c", "'jobs': a job can't set 'model'"),
        (b"[1", "'jobs' is not a list in JSON: Expecting"),
        (b"x" * (2**20 + 1), "'jobs', line 1 has more than 1,048,576 bytes"),
    ],
)
def test_what_cannot_be_read_as_jobs(raw: bytes, message: str) -> None:
    with pytest.raises(UsageError) as error:
        read(raw)
    assert error.value.message.startswith(message)


def test_a_file_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(border, "LARGEST", 10)
    with pytest.raises(UsageError, match="more than 10 bytes"):
        read("video,question")


def test_a_stream_gives_each_job_before_the_next_line_is_read() -> None:
    taken = []

    def source() -> Iterator[bytes]:
        for name in ("a", "a", "b", "a"):
            taken.append(name)
            yield json.dumps({"video": name, "question": f"{len(taken)}?"}).encode()

    found = stream_jobs(source(), "standard input", DEFAULTS)
    assert (next(found).video, taken) == ("a", ["a"])
    with pytest.raises(UsageError, match="is a list"):
        next(stream_jobs([b"["], "standard input", DEFAULTS))


def test_only_neighbors_of_a_stream_share_a_video() -> None:
    values = [{"video": video, "question": f"{number}?"} for number, video in enumerate("aaba")]
    found = live_groups(iter(read(lines(*values[:2], [1], *values[2:]))))
    groups = list(found)
    assert [(group.video, group.asks) for group in groups] == [("a", True), ("b", True), ("a", True)]
    counts = [sum(len(jobs) for jobs in group.rounds()) for group in groups]
    assert counts == [3, 1, 1]
