"""Turn a Keras classifier into a float, float16 or dynamic-range TFLite file, before metadata.

int8 starts from the float file; see `pipeline.export.int8`.

`convert_child` runs in a child process; nothing else here needs TensorFlow.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from pipeline.classifier.open import open_classifier
from pipeline.classifier.spec import spec_of_image
from pipeline.contract.hashing import sha256_bytes
from pipeline.contract.image import ImageContract
from pipeline.contract.recipe import Quantize, Recipe
from pipeline.errors import BadInput, EnvironmentProblem
from pipeline.progress import ProgressEvent, Report

INPUT_NAME = "image"
OUTPUT_NAME = "probability"

# Raise it when this file changes the bytes it makes: it is part of the cache key.
REVISION = 2


def convert_child(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """Convert, and write the flatbuffer to `request["out"]`.

    The request holds model, model_sha256, recipe (not int8), image (contract), classes and out.

    The variables are frozen into constants first, which converts in a third of the time, and the
    frozen function is saved under named ends, so that the file keeps the signature
    `image` -> `probability`.

    Raises:
        BadInput: the model is refused, or changed since it was listed.
        EnvironmentProblem: the converter failed.
    """
    model_path, recipe = Path(request["model"]), Recipe.model_validate(request["recipe"])
    image = ImageContract.model_validate(request["image"])
    spec = spec_of_image(model_path, image, request["classes"])
    if spec.sha256 != request["model_sha256"]:
        raise BadInput(
            "the model file changed while it was being exported",
            where=str(model_path),
            expected=f"sha256 {request['model_sha256']}",
            got=f"sha256 {spec.sha256}",
        )
    steps = _Steps(report, total=4)
    steps.begin("load the model")
    classifier = open_classifier(spec)
    with tempfile.TemporaryDirectory(prefix="pipeline-export-") as folder:
        steps.begin("freeze")
        _save_frozen(classifier.concrete_function(image.input_shape), folder)
        steps.begin("convert")
        data = _convert(folder, recipe)
    steps.begin("write")
    Path(request["out"]).write_bytes(data)
    steps.end()
    return {"sha256": sha256_bytes(data), "size_bytes": len(data)}


def _save_frozen(concrete: Any, folder: str) -> None:
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    (shape,) = concrete.structured_input_signature[0]
    frozen = convert_variables_to_constants_v2(concrete)
    module = tf.Module()
    module.__call__ = tf.function(
        lambda image: {OUTPUT_NAME: frozen(image)[0]}, input_signature=[shape]
    )
    # EfficientNet's activation has a gradient of its own, which refers to variables that are gone.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(module, folder, signatures=module.__call__, options=options)


def _convert(folder: str, recipe: Recipe) -> bytes:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(folder)
    if recipe.quantize is not Quantize.none:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        # Per-channel dense weights need FULLY_CONNECTED version 12, which TFLite 2.16.1, the
        # newest on Maven Central, refuses to load.
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    if recipe.quantize is Quantize.float16:
        converter.target_spec.supported_types = [tf.float16]
    try:
        return bytes(converter.convert())
    except Exception as error:  # The converter raises bare Exception and its own kinds.
        raise EnvironmentProblem(
            "TensorFlow cannot convert the model",
            expected=f"recipe {recipe.name}",
            got=f"{type(error).__name__}: {str(error)[:800]}",
        ) from error


class _Steps:
    """Report the numbered steps of a conversion."""

    def __init__(self, report: Report, total: int) -> None:
        self._report, self._total, self._done = report, total, -1

    def begin(self, name: str) -> None:
        self._done += 1
        self._report(ProgressEvent("convert", self._done, self._total, name))

    def end(self) -> None:
        self._report(ProgressEvent("convert", self._total, self._total))
