"""Tables for spreadsheets and for Markdown, in which texts from outside are inert."""

import csv
import html
import io
import re
from collections.abc import Sequence

from ..texts import one_line

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what makes a spreadsheet compute a cell
_MARKDOWN = re.compile(r"([\\`*_\[\]{}()#+\-!|~.:@])")


def separated(columns: Sequence[str], rows: Sequence[Sequence[object]], separator: str) -> str:
    """CSV or TSV: a line of names, then the rows."""
    written = io.StringIO()
    writer = csv.writer(written, delimiter=separator, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([cell(value) if isinstance(value, str) else value for value in row] for row in rows)
    return written.getvalue()


def cell(text: str) -> str:
    """A text that no spreadsheet computes, on one line."""
    line = one_line(text)
    return f"'{line}" if line.startswith(_FORMULA) else line


def table_markdown(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table of Markdown; numbers are put to the right. Texts in it are `escaped` already."""
    numeric = [all(not isinstance(row[at], str) for row in rows) for at in range(len(columns))]
    lines = [columns, ["---:" if right else "---" for right in numeric]]
    lines += [[f"{value:,}" if type(value) is int else str(value) for value in row] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def escaped(text: str) -> str:
    """A text that Markdown shows as it is, on one line: no markup, no HTML, no link."""
    return _MARKDOWN.sub(r"\\\1", html.escape(one_line(text), quote=False))
