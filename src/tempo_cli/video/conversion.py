"""HDR as SDR, as far as this ffmpeg and this video allow it: which filters the next process gets."""

from collections.abc import Callable

from ..plan.picture import OTHER_COLORS, to_sdr
from ..types import Colors, Look
from .ffmpeg import has_filters

_NEEDED = ("zscale", "tonemap")  # filters that a build of ffmpeg may lack
_MOST_CHANGES = 16  # between HDR and SDR within a video, each of which needs a new process


class Conversion:
    """What becomes of the colors of a video. A frame's own colors go before those of the header.

    Args:
        colors: as the header tells them.
        wanted: False leaves them as they are stored.
        differs: called once, with why they are other than a player shows them.

    Attributes:
        filters: those that the running process has; empty: none.
    """

    def __init__(self, colors: Colors, binary: str, wanted: bool, differs: Callable[[str], None]) -> None:
        self.filters = ""
        self._colors, self._binary, self._wanted, self._differs = colors, binary, wanted, differs
        self._changes = 0

    def begin(self) -> str:
        """The filters for a process that starts now."""
        self.filters = self._fitting(self._colors)
        return self.filters

    def pause(self) -> Callable[[bool], None]:
        """No filters from now on. Call what is returned with whether that helped; else they come back."""
        wanted, self._wanted = self._wanted, False

        def resume(helped: bool) -> None:
            self._wanted = wanted
            if helped:
                self._give_up("this ffmpeg can't convert these HDR colors")

        return resume

    def suits(self, look: Look | None) -> bool:
        """Whether the running process is right for a picture; if not, the next one will be."""
        if look is None or look.colors == self._colors or self._fitting(look.colors) == self.filters:
            return True
        if self._changes == _MOST_CHANGES:
            self._give_up("the video changes between HDR and SDR too often")
            return True
        self._colors = look.colors
        self._changes += 1
        return False

    def _fitting(self, colors: Colors) -> str:
        filters = to_sdr(colors) if self._wanted else ""
        if filters and not has_filters(self._binary, *_NEEDED):
            self._give_up(f"this ffmpeg has no {' and '.join(_NEEDED)} to convert HDR")
            return ""
        return filters

    def _give_up(self, reason: str) -> None:
        self._wanted = False
        self._differs(f"{reason}: {OTHER_COLORS}")
