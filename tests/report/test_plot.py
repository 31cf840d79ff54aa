"""Runs as PNG and SVG."""

import builtins
import io
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from PIL import Image

from tempo_cli.errors import SetupError
from tempo_cli.report.plot import plot

from .runs import HOSTILE, ROWS, RUN, made_up


def test_a_picture_of_two_runs() -> None:
    pytest.importorskip("matplotlib")
    one, two = (
        Image.open(io.BytesIO(plot(runs, "png"))) for runs in ([RUN], [RUN, made_up(ROWS, "$\\bad{$")])
    )
    assert (one.size, two.size) == ((1800, 540), (1800, 1000))
    colors = {color for _, color in one.convert("RGB").getcolors(1 << 16) or ()}
    assert {(255, 255, 255), (11, 110, 90), (29, 29, 31)} <= colors


def test_an_svg_is_the_same_each_time_and_hostile_texts_are_inert_in_it() -> None:
    pytest.importorskip("matplotlib")
    made = plot([made_up(ROWS, HOSTILE), RUN], "svg")
    assert made == plot([made_up(ROWS, HOSTILE), RUN], "svg")
    names = {element.tag.rpartition("}")[2] for element in ET.fromstring(made).iter()}
    assert names.isdisjoint({"script", "a", "b", "image", "foreignObject"})


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *more: Any, **named: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *more, **named)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(SetupError, match="matplotlib") as raised:
        plot([RUN], "svg")
    assert "tempo-cli[plot]" in raised.value.hint
