"""Train one network of each family briefly on the synthetic set. Child process only: TensorFlow.

`python -m tests.families.training FOLDER [FAMILY ...]` leaves FAMILY.keras and FAMILY.json in
FOLDER; what is there already is not trained again.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.imaging.keras_input import keras_input
from tests.families.catalog import BY_NAME, FAMILIES, Family
from tests.families.pictures import CLASSES, SIZE_PX, Pictures, draw

_BATCH = 16
_GOOD_ENOUGH = 0.93
_FEWEST_EPOCHS = 3
_SETTLING_BATCHES = 40


def settle(model: Any, values: np.ndarray[Any, Any]) -> None:
    """Let every batch normalization measure its statistics anew on `values`, weights untouched."""
    import keras

    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
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


def main() -> None:
    """Train the families that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("families", nargs="*", default=[family.name for family in FAMILIES])
    asked = parser.parse_args()
    for name in asked.families:
        print(trained(BY_NAME[name], asked.folder), flush=True)


if __name__ == "__main__":
    main()
