"""Turn a Keras classifier into a float32 TFLite file, before metadata.

Everything else starts from it; see `pipeline.export.float16`, `dynamic` and `int8`.

`convert_child` runs in a child process; nothing else here needs TensorFlow.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import Field

from pipeline.classifier.open import open_classifier
from pipeline.classifier.spec import ClassifierSpec
from pipeline.classifier.threads import set_threads
from pipeline.contract.base import Frozen
from pipeline.contract.hashing import sha256_bytes
from pipeline.contract.image import ImageContract
from pipeline.errors import EnvironmentProblem
from pipeline.progress import ProgressEvent, Report
from pipeline.tflite.edit import name_input_and_output, pack, unpack_whole

INPUT_NAME = "image"
OUTPUT_NAME = "probability"

# Raise it when this file changes the bytes it makes: it is part of the cache key.
REVISION = 4


class ConvertRequest(Frozen):
    """Ask for the float32 file of a Keras model, which takes what it takes, written to `out`."""

    classifier: ClassifierSpec
    out: str


class ConvertAnswer(Frozen):
    """Pin the file that was written."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size_bytes: int = Field(ge=0)


def convert_child(request: ConvertRequest, report: Report) -> ConvertAnswer:
    """Convert, and write the flatbuffer to `request.out`.

    The variables are frozen into constants first, which converts in a third of the time, and the
    frozen function is saved under named arguments, so that the file keeps the signature
    `image` -> `probability`. The tensors are called so too: the converter names them after the
    saved function's own.

    Raises:
        BadInput: the model is refused, or changed since it was listed.
        EnvironmentProblem: the converter failed.
    """
    # In a shared process the model answers too, on one thread. One that has computed keeps its own.
    with suppress(RuntimeError):
        set_threads(1)
    spec = request.classifier
    steps = _Steps(report, total=4)
    steps.begin("load the model")
    classifier = open_classifier(spec)
    concrete = classifier.concrete_function(spec.image.input_shape)
    data = convert_function(concrete, on_step=steps.begin)
    steps.begin("write")
    named = unpack_whole(data, where=request.out)
    name_input_and_output(named, INPUT_NAME, OUTPUT_NAME)
    data = pack(named)
    Path(request.out).write_bytes(data)
    steps.end()
    return ConvertAnswer(sha256=sha256_bytes(data), size_bytes=len(data))


def convert_keras(model: Any, image: ImageContract, on_step: Callable[[str], None]) -> bytes:
    """Return the float32 `.tflite` file of an open Keras model as it is. Child process only.

    Raises:
        EnvironmentProblem: the converter failed.
    """
    import tensorflow as tf

    shape = tf.TensorSpec(image.input_shape, tf.float32, name=INPUT_NAME)
    concrete = tf.function(lambda x: model(x, training=False)).get_concrete_function(shape)
    return convert_function(concrete, on_step)


def convert_function(concrete: Any, on_step: Callable[[str], None]) -> bytes:
    """Return the float32 `.tflite` file of a TensorFlow function.

    Raises:
        EnvironmentProblem: the converter failed.
    """
    with tempfile.TemporaryDirectory(prefix="pipeline-export-") as folder:
        on_step("freeze")
        save_frozen(concrete, folder)
        on_step("convert")
        return _convert(folder)


def save_frozen(concrete: Any, folder: str) -> None:
    """Save a TensorFlow function, its variables as constants, as a SavedModel."""
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


def _convert(folder: str) -> bytes:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(folder)
    try:
        return bytes(converter.convert())
    except Exception as error:  # The converter raises bare Exception and its own kinds.
        raise EnvironmentProblem(
            "TensorFlow cannot convert the model",
            expected="a float32 file",
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
