"""The frame of every page: one file, with a policy that lets nothing else run or load."""

import hashlib
import html
import json
from base64 import b64encode
from functools import cache
from pathlib import Path
from typing import Any

from ..texts import printable

_FOLDER = Path(__file__).parent
GENERATOR = '<meta name="generator" content="tempo">'


def escape(text: object) -> str:
    """A text as HTML shows it: no tags, no entities, no control or bidi characters but line breaks."""
    return html.escape(printable(str(text), keep="\n"))


def document(title: str, body: str, data: Any = None) -> str:
    """A whole page.

    Args:
        title: a text, not HTML.
        body: HTML.
        data: what the page's script reads, as JSON; None: the page has no script.
    """
    style, script = _asset("page.css"), _asset("page.js") if data is not None else ""
    run = _digest(script) if script else "'none'"
    policy = (
        f"default-src 'none'; img-src data:; media-src 'self' file:; script-src {run}; "
        f"style-src {_digest(style)}; base-uri 'none'; form-action 'none'"
    )
    scripts = ""
    if data is not None:
        told = json.dumps(data, ensure_ascii=True, allow_nan=False).replace("<", "\\u003c")
        scripts = f'<script type="application/json" id="data">{told}</script>\n<script>{script}</script>\n'
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
{GENERATOR}
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{escape(title)}</title>
<style>{style}</style>
</head>
<body>
{body}
{scripts}</body>
</html>
"""


@cache
def _asset(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
