"""Train one network of each family briefly on the synthetic set. Child process only: TensorFlow."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.contract.base import Frozen
from pipeline.imaging.keras_input import keras_input
from pipeline.progress import Report
from tests.families.catalog import BY_NAME, Family
from tests.families.pictures import CLASSES, SIZE_PX, Pictures, draw

_BATCH = 16
_GOOD_ENOUGH = 0.93
_FEWEST_EPOCHS = 3
_SETTLING_BATCHES = 40


class TrainRequest(Frozen):
    """Ask for FAMILY.keras and FAMILY.json in `folder`, trained now if they are not there."""

    family: str
    folder: str


class TrainAnswer(Frozen):
    """Name the file."""

    keras: str


def settle(model: Any, values: np.ndarray[Any, Any]) -> None:
    """Let every batch normalization measure its statistics anew on `values`, weights untouched."""
    import keras

    normalizing = [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    if not normalizing:
        return
    for layer in normalizing:
        layer.momentum = 0.9
    for batch in range(_SETTLING_BATCHES):
        rows = np.arange(batch * _BATCH, (batch + 1) * _BATCH) % len(values)
        model(values[rows], training=True)


def train(family: Family, pictures: Pictures, out: Path) -> dict[str, Any]:
    """Train until the held-out pictures are answered well, or `family.max_epochs`; save to `out`.

    Returns:
        accuracy on the held-out pictures, 0 to 1, epochs, and seconds.
    """
    import keras

    keras.utils.set_random_seed(7)
    start = time.monotonic()
    model = family.build(SIZE_PX, len(CLASSES))
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9
    model.compile(
        keras.optimizers.Adam(family.learning_rate),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    values = keras_input(pictures.train, family.wanted)
    held_out = keras_input(pictures.held_out, family.wanted)
    best, epochs = 0.0, 0
    for epochs in range(1, family.max_epochs + 1):
        if epochs > family.max_epochs // 2:
            model.optimizer.learning_rate = family.learning_rate / 5
        model.fit(values, pictures.train_truth, batch_size=_BATCH, epochs=1, verbose=2)
        settle(model, values)
        answers = model.predict(held_out, verbose=0)
        best = float((answers.argmax(axis=1) == pictures.held_out_truth).mean())
        print(f"{family.name} epoch {epochs}: held out {best:.3f}", flush=True)
        if epochs >= _FEWEST_EPOCHS and best >= _GOOD_ENOUGH:
            break
    model.save(out)
    return {"accuracy": best, "epochs": epochs, "seconds": round(time.monotonic() - start)}


def trained(family: Family, folder: Path) -> Path:
    """Return the family's trained `.keras` file in `folder`, trained now if it is not there."""
    out, about = folder / f"{family.name}.keras", folder / f"{family.name}.json"
    if not about.is_file():
        found = train(family, draw(folder), out)
        about.write_text(json.dumps(found), encoding="utf-8")
    return out


def train_child(request: TrainRequest, report: Report) -> TrainAnswer:
    """Train a family's network, or find it trained."""
    del report
    return TrainAnswer(keras=str(trained(BY_NAME[request.family], Path(request.folder))))
