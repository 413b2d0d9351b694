"""Look at a Keras model of any form and say what it is. Nothing in it is run, and no TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any, assert_never

from pipeline.classifier.applications import Recognised, recognise
from pipeline.classifier.facts import (
    LayerFact,
    ModelFacts,
    ModelKind,
    NormalizationReason,
    OutputKind,
)
from pipeline.classifier.hdf5 import read_h5_model
from pipeline.classifier.keras_archive import read_keras_archive
from pipeline.classifier.layers import Layer, last_layer, leaves, numbers, read_layers
from pipeline.classifier.saved_model import inspect_saved_model
from pipeline.classifier.scaling import AUGMENTATION, IMAGE_OPERATIONS, Scaling, read_scaling
from pipeline.contract.files import MAX_WEIGHTS_BYTES, open_regular
from pipeline.contract.normalization import NormalizationName
from pipeline.errors import BadInput, reason_of

# What may follow a softmax without changing what the numbers mean.
PASSED = frozenset({"Dropout", "Flatten", "Identity", "Reshape", "Squeeze", "Cast"})
_FORMS = "a .keras or .h5 file, or a SavedModel folder"
# What has as many outputs as what comes before it.
_OF_ONE_WIDTH = frozenset(
    {"Activation", "GlobalAveragePooling2D", "GlobalMaxPooling2D", "Sigmoid", "Softmax"}
)


def inspect_model(path: Path) -> ModelFacts:
    """Return what a Keras model's file says about it.

    Raises:
        BadInput: there is none, it is damaged or of another form, it carries code, or it reaches
            outside itself.
    """
    kind = model_kind(path)
    match kind:
        case ModelKind.keras:
            config, version = read_keras_archive(path)
        case ModelKind.h5:
            config, version = read_h5_model(path)
        case ModelKind.saved_model:
            return inspect_saved_model(path)
        case _:
            assert_never(kind)
    return facts_of_config(config, kind, version, path.stat().st_size)


def model_kind(path: Path) -> ModelKind:
    """Return the form a model is saved in, by its content.

    Raises:
        BadInput: there is nothing, or something else.
    """
    where = str(path)
    if path.is_dir():
        if (path / "saved_model.pb").is_file():
            return ModelKind.saved_model
        raise BadInput(
            "no model in this folder", where=where, expected="saved_model.pb", got=_listing(path)
        )
    try:
        with open_regular(path, max_bytes=MAX_WEIGHTS_BYTES) as stream:
            start = stream.read(8)
    except OSError as error:
        raise BadInput("there is no Keras model here", where=where, got=reason_of(error)) from error
    if start.startswith(b"PK"):
        return ModelKind.keras
    if start == b"\x89HDF\r\n\x1a\n":
        return ModelKind.h5
    if start[4:8] == b"TFL3":
        raise BadInput(
            "this is a TFLite file, not the Keras model it was made from",
            where=where,
            expected=_FORMS,
            next_step=f"pipeline inspect {path}",
        )
    if path.name == "saved_model.pb":
        raise BadInput(
            "this file is one part of a SavedModel folder",
            where=where,
            next_step=f"give the folder: --model {path.parent}",
        )
    raise BadInput("not a Keras model", where=where, expected=_FORMS, got=_first_bytes(start))


def facts_of_config(
    config: dict[str, Any], kind: ModelKind, version: str, size_bytes: int
) -> ModelFacts:
    """Return the facts in a checked configuration."""
    model = read_layers(config)
    all_layers = list(leaves(model))
    inputs = [layer for layer in model.layers if layer.class_name == "InputLayer"]
    scaling, found = read_scaling(model), recognise(model)
    proposal, reason, evidence = _normalization(scaling, found)
    last = last_layer(model, PASSED)
    outputs = _units(last_layer(model, PASSED | _OF_ONE_WIDTH))
    return ModelFacts(
        kind=kind,
        size_bytes=size_bytes,
        keras_version=version,
        class_name=model.class_name,
        name=model.name,
        layers=len(model.layers),
        class_names=tuple(sorted({layer.class_name for layer in all_layers})),
        inputs=len(model.first) or None,
        input_shape=_input_shape(model),
        input_dtype=_dtype(inputs[0].config.get("dtype")) if inputs else None,
        outputs=outputs,
        output=_output_kind(last, outputs),
        dtype_policies=tuple(
            sorted(
                {
                    _dtype(layer.config.get("dtype"))
                    for layer in all_layers
                    if layer.class_name != "InputLayer"
                }
                - {""}
            )
        ),
        augmentation=_facts(all_layers, AUGMENTATION),
        image_operations=_facts(all_layers, IMAGE_OPERATIONS),
        scaling=tuple(_fact(layer) for layer in scaling.layers) if scaling else (),
        application=found.application.family if found else None,
        proposed_normalization=proposal,
        normalization_reason=reason,
        normalization_evidence=evidence,
    )


def _normalization(
    scaling: Scaling | None, found: Recognised | None
) -> tuple[NormalizationName | None, NormalizationReason, tuple[str, ...]]:
    if scaling is not None:
        names = tuple(layer.name for layer in scaling.layers)
        return scaling.takes, NormalizationReason.scaling_layers, names
    if found is not None:
        evidence = (found.application.family, found.evidence)
        return found.application.takes, NormalizationReason.application, evidence
    return None, NormalizationReason.unknown, ()


def _input_shape(model: Layer) -> tuple[int | None, ...] | None:
    for layer in [*model.layers[:1], *leaves(model), model]:
        for key in ("batch_shape", "batch_input_shape", "build_input_shape"):
            sizes = layer.config.get(key)
            if isinstance(sizes, list) and len(sizes) > 1:
                return tuple(size if isinstance(size, int) else None for size in sizes[1:])
    return None


def _output_kind(last: Layer | None, outputs: int | None) -> OutputKind:
    if last is None:
        return OutputKind.unknown
    activation = _activation(last)
    if last.class_name == "Softmax" or activation == "softmax":
        return OutputKind.softmax
    if last.class_name == "Sigmoid" or activation == "sigmoid":
        return OutputKind.sigmoid if outputs == 1 else OutputKind.sigmoids
    linear = last.class_name in ("Dense", "Conv2D", "EinsumDense") and activation == "linear"
    pooled = last.class_name in ("GlobalAveragePooling2D", "GlobalMaxPooling2D")
    return OutputKind.logits if linear or pooled else OutputKind.unknown


def _activation(layer: Layer) -> str:
    value = layer.config.get("activation", "linear" if layer.class_name == "Dense" else "")
    if isinstance(value, dict):
        value = value.get("config") if isinstance(value.get("config"), str) else value["class_name"]
    return "linear" if value is None else str(value).lower()


def _units(last: Layer | None) -> int | None:
    if last is None:
        return None
    for key in ("units", "filters"):
        found = numbers(last.config.get(key))
        if found:
            return int(found[0])
    return None


def _dtype(value: Any) -> str:
    """Return the name of a dtype or of a dtype policy, '' where there is none."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        inner = value.get("config")
        name = inner.get("name") if isinstance(inner, dict) else None
        return str(name or value.get("class_name", ""))
    return ""


def _facts(layers: list[Layer], classes: frozenset[str]) -> tuple[LayerFact, ...]:
    return tuple(_fact(layer) for layer in layers if layer.class_name in classes)


def _fact(layer: Layer) -> LayerFact:
    return LayerFact(name=layer.name, class_name=layer.class_name)


def _listing(path: Path) -> str:
    names = sorted(member.name for member in path.iterdir())
    return ", ".join(names[:5]) or "an empty folder"


def _first_bytes(start: bytes) -> str:
    return f"a file that begins with {start!r}" if start else "an empty file"
