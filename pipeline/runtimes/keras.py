"""Answer with the Keras model itself: the reference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.child import TENSORFLOW
from pipeline.classifier.open import open_classifier
from pipeline.classifier.spec import ClassifierSpec
from pipeline.classifier.threads import set_threads
from pipeline.contract.choices import RuntimeName
from pipeline.contract.normalization import Normalization
from pipeline.imaging.decode import Pixels
from pipeline.imaging.keras_input import Float32, keras_input
from pipeline.runtimes.child_runtime import ChildRuntime
from pipeline.runtimes.interface import InferenceRequest, Threads


class Keras:
    """Run a Keras model of any form on the CPU, several images at a time.

    The number of threads is TensorFlow's for one operation (intra-op).
    """

    batch = 16

    def __init__(self, request: InferenceRequest) -> None:
        set_threads(request.threads)
        self._normalization = request.own_normalization
        self._classifier = open_classifier(
            ClassifierSpec(
                path=request.model,
                sha256=request.model_sha256,
                image=request.image,
                normalization=self._normalization,
                classes=len(request.labels),
                logits=request.logits,
            )
        )

    def close(self) -> None:
        """Release the model."""
        del self._classifier

    def prepare(self, pixels: Sequence[Pixels]) -> Float32:
        """Return normalized images, float32 (len(pixels), height, width, 3)."""
        return keras_input(np.stack(pixels), self._normalization)

    def invoke(self, prepared: Float32) -> npt.NDArray[np.float32]:
        """Return float32 (len(prepared), classes)."""
        return self._classifier.predict(prepared)

    def answer_under(
        self, pixels: Sequence[Pixels], normalization: Normalization
    ) -> npt.NDArray[np.float32]:
        """Return what the model answers if fed by another normalization, (len(pixels), classes)."""
        return self._classifier.predict(keras_input(np.stack(pixels), normalization))


RUNTIME = ChildRuntime(
    name=RuntimeName.keras,
    title="Keras, the reference",
    packages=("tensorflow", "keras"),
    threads=Threads.asked,
    open=Keras,
    process=TENSORFLOW,
)
