"""Make tiny real models and files once for all tests of a process: one TensorFlow start."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.child import ask_child
from pipeline.contract.about import About
from pipeline.contract.base import Frozen
from pipeline.contract.dataset import DatasetManifest, ImageRecord, Split
from pipeline.contract.hashing import sha256_file
from pipeline.contract.image import ImageContract
from pipeline.contract.labels import Labels
from pipeline.contract.recipe import Io, Quantize, Recipe, Step
from pipeline.export.dynamic import DynamicRequest, dynamic_child
from pipeline.export.float16 import with_float16_constants
from pipeline.export.int8.request import ImageFile, ModelFile, QuantizeRequest, image_files
from pipeline.export.metadata_writer import write_metadata
from pipeline.progress import Report
from pipeline.tflite.edit import pack, unpack_whole

IMAGE = ImageContract(height_px=32, width_px=32)
LABELS = Labels(names=("RED", "GREEN", "BLUE"), critical=("RED",))
# GREEN is shown as it is.
NAMED = LABELS.model_copy(update={"full_names": {"RED": "Rosso è bello", "BLUE": "Deep blue"}})
REPAIRED = (Step.ranges, Step.bias_correction, Step.rounding, Step.equalization)
RECIPES = tuple(
    Recipe(
        quantize=quantize,
        io=io,
        representative_count=6,
        steps=REPAIRED if quantize is Quantize.int8 else None,
    )
    for quantize, io in (
        (Quantize.float32, Io.float32),
        (Quantize.float16, Io.float32),
        (Quantize.dynamic, Io.float32),
        (Quantize.int8, Io.uint8),
        (Quantize.int8, Io.float32),
        (Quantize.int8, Io.int8),
    )
)
INT8 = RECIPES[3]
FLOATS = tuple(recipe for recipe in RECIPES if recipe.quantize is not Quantize.int8)
ABOUT = About(
    name="tiny",
    description="A test. Research and engineering example. Not a medical device; not for "
    "diagnosis.",
    version="1",
    author="tests",
    license="CC0-1.0",
    input_name="image",
    output_name="probability",
)


class MakeRequest(Frozen):
    """Ask for the Keras models and float files in `folder`; a model's code would make `marker`."""

    folder: Path
    marker: Path


class QuantizeAllRequest(Frozen):
    """Ask for every int8 file of the float file in `folder`."""

    folder: Path
    representative: tuple[ImageFile, ...]


class LoadRequest(Frozen):
    """Ask Keras for these models, by name."""

    models: dict[str, Path]


class Loaded(Frozen):
    """Say of each model that it was loaded, or why not."""

    said: dict[str, str]


class Made(Frozen):
    """Say that the files are there."""


@dataclass(frozen=True)
class Samples:
    """Name the files: `models` by kind, the others by recipe name.

    `described` files carry `LABELS`, `named` ones `NAMED`.
    """

    folder: Path
    dataset: DatasetManifest
    models: dict[str, Path]
    converted: dict[str, Path]
    described: dict[str, Path]
    named: dict[str, Path]
    again: Path


