"""State what a runtime must do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pipeline.imaging.decode import Pixels


class Runtime(Protocol):
    """Answer images with probabilities; in a child process; closed when done.

    `batch` is how many images `answer` takes at most.
    """

    batch: int

    def close(self) -> None:
        """Let go of the model."""
        ...

    def answer(self, levels: Sequence[Pixels]) -> npt.NDArray[np.float32]:
        """Return the probabilities of each image, float32 (len(levels), classes).

        `levels` are contract-sized grey levels, uint8 (height, width, 3); normalizing and
        quantizing them is the runtime's business.
        """
        ...
