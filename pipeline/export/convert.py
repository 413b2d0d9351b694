"""Turn a Keras classifier into a TFLite file, before any metadata.

`convert_child` runs in a child process; nothing else here needs TensorFlow.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.contract.hashing import sha256_bytes, sha256_file
from pipeline.contract.image import ImageContract
from pipeline.contract.recipe import Io, Quantize, Recipe
from pipeline.errors import BadInput, EnvironmentProblem
from pipeline.imaging.decode import Pixels
from pipeline.imaging.preprocess import load_levels, normalize
from pipeline.progress import ProgressEvent, Report
from pipeline.runtimes.keras_file import load_keras

INPUT_NAME = "image"
OUTPUT_NAME = "probability"

# Raise it when this file changes the bytes it makes: it is part of the cache key.
REVISION = 1


def convert_child(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """Convert and quantize, and write the flatbuffer to `request["out"]`.

    The request holds model, model_sha256, recipe, image (contract), classes, out, and
    representative: a list of {path, sha256}, used by int8 only.

    The variables are frozen into constants first, so that calibration can run, and the frozen
    function is saved under named ends, so that the file keeps the signature
    `image` -> `probability`.

    Raises:
        BadInput: the model or an image is refused, or changed since it was listed.
        EnvironmentProblem: the converter failed.
    """
    model_path, recipe = Path(request["model"]), Recipe.model_validate(request["recipe"])
    image = ImageContract.model_validate(request["image"])
    if (found := sha256_file(model_path)) != request["model_sha256"]:
        raise BadInput(
            "the model file changed while it was being exported",
            where=str(model_path),
            expected=f"sha256 {request['model_sha256']}",
            got=f"sha256 {found}",
        )
    steps = _Steps(report, total=4)
    steps.begin("load the model")
    model = load_keras(model_path, image=image, classes=request["classes"])
    images: list[dict[str, str]] = request["representative"]
    calibrate = _calibration(images, image, report)
    with tempfile.TemporaryDirectory(prefix="pipeline-export-") as folder:
        steps.begin("freeze")
        _save_frozen(model, image, folder)
        steps.begin("convert")
        data = _convert(folder, recipe, calibrate)
    steps.begin("write")
    Path(request["out"]).write_bytes(data)
    steps.end()
    return {"sha256": sha256_bytes(data), "size_bytes": len(data)}


def _save_frozen(model: Any, image: ImageContract, folder: str) -> None:
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    shape = tf.TensorSpec(image.input_shape, tf.float32, name=INPUT_NAME)
    concrete = tf.function(lambda x: model(x, training=False)).get_concrete_function(shape)
    frozen = convert_variables_to_constants_v2(concrete)
    module = tf.Module()
    module.__call__ = tf.function(
        lambda image: {OUTPUT_NAME: frozen(image)[0]}, input_signature=[shape]
    )
    tf.saved_model.save(module, folder, signatures=module.__call__)


def _convert(folder: str, recipe: Recipe, calibrate: Callable[[], Iterator[Any]]) -> bytes:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(folder)
    if recipe.quantize is not Quantize.none:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        # Per-channel dense weights need FULLY_CONNECTED version 12, which TFLite 2.16.1, the
        # newest on Maven Central, refuses to load.
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    if recipe.quantize is Quantize.float16:
        converter.target_spec.supported_types = [tf.float16]
    if recipe.quantize is Quantize.int8:
        converter.representative_dataset = calibrate
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        io = {Io.float32: tf.float32, Io.uint8: tf.uint8, Io.int8: tf.int8}[recipe.io]
        converter.inference_input_type = converter.inference_output_type = io
    try:
        return bytes(converter.convert())
    except BadInput:
        raise
    except Exception as error:  # The converter raises bare Exception and its own kinds.
        raise EnvironmentProblem(
            "TensorFlow cannot convert the model",
            expected=f"recipe {recipe.name}",
            got=f"{type(error).__name__}: {str(error)[:800]}",
        ) from error


def _calibration(
    images: list[dict[str, str]], contract: ImageContract, report: Report
) -> Callable[[], Iterator[dict[str, npt.NDArray[np.float32]]]]:
    def each() -> Iterator[dict[str, npt.NDArray[np.float32]]]:
        for done, entry in enumerate(images):
            report(ProgressEvent("calibrate", done, len(images)))
            # Disjointness from validation and test was proven for these very bytes.
            levels = load_levels(Path(entry["path"]), contract, entry["sha256"])
            if done == 0:
                _span_all_levels(levels)
            yield {INPUT_NAME: normalize(levels, contract)[None]}
        report(ProgressEvent("calibrate", len(images), len(images)))

    return each


def _span_all_levels(levels: Pixels) -> None:
    # Phone runtimes feed raw grey levels to a quantized input, which is right only if its range
    # is exactly that of 0 to 255, whatever these photographs happen to reach.
    levels[0, 0], levels[-1, -1] = 0, 255


class _Steps:
    """Report the numbered steps of a conversion."""

    def __init__(self, report: Report, total: int) -> None:
        self._report, self._total, self._done = report, total, -1

    def begin(self, name: str) -> None:
        self._done += 1
        self._report(ProgressEvent("convert", self._done, self._total, name))

    def end(self) -> None:
        self._report(ProgressEvent("convert", self._total, self._total))
