"""Answer with the Keras model itself: the reference. Child process only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.classifier.open import open_classifier
from pipeline.classifier.spec import spec_of_image
from pipeline.contract.image import ImageContract
from pipeline.imaging.decode import Pixels
from pipeline.imaging.preprocess import normalize


class Keras:
    """Run a Keras model of any form on the CPU, several images at a time."""

    batch = 16

    def __init__(self, model: Path, image: ImageContract, labels: int, threads: int) -> None:
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        self._classifier = open_classifier(spec_of_image(model, image, labels))
        self._image = image
        # The first call traces and compiles; it is not an inference time.
        self.answer([np.zeros((image.height_px, image.width_px, image.channels), np.uint8)])

    def close(self) -> None:
        """Let go of the model."""
        del self._classifier

    def answer(self, levels: Sequence[Pixels]) -> npt.NDArray[np.float32]:
        """Return float32 (len(levels), classes)."""
        return self._classifier.predict(normalize(np.stack(levels), self._image))
