"""Answer with MediaPipe Tasks, the Task Library's successor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.contract.choices import RuntimeName
from pipeline.errors import BadInput, reason_of
from pipeline.imaging.decode import Pixels
from pipeline.runtimes.child_runtime import ChildRuntime
from pipeline.runtimes.interface import InferenceRequest, Threads
from pipeline.runtimes.native import without_tensorflow
from pipeline.runtimes.task_library import by_label


class MediaPipe:
    """Run a metadata-carrying `.tflite` as an app built on MediaPipe Tasks would.

    It normalizes the pixels itself, so a latency includes that, and chooses its own number of
    threads: its options take none.
    """

    batch = 1

    def __init__(self, request: InferenceRequest) -> None:
        with without_tensorflow():
            import mediapipe
            from mediapipe.tasks.python import BaseOptions, vision

        options = vision.ImageClassifierOptions(
            base_options=BaseOptions(model_asset_path=str(request.model))
        )
        try:
            self._classifier = vision.ImageClassifier.create_from_options(options)
        except (RuntimeError, ValueError) as error:
            raise BadInput(
                "MediaPipe Tasks refuses the model",
                where=str(request.model),
                expected="float32 or uint8 input and output, and metadata",
                got=reason_of(error).strip(),
            ) from error
        self._image = mediapipe.Image
        self._format = mediapipe.ImageFormat.SRGB
        self._labels = request.labels

    def close(self) -> None:
        """Release the model."""
        self._classifier.close()

    def prepare(self, pixels: Sequence[Pixels]) -> Any:
        """Return the one image in `pixels` as the library's own type."""
        (one,) = pixels
        return self._image(image_format=self._format, data=np.ascontiguousarray(one))

    def invoke(self, prepared: Any) -> npt.NDArray[np.float32]:
        """Return float32 (1, classes)."""
        result = self._classifier.classify(prepared)
        return by_label(
            [(c.category_name, c.score) for c in result.classifications[0].categories],
            self._labels,
        )


RUNTIME = ChildRuntime(
    name=RuntimeName.mediapipe,
    title="MediaPipe Tasks",
    packages=("mediapipe",),
    threads=Threads.own_choice,
    open=MediaPipe,
)
