"""The report in a real browser: it asks for nothing, complains of nothing, and everybody can use it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tempo_cli.cli.reports import report
from tempo_cli.report import Entry, index
from tempo_cli.schema import Run
from tempo_cli.types import Evidence, Exchange, Unseen

from ..report.runs import HOSTILE, ROWS, made_up
from ..video.clips import H264, VP8, run_ffmpeg
from .chromium import AXE, Browser

SECONDS = 12
CODECS = {"mp4": H264, "webm": VP8, "mkv": H264}


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A clip in each container, in a folder whose name must be encoded."""
    folder = tmp_path_factory.mktemp("a #1 %41 ü")
    source = ("-f", "lavfi", "-i", f"testsrc2=size=320x180:rate=25:duration={SECONDS}")
    for ending, codec in CODECS.items():
        run_ffmpeg(*source, *codec, folder / f"b c?&'.{ending}")
    return {ending: folder / f"b c?&'.{ending}" for ending in CODECS}


def about(path: Path, question: str = "what?") -> Run:
    """A run about a clip as it is now: ten segments, two of which stand out."""
    rows = [
        (at * 1.2, at * 1.2 + 1.2, 0.9 if at in (4, 7) else 0.1, 90 if at in (4, 7) else 4)
        for at in range(10)
    ]
    run = made_up(rows, question, path=str(path))
    facts = path.stat()
    video = replace(
        run.video, size=facts.st_size, mtime=facts.st_mtime, unseen=Unseen(1, 0, True, False, False, False)
    )
    return replace(
        run, video=video, evidence=Evidence(0.9, (4, 7), 0.5, False), history=(Exchange("who?", "Nobody."),)
    )


def shown(browser: Browser, folder: Path, *runs: Run) -> None:
    """Open a report about runs."""
    path = folder / "report.html"
    path.write_text(report(runs, path))
    browser.open(path)


def violations(browser: Browser) -> list[Any]:
    """What axe-core finds, in short."""
    browser.run(AXE.read_text(encoding="utf-8") + ";0")
    found = json.loads(browser.run("axe.run().then(result => JSON.stringify(result.violations))"))
    return [(one["id"], [node["html"][:120] for node in one["nodes"]][:3]) for one in found]


def test_it_asks_for_its_video_only_and_complains_of_nothing(
    browser: Browser, videos: dict[str, Path], tmp_path: Path
) -> None:
    browser.look(1024)
    shown(browser, tmp_path, about(videos["mp4"]))
    browser.wait("document.querySelector('video').readyState > 0")
    assert {*browser.requests} == {
        (tmp_path / "report.html").as_uri(),
        browser.run("document.querySelector('video').src"),
    }
    assert browser.errors == []
    assert browser.run("document.querySelector('.cards img').naturalWidth") == 240


def test_hostile_texts_are_shown_and_do_nothing(browser: Browser, tmp_path: Path) -> None:
    run = made_up(ROWS, HOSTILE, HOSTILE, path=HOSTILE)
    run = replace(
        run,
        warnings=(HOSTILE,),
        history=(Exchange(HOSTILE, HOSTILE),),
        model=replace(run.model, id=HOSTILE, scope=HOSTILE),
    )
    shown(browser, tmp_path, run, replace(run, question=f"{HOSTILE}2"))
    assert (browser.errors, browser.requests) == ([], [(tmp_path / "report.html").as_uri()])
    assert (
        browser.run("document.querySelectorAll('script, b:not(button *), a, iframe, [onclick]').length") == 2
    )
    assert "</script><script>alert(1)</script>" in browser.run(
        "document.querySelector('article h2').textContent"
    )
    assert violations(browser) == []
    script = "Object.assign(document.createElement('script'), {textContent: 'window.bad = 1'})"
    browser.run(f"document.body.append({script})")
    assert browser.run("window.bad") is None  # the policy is in force


