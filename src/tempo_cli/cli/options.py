"""The options, each defined once: the same name, variable and meaning everywhere."""

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ..config import (
    DEFAULT_MODEL,
    BudgetOptions,
    CacheOptions,
    GenerationOptions,
    LoadOptions,
    SamplingOptions,
)
from ..errors import UsageError
from ..plan.moments import parse_time
from . import complete


class Color(StrEnum):
    """When to color: auto is on a terminal, unless NO_COLOR is set."""

    auto = "auto"
    always = "always"
    never = "never"


class SamplingMode(StrEnum):
    """What samples are spread evenly over: frames, seconds, or whichever fits."""

    AUTO = "auto"
    INDEX = "index"
    TIME = "time"


TABLE_FORMATS = ("json", "jsonl", "csv", "tsv", "md")
RUN_FORMATS = (*TABLE_FORMATS, "srt", "vtt", "ffmetadata", "youtube", "edl")


class Sort(StrEnum):
    """The order of the table."""

    time = "time"
    relevance = "relevance"
    tokens = "tokens"


def parse_seconds(text: str | float) -> float:
    """Seconds of `90`, `90s`, `1:30`, `0:01:30.5` or `1m30s`."""
    try:
        return parse_time(str(text))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def parse_size(text: str | int) -> int:
    """Bytes of `5GB`, `500 MB` or `5000000000`, in thousands."""
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,9})?) *([KMGT]?)B?", str(text).strip().upper())
    if match is None:
        raise typer.BadParameter(f"'{text}' is not a size; write 5GB or 500MB")
    return int(float(match[1]) * 1000 ** " KMGT".index(match[2] or " "))


def parse_share(text: str | float) -> float:
    """A number from 0 to 1."""
    match = re.fullmatch(r"\d{1,9}(?:\.\d{0,9})?", str(text).strip())
    if match is None or float(match[0]) > 1:
        raise typer.BadParameter(f"'{text}' is not a number from 0 to 1")
    return float(match[0])


def parse_top(text: str) -> int | None:
    """A number of rows; None for `all`.

    Raises:
        UsageError: it is neither.
    """
    if text == "all":
        return None
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise UsageError(f"top is '{text}', not a number or 'all'", "10 is usual; 0 shows no table.")
    return int(text)


def _option(*names: str, metavar: str | None = None, help: str, **more: Any) -> typer.models.OptionInfo:
    variable = "TEMPO_" + names[0].removeprefix("--").replace("-", "_").upper()
    option: typer.models.OptionInfo = typer.Option(
        *names, envvar=variable, show_envvar=False, metavar=metavar, help=help, **more
    )
    return option


Model = Annotated[
    str,
    _option(
        "--model",
        "-m",
        metavar="MODEL",
        help="Hub repository, folder, or nano (comes with tempo).",
        autocompletion=complete.models,
    ),
]
Revision = Annotated[
    str | None, _option("--revision", metavar="REVISION", help="Commit, branch or tag of the Hub repository.")
]
Offline = Annotated[bool, _option("--offline", help="Never use the network.")]
Yes = Annotated[bool, _option("--yes", "-y", help="Answer yes to every prompt.")]
MinRate = Annotated[
    int,
    _option(
        "--min-rate",
        metavar="BYTES",
        min=0,
        max=10**9,
        help="Give up on a server that stays below this rate for 30 s, in bytes per second. 0: no limit.",
    ),
]
Device = Annotated[
    str,
    _option(
        "--device",
        metavar="DEVICE",
        help="auto, cpu, cuda (or gpu), cuda:N or mps.",
        autocompletion=complete.one_of("auto", "cpu", "cuda", "mps"),
    ),
]
DecoderDevice = Annotated[
    str | None,
    _option("--decoder-device", metavar="DEVICE", help="Run the decoder on another device: cuda:1 or cpu."),
]
Dtype = Annotated[
    str,
    _option(
        "--dtype",
        metavar="TYPE",
        help="auto, float32 (or fp32), bfloat16 (bf16) or float16 (fp16). auto is bfloat16 on CUDA, float32 "
        "on a CPU and for small models.",
        autocompletion=complete.one_of("auto", "float32", "bfloat16", "float16"),
    ),
]
Quantize = Annotated[
    str,
    _option(
        "--quantize",
        metavar="BITS",
        help="none, int8 or int4: smaller weights need less memory and change results slightly.",
        autocompletion=complete.one_of("none", "int8", "int4"),
    ),
]
FFmpeg = Annotated[
    str | None,
    _option(
        "--ffmpeg",
        metavar="FILE",
        help="The ffmpeg to use. Default: the one on PATH if 7.0 or newer, else a bundled one.",
    ),
]
Fps = Annotated[float, _option("--fps", metavar="NUMBER", help="Frames sampled per second of video.")]
MaxFrames = Annotated[
    int,
    _option(
        "--max-frames", metavar="N", help="Maximum number of frames; longer videos are sampled more sparsely."
    ),
]
Window = Annotated[int, _option("--window", metavar="N", help="Frames per segment.")]
Start = Annotated[
    float | None,
    _option("--start", parser=parse_seconds, metavar="TIME", help="Start here: 90, 1:30 or 1m30s."),
]
End = Annotated[
    float | None,
    _option("--end", parser=parse_seconds, metavar="TIME", help="Stop before this time."),
]
Picture = Annotated[
    str,
    _option(
        "--picture",
        metavar="HOW",
        help="auto: as a player shows it (square pixels, HDR as SDR). raw: as it is stored.",
        autocompletion=complete.one_of("auto", "raw"),
    ),
]
Sampling = Annotated[
    SamplingMode,
    _option(
        "--sampling",
        metavar="MODE",
        help="auto, index or time: spread evenly over the video's frames (index) or its seconds (time). "
        "auto is index, unless that leaves long gaps.",
    ),
]
MaxPixels = Annotated[
    int,
    _option(
        "--max-pixels", metavar="N", help="Maximum pixels per frame; a video with larger frames is refused."
    ),
]
Budget = Annotated[
    int, _option("--budget", metavar="TOKENS", help="Maximum number of memory tokens for the whole video.")
]
Context = Annotated[
    int | None,
    _option(
        "--context",
        metavar="TOKENS",
        help="Maximum number of tokens in the decoder's input. Default: the checkpoint's own.",
    ),
]
NoAta = Annotated[
    bool, _option("--no-ata", help="Turn off allocation: keep every memory token of every segment.")
]
MaxNewTokens = Annotated[
    int, _option("--max-new-tokens", metavar="N", help="Maximum number of tokens in the answer.")
]
Temperature = Annotated[
    float,
    _option("--temperature", metavar="NUMBER", help="0 always takes the most likely token; above 0 samples."),
]
Seed = Annotated[
    int | None, _option("--seed", metavar="N", help="Random seed, which makes sampling repeatable.")
]
Top = Annotated[
    str,
    _option(
        "--top",
        metavar="N|all",
        help="Rows in the table: up to N of the segments that stand out; all: every segment; 0: no table.",
    ),
]
WithFilename = Annotated[
    bool,
    _option("--with-filename", "-H", help="Put the video's path before each answer, as grep does."),
]
NoCache = Annotated[
    bool, _option("--no-cache", help="Don't use decoded frames from earlier runs, and don't keep new ones.")
]
CacheSize = Annotated[
    int,
    _option(
        "--cache-size",
        parser=parse_size,
        metavar="SIZE",
        show_default=False,
        help="Disk space for decoded frames, such as 500MB. 0 keeps none. Default: 5GB.",
    ),
]
Json = Annotated[bool, _option("--json", help="One JSON object per question, on one line.")]
Quiet = Annotated[bool, _option("--quiet", help="Show no progress and no warnings.")]
Verbose = Annotated[bool, _option("--verbose", "-v", help="Show what runs, and how long each step takes.")]
WhenColor = Annotated[
    Color, _option("--color", metavar="WHEN", help="auto, always or never: color the output.")
]

