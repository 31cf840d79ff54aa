"""The first two of three resizing steps; the third needs torch and is in `model.pixels`."""

import numpy as np
from PIL import Image

from ..config import FrameShape
from ..plan.pixels import resized_sizes
from ..types import Pixels


def shrink(pixels: Pixels, shape: FrameShape) -> Pixels:
    """Resize a decoded frame, (H0, W0, 3) to (H, W, 3), uint8: PIL bicubic twice (reference).

    Each step is a no-op where the size already fits.
    """
    first, second, _ = resized_sizes((pixels.shape[0], pixels.shape[1]), shape)
    image = Image.fromarray(pixels)
    for step in (first, second):
        if (image.height, image.width) != step:
            image = image.resize(step[::-1], Image.Resampling.BICUBIC)
    return np.asarray(image)
