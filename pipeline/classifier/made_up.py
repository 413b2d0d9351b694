"""Draw images on which a model is tried before anybody relies on it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def made_up_images(size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Return uint8 (8, height, width, 3): noise, flat colours and gradients."""
    random = np.random.default_rng(0)
    height, width = size
    images = random.integers(0, 256, (8, height, width, 3), dtype=np.uint8)
    images[2] = 0
    images[3] = 255
    images[4] = (200, 30, 30)
    images[5] = (30, 90, 200)
    images[6] = np.linspace(0, 255, width).astype(np.uint8)[None, :, None]
    images[7] = np.linspace(255, 0, height).astype(np.uint8)[:, None, None]
    return images
