"""Open a Keras classifier to convert it or to ask it. Child process only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, assert_never

import numpy as np
import numpy.typing as npt

from pipeline.classifier.facts import ModelFacts, ModelKind
from pipeline.classifier.inspect import inspect_model
from pipeline.classifier.load import load_keras_model
from pipeline.classifier.made_up import made_up_images
from pipeline.classifier.requirements import (
    Adaptation,
    OutputChange,
    adaptations,
    image_size,
    output_change,
)
from pipeline.classifier.saved_model import SIGNATURE
from pipeline.classifier.spec import ClassifierSpec, unchanged_sha256
from pipeline.errors import BadInput
from pipeline.imaging.keras_input import keras_input

Float32 = npt.NDArray[np.float32]
_INPUT_NAME = "image"
# Rows of float32 probabilities sum to 1 within this.
_SUM_TOLERANCE = 1e-3


class Classifier:
    """Answer probabilities of every class, in float32, whatever the model itself answers.

    The same function is asked and converted. `facts` are of the model's file, `adaptations` name
    what was changed.
    """

    def __init__(
        self,
        function: Callable[[Any], Any],
        *,
        facts: ModelFacts,
        adapted: tuple[Adaptation, ...],
        size: tuple[int, int],
        batch: int | None,
    ) -> None:
        import tensorflow as tf

        self.facts = facts
        self.adaptations = adapted
        self._function = function
        self._batch = batch
        self._size = size
        self._concrete: dict[tuple[int, int, int, int], Any] = {}
        signature = [tf.TensorSpec((batch, *size, 3), tf.float32, name=_INPUT_NAME)]
        self._compiled = tf.function(function, input_signature=signature, autograph=False)

    def concrete_function(self, shape: tuple[int, int, int, int]) -> Any:
        """Return the TensorFlow ConcreteFunction for float32 images of `shape`.

        It takes (batch, height, width, 3), normalized, and returns (batch, classes)
        probabilities; batch is 1 for a model that was saved for single images.
        """
        import tensorflow as tf

        if shape not in self._concrete:
            spec = tf.TensorSpec(shape, tf.float32, name=_INPUT_NAME)
            function = tf.function(self._function, autograph=False)
            self._concrete[shape] = function.get_concrete_function(spec)
        return self._concrete[shape]

    def predict(self, values: Float32) -> Float32:
        """Return probabilities, float32 (n, classes), rows summing to 1.

        Args:
            values: float32 (n, height, width, 3), normalized as the model takes it.
        """
        return self._ask(self._compiled, values)

    def predict_singly(self, values: Float32) -> Float32:
        """Return what the converted function answers to one image after another."""
        import tensorflow as tf

        function = self.concrete_function((1, *self._size, 3))
        return _in_parts(lambda part: function(tf.constant(part)), values, 1)

    def _ask(self, function: Callable[[Any], Any], values: Float32) -> Float32:
        together = len(values) if self._batch is None else 1
        return _in_parts(function, values, together)


def _in_parts(function: Callable[[Any], Any], values: Float32, together: int) -> Float32:
    parts = [values[i : i + together] for i in range(0, len(values), together)]
    return np.concatenate([np.asarray(function(part), np.float32) for part in parts])


# By what decides it but its place.
_LAST: dict[str, Classifier] = {}


def open_classifier(spec: ClassifierSpec) -> Classifier:
    """Open a model, adapt it and try it on a few made-up images; the last one is kept open.

    Raises:
        BadInput: the file changed, is refused or cannot be loaded; it does not take such images;
            it does not answer probabilities of so many classes; its answers are not finite, are
            not repeatable or do not depend on the image.
    """
    unchanged_sha256(spec.path, spec.sha256)
    # A process that converts and answers may be told of one model by two paths.
    known_by = spec.model_copy(update={"path": Path()}).digest()
    if known_by not in _LAST:
        _LAST.clear()
        _LAST[known_by] = _opened(spec)
    return _LAST[known_by]


def _opened(spec: ClassifierSpec) -> Classifier:
    where = str(spec.path)
    facts = inspect_model(spec.path)
    size = image_size(facts, (spec.image.height_px, spec.image.width_px), where)
    change = output_change(facts, classes=spec.classes, logits=spec.logits, where=where)
    model, batch = _open(spec, facts, size)
    pixels = made_up_images(size)
    values = keras_input(pixels, spec.normalization)
    if facts.outputs is None:
        facts, change = _learn_outputs(model, facts, spec, values[:1])
    if spec.logits:
        _refuse_probabilities(model, values, where, batch)
    classifier = Classifier(
        _changed(model, change),
        facts=facts,
        adapted=adaptations(facts, change),
        size=size,
        batch=batch,
    )
    _check_answers(classifier, values, spec)
    return classifier


def _open(
    spec: ClassifierSpec, facts: ModelFacts, size: tuple[int, int]
) -> tuple[Callable[[Any], Any], int | None]:
    """Return a function of a batch of images, and the batch that it is limited to."""
    import tensorflow as tf

    where = str(spec.path)
    if facts.kind is not ModelKind.saved_model:
        model = load_keras_model(spec.path, facts.kind, size)
        _check_keras_shapes(model, where, size)
        # A model may answer a list or a dict of one.
        return (lambda images: tf.nest.flatten(model(images, training=False))[0]), None
    try:
        loaded = tf.saved_model.load(str(spec.path))
        signature = loaded.signatures[SIGNATURE]
    except Exception as error:  # TensorFlow raises kinds of its own for each part.
        raise BadInput(
            "TensorFlow cannot load the SavedModel",
            where=where,
            got=f"{type(error).__name__}: {str(error)[:400]}",
        ) from error
    (name, tensor), *_ = signature.structured_input_signature[1].items()
    batch = tensor.shape[0]
    if batch not in (None, 1):
        raise BadInput(
            "the SavedModel takes a fixed number of images at once",
            where=where,
            expected="any number, or one",
            got=f"{batch}",
            next_step="export it with an input of shape (None, height, width, 3)",
        )

    def call(images: Any) -> Any:
        # `loaded` owns the variables, and goes when nothing holds it.
        (answer,) = loaded.signatures[SIGNATURE](**{name: images}).values()
        return answer

    return call, batch


def _check_keras_shapes(model: Any, where: str, size: tuple[int, int]) -> None:
    inputs, outputs = list(model.inputs or []), list(model.outputs or [])
    if len(inputs) != 1 or len(outputs) != 1:
        raise BadInput(
            "the model is not an image classifier",
            where=where,
            expected="one input and one output",
            got=f"{len(inputs)} inputs and {len(outputs)} outputs",
        )
    shape = tuple(inputs[0].shape)
    fits = len(shape) == 4 and all(
        own in (None, wanted) for own, wanted in zip(shape[1:], (*size, 3), strict=True)
    )
    if not fits or len(outputs[0].shape) != 2:
        raise BadInput(
            "the model takes or answers arrays of another shape",
            where=where,
            expected=f"(batch, {size[0]}, {size[1]}, 3) in, (batch, classes) out",
            got=f"{shape} in, {tuple(outputs[0].shape)} out",
        )


def _learn_outputs(
    model: Callable[[Any], Any], facts: ModelFacts, spec: ClassifierSpec, one: Float32
) -> tuple[ModelFacts, OutputChange]:
    shape = np.asarray(model(one)).shape
    if len(shape) != 2:
        raise BadInput(
            "the model does not answer one row for each image",
            where=str(spec.path),
            expected=f"(batch, {spec.classes})",
            got=str(shape),
        )
    facts = facts.model_copy(update={"outputs": int(shape[1])})
    change = output_change(facts, classes=spec.classes, logits=spec.logits, where=str(spec.path))
    return facts, change


def _changed(model: Callable[[Any], Any], change: OutputChange) -> Callable[[Any], Any]:
    import tensorflow as tf

    def two(probability: Any) -> Any:
        return tf.concat([1.0 - probability, probability], axis=-1)

    def changed(images: Any) -> Any:
        answer = tf.cast(model(images), tf.float32)
        match change:
            case OutputChange.none:
                return answer
            case OutputChange.softmax:
                return tf.nn.softmax(answer)
            case OutputChange.two_classes:
                return two(answer)
            case OutputChange.sigmoid_two_classes:
                return two(tf.sigmoid(answer))
            case _:
                assert_never(change)

    return changed


def _refuse_probabilities(
    model: Callable[[Any], Any], values: Float32, where: str, batch: int | None
) -> None:
    given = values if batch is None else values[:1]
    if _are_probabilities(np.asarray(model(given), np.float64)):
        raise BadInput(
            "the model already answers probabilities, not logits",
            where=where,
            got="rows that are not negative and sum to 1",
            next_step="leave --logits out",
        )


def _are_probabilities(rows: npt.NDArray[np.float64]) -> bool:
    sums = np.abs(rows.sum(axis=1) - 1)
    return bool(np.isfinite(rows).all() and rows.min() >= 0 and sums.max() <= _SUM_TOLERANCE)


def _check_answers(classifier: Classifier, values: Float32, spec: ClassifierSpec) -> None:
    where = str(spec.path)
    rows = classifier.predict_singly(values).astype(np.float64)
    if not np.isfinite(rows).all():
        raise BadInput(
            "the model answers numbers that are not finite",
            where=where,
            expected="finite probabilities",
            got=f"{int((~np.isfinite(rows)).any(axis=1).sum())} of {len(rows)} made-up images",
            next_step="check the weights: training may have diverged",
        )
    if not _are_probabilities(rows):
        raise BadInput(
            "the model's answers are not probabilities",
            where=where,
            expected="rows that are not negative and sum to 1",
            got=f"sums {rows.sum(axis=1).round(3).tolist()}, lowest {rows.min():.3g}",
            next_step="if it answers logits, add --logits; otherwise end it with a softmax",
        )
    if not np.array_equal(rows, classifier.predict_singly(values)):
        raise BadInput(
            "the model answers the same image differently each time",
            where=where,
            expected="the same, as at inference",
            got="random layers that stay active, as model.export() leaves augmentation layers",
            next_step="give the .keras file instead (model.save('model.keras')), or export the "
            "model without its augmentation layers",
        )
    if (rows == rows[0]).all():
        raise BadInput(
            "the model gives the same answer whatever image it sees",
            where=where,
            got=f"{rows[0].round(4).tolist()} for {len(rows)} made-up images, fed as "
            f"{spec.normalization.words()}",
            next_step="check that the weights were saved with the model, and --normalization",
        )