@cache
def samples() -> Samples:
    """Make everything, the first time it is asked for."""
    folder = Path(tempfile.mkdtemp(prefix="pipeline-samples-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    dataset = make_dataset(folder / "images")
    ask_child(
        "tests.export.samples:make_child",
        MakeRequest(folder=folder, marker=folder / "code-ran"),
        Made,
        log=folder / "make.log",
    )
    ask_child(
        "tests.export.samples:quantize_children",
        QuantizeAllRequest(
            folder=folder,
            representative=tuple(image_files(dataset.of(Split.train), dataset)),
        ),
        Made,
        log=folder / "quantize.log",
    )
    names = [recipe.name for recipe in RECIPES]
    converted = {name: folder / f"{name}.tflite" for name in names}
    described = {name: folder / f"{name}-described.tflite" for name in names}
    named = {name: folder / f"{name}-named.tflite" for name in names}
    for recipe in RECIPES:
        for out, labels in ((described, LABELS), (named, NAMED)):
            write_metadata(
                converted[recipe.name],
                out[recipe.name],
                image=IMAGE,
                labels=labels,
                io=recipe.io,
                about=ABOUT,
            )
    models = {path.stem: path for path in folder.glob("*.keras")}
    return Samples(folder, dataset, models, converted, described, named, folder / "again.tflite")


def make_dataset(folder: Path) -> DatasetManifest:
    """Draw 8 JPEGs for each label, the last two held out."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(5)
    records = []
    for channel, label in enumerate(LABELS.names):
        for i in range(8):
            pixels = random.integers(0, 90, (40, 48, 3), dtype=np.uint8)
            pixels[:, :, channel] += 120
            path = folder / f"{label}-{i}.jpg"
            Image.fromarray(pixels).save(path, quality=90)
            records.append(
                ImageRecord(
                    path=path.name,
                    label=label,
                    group=path.stem,
                    split={6: Split.validation, 7: Split.test}.get(i, Split.train),
                    width_px=48,
                    height_px=40,
                    size_bytes=path.stat().st_size,
                    sha256=sha256_file(path),
                )
            )
    return DatasetManifest(
        root=str(folder),
        layout="folder",
        labels=LABELS,
        seed=0,
        fractions=(0.75, 0.125, 0.125),
        images=tuple(records),
    )


def int8_request(
    folder: Path, recipe: Recipe, out: Path, images: Sequence[ImageFile], labels: Labels = LABELS
) -> QuantizeRequest:
    """Return the request that quantizes the float file of `folder`."""
    source = folder / "float32.tflite"
    return QuantizeRequest(
        float_file=ModelFile(path=str(source), sha256=sha256_file(source)),
        recipe=recipe,
        image=IMAGE,
        labels=labels,
        representative=tuple(images),
        repair=tuple(images),
        out=str(out),
    )


def quantize_children(request: QuantizeAllRequest, report: Report) -> Made:
    """Quantize the float file with every int8 recipe, the first one twice."""
    from pipeline.export.int8.quantize import quantize_child

    folder, images = request.folder, request.representative
    source = folder / "float32.tflite"
    float_file = ModelFile(path=str(source), sha256=sha256_file(source))
    dynamic_child(DynamicRequest(float_file=float_file, out=str(folder / "dynamic.tflite")), report)
    for recipe in (recipe for recipe in RECIPES if recipe.quantize is Quantize.int8):
        out = folder / f"{recipe.name}.tflite"
        quantize_child(int8_request(folder, recipe, out, images), report)
    again = folder / "again.tflite"
    quantize_child(int8_request(folder, INT8, again, images), report)
    return Made()


def make_child(request: MakeRequest, report: Report) -> Made:
    """Save Keras models, fit and unfit, and convert the fit one with every recipe but int8."""
    import keras

    from pipeline.classifier.spec import spec_of_image
    from pipeline.export.convert import ConvertRequest, convert_child

    # A text: Keras saves the function with what it refers to.
    folder, marker = request.folder, str(request.marker)
    keras.utils.set_random_seed(3)
    pixels, features = _backbone()
    for name, classes, activation in (
        ("good", 3, "softmax"),
        ("seven", 7, "softmax"),
        ("logits", 3, None),
    ):
        head = keras.layers.Dense(classes, activation=activation, kernel_initializer="he_normal")
        keras.Model(pixels, head(features)).save(folder / f"{name}.keras")
    small = keras.Input((32, 32, 3))
    hidden = keras.layers.Lambda(lambda x: (open(marker, "w"), x)[1])(small)  # noqa: SIM115, PTH123
    flat = keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(hidden))
    keras.Model(small, flat).save(folder / "lambda.keras")
    request.marker.unlink(missing_ok=True)
    good = folder / "good.keras"
    for recipe in FLOATS:
        if recipe.quantize is Quantize.float16:
            # The float32 file comes before it.
            source = (folder / "float32.tflite").read_bytes()
            halved = with_float16_constants(unpack_whole(source, where="float32"))
            (folder / f"{recipe.name}.tflite").write_bytes(pack(halved))
            continue
        if recipe.quantize is Quantize.dynamic:
            # By the quantizer, in a process without TensorFlow; this is what it is compared with.
            (folder / "dynamic-by-converter.tflite").write_bytes(_dynamic_by_converter(good))
            continue
        asked = ConvertRequest(
            classifier=spec_of_image(good, IMAGE, 3), out=str(folder / f"{recipe.name}.tflite")
        )
        convert_child(asked, report)
    return Made()


def _dynamic_by_converter(model: Path) -> bytes:
    import tensorflow as tf

    from pipeline.classifier.open import open_classifier
    from pipeline.classifier.spec import spec_of_image
    from pipeline.export.convert import save_frozen

    concrete = open_classifier(spec_of_image(model, IMAGE, 3)).concrete_function(IMAGE.input_shape)
    with tempfile.TemporaryDirectory() as saved:
        save_frozen(concrete, saved)
        converter = tf.lite.TFLiteConverter.from_saved_model(saved)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
        return bytes(converter.convert())


def load_keras_child(request: LoadRequest, report: Report) -> Loaded:
    """Load several models."""
    from pipeline.classifier.open import open_classifier
    from pipeline.classifier.spec import spec_of_image
    from pipeline.errors import PipelineError

    said = {}
    for name, path in request.models.items():
        try:
            open_classifier(spec_of_image(path, IMAGE, 3))
            said[name] = "loaded"
        except PipelineError as error:
            said[name] = str(error)
    return Loaded(said=said)


def _backbone() -> tuple[Any, Any]:
    """Return input and output of a net of MobileNetV2's blocks, its batch statistics settled."""
    import keras
    from keras import layers

    def block(x: Any, channels: int, strides: int) -> Any:
        y = layers.Conv2D(4 * channels, 1, use_bias=False)(x)
        y = layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.0)(y))
        y = layers.DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False)(y)
        y = layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.0)(y))
        y = layers.BatchNormalization(momentum=0.0)(layers.Conv2D(channels, 1, use_bias=False)(y))
        return layers.Add()([x, y]) if strides == 1 else y

    pixels = keras.Input((32, 32, 3))
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(pixels)
    x = layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.0)(x))
    x = layers.GlobalAveragePooling2D()(block(block(block(x, 8, 1), 16, 2), 16, 1))
    values = np.random.default_rng(1).uniform(-1, 1, (16, 32, 32, 3)).astype(np.float32)
    # With no momentum one batch sets the moving statistics, so activations keep a sane size.
    keras.Model(pixels, x)(values, training=True)
    return pixels, x
