"""Hold what a model says about itself, before anything of it is run."""

from __future__ import annotations

from enum import StrEnum

from pipeline.contract.base import Frozen
from pipeline.contract.normalization import NormalizationName


class ModelKind(StrEnum):
    """Name the forms a Keras model is saved in."""

    keras = "keras"
    h5 = "h5"
    saved_model = "saved_model"


class OutputKind(StrEnum):
    """Name what the last operation answers with.

    logits: any real numbers. sigmoid: one probability, of the second class. sigmoids: one
    probability for each class on its own. unknown: it cannot be read from the file.
    """

    softmax = "softmax"
    logits = "logits"
    sigmoid = "sigmoid"
    sigmoids = "sigmoids"
    unknown = "unknown"


class NormalizationReason(StrEnum):
    """Name what a proposed normalization was read from."""

    scaling_layers = "scaling_layers"
    application = "application"
    unknown = "unknown"


class LayerFact(Frozen):
    """Name one layer."""

    name: str
    class_name: str


class ModelFacts(Frozen):
    """Hold what a model's file says; nothing in it was run.

    `class_name`, `name` and `layers` (a count) are of the outermost model. `input_shape` is
    (height_px, width_px, channels), None for a size that is left open, and None altogether where
    the file does not say. `outputs` is the last dimension of the answer.

    `dtype_policies` lists every dtype policy but that of the input, which is `input_dtype`
    (SavedModel: every dtype that it computes in).
    `augmentation` lists layers that change an image in training and do nothing at inference;
    `image_operations` those that change it at inference too (resizing, cropping); `scaling` those
    in front that scale pixels. `application` is the `keras.applications` network found inside.
    `proposed_normalization` follows from `normalization_reason` and `normalization_evidence`
    (layer names, or the network's name); it is a proposal that labelled images have to confirm.
    """

    kind: ModelKind
    size_bytes: int
    keras_version: str = "unknown"
    class_name: str = ""
    name: str = ""
    layers: int = 0
    class_names: tuple[str, ...] = ()
    inputs: int | None = None
    input_shape: tuple[int | None, ...] | None = None
    input_dtype: str | None = None
    outputs: int | None = None
    output: OutputKind = OutputKind.unknown
    dtype_policies: tuple[str, ...] = ()
    augmentation: tuple[LayerFact, ...] = ()
    image_operations: tuple[LayerFact, ...] = ()
    scaling: tuple[LayerFact, ...] = ()
    application: str | None = None
    proposed_normalization: NormalizationName | None = None
    normalization_reason: NormalizationReason = NormalizationReason.unknown
    normalization_evidence: tuple[str, ...] = ()
