"""What a terminal shows after all that was written to it: a small emulation of one."""

import re

_PIECES = re.compile(
    r"\x1b\[(?P<numbers>[\d;?]*)(?P<command>[A-Za-z])|(?P<control>[\x00-\x1f])|(?P<text>[^\x00-\x1f]+)"
)
_STYLES = {"1": "bold", "2": "dim", "31": "red", "32": "green", "33": "yellow", "36": "cyan"}
Cell = tuple[str, tuple[str, ...]]  # a character and its styles


class Screen:
    """Lines as long as they are written: breaking them at the terminal's width is left to `wrapped`.

    Attributes:
        passing: the last lines that were erased, such as progress bars.

    Raises:
        ValueError: for a sequence that `tempo` has no reason to send.
    """

    def __init__(self, written: str) -> None:
        self.passing: list[str] = []
        self.cursor_shown = True
        self._lines: list[list[Cell]] = [[]]
        self._erased: list[str] = []
        self._row = self._column = 0
        self._style: tuple[str, ...] = ()
        end = 0
        for piece in _PIECES.finditer(written):
            if piece.start() != end:
                raise ValueError(f"what does {written[end : piece.start() + 8]!r} do?")
            end = piece.end()
            if piece["text"]:
                self._write(piece["text"])
            elif piece["control"]:
                self._move(piece["control"])
            else:
                self._obey(piece["command"], piece["numbers"])
        self._settle()

    def text(self, *, styles: bool = False) -> str:
        """All lines, without blanks at their ends; with `styles`, `{red}…{}` around what is colored."""
        lines = [_marked(line) if styles else _plain(line) for line in self._lines]
        while len(lines) > self._row + 1 and not lines[-1]:  # below the cursor
            lines.pop()
        return "\n".join(lines)

    def _write(self, text: str) -> None:
        self._settle()
        line = self._lines[self._row]
        line += [(" ", ())] * (self._column - len(line))
        line[self._column : self._column + len(text)] = [(letter, self._style) for letter in text]
        self._column += len(text)

    def _settle(self) -> None:
        if self._erased:
            self.passing, self._erased = self._erased[::-1], []

    def _move(self, control: str) -> None:
        if control not in "\r\n":
            raise ValueError(f"what does {control!r} do?")
        self._column = 0
        if control == "\n":
            self._row += 1
            self._lines += [[]] * (self._row == len(self._lines))

    def _obey(self, command: str, numbers: str) -> None:
        if command == "m":
            codes = [code for code in numbers.split(";") if code.strip("0")]
            known = tuple(_STYLES.get(code, code) for code in codes)
            self._style = (*self._style, *known) if known else ()
        elif command == "A":
            self._row = max(0, self._row - int(numbers or 1))
        elif command == "K" and numbers == "2":
            if line := _plain(self._lines[self._row]):
                self._erased.append(line)
            self._lines[self._row] = []
        elif command in "hl" and numbers == "?25":
            self.cursor_shown = command == "h"
        else:
            raise ValueError(f"what does {numbers + command!r} do?")


def wrapped(text: str, columns: int) -> str:
    """`text` with its lines broken like a terminal does: at its width, wherever that is."""
    lines = [line[at : at + columns] for line in text.split("\n") for at in range(0, len(line) or 1, columns)]
    return "\n".join(lines)


def _plain(line: list[Cell]) -> str:
    return "".join(letter for letter, _ in line).rstrip()


def _marked(line: list[Cell]) -> str:
    marked, before = "", ()
    for letter, style in line:
        if style != before:
            marked += f"{{{' '.join(style)}}}"
            before = style
        marked += letter
    return (marked + "{}" * bool(before)).rstrip()
