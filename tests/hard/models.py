"""Make networks with thin margins of the shared ImageNet backbone. Child process only: TensorFlow.

The backbone is frozen, and a linear head names clusters of the backbone's own features on the
shared photos: classes that differ by little, with nothing learned that keeps them apart.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.contract.base import Frozen
from pipeline.contract.image import ImageContract
from pipeline.export.int8.inputs import load_pixels
from pipeline.export.int8.request import ImageFile
from pipeline.imaging.preprocess import normalize
from pipeline.progress import Report
from tests.export.int8.operator_networks import float_bytes

Float32 = npt.NDArray[np.float32]

SIZE_PX = 160
IMAGE = ImageContract(height_px=SIZE_PX, width_px=SIZE_PX)
_ROUNDS = 30
# Of the head, such that the surest class has about this probability on average.
_SURE = 0.7
# The absolute sum of an edge filter's weights, as trained ones were seen to have.
_EDGE = 12.0


class HardRequest(Frozen):
    """Ask for a float file at `out`: so many classes, clustered on `images`.

    `edges` puts edge filters into the first depthwise layer.
    """

    weights: str
    classes: int
    edges: bool
    images: tuple[ImageFile, ...]
    out: str


class HardAnswer(Frozen):
    """Say how sure the network is of its class on average, 0 to 1."""

    sure: float


def hard_child(request: HardRequest, report: Report) -> HardAnswer:
    """Build the network, set its head by its own features, and convert it."""
    import keras

    pixels = load_pixels(request.images, IMAGE, "read the photos", report)
    values = np.stack([normalize(one, IMAGE) for one in pixels])
    trunk = keras.applications.MobileNetV2(
        input_shape=(SIZE_PX, SIZE_PX, 3), include_top=False, weights=None, pooling="avg"
    )
    trunk.load_weights(request.weights)
    if request.edges:
        _put_edges(trunk, values[:64])
    features = np.asarray(trunk.predict(values, batch_size=32, verbose=0))
    kernel, bias = _head(features, request.classes)
    outputs = keras.layers.Dense(request.classes, activation="softmax")
    model = keras.Sequential([trunk, outputs])
    model.build((None, SIZE_PX, SIZE_PX, 3))
    outputs.set_weights([kernel, bias])
    Path(request.out).write_bytes(float_bytes(model, IMAGE))
    probability = _softmax(features @ kernel + bias)
    return HardAnswer(sure=float(probability.max(axis=1).mean()))


def _head(features: Float32, classes: int) -> tuple[Float32, Float32]:
    """Return the linear head that answers the nearest of the features' k-means centres.

    |x - c|^2 differs between centres by -2 x.c + |c|^2, which is linear in x.
    """
    centres = _centres(features, classes)
    kernel, bias = centres.T, -(centres**2).sum(axis=1) / 2
    low, high = 1e-3, 1e3
    for _ in range(40):
        factor = np.sqrt(low * high)
        sure = _softmax(factor * (features @ kernel + bias)).max(axis=1).mean()
        low, high = (factor, high) if sure < _SURE else (low, factor)
    return (factor * kernel).astype(np.float32), (factor * bias).astype(np.float32)


def _centres(features: Float32, classes: int) -> npt.NDArray[np.float64]:
    """Return k-means centres (Lloyd 1982), begun far apart (Arthur and Vassilvitskii 2007)."""
    random, rows = np.random.default_rng(0), features.astype(np.float64)
    centres = rows[random.integers(len(rows))][None]
    while len(centres) < classes:
        nearest = ((rows[:, None] - centres) ** 2).sum(axis=2).min(axis=1)
        drawn = random.choice(len(rows), p=nearest / nearest.sum())
        centres = np.concatenate([centres, rows[drawn][None]])
    for _ in range(_ROUNDS):
        chosen = (rows @ centres.T - (centres**2).sum(axis=1) / 2).argmax(axis=1)
        for k in np.unique(chosen):
            centres[k] = rows[chosen == k].mean(axis=0)
    return centres


def _softmax(logits: Float32) -> Float32:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    answers: Float32 = powers / powers.sum(axis=1, keepdims=True)
    return answers


def _put_edges(trunk: Any, values: Float32) -> None:
    """Take the mean out of the first depthwise filters, enlarge them, and settle what follows."""
    import keras

    layer = trunk.get_layer("expanded_conv_depthwise")
    (kernel,) = layer.get_weights()
    kernel = kernel - kernel.mean(axis=(0, 1), keepdims=True)
    kernel *= _EDGE / np.abs(kernel).sum(axis=(0, 1), keepdims=True)
    layer.set_weights([kernel])
    norm = trunk.get_layer("expanded_conv_depthwise_BN")
    gamma, beta, _, _ = norm.get_weights()
    seen = keras.Model(trunk.input, layer.output).predict(values, verbose=0)
    norm.set_weights([gamma, beta, seen.mean(axis=(0, 1, 2)), seen.var(axis=(0, 1, 2))])
