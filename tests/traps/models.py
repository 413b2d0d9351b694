"""Train one tiny classifier, and wrap it as own models come: other inputs, other outputs."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from pipeline.child import ask_child
from pipeline.contract.base import Frozen
from pipeline.contract.normalization import Normalization, NormalizationName
from pipeline.imaging.keras_input import keras_input
from pipeline.progress import Report

LABELS = ("AMBER", "BLUE", "DARK", "MEL")
SIZE_PX = 32
_PER_LABEL = 150


@dataclass(frozen=True)
class Traps:
    """Name the folder of labelled images, and the models by what is wrong or special with them."""

    images: Path
    models: dict[str, Path]


class TrapRequest(Frozen):
    """Ask for all models, in a folder that holds images.npy."""

    folder: Path


class Trapped(Frozen):
    """List the files that were made."""

    names: tuple[str, ...]


@cache
def traps() -> Traps:
    """Make images and models, the first time they are asked for."""
    folder = Path(tempfile.mkdtemp(prefix="pipeline-traps-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _draw(folder)
    made = ask_child(
        "tests.traps.models:trap_child",
        TrapRequest(folder=folder),
        Trapped,
        log=folder / "make.log",
    )
    return Traps(folder / "images", {Path(name).stem: folder / name for name in made.names})


def _draw(folder: Path) -> None:
    """Draw images whose class needs the right range and the right order of channels."""
    random = np.random.default_rng(4)
    colours = {
        "AMBER": (200, 150, 60),
        "BLUE": (60, 150, 200),
        "DARK": (60, 50, 40),
        "MEL": (140, 120, 115),
    }
    every = []
    for label in LABELS:
        (folder / "images" / label).mkdir(parents=True)
        for i in range(_PER_LABEL):
            colour = np.array(colours[label]) + random.normal(0, 14, 3)
            pixels = colour + random.normal(0, 12, (SIZE_PX, SIZE_PX, 3))
            levels = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
            Image.fromarray(levels).save(folder / "images" / label / f"{i:03}.png")
            every.append(levels)
    np.save(folder / "pixels.npy", np.stack(every))


def trap_child(request: TrapRequest, report: Report) -> Trapped:
    """Train the classifier and save every variant of it. Runs in a child process."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(5)
    pixels = np.load(request.folder / "pixels.npy")
    truth = np.repeat(np.arange(len(LABELS)), _PER_LABEL)
    values = keras_input(pixels, Normalization())
    base = _trained(values, truth)
    logits = keras.Model(base.inputs, base.layers[-1].input, name="without_softmax")
    entry = (SIZE_PX, SIZE_PX, 3)
    sigmoid = layers.Dense(1, activation="sigmoid")
    several = layers.Dense(len(LABELS), activation="sigmoid")
    binary = keras.Sequential([keras.Input(entry), logits, sigmoid])
    sigmoid.set_weights([np.array([[-4.0], [-4.0], [-4.0], [4.0]]), np.zeros(1)])
    models = {
        "plain": base,
        "rescaled": keras.Sequential(
            [keras.Input(entry), layers.Rescaling(1 / 127.5, offset=-1), base]
        ),
        "bytes": _of_bytes(entry, base),
        "bgr": keras.Sequential([keras.Input(entry), _mixing(Normalization().swapped()), base]),
        "unit": keras.Sequential([keras.Input(entry), _mixing(_named("unit")), base]),
        "caffe": keras.Sequential([keras.Input(entry), _mixing(_named("caffe")), base]),
        "torch": keras.Sequential([keras.Input(entry), _mixing(_named("torch")), base]),
        "augmented": keras.Sequential(
            [
                keras.Input(entry),
                layers.RandomFlip("horizontal"),
                layers.RandomRotation(0.1),
                layers.Rescaling(1 / 127.5, offset=-1),
                base,
            ]
        ),
        "logits": logits,
        "binary": binary,
        "several": keras.Sequential([keras.Input(entry), logits, several]),
        "constant": _constant(entry),
    }
    for name, model in models.items():
        model.save(request.folder / f"{name}.keras")
    base.save(request.folder / "legacy.h5")
    base.export(str(request.folder / "saved_model"), verbose=False)
    names = [f"{name}.keras" for name in models]
    return Trapped(names=(*names, "legacy.h5", "saved_model"))


def _trained(values: npt.NDArray[np.float32], truth: npt.NDArray[np.int64]) -> object:
    import keras
    from keras import layers

    entry = keras.Input((SIZE_PX, SIZE_PX, 3), name="image")
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(entry)
    x = layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.5)(x))
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.5)(x))
    x = layers.Conv2D(16, 1, use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.5)(x))
    x = layers.Dense(len(LABELS), name="answer")(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(entry, layers.Softmax(name="probability")(x), name="tiny")
    model.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy")
    model.fit(values, truth, batch_size=32, epochs=12, verbose=0)
    return model


def _named(name: str) -> Normalization:
    return Normalization.named(NormalizationName(name))


def _of_bytes(entry: tuple[int, int, int], base: object) -> object:
    """Return a model whose input is declared as uint8."""
    import keras
    from keras import layers

    image = keras.Input(entry, dtype="uint8")
    scaled = layers.Rescaling(1 / 127.5, offset=-1)(image)
    return keras.Model(image, base(scaled))  # type: ignore[operator]


def _mixing(own: Normalization) -> object:
    """Return a layer that makes -1 to 1 in RGB of a convention's own values."""
    from keras import layers

    kernel, bias = np.zeros((1, 1, 3, 3)), np.zeros(3)
    for source in range(3):
        target = source if own.channels == "RGB" else 2 - source
        kernel[0, 0, source, target] = own.std[source] / 127.5
        bias[target] = (own.mean[source] - 127.5) / 127.5
    layer = layers.Conv2D(3, 1, name="to_tf")
    layer.build((None, None, None, 3))
    layer.set_weights([kernel, bias])
    return layer


def _constant(entry: tuple[int, int, int]) -> object:
    import keras
    from keras import layers

    head = layers.Dense(len(LABELS), activation="softmax")
    model = keras.Sequential([keras.Input(entry), layers.GlobalAveragePooling2D(), head])
    random = np.random.default_rng(1)
    head.set_weights([random.normal(0, 1e-3, (3, len(LABELS))), np.array([0.5, 0.0, 0.0, 0.0])])
    return model
