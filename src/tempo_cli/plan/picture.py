"""What a player makes of a picture before it shows it: square pixels, and HDR as SDR. Pure decisions."""

from fractions import Fraction

from ..types import Colors, Look
from .pixels import Size

HDR = frozenset({"smpte2084", "arib-std-b67"})  # PQ and HLG
OTHER_COLORS = "the model sees other colors than a player shows"
WHITE = 203  # nits; HDR's reference white becomes SDR's (ITU-R BT.2408)
_PEAK = 1000  # nits; the brightest that is told apart
_KNEE = 0.95  # of the white, linear light: darker than this stays as it is
_NARROWEST, _WIDEST = Fraction(1, 4), Fraction(4)  # pixels; what is beyond is a mistake
_LONGEST_EDGE = 2048  # px; HDR is converted at this size at most: 12 bytes a pixel, several times over
_USUAL = {"matrix": "bt2020nc", "primaries": "bt2020", "range": "tv"}  # of HDR


def shown_size(size: Size, aspect: Fraction) -> Size:
    """`size` with square pixels: the narrower edge of a pixel is stretched, so that nothing is lost.

    Args:
        aspect: width of a pixel over its height; one that no real video has is taken for 1.
    """
    height, width = size
    if not _NARROWEST <= aspect <= _WIDEST:
        return size
    return (height, round(width * aspect)) if aspect >= 1 else (round(height / aspect), width)


def ratio_text(aspect: Fraction) -> str:
    """Such as `64:45`."""
    return f"{aspect.numerator}:{aspect.denominator}"


def raw_differences(look: Look, dolby: bool) -> str:
    """What of a stored picture is other than a player shows it; empty where nothing is.

    Args:
        dolby: whether its colors are Dolby Vision's own.
    """
    size, differing = (look.height, look.width), []
    if shown_size(size, look.aspect) != size:
        differing.append(f"another shape (pixels are {ratio_text(look.aspect)})")
    if look.colors.transfer in HDR or dolby:
        differing.append(f"other colors (HDR: {look.colors.transfer or 'Dolby Vision'})")
    return " and ".join(differing)


def to_sdr(colors: Colors) -> str:
    """The filters that turn a picture with `colors` into one with BT.709's; empty where none is needed.

    Linear light with the reference white at 1.0, BT.709's primaries, highlights rolled off, BT.709's
    curve, full-range RGB (docs/decisions/picture.md).
    """
    if colors.transfer not in HDR:
        return ""
    told = "".join(f":{name}in={_USUAL[name]}" for name in sorted(colors.untold))
    shrink = f"min(1,{_LONGEST_EDGE}/max(iw,ih))"
    return (
        f"zscale=w='iw*{shrink}':h='ih*{shrink}':f=bicubic:t=linear:p=bt709:npl={WHITE}{told},format=gbrpf32le,"
        f"tonemap=mobius:param={_KNEE}:peak={_PEAK / WHITE:.3f}:desat=0,"
        "zscale=t=bt709:m=gbr:r=pc,format=gbrp"
    )
