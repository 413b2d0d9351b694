"""Answer with the 2023 TFLite Task Library, the C++ engine of the Android one."""

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
from pipeline.runtimes.native import TFLITE_SUPPORT_ENV, prepare_tflite_support


class TaskLibrary:
    """Run a metadata-carrying `.tflite` as an Android app of 2023 would.

    It normalizes the pixels itself, so a latency includes that.
    """

    batch = 1

    def __init__(self, request: InferenceRequest) -> None:
        prepare_tflite_support()
        from tflite_support.task import core, vision

        options = vision.ImageClassifierOptions(
            base_options=core.BaseOptions(file_name=str(request.model), num_threads=request.threads)
        )
        try:
            self._classifier = vision.ImageClassifier.create_from_options(options)
        except (RuntimeError, ValueError) as error:
            raise BadInput(
                "the Task Library refuses the model",
                where=str(request.model),
                expected="float32 or uint8 input and output, and metadata",
                got=reason_of(error).strip(),
            ) from error
        self._tensor_image = vision.TensorImage
        self._labels = request.labels

    def close(self) -> None:
        """Release the model."""
        del self._classifier

    def prepare(self, pixels: Sequence[Pixels]) -> Any:
        """Return the one image in `pixels` as the library's own type."""
        (one,) = pixels
        return self._tensor_image.create_from_array(one)

    def invoke(self, prepared: Any) -> npt.NDArray[np.float32]:
        """Return float32 (1, classes)."""
        result = self._classifier.classify(prepared)
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


RUNTIME = ChildRuntime(
    name=RuntimeName.task_library,
    title="the TFLite Task Library of 2023",
    packages=("tflite-support",),
    threads=Threads.asked,
    environment=TFLITE_SUPPORT_ENV,
    open=TaskLibrary,
)
