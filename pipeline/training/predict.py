"""Predict with a Keras model, one trace for every batch size. Child process only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from pipeline.contract.image import ImageContract
from pipeline.metrics import Probabilities
from pipeline.training.input import batches, normalized
from pipeline.training.shards import ShardedPixels

_BATCH = 32

Rows = npt.NDArray[Any] | ShardedPixels


class Predictor(Protocol):
    """Predict rows with the weights the model has at this moment."""

    def __call__(
        self, rows: Rows, on_progress: Callable[[int, int], None] | None = None
    ) -> Probabilities:
        """Return float32 (rows, classes); `on_progress` is called with (done, total) rows."""


def predictor(model: keras.Model, image: ImageContract | None = None) -> Predictor:
    """Make a function from rows to probabilities.

    Args:
        model: gives float32 (batch, classes).
        image: normalizes uint8 pixels; None where the rows are the model's input as they
            are, of any float type.
    """

    def infer(rows: tf.Tensor) -> tf.Tensor:
        ready = tf.cast(rows, tf.float32) if image is None else normalized(rows, image)
        return model(ready, training=False)

    traced: dict[tf.DType, Any] = {}

    def predict(rows: Rows, on_progress: Callable[[int, int], None] | None = None) -> Probabilities:
        dtype = tf.as_dtype(rows.dtype)
        if dtype not in traced:
            signature = [tf.TensorSpec(model.input.shape, dtype)]
            traced[dtype] = tf.function(infer, input_signature=signature)
        found: list[Probabilities] = []
        done = 0
        for _, batch in batches(lambda which: rows[which], np.arange(len(rows)), _BATCH, dtype):
            found.append(traced[dtype](batch).numpy())
            done += len(found[-1])
            if on_progress is not None:
                on_progress(done, len(rows))
        return np.concatenate(found)

    return predict
