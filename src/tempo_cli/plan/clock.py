"""What is said of times that are not as one would expect."""

from ..types import VideoInfo

_NAMED = 3  # times that a warning lists


def clock_warnings(info: VideoInfo) -> tuple[str, ...]:
    """That the file's clock starts anew."""
    if not info.restarts:
        return ()
    named = [f"{seconds:.1f} s" for seconds in info.restarts[:_NAMED]]
    if more := len(info.restarts) - len(named):
        named.append(f"{more} more times")
    times = named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
    return (
        f"the timestamps restart at {times}, as where files were joined: "
        "the parts are taken one after the other, and times count through all of them",
    )
