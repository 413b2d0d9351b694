"""Change a Keras configuration so that the same weights compute in float32 for any batch."""

from __future__ import annotations

import copy
from typing import Any

from pipeline.classifier.safe_config import objects_of

_POLICIES = frozenset({"DTypePolicy", "FloatDTypePolicy", "Policy", "DTypePolicyMap"})
_OTHER = frozenset(
    {"float16", "bfloat16", "float64", "half", "double", "mixed_float16", "mixed_bfloat16"}
)
# Keras 2.9 and later write `groups` for them, which Keras 3 does not take.
_WITHOUT_GROUPS = frozenset({"DepthwiseConv2D", "SeparableConv2D", "Conv2DTranspose"})
_NOT_TAKEN = {
    ("SeparableConv2D",): ("kernel_initializer", "kernel_regularizer", "kernel_constraint"),
}


def rebuilt_config(config: dict[str, Any], size: tuple[int, int]) -> dict[str, Any]:
    """Return a configuration of float32 layers; equal to `config` if it is one already.

    Args:
        config: of a model, checked.
        size: height and width in pixels, for a sequential model that was never told its input.

    Input layers take float32 whatever they took: pixels, 0 to 255, are exact in it.
    """
    rebuilt = copy.deepcopy(config)
    _set_float32(rebuilt)
    for value in objects_of(rebuilt):
        inner = value.get("config")
        if not isinstance(inner, dict):
            continue
        _mend_keras_2(value["class_name"], inner)
        if value["class_name"] == "InputLayer":
            if isinstance(inner.get("dtype"), str):
                inner["dtype"] = "float32"
            for key in ("batch_shape", "batch_input_shape"):
                if isinstance(inner.get(key), list) and inner[key]:
                    inner[key][0] = None
    _build_sequential(rebuilt, size)
    return rebuilt


def _mend_keras_2(class_name: str, config: dict[str, Any]) -> None:
    """Leave out what Keras 2 writes and Keras 3 does not take; none of it changes an answer."""
    for names, keys in _NOT_TAKEN.items():
        if class_name in names:
            for key in keys:
                config.pop(key, None)
    if class_name in _WITHOUT_GROUPS and config.get("groups") == 1:
        del config["groups"]
    # How an augmentation layer draws its random numbers.
    config.pop("rng_type", None)
    axis = config.get("axis")
    if class_name == "BatchNormalization" and isinstance(axis, list) and len(axis) == 1:
        config["axis"] = axis[0]
    if class_name in ("Functional", "Model"):
        for key in ("input_layers", "output_layers"):
            ends = config.get(key)
            # A list of one makes the model answer a list, which the next layer does not take.
            if isinstance(ends, list) and len(ends) == 1 and isinstance(ends[0], list):
                config[key] = ends[0]
        _mend_node_indices(config)


def _mend_node_indices(config: dict[str, Any]) -> None:
    """Count the calls of nested sequential models from 0, where Keras 2 counted from 1."""
    layers = config.get("layers")
    called_once = {
        layer.get("name")
        for layer in (layers if isinstance(layers, list) else [])
        if isinstance(layer, dict)
        and layer.get("class_name") == "Sequential"
        and len(layer.get("inbound_nodes") or []) == 1
    }
    pending: list[Any] = [config.get("output_layers")]
    pending += [layer.get("inbound_nodes") for layer in layers or [] if isinstance(layer, dict)]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending.extend(value.values())
        elif isinstance(value, list):
            is_call = len(value) >= 3 and isinstance(value[0], str) and value[1:3] == [1, 0]
            if is_call and value[0] in called_once:
                value[1] = 0
            pending.extend(value)


def _set_float32(root: Any) -> None:
    """Set every dtype and dtype policy of other floats, in layers and on tensors between them."""
    pending = [root]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            for key, inner in value.items():
                if key in ("dtype", "dtype_policy") and _is_other(inner):
                    value[key] = "float32"
                else:
                    pending.append(inner)
        elif isinstance(value, list):
            pending.extend(value)


def _is_other(dtype: Any) -> bool:
    if isinstance(dtype, dict) and dtype.get("class_name") in _POLICIES:
        inner = dtype.get("config")
        name = inner.get("name") if isinstance(inner, dict) else None
        return name in _OTHER or dtype["class_name"] == "DTypePolicyMap"
    return isinstance(dtype, str) and dtype in _OTHER


def _build_sequential(config: dict[str, Any], size: tuple[int, int]) -> None:
    inner = config.get("config")
    if config.get("class_name") != "Sequential" or not isinstance(inner, dict):
        return
    layers = inner.get("layers")
    if not isinstance(layers, list) or not layers or "build_input_shape" in inner:
        return
    first = layers[0]
    known = first.get("class_name") in ("InputLayer", "Functional", "Model", "Sequential") or any(
        key in first.get("config", {}) for key in ("batch_shape", "batch_input_shape")
    )
    if not known:
        inner["build_input_shape"] = [None, *size, 3]
