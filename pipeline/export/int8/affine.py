"""Turn stored integers back into the real values they stand for."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.tflite.edit import Array


def dequantize(values: Array, scale: float, zero_point: int) -> npt.NDArray[np.float32]:
    """Return scale * (values - zero_point) as float32, in the shape of `values`."""
    real: npt.NDArray[np.float32] = values.astype(np.float32) - np.float32(zero_point)
    real *= np.float32(scale)
    return real
