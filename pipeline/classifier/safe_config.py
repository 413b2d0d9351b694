"""Refuse a Keras configuration that carries code or names classes from outside Keras."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

from pipeline.errors import BadInput, reason_of

MAX_CONFIG_BYTES = 32 * 2**20
# Weights that a file may claim, unpacked.
MAX_TOTAL_BYTES = 4 * 2**30

# Classes of Keras itself that run stored code, or open files and addresses the file names.
_UNSAFE = frozenset(
    {
        "Lambda",
        "TorchModuleWrapper",
        "TFSMLayer",
        "JaxLayer",
        "FlaxLayer",
        "StringLookup",
        "IntegerLookup",
        "TextVectorization",
    }
)
# TensorFlow operations that Keras 2 stored as layers, and Keras 3 does not know.
_TENSORFLOW_OPERATIONS = frozenset({"TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer"})
PLAIN_VALUES = frozenset(
    {
        "__keras_tensor__",
        "__tensor__",
        "__numpy__",
        "__bytes__",
        "__ellipsis__",
        "__complex__",
        "__slice__",
        "__tuple__",
    }
)
_CLASS_NAME = re.compile(r"[A-Z]\w*")
_NEXT = "save the model again with layers of Keras itself only"
_EXPORT = (
    "where the model was made, save it as a SavedModel folder: model.export(FOLDER), or "
    "tf.saved_model.save(model, FOLDER); then give that folder with --model"
)


def parse_config(text: str | bytes, name: str, where: str) -> dict[str, Any]:
    """Return a JSON object.

    Raises:
        BadInput: too large, not JSON, or not an object.
    """
    if len(text) > MAX_CONFIG_BYTES:
        raise BadInput(f"{name} is too large", where=where, got=f"{len(text)} bytes")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{name} is not JSON", where=where, got=reason_of(error)) from error
    if not isinstance(value, dict):
        raise BadInput(f"{name} is not a JSON object", where=where)
    return value


def check_config(config: dict[str, Any], where: str, *, legacy: bool) -> None:
    """Refuse a model's configuration if building it would run code or touch other files.

    Args:
        config: the outermost object, with `class_name` and `config`.
        where: the file, for messages.
        legacy: the Keras 2 form, in which an object may leave its module out; Keras looks such a
            name up among its own classes.

    Raises:
        BadInput: it names a Lambda layer, a class from outside Keras, or a function stored as
            code.
    """
    if "class_name" not in config or "config" not in config:
        raise BadInput("the file describes no model", where=where)
    for value in objects_of(config):
        _refuse_code(value, where)
    # A foreign loss or metric is no danger: the model is loaded without being compiled.
    for value in objects_of(without_compilation(config)):
        _refuse_foreign(value, where, legacy=legacy)


def without_compilation(config: Any) -> Any:
    """Return a configuration without how its models were compiled, nested ones too.

    Keras compiles a nested model again even where the outer one is loaded without; an optimizer
    and a loss have no part in what a model answers.
    """
    pending, copied = [], copy.deepcopy(config)
    pending.append(copied)
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            value.pop("compile_config", None)
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
    return copied


def objects_of(root: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of a configuration that names a class."""
    pending = [root]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            if "class_name" in value and ("config" in value or "module" in value):
                yield value
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)


def _refuse_code(value: dict[str, Any], where: str) -> None:
    name = str(value["class_name"])
    inner = value.get("config")
    layer = inner.get("name", "") if isinstance(inner, dict) else ""
    if name in _TENSORFLOW_OPERATIONS:
        raise BadInput(
            "the model calls TensorFlow operations as layers, which Keras 3 cannot load; nothing "
            "in it was run",
            where=where,
            got=f"{name} {layer}".strip(),
            next_step=_EXPORT,
        )
    if name == "__lambda__" or name in _UNSAFE:
        raise BadInput(
            "the model file carries code or reads other files; nothing in it was run",
            where=where,
            got=f"{name} {layer}".strip(),
            next_step=_NEXT,
        )


def _refuse_foreign(value: dict[str, Any], where: str, *, legacy: bool) -> None:
    name, module = str(value["class_name"]), value.get("module")
    registered = value.get("registered_name")
    if name in PLAIN_VALUES:
        return
    if module == "builtins" and name == "function" and isinstance(value.get("config"), str):
        # A function of Keras by name, as an activation is stored; Keras looks it up.
        return
    of_keras = isinstance(module, str) and (module == "keras" or module.startswith("keras."))
    of_keras = of_keras or (legacy and module is None)
    custom = ">" in f"{registered}{name}"
    if not of_keras or custom or not _CLASS_NAME.fullmatch(name):
        got = name if module is None else f"{module}.{name}"
        raise BadInput(
            "the model file names a class that is not part of Keras; nothing in it was run",
            where=where,
            expected="classes of keras only",
            got=got + (f" registered as {registered}" if custom else ""),
            next_step=_EXPORT,
        )
