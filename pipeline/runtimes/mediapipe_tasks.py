"""Answer with MediaPipe Tasks, the Task Library's successor. Child process only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.errors import BadInput
from pipeline.imaging.decode import Pixels
from pipeline.runtimes.native import without_tensorflow
from pipeline.runtimes.task_library import by_label

with without_tensorflow():
    import mediapipe as mp
    from mediapipe.tasks.python import BaseOptions, vision


class MediaPipe:
    """Run a metadata-carrying `.tflite` as an app built on MediaPipe Tasks would."""

    batch = 1

    def __init__(self, model: Path, labels: Sequence[str]) -> None:
        options = vision.ImageClassifierOptions(
            base_options=BaseOptions(model_asset_path=str(model))
        )
        try:
            self._classifier = vision.ImageClassifier.create_from_options(options)
        except (RuntimeError, ValueError) as error:
            raise BadInput(
                "MediaPipe Tasks refuses the model",
                where=str(model),
                expected="float32 or uint8 input and output, and metadata",
                got=str(error).strip(),
            ) from error
        self._labels = list(labels)

    def close(self) -> None:
        """Let go of the model."""
        self._classifier.close()

    def answer(self, levels: Sequence[Pixels]) -> npt.NDArray[np.float32]:
        """Return float32 (1, classes) for the one image in `levels`."""
        (pixels,) = levels
        picture = mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(pixels))
        result = self._classifier.classify(picture)
        return by_label(
            [(c.category_name, c.score) for c in result.classifications[0].categories],
            self._labels,
        )
