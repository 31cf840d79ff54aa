"""Runs as one page in HTML: what was asked and answered, and which parts of the video speak for it."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

from ..plan.stretches import chosen
from ..schema import Run, SegmentReport
from ..texts import clock_time
from .chart import axis, chart, spoken
from .document import document, escape
from .facts import facts


@dataclass(frozen=True)
class Source:
    """What a page can show of a run's video.

    Attributes:
        url: of the video, percent-encoded, relative to the page or `file:`; None: it can't be played.
        pictures: a JPEG for each segment; empty: there are none.
        note: why there are no pictures; None: there are.
    """

    url: str | None = None
    pictures: tuple[bytes | None, ...] = ()
    note: str | None = "Made without access to the video: no pictures."


def page(
    runs: Sequence[Run], sources: Sequence[Source] = (), top: int | None = 10, least: float | None = None
) -> str:
    """One self-contained page for one run or several, one above the other on one time axis.

    Args:
        sources: one for each run; none: the pages have no pictures.
        top, least: which segments stand out (`plan.stretches.chosen`).
    """
    sources = sources or [Source()] * len(runs)
    seconds = max([run.video.duration for run in runs] + [part.end for run in runs for part in run.segments])
    outstanding = [chosen(run.segments, top, least) for run in runs]
    pictures = _Pictures()
    numbers = [[pictures.number(picture) for picture in source.pictures] for source in sources]
    players = dict.fromkeys((run.video.path, source.url) for run, source in zip(runs, sources, strict=True))
    order = {player: number for number, player in enumerate(players)}
    body = "\n".join(
        [
            "<main>",
            _head(runs),
            *(_player(path, url, number, len(order)) for (path, url), number in order.items()),
            *dict.fromkeys(f'<p class="note">{escape(source.note)}</p>' for source in sources if source.note),
            _timeline(runs, seconds, outstanding),
            *(
                _segments(run, number, outstanding[number], numbers[number], pictures, len(runs))
                for number, run in enumerate(runs)
            ),
            *(facts(run, len(runs)) for run in runs),
            "</main>",
            '<div id="preview" hidden><img alt="" width="240"><p></p></div>',
        ]
    )
    data = {
        "runs": [run.to_dict() for run in runs],
        "players": [order[run.video.path, source.url] for run, source in zip(runs, sources, strict=True)],
        "pictures": pictures.urls,
        "picture_of": numbers,
        "labels": [
            [spoken(part, part in outstanding[at]) for part in run.segments] for at, run in enumerate(runs)
        ],
    }
    return document(runs[0].question, body, data)


class _Pictures:
    """The pictures of a page, each once."""

    def __init__(self) -> None:
        self.urls: list[str] = []
        self._known: dict[bytes, int] = {}

    def number(self, picture: bytes | None) -> int | None:
        if picture is None:
            return None
        if picture not in self._known:
            self._known[picture] = len(self.urls)
            self.urls.append(f"data:image/jpeg;base64,{b64encode(picture).decode()}")
        return self._known[picture]


def _head(runs: Sequence[Run]) -> str:
    videos = list(dict.fromkeys(run.video.path for run in runs))
    if len(runs) == 1:
        return f"<header>{_asked(runs[0], 'h1', True)}</header>"
    what = f"about “{escape(videos[0])}”" if len(videos) == 1 else f"about {len(videos)} videos"
    asked = "".join(f"<article>{_asked(run, 'h2', len(videos) > 1)}</article>" for run in runs)
    return f"<header><h1>{len(runs)} questions {what}</h1>{asked}</header>"


def _asked(run: Run, heading: str, with_video: bool) -> str:
    video, evidence = run.video, run.evidence
    span = (
        ""
        if (video.start, video.end) == (0, video.duration)
        else f", looked at {_span(video.start, video.end)}"
    )
    facts = f"{escape(video.path)} · {clock_time(video.duration)}{span}"
    lines = [f'<p class="file" dir="auto">{facts}</p>'] if with_video else []
    lines.append(f'<{heading} dir="auto">{escape(run.question)}</{heading}>')
    if run.answer is not None:
        lines.append(f'<p class="answer" dir="auto">{escape(run.answer.text)}</p>')
    if evidence is not None and evidence.weak and evidence.threshold is not None:
        lines.append(f'<p class="weak">Weak evidence: no segment above {evidence.threshold:.2f}.</p>')
    return "".join(lines)


def _player(path: str, url: str | None, number: int, players: int) -> str:
    if url is None:
        return ""
    name = f"Video {escape(path)}" if players > 1 else "Video"
    return (
        f'<section class="player" aria-label="{name}"><video id="video-{number}" src="{escape(url)}" '
        f'controls preload="metadata" playsinline></video><p class="trouble" role="status"></p></section>'
    )


def _timeline(runs: Sequence[Run], seconds: float, outstanding: Sequence[Sequence[SegmentReport]]) -> str:
    rows = []
    for number, run in enumerate(runs):
        shown = frozenset(outstanding[number])
        if len(runs) > 1:
            rows.append(f'<p class="asked" dir="auto">{escape(run.question)}</p>')
        rows.append(chart(run, number, seconds or 1.0, shown) if run.segments else "")
    return f'<section class="timeline" aria-label="Timeline">{"".join(rows)}{axis(seconds)}</section>'


def _segments(
    run: Run,
    number: int,
    outstanding: Sequence[SegmentReport],
    numbers: Sequence[int | None],
    pictures: _Pictures,
    runs: int,
) -> str:
    question = f" for “{escape(run.question)}”" if runs > 1 else ""
    lines = [f"<section><h2>What stands out{question}</h2>"]
    if outstanding:
        places = {part: at for at, part in enumerate(run.segments)}
        cards = "".join(_card(part, number, places[part], numbers, pictures) for part in outstanding)
        lines.append(f'<ul class="cards">{cards}</ul>')
    else:
        lines.append('<p class="note">No segment stands out.</p>')
    rows = "".join(_row(part, number, at, part in outstanding) for at, part in enumerate(run.segments))
    lines.append(
        f"<details><summary>{_all(len(run.segments))}{question}</summary><table><thead><tr>"
        f'<th scope="col">#</th><th scope="col">time</th><th scope="col">relevance</th>'
        f'<th scope="col">tokens</th><th scope="col">frames</th></tr></thead><tbody>{rows}</tbody></table>'
        "</details></section>"
    )
    return "".join(lines)


def _all(segments: int) -> str:
    return "The only segment" if segments == 1 else f"All {segments:,} segments"


def _card(part: SegmentReport, run: int, at: int, numbers: Sequence[int | None], pictures: _Pictures) -> str:
    number = numbers[at] if at < len(numbers) else None
    picture = (
        '<span class="blank"></span>' if number is None else f'<img src="{pictures.urls[number]}" alt="">'
    )
    told = f"<b>{_span(part.start, part.end)}</b><span>{_measures(part)}</span>"
    return f"<li>{_button(run, at, picture + told)}</li>"


def _row(part: SegmentReport, run: int, at: int, stands_out: bool) -> str:
    score = "–" if part.relevance is None else f"{part.relevance:.3f}"
    kind = ' class="out"' if stands_out else ""
    time = _button(run, at, _span(part.start, part.end))
    return (
        f"<tr{kind}><td>{part.index + 1}</td><td>{time}</td><td>{score}</td><td>{part.tokens:,}</td>"
        f"<td>{part.frames}</td></tr>"
    )


def _button(run: int, at: int, inner: str) -> str:
    return f'<button type="button" data-run="{run}" data-segment="{at}">{inner}</button>'


def _measures(part: SegmentReport) -> str:
    tokens = f"{part.tokens:,} token{'s' * (part.tokens != 1)}"
    return tokens if part.relevance is None else f"{part.relevance:.2f} · {tokens}"


def _span(start: float, end: float) -> str:
    tenths = end - start < 10
    return f"{clock_time(start, tenths)} – {clock_time(end, tenths)}"
