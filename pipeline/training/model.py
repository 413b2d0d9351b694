"""Build the classifier: backbone, average pooling, dropout, softmax. Child process only.

Batch normalization is where short trainings of a small network go wrong. Keras gives it a momentum
of 0.999: the moving averages that inference uses then lag a thousand steps behind the weights,
and a few epochs of a small dataset are not a thousand steps. So there are two cases here:

- a pretrained network keeps its statistics: its body is called with `training=False`, so that
  batch normalization uses the moving averages in training too, and only its scale and offset
  learn; training and inference are then the same function;
- a network trained as a whole uses momentum 0.9, an average over about ten steps. Training steps
  never read the moving averages, so this changes what is evaluated and nothing that is learned.
"""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from pipeline.contract.files import write_bytes_atomic
from pipeline.contract.image import ImageContract
from pipeline.errors import BadInput, EnvironmentProblem, reason_of
from pipeline.training.backbones.interface import Backbone

FEATURES = "features"
PROBABILITY = "probability"
WHOLE_NETWORK_MOMENTUM = 0.9


def build(
    backbone: Backbone,
    image: ImageContract,
    width: float,
    weights: str,
    classes: int,
    dropout: float,
) -> keras.Model:
    """Build the classifier as one flat functional model without custom objects.

    Args:
        backbone: the network under the classifier.
        image: gives the input size.
        width: the backbone's width multiplier.
        weights: "imagenet", "none", or the path of an `.h5` file.
        classes: the number of outputs.
        dropout: the share of pooled features left out in training, 0 to 1.

    Returns:
        a model from `image`, float32 (batch, height, width, 3) as the contract normalizes it, to
        `probability`, float32 (batch, classes), rows summing to 1.

    Raises:
        BadInput: the weights do not fit the network.
        EnvironmentProblem: the ImageNet weights cannot be downloaded.
    """
    inputs = keras.Input(image.input_shape[1:], name="image")
    base = _base(backbone, inputs, width, weights)
    pooled = keras.layers.GlobalAveragePooling2D(name=FEATURES)(base.output)
    kept = keras.layers.Dropout(dropout, name="dropout")(pooled)
    outputs = keras.layers.Dense(classes, activation="softmax", name=PROBABILITY)(kept)
    return keras.Model(inputs, outputs, name="classifier")


def _base(backbone: Backbone, inputs: Any, width: float, weights: str) -> keras.Model:
    if weights != "imagenet":
        base = backbone.build(inputs, width, None)
        if weights != "none":
            _load(base, Path(weights), f"{backbone.title} {width:g}")
            if backbone.after_loading is not None:
                backbone.after_loading(base)
        return base
    try:
        return backbone.build(inputs, width, "imagenet")
    except Exception as error:  # Keras raises a bare Exception when a download fails.
        raise EnvironmentProblem(
            f"cannot get the ImageNet weights of {backbone.title}",
            got=reason_of(error),
            next_step="connect to the internet once, or give a file with --weights PATH",
        ) from error


def _load(base: keras.Model, path: Path, network: str) -> None:
    try:
        base.load_weights(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(
            "the weights do not fit the network",
            where=str(path),
            expected=f"Keras weights (.h5) of {network} without its top",
            got=reason_of(error).strip().splitlines()[0][:300],
            next_step="give the file of this backbone and width, or the backbone and width of "
            "this file",
        ) from error


def set_batch_norm_momentum(model: keras.Model, momentum: float) -> None:
    """Set the momentum of every batch normalization's moving averages, 0 to 1.

    Those of models and layers inside the model count too.
    """
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = momentum


@dataclass(frozen=True)
class Parts:
    """Hold a classifier in pieces that share its weights.

    Attributes:
        trunk: from the image to (trunk features, pooled features).
        body: from trunk features to pooled features.
        head: from pooled features to probability.
        top: body and head together.
    """

    trunk: keras.Model
    body: keras.Model
    head: keras.Model
    top: keras.Model


def split_at_trunk(model: keras.Model, trunk_output: str) -> Parts:
    """Split a classifier after the layer `trunk_output` and before its dropout."""
    middle = model.get_layer(trunk_output).output
    pooled = model.get_layer(FEATURES).output
    return Parts(
        trunk=keras.Model(model.input, [middle, pooled]),
        body=keras.Model(middle, pooled),
        head=keras.Model(pooled, model.output),
        top=keras.Model(middle, model.output),
    )


def save(model: keras.Model, path: Path) -> None:
    """Write a `.keras` file whose bytes depend on the model alone, atomically.

    Keras stamps the time of saving into the archive, and gives shared objects their address in
    memory for a number; here the one is left out and the others count from 0.
    """
    buffer = io.BytesIO()
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        stamped = Path(folder) / path.name
        model.save(stamped, include_optimizer=False)
        with zipfile.ZipFile(stamped) as old, zipfile.ZipFile(buffer, "w") as new:
            for name in sorted(old.namelist()):
                content = old.read(name)
                if name == "metadata.json":
                    facts = json.loads(content)
                    facts.pop("date_saved", None)
                    content = json.dumps(facts, sort_keys=True).encode()
                elif name == "config.json":
                    config = json.loads(content)
                    _renumber_shared_objects(config, {})
                    content = json.dumps(config).encode()
                new.writestr(zipfile.ZipInfo(name), content)
    write_bytes_atomic(path, buffer.getvalue())


def _renumber_shared_objects(value: Any, numbers: dict[int, int]) -> None:
    if isinstance(value, list):
        for entry in value:
            _renumber_shared_objects(entry, numbers)
    elif isinstance(value, dict):
        if isinstance(number := value.get("shared_object_id"), int):
            value["shared_object_id"] = numbers.setdefault(number, len(numbers))
        for entry in value.values():
            _renumber_shared_objects(entry, numbers)
