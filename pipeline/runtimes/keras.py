"""Answer with the Keras model itself: the reference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.contract.choices import RuntimeName
from pipeline.imaging.decode import Pixels
from pipeline.imaging.preprocess import Float32, normalize
from pipeline.runtimes.child_runtime import ChildRuntime
from pipeline.runtimes.interface import InferenceRequest, Threads
from pipeline.runtimes.keras_file import load_keras


class Keras:
    """Run a `.keras` file on the CPU, several images at a time.

    The number of threads is TensorFlow's for one operation (intra-op).
    """

    batch = 16

    def __init__(self, request: InferenceRequest) -> None:
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(request.threads)
        self._image = request.image
        self._model = load_keras(request.model, image=request.image, classes=len(request.labels))

    def close(self) -> None:
        """Release the model."""
        del self._model

    def prepare(self, pixels: Sequence[Pixels]) -> Float32:
        """Return normalized images, float32 (len(pixels), height, width, 3)."""
        return normalize(np.stack(pixels), self._image)

    def invoke(self, prepared: Float32) -> npt.NDArray[np.float32]:
        """Return float32 (len(prepared), classes)."""
        return np.asarray(self._model.predict_on_batch(prepared), dtype=np.float32)


RUNTIME = ChildRuntime(
    name=RuntimeName.keras,
    title="Keras, the reference",
    packages=("tensorflow", "keras"),
    threads=Threads.asked,
    open=Keras,
)
