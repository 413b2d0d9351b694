"""Answer with the 2023 TFLite Task Library, the C++ engine of the Android one. Child only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.errors import BadInput
from pipeline.imaging.decode import Pixels
from pipeline.runtimes.native import prepare_tflite_support


class TaskLibrary:
    """Run a metadata-carrying `.tflite` as an Android app of 2023 would."""

    batch = 1

    def __init__(self, model: Path, labels: Sequence[str], threads: int) -> None:
        prepare_tflite_support()
        from tflite_support.task import core, vision

        options = vision.ImageClassifierOptions(
            base_options=core.BaseOptions(file_name=str(model), num_threads=threads)
        )
        try:
            self._classifier = vision.ImageClassifier.create_from_options(options)
        except (RuntimeError, ValueError) as error:
            raise BadInput(
                "the Task Library refuses the model",
                where=str(model),
                expected="float32 or uint8 input and output, and metadata",
                got=str(error).strip(),
            ) from error
        self._tensor_image = vision.TensorImage
        self._labels = list(labels)

    def close(self) -> None:
        """Let go of the model."""
        del self._classifier

    def answer(self, levels: Sequence[Pixels]) -> npt.NDArray[np.float32]:
        """Return float32 (1, classes) for the one image in `levels`."""
        (pixels,) = levels
        result = self._classifier.classify(self._tensor_image.create_from_array(pixels))
        return by_label(
            [(c.category_name, c.score) for c in result.classifications[0].categories],
            self._labels,
        )


def by_label(
    categories: Sequence[tuple[str, float]], labels: Sequence[str]
) -> npt.NDArray[np.float32]:
    """Order named scores by label: float32 (1, len(labels)).

    Raises:
        BadInput: the model names other classes than `labels`.
    """
    scores = dict(categories)
    if set(scores) != set(labels):
        raise BadInput(
            "the runtime answers other classes than the labels",
            expected=", ".join(labels),
            got=", ".join(str(name) for name in scores),
        )
    return np.array([[scores[label] for label in labels]], dtype=np.float32)
