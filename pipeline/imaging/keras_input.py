"""Turn resized pixels into what a Keras model was trained on: the reference of `Normalization`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.contract.normalization import Normalization
from pipeline.imaging.decode import Pixels

Float32 = npt.NDArray[np.float32]


def keras_input(pixels: Pixels, normalization: Normalization) -> Float32:
    """Return (pixel - mean) / std in float32, channels in the model's order.

    Args:
        pixels: uint8 (..., height, width, 3), RGB, 0 to 255.
        normalization: what the model takes.
    """
    ordered = pixels if normalization.channels == "RGB" else pixels[..., ::-1]
    mean = np.asarray(normalization.mean, np.float32)
    std = np.asarray(normalization.std, np.float32)
    values: Float32 = (ordered.astype(np.float32) - mean) / std
    return values
