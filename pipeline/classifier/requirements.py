"""Say whether a model can be taken as a classifier, and what its answer needs; no TensorFlow."""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

from pipeline.classifier.facts import ModelFacts, ModelKind, OutputKind
from pipeline.errors import BadInput

_FLOAT32 = frozenset({"float32", "int32", "int64"})


class OutputChange(StrEnum):
    """Name what is done to a model's answer to make it probabilities of every class.

    none: nothing. softmax: a softmax is added. two_classes: one probability p becomes
    (1 - p, p). sigmoid_two_classes: a sigmoid is added first.
    """

    none = "none"
    softmax = "softmax"
    two_classes = "two_classes"
    sigmoid_two_classes = "sigmoid_two_classes"


class Adaptation(StrEnum):
    """Name what the exported file does that the model's file does not say.

    softmax_added, sigmoid_added: the model answers logits. two_classes: it answers one
    probability. cast_to_float32: it computes in another dtype. augmentation_dropped: its
    augmentation layers do nothing at inference.
    """

    softmax_added = "softmax_added"
    sigmoid_added = "sigmoid_added"
    two_classes = "two_classes"
    cast_to_float32 = "cast_to_float32"
    augmentation_dropped = "augmentation_dropped"


def adaptations(facts: ModelFacts, change: OutputChange) -> tuple[Adaptation, ...]:
    """Return what is adapted in a model with this change of its answer."""
    found: list[Adaptation] = []
    match change:
        case OutputChange.none:
            pass
        case OutputChange.softmax:
            found.append(Adaptation.softmax_added)
        case OutputChange.two_classes:
            found.append(Adaptation.two_classes)
        case OutputChange.sigmoid_two_classes:
            found += [Adaptation.sigmoid_added, Adaptation.two_classes]
        case _:
            assert_never(change)
    if set(facts.dtype_policies) - _FLOAT32:
        found.append(Adaptation.cast_to_float32)
    if facts.augmentation:
        found.append(Adaptation.augmentation_dropped)
    return tuple(found)


def image_size(facts: ModelFacts, stated: tuple[int, int] | None, where: str) -> tuple[int, int]:
    """Return the height and width in pixels of the images a model takes.

    Args:
        facts: of the model.
        stated: height and width asked for, None for the model's own.
        where: the model, for messages.

    Raises:
        BadInput: it does not take one RGB image, its size is open and none is stated, or another
            one is stated.
    """
    if facts.inputs != 1:
        raise BadInput(
            "the model is not an image classifier",
            where=where,
            expected="one input",
            got=f"{facts.inputs or 'an unknown number of'} inputs",
        )
    shape = facts.input_shape
    if shape is not None and (len(shape) != 3 or shape[2] not in (3, None)):
        raise BadInput(
            "the model does not take RGB images",
            where=where,
            expected="an input of shape (batch, height, width, 3)",
            got=_words(shape),
            next_step="put layers in front of it that make its input of an RGB image, and save it",
        )
    height, width = (None, None) if shape is None else shape[:2]
    if stated is None:
        if height is None or width is None:
            raise BadInput(
                "the model takes images of any size, so the size has to be stated",
                where=where,
                got=_words(shape),
                next_step="add --size HxW in pixels, as --size 224x224: the size it was trained at",
            )
        return height, width
    if height not in (None, stated[0]) or width not in (None, stated[1]):
        raise BadInput(
            "the model takes images of another size",
            where=where,
            expected=_words(shape),
            got=f"--size {stated[0]}x{stated[1]}",
            next_step=f"leave --size out, or --size {height}x{width}",
        )
    return stated


def output_change(facts: ModelFacts, *, classes: int, logits: bool, where: str) -> OutputChange:
    """Return what makes a model's answer probabilities of `classes` classes.

    Args:
        facts: of the model.
        classes: the number of labels.
        logits: the user said that the model answers logits.
        where: the model, for messages.

    Raises:
        BadInput: no change does, or `logits` is missing or wrong.
    """
    _check_dtypes(facts, where)
    change = _change(facts, logits=logits, where=where)
    answered = 2 if facts.outputs == 1 else facts.outputs
    if answered is not None and answered != classes:
        raise BadInput(
            "the model has another number of outputs than there are labels",
            where=where,
            expected=f"(batch, {classes})",
            got=f"(batch, {facts.outputs})",
            next_step="give the labels the model was trained with, in the order of its outputs: "
            "--labels FILE, or --labels A,B,C",
        )
    return change


def _change(facts: ModelFacts, *, logits: bool, where: str) -> OutputChange:
    kind = facts.output
    match kind:
        case OutputKind.sigmoids:
            raise BadInput(
                "the model answers each class by a sigmoid of its own, so that several may apply "
                "to one image; what is proven here is one class for each image",
                where=where,
                expected="softmax over the classes, or one sigmoid for two classes",
                got=f"{facts.outputs or 'several'} sigmoids",
                next_step="if exactly one class applies, train the head again as a Dense layer of "
                'activation="softmax"',
            )
        case OutputKind.softmax | OutputKind.sigmoid:
            if logits:
                raise _already(str(kind), where)
            if kind is OutputKind.sigmoid:
                return OutputChange.two_classes
            if facts.outputs == 1:
                raise BadInput(
                    "the model's softmax has one output, which is always 1",
                    where=where,
                    expected="a softmax over two outputs or more, or a sigmoid on one",
                    got="softmax on one output",
                )
            return OutputChange.none
        case OutputKind.logits:
            if not logits:
                raise BadInput(
                    "the model does not end in a softmax: it answers logits, not probabilities",
                    where=where,
                    expected="softmax as the last operation",
                    got="a last layer without activation",
                    next_step="add --logits, which puts a softmax behind it (a sigmoid behind a "
                    "single output)",
                )
            return OutputChange.sigmoid_two_classes if facts.outputs == 1 else OutputChange.softmax
        case OutputKind.unknown:
            if facts.outputs == 1:
                return OutputChange.sigmoid_two_classes if logits else OutputChange.two_classes
            return OutputChange.softmax if logits else OutputChange.none
        case _:
            assert_never(kind)


def _already(kind: str, where: str) -> BadInput:
    return BadInput(
        "the model already answers probabilities, not logits",
        where=where,
        expected="a last layer without activation, as --logits says",
        got=f"a {kind}",
        next_step="leave --logits out",
    )


def _check_dtypes(facts: ModelFacts, where: str) -> None:
    other = sorted(set(facts.dtype_policies) - _FLOAT32)
    quantized = [name for name in other if name.startswith(("int8", "int4", "float8"))]
    if quantized:
        raise BadInput(
            "the model's weights are already quantized in Keras",
            where=where,
            expected="float weights",
            got=", ".join(quantized),
            next_step="give the model as it was before model.quantize()",
        )
    if facts.kind is not ModelKind.saved_model:
        return
    if other:
        raise BadInput(
            "the SavedModel computes in another dtype, which is fixed in its graph",
            where=where,
            expected="float32",
            got=", ".join(other),
            next_step="give the model as a .keras file, which is rebuilt in float32: "
            "model.save('model.keras')",
        )
    if facts.input_dtype != "float32":
        raise BadInput(
            "the SavedModel does not take float32 images",
            where=where,
            expected="float32",
            got=str(facts.input_dtype),
            next_step="export it with a float32 input, or give it as a .keras file",
        )


def _words(shape: tuple[int | None, ...] | None) -> str:
    sizes = "unknown" if shape is None else ", ".join("any" if s is None else str(s) for s in shape)
    return f"an input of shape (batch, {sizes})"