def test_every_segment_is_reached_by_keyboard(
    browser: Browser, videos: dict[str, Path], tmp_path: Path
) -> None:
    shown(browser, tmp_path, about(videos["mp4"]))
    for _ in range(20):
        browser.press("Tab")
        if browser.run("document.activeElement.matches('.segment')"):
            break
    labels = []
    for _ in range(10):
        labels.append(browser.run("document.activeElement.getAttribute('aria-label')"))
        assert browser.run("document.querySelector('#preview p').textContent") == labels[-1]
        assert browser.run("document.querySelector('#preview').hidden") is False
        browser.press("ArrowRight")
    assert labels[:2] == [
        "0:00.0 to 0:01.2, relevance 0.10, 4 tokens",
        "0:01.2 to 0:02.4, relevance 0.10, 4 tokens",
    ]
    assert labels[4] == "0:04.8 to 0:06.0, relevance 0.90, 90 tokens, stands out"
    assert len(set(labels)) == 10
    browser.press("Home")
    browser.press("End")
    browser.press("ArrowLeft")
    browser.press("Enter")
    browser.wait("document.querySelector('video').currentTime >= 9.6")
    browser.run("document.querySelector('details').open = true")
    reached = set()
    for _ in range(30):
        browser.press("Tab")
        reached.add(
            browser.run("document.activeElement.closest('td') && document.activeElement.dataset.segment")
        )
    assert reached >= {str(at) for at in range(10)}


@pytest.mark.parametrize("ending", ["mp4", "webm"])
def test_a_segment_seeks_the_video(
    ending: str, browser: Browser, videos: dict[str, Path], tmp_path: Path
) -> None:
    shown(browser, tmp_path, about(videos[ending]))
    browser.run(
        "HTMLMediaElement.prototype.play = function () { this.played_ = true; return Promise.resolve(); }; 0"
    )
    for at in (7, 0, 4, 9, 1):
        browser.run(f"document.querySelector('td button[data-segment=\"{at}\"]').click()")
        browser.wait("(v => v.readyState >= 2 && !v.seeking && v.played_)(document.querySelector('video'))")
        assert browser.run("document.querySelector('video').currentTime") == pytest.approx(at * 1.2, abs=0.1)
    browser.run(
        "document.querySelector('.segment[data-segment=\"4\"]').dispatchEvent(new MouseEvent('click'))"
    )
    browser.wait("Math.abs(document.querySelector('video').currentTime - 4.8) < 0.1")
    assert browser.errors == []


def test_a_segment_plays(browser: Browser, videos: dict[str, Path], tmp_path: Path) -> None:
    shown(browser, tmp_path, about(videos["webm"]))
    browser.run("document.querySelector('.cards button').click()")
    browser.wait("(v => !v.paused && v.currentTime > 4.9)(document.querySelector('video'))")


def test_a_video_that_can_not_be_played_says_why(
    browser: Browser, videos: dict[str, Path], tmp_path: Path
) -> None:
    run = about(videos["mp4"])
    for path, words in (
        (tmp_path / "gone.mp4", "it is not there any more"),
        (tmp_path / "x.avi", "does not play .avi"),
    ):
        shown(browser, tmp_path, replace(run, video=replace(run.video, path=str(path))))
        browser.wait("document.querySelector('.trouble').textContent")
        assert words in browser.run("document.querySelector('.trouble').textContent")
        assert violations(browser) == []


@pytest.mark.parametrize("dark", [False, True])
def test_nothing_keeps_anybody_out(
    dark: bool, browser: Browser, videos: dict[str, Path], tmp_path: Path
) -> None:
    runs = [about(videos["mp4"]), about(videos["mp4"], "where?"), about(videos["webm"])]
    weak = replace(runs[1], evidence=Evidence(0.9, (4, 7), 0.95, True), warnings=("cut off",))
    for width in (390, 1024, 1920):
        browser.look(width, dark)
        shown(browser, tmp_path, runs[0], weak, runs[2])
        browser.run("for (const one of document.querySelectorAll('details')) one.open = true; 0")
        assert browser.run("document.documentElement.scrollWidth") == width
        assert violations(browser) == []
    assert browser.run("document.querySelectorAll('.chart').length") == 3
    assert browser.run("document.querySelectorAll('.axis').length") == 1
    assert browser.run("document.querySelectorAll('video').length") == 2


def test_the_index(browser: Browser, tmp_path: Path) -> None:
    entries = [
        Entry("a.mp4", "what?", "a #1.html", "A car.", 0.9),
        Entry(HOSTILE, HOSTILE, None, error=HOSTILE),
    ]
    (tmp_path / "index.html").write_text(index(entries))
    (tmp_path / "a #1.html").write_text("<title>there</title>")
    browser.look(390)
    browser.open(tmp_path / "index.html")
    assert violations(browser) == []
    assert (browser.errors, browser.requests) == ([], [(tmp_path / "index.html").as_uri()])
    browser.run("document.querySelector('a').click()")
    browser.wait("document.title == 'there'")
