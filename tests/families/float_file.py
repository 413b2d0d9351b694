"""Convert a family's Keras file to a float file that takes RGB with one mean and one std.

Child process only: TensorFlow.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.contract.base import Frozen
from pipeline.contract.image import ImageContract
from pipeline.contract.normalization import UniformNormalization
from pipeline.export.input_adapter import adapt_input
from pipeline.progress import Report
from pipeline.tflite.edit import pack, unpack_whole
from tests.export.int8.operator_networks import float_bytes, pictures
from tests.families.catalog import BY_NAME

# About how large a tiny network's logits are.
_LOGITS = 3.0


class FloatFileRequest(Frozen):
    """Ask for a family's float file at `out`: of a `.keras` file, or of its tiny network."""

    family: str
    keras: str | None
    size_px: int
    out: str


class FloatFileAnswer(Frozen):
    """Hold what the file takes."""

    normalization: UniformNormalization

    def image(self, size_px: int) -> ImageContract:
        """Return the contract of the file."""
        about = self.normalization
        return ImageContract(height_px=size_px, width_px=size_px, mean=about.mean, std=about.std)


def float_file_child(request: FloatFileRequest, report: Report) -> FloatFileAnswer:
    """Load or build the network, convert it, and adapt its input."""
    import keras

    from pipeline.imaging.keras_input import keras_input
    from tests.families.training import settle

    del report
    family, size_px = BY_NAME[request.family], request.size_px
    if request.keras is None:
        keras.utils.set_random_seed(1)
        model = family.build(size_px, 4, **family.tiny)
        if family.fading:
            _draw_weights(model)
        values = keras_input(pictures(64, size_px), family.wanted)
        settle(model, values)
        _tell_apart(model, values)
    else:
        model = keras.saving.load_model(request.keras, compile=False)
    data = float_bytes(model, ImageContract(height_px=size_px, width_px=size_px))
    adapted = adapt_input(unpack_whole(data, where=request.out), family.wanted)
    Path(request.out).write_bytes(pack(adapted.model))
    return FloatFileAnswer(normalization=adapted.normalization)


def _draw_weights(model: Any) -> None:
    """Draw weights that keep the size of activations (He et al. 2015, arXiv 1502.01852).

    The default ones make them smaller from layer to layer, until the epsilon of batch
    normalization is larger than their variance and nothing is left that tells pictures apart.
    """
    random = np.random.default_rng(0)
    for layer in model._flatten_layers():
        for weights in layer.trainable_weights if not hasattr(layer, "layers") else ():
            shape, name = weights.shape, weights.name
            if name not in ("kernel", "depthwise_kernel", "pointwise_kernel"):
                continue
            taken = (
                shape[:2] if name == "depthwise_kernel" or "depthwise" in layer.name else shape[:-1]
            )
            fan_in = int(np.prod(taken))
            weights.assign(random.normal(0, np.sqrt(2 / fan_in), shape))


def _tell_apart(model: Any, values: npt.NDArray[np.float32]) -> None:
    """Set the classifier's weights so that its answers to `values` spread over the classes."""
    import keras

    features = keras.Model(model.input, model.layers[-2].output).predict(values, verbose=0)
    mean, spread = features.mean(axis=0), features.std(axis=0)
    spread = np.maximum(spread, spread.mean())
    size = (features.shape[1], model.output.shape[-1])
    drawn = np.random.default_rng(0).normal(0, _LOGITS / np.sqrt(len(mean)), size)
    kernel = drawn / spread[:, None]
    model.layers[-1].set_weights([kernel, -mean @ kernel])
