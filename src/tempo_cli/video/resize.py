"""The first two of three resizing steps; the third needs torch and is in `model.pixels`."""

import numpy as np
from PIL import Image

from ..config import FrameShape
from ..plan.pixels import Size, resized_sizes
from ..types import Pixels


def shrink(pixels: Pixels, shape: FrameShape, shown: Size | None = None) -> Pixels:
    """Resize a decoded frame, (H0, W0, 3) to (H, W, 3), uint8: PIL bicubic twice (reference).

    Each step is a no-op where the size already fits.

    Args:
        shown: height and width with square pixels, which the steps start from; None: those of `pixels`.
            The first step that changes this size gives the picture its shape as well.
    """
    size = shown or (pixels.shape[0], pixels.shape[1])
    first, second, _ = resized_sizes(size, shape)
    image = Image.fromarray(pixels)
    for step in (second,) if first == size else (first, second):
        if (image.height, image.width) != step:
            image = image.resize(step[::-1], Image.Resampling.BICUBIC)
    return np.asarray(image)