Format = Annotated[
    str | None,
    _option(
        "--format",
        metavar="FORMAT",
        help="json, jsonl, csv, tsv or md. Or the segments that stand out, with adjacent ones merged: "
        "srt or vtt (subtitles), ffmetadata or youtube (chapters), edl (edit list).",
        autocompletion=complete.one_of(*RUN_FORMATS),
    ),
]
TableFormat = Annotated[
    str | None,
    _option(
        "--format",
        metavar="FORMAT",
        help="json, jsonl, csv, tsv or md.",
        autocompletion=complete.one_of(*TABLE_FORMATS),
    ),
]
Output = Annotated[
    Path | None,
    _option(
        "--output",
        "-o",
        metavar="FILE",
        help="Write the format to a file; the terminal shows the answer and the table as usual. Without "
        "--format, the file's extension selects the format.",
    ),
]
TableOutput = Annotated[
    Path | None,
    _option(
        "--output",
        "-o",
        metavar="FILE",
        help="Write the format to a file. Without --format, the file's ending selects it.",
    ),
]
Html = Annotated[
    Path | None, _option("--html", metavar="FILE", help="Write a report with thumbnails, for a browser.")
]
Png = Annotated[
    Path | None,
    _option("--png", metavar="FILE", help="Draw the timeline as a PNG image (needs tempo-cli[plot])."),
]
Svg = Annotated[Path | None, _option("--svg", metavar="FILE", help="The same, as an SVG drawing.")]
Force = Annotated[bool, _option("--force", help="Replace existing files.")]
Folder = Annotated[
    Path,
    _option(
        "--output",
        "-o",
        metavar="FOLDER",
        help="Folder for the clips; created if necessary.",
        show_default=False,
    ),
]
Padding = Annotated[
    float,
    _option(
        "--padding",
        parser=parse_seconds,
        metavar="TIME",
        show_default="0",
        help="Time to add at both ends of each clip: 2, 0:02 or 2s.",
    ),
]
Copy = Annotated[
    bool,
    _option("--copy", help="Copy without encoding: fast, but each clip begins at the keyframe before."),
]
DryRun = Annotated[bool, _option("--dry-run", help="Show what would be written without writing it.")]
SortBy = Annotated[
    Sort, _option("--sort", metavar="ORDER", help="time, relevance or tokens: the order of the table.")
]
MinRelevance = Annotated[
    float | None,
    _option(
        "--min-relevance",
        parser=parse_share,
        metavar="NUMBER",
        help="Leave out segments below this relevance, 0 to 1.",
    ),
]

SAMPLING, BUDGET, GENERATION, LOAD = SamplingOptions(), BudgetOptions(), GenerationOptions(), LoadOptions()
CACHE = CacheOptions()
MODEL = DEFAULT_MODEL
TOP = "10"

# what a configuration file may not decide, because it belongs to one run; every other option it may
PER_RUN = frozenset(
    {"json", "start", "end", "yes", "format", "output", "html", "png", "svg", "force", "dry-run"}
)
