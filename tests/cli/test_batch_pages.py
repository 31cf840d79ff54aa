"""`tempo batch --html FOLDER`: a page for each video, an index, and nothing of others harmed."""

import json
import os
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest

from tempo_cli.cli import batch_model

from .conftest import Outcome, on_terminal
from .test_batch import QUICK, folder, job, write

__all__ = ["folder"]
Tempo = Callable[..., Outcome]
HOSTILE = '<script>alert(1)</script> & "what"?'


def rows(index: Path) -> list[list[str]]:
    """The cells of each row of the table, as text; a link as [address] text."""
    found = []
    for row in re.findall(r"<tr>(<td.*?)</tr>", index.read_text(), re.DOTALL):
        cells = re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)
        linked = [re.sub(r'<a href="([^"]*)">(.*?)</a>', r"[\1] \2", cell) for cell in cells]
        found.append([unescape(re.sub(r"<[^>]*>", "", cell)) for cell in linked])
    return found


def test_each_video_has_a_page_and_the_index_leads_there(folder: Path, tempo: Tempo) -> None:
    jobs, results, pages = folder / "jobs.jsonl", folder / "r.jsonl", folder / "new" / "pages"
    given = [job("a.mp4", "what?"), job("bad.mp4", "what?"), job("a.mp4", HOSTILE)]
    words = ["batch", jobs, *QUICK, "-o", results, "--html", pages]
    write(jobs, *given)
    done = tempo(*words)
    assert done.code == 7
    assert f"wrote {pages / 'index.html'} and 1 page" in done.err.splitlines()
    first, second, failed = rows(pages / "index.html")
    page = re.fullmatch(r"\[\./(a-[0-9a-f]{8}\.html)\] what\?", first[1])
    assert page is not None
    assert second[:2] == ["a.mp4", f"[./{page[1]}] {HOSTILE}"]
    assert failed[:2] == ["bad.mp4", "what?"]
    assert "bad.mp4" in failed[2]
    assert first[3] == f"{float(first[3]):.2f}"
    assert sorted(path.name for path in pages.iterdir()) == [page[1], "index.html"]
    text = (pages / page[1]).read_text()
    assert text.count("data:image/jpeg") >= 2
    assert 'src="./../../a.mp4"' in text
    assert "<script>alert(1)" not in text + (pages / "index.html").read_text()

    # what comes later has a page too; the page of a video without new results stays
    os.utime(pages / page[1], (1.0, 1.0))
    write(jobs, *given, job("./more/b.MP4", "what?"))
    assert "1 of 2 pages" in tempo(*words).err
    assert [row[0] for row in rows(pages / "index.html")] == ["a.mp4", "a.mp4", "bad.mp4", "./more/b.MP4"]
    assert (pages / page[1]).stat().st_mtime == 1
    assert len(list(pages.glob("b-*.html"))) == 1


def test_lines_that_other_programs_wrote_have_their_pages(folder: Path, tempo: Tempo) -> None:
    jobs, results = folder / "jobs.jsonl", folder / "r.jsonl"
    write(jobs, job("a.mp4", "où?"), job("a.mp4", "who?"))
    words = ["batch", jobs, *QUICK, "-o", results]
    assert tempo(*words).code == 0
    lines = [json.loads(line) for line in results.read_text().splitlines()]
    del lines[1]["segments"]
    results.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), "utf-8")
    assert tempo(*words, "--html", "pages").code == 0
    whole, cut = rows(folder / "pages" / "index.html")
    assert whole[1].endswith("] où?")
    assert cut[1] == "who?"
    assert cut[2].startswith("the saved run can't be used")


def test_a_page_that_an_earlier_run_did_not_bring_up_to_date_is_written_again(
    folder: Path, tempo: Tempo
) -> None:
    jobs, results, pages = folder / "jobs.jsonl", folder / "r.jsonl", folder / "pages"
    words = ["batch", jobs, *QUICK, "-o", results]
    write(jobs, job("a.mp4", "what?"))
    assert tempo(*words, "--html", pages).code == 0
    os.utime(pages / "index.html", (1.0, 1.0))  # long before the next run, which makes no pages
    write(jobs, job("a.mp4", "what?"), job("a.mp4", "and then?"))
    assert tempo(*words).code == 0
    assert f"wrote {pages / 'index.html'} and 1 page" in tempo(*words, "--html", pages).err.splitlines()
    (page,) = pages.glob("a-*.html")
    assert "and then?" in page.read_text()
    assert "0 of 1 page" in tempo(*words, "--html", pages).err


def test_pages_need_a_file_of_results_and_spare_the_pages_of_others(
    folder: Path, tempo: Tempo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("nothing may be done")

    monkeypatch.setattr(batch_model.BatchModel, "outcomes", never)
    jobs = write(folder / "jobs.jsonl", job("a.mp4", "what?"))
    done = tempo("batch", jobs, *QUICK, "--html", "pages")
    assert (done.code, done.err.splitlines()[0]) == (2, "error: --html goes with -o")
    assert not (folder / "pages").exists()
    (folder / "index.html").write_text("<h1>mine</h1>")
    done = tempo("batch", jobs, *QUICK, "-o", "r.jsonl", "--html", ".")
    assert (done.code, done.err.splitlines()[0]) == (2, "error: 'index.html' is not a page of tempo")
    assert (folder / "index.html").read_text() == "<h1>mine</h1>"
    done = tempo("batch", jobs, *QUICK, "-o", "r.jsonl", "--html", "a.mp4/pages")
    assert (done.code, done.err.splitlines()[0]) == (
        5, "error: the folder 'a.mp4/pages' can't be used: Not a directory",
    )  # fmt: skip


def test_a_terminal_is_told_where_the_results_are(folder: Path) -> None:
    jobs = write(folder / "jobs.jsonl", job("a.mp4", "what?"))
    words = ["batch", jobs, *QUICK, "-o", "r.jsonl"]
    assert on_terminal(*words)[1].endswith("wrote 1 line to r.jsonl\n")
    told = "nothing is left to do: the jobs have their lines in r.jsonl\n"
    assert on_terminal(*words)[1] == told
    assert on_terminal(*words, "--progress", "json")[1].count("r.jsonl") == 0
