"""Fold temperatures into tiny Keras models of every ending. Child process only."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from pipeline.classifier.temperature import fold_temperature
from pipeline.contract.base import Frozen
from pipeline.errors import BadInput
from pipeline.progress import Report

IMAGES = 40


class Asked(Frozen):
    temperature: float


class Folded(Frozen):
    """Hold by ending what a model answers before and after, or why it was refused."""

    before: dict[str, tuple[tuple[float, ...], ...]]
    after: dict[str, tuple[tuple[float, ...], ...]]
    refused: dict[str, str]


def fold_child(request: Asked, report: Report) -> Folded:
    keras.utils.set_random_seed(3)
    values = np.random.default_rng(0).normal(size=(IMAGES, 6)).astype(np.float32)
    before, after, refused = {}, {}, {}
    for name, model in _models().items():
        rows = model.predict(values, verbose=0)
        try:
            fold_temperature(model, request.temperature, where=name)
        except BadInput as error:
            refused[name] = str(error.got)
            assert np.array_equal(rows, model.predict(values, verbose=0))
            continue
        before[name] = rows.tolist()
        after[name] = model.predict(values, verbose=0).tolist()
    return Folded(before=before, after=after, refused=refused)


def _models() -> dict[str, Any]:
    inputs = keras.Input((6,))
    hidden = layers.Dense(5, activation="relu", name="hidden")(inputs)
    logits = layers.Dense(4, bias_initializer="random_normal", name="logits")(hidden)
    nested = keras.Model(inputs, layers.Softmax()(logits))
    outer = keras.Input((6,))
    shared = layers.Dense(6, name="shared")
    # As the parts of a training do, other models use the last layer too.
    parted = keras.Model(inputs, layers.Dense(4, activation="softmax", name="parted")(hidden))
    features = keras.Input((5,))
    keras.Model(features, parted.get_layer("parted")(features))
    added = layers.Add()([layers.Dense(4)(hidden), layers.Dense(4)(inputs)])
    return {
        "dense": keras.Model(inputs, layers.Dense(4, activation="softmax")(hidden)),
        "no bias": keras.Model(
            inputs, layers.Dense(4, activation="softmax", use_bias=False)(hidden)
        ),
        "shared with another model": parted,
        "softmax": nested,
        "activation": keras.Model(inputs, layers.Activation("softmax")(logits)),
        "logits": keras.Model(inputs, logits),
        "sigmoid": keras.Model(inputs, layers.Dense(1, activation="sigmoid")(hidden)),
        "nested": keras.Model(outer, nested(outer)),
        "sequential": keras.Sequential(
            [keras.Input((6,)), layers.Dense(4), layers.Activation("softmax")]
        ),
        "shared": keras.Model(inputs, layers.Softmax()(shared(shared(inputs)))),
        "sum": keras.Model(inputs, layers.Softmax()(added)),
        "squared": keras.Model(inputs, layers.Dense(4, activation="relu")(hidden)),
    }
