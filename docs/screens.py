"""Write docs/screens/*.txt: `ask` and `inspect` on terminals of 40, 80 and 160 columns, with nano."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "screens"
SHORT = ("examples/chase.mp4", "what color was the car")
LONG = ("examples/long-walk.mp4", "when is the car seen", "--fps", "5", "--window", "8")
SCREENS = {
    f"{command}-{columns}-{name}": (command, columns, words)
    for name, words in (("short", SHORT), ("long", LONG))
    for columns in (40, 80, 160)
    for command in ("ask", "inspect")
}


def captured(arguments: list[str], columns: int) -> str:
    """What a command shows on a terminal: without progress, which leaves nothing, and without colors."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "tempo_cli", *arguments, "--model", "nano", "--quiet", "--color", "never"],
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT, env=dict(os.environ),
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65_536)
        except OSError:  # the terminal's way of saying that the other end is closed
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    if process.wait():
        raise SystemExit(shown.decode())
    return "".join(f"{line.rstrip()}\n" for line in shown.decode().replace("\r\n", "\n").splitlines())


def main() -> None:
    """Write every file."""
    for name, (command, columns, words) in SCREENS.items():
        shown = " ".join(f'"{word}"' if " " in word else word for word in words)
        text = f"$ tempo {command} {shown} --model nano\n{captured([command, *words], columns)}"
        (TARGET / f"{name}.txt").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
