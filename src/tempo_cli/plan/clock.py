"""What is said of times that are not as one would expect."""

from collections.abc import Iterator

from ..types import SamplingMode, VideoInfo

_NAMED = 3  # times that a warning lists
_LATE = 0.5  # seconds; answers hardly name times that are more exact


def clock_warnings(info: VideoInfo, mode: SamplingMode) -> tuple[str, ...]:
    """That the file's clock restarts, and that the model counts from a picture that begins late."""
    return tuple(_warnings(info, mode))


def _warnings(info: VideoInfo, mode: SamplingMode) -> Iterator[str]:
    if info.restarts:
        yield (
            f"the timestamps restart at {_listed(info.restarts)}, as in joined files: "
            "the parts are read in order, and times count through all of them"
        )
    late = float(info.times[0])
    if late >= _LATE and mode == "index":
        yield (
            f"the picture starts {late:.1f} s into the file, and the model counts from there: times in an "
            f"answer's text are {late:.1f} s too early; all other times match a player's"
        )


def _listed(times: tuple[float, ...]) -> str:
    named = [f"{seconds:.1f} s" for seconds in times[:_NAMED]]
    if more := len(times) - len(named):
        named.append(f"{more} more times")
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
