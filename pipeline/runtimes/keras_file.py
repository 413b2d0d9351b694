"""Open a `.keras` file without trusting it: what it holds is checked before Keras sees it."""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.contract.base import Frozen
from pipeline.contract.image import ImageContract
from pipeline.errors import BadInput

_MAX_CONFIG_BYTES = 32 * 2**20
_MAX_TOTAL_BYTES = 4 * 2**30
_MAX_RATIO = 200
# Classes of Keras itself that run stored code, or open files and addresses the archive names.
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
_PLAIN_VALUES = frozenset(
    {"__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__complex__"}
)
_CLASS_NAME = re.compile(r"[A-Z]\w*")
_NEXT = "save the model again with layers of Keras itself only"


class KerasFacts(Frozen):
    """Hold what a `.keras` archive says about itself; nothing in it was run.

    `layers` counts the layers of the outermost model; `input_shape` is its first input's, None
    where the configuration does not say or leaves a size open.
    """

    keras_version: str
    class_name: str
    name: str
    layers: int
    input_shape: tuple[int, ...] | None
    size_bytes: int


def check_keras_archive(path: Path) -> KerasFacts:
    """Read a `.keras` archive's configuration and refuse it if it carries code.

    Raises:
        BadInput: not a `.keras` archive, damaged, a zip bomb, or it names a Lambda layer, a
            class from outside Keras, or a function stored as code.
    """
    where = str(path)
    try:
        size_bytes = path.stat().st_size
        with zipfile.ZipFile(path) as archive:
            _check_members(archive, where)
            damaged = archive.testzip()
            if damaged is not None:
                raise BadInput("the .keras file is damaged", where=where, got=f"in {damaged}")
            config = _read_json(archive, "config.json", where)
            metadata = _read_json(archive, "metadata.json", where)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise BadInput("no .keras file here", where=where, got=str(error)) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise BadInput(
            "not a .keras file, or cut short",
            where=where,
            expected="the zip archive that Keras 3's model.save() writes",
            got=str(error),
        ) from error
    except OSError as error:
        raise BadInput("cannot read the .keras file", where=where, got=str(error)) from error
    _check_objects(config, where)
    inner = config.get("config")
    inner = inner if isinstance(inner, dict) else {}
    layers = inner.get("layers")
    return KerasFacts(
        keras_version=str(metadata.get("keras_version", "unknown")),
        class_name=str(config.get("class_name")),
        name=str(inner.get("name", "")),
        layers=len(layers) if isinstance(layers, list) else 0,
        input_shape=_input_shape(layers),
        size_bytes=size_bytes,
    )


def _input_shape(layers: object) -> tuple[int, ...] | None:
    for layer in layers if isinstance(layers, list) else []:
        if isinstance(layer, dict) and layer.get("class_name") == "InputLayer":
            sizes = layer.get("config", {}).get("batch_shape") or []
            if len(sizes) > 1 and all(isinstance(size, int) for size in sizes[1:]):
                return tuple(sizes[1:])
    return None


def load_keras(path: Path, *, image: ImageContract, classes: int) -> Any:
    """Load a Keras classifier and check that it fits. Child process only.

    Args:
        path: a `.keras` file.
        image: the model must take float32 (batch, height_px, width_px, 3).
        classes: the model must answer (batch, classes) probabilities, each row summing to 1.

    Returns:
        The `keras.Model`, not compiled.

    Raises:
        BadInput: the archive is refused, cannot be loaded, or does not fit.
    """
    check_keras_archive(path)
    import keras

    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever a layer's constructor raises.
        raise BadInput(
            "Keras cannot load the model",
            where=str(path),
            got=f"{type(error).__name__}: {error}",
        ) from error
    _check_shapes(model, str(path), image, classes)
    _check_softmax(model, str(path), image)
    return model


def _check_members(archive: zipfile.ZipFile, where: str) -> None:
    members = archive.infolist()
    names = {member.filename for member in members}
    for needed in ("config.json", "metadata.json", "model.weights.h5"):
        if needed not in names:
            raise BadInput(
                "not a .keras file: a part is missing",
                where=where,
                expected=needed,
                got=", ".join(sorted(names)[:5]) or "an empty archive",
            )
    for name in names:
        pure = PurePosixPath(name)
        if pure.is_absolute() or ".." in pure.parts:
            raise BadInput("the .keras file names a path outside itself", where=where, got=name)
    total = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    if total > _MAX_TOTAL_BYTES or (total > 2**20 and total > _MAX_RATIO * packed):
        raise BadInput(
            "the .keras file unpacks to far too much (zip bomb)",
            where=where,
            expected=f"at most {_MAX_TOTAL_BYTES} bytes and {_MAX_RATIO} times its size",
            got=f"{total} bytes from {packed}",
        )


def _read_json(archive: zipfile.ZipFile, name: str, where: str) -> dict[str, Any]:
    if archive.getinfo(name).file_size > _MAX_CONFIG_BYTES:
        raise BadInput(f"{name} of the .keras file is too large", where=where)
    try:
        value = json.loads(archive.read(name))
    except (ValueError, RecursionError) as error:
        raise BadInput(
            f"{name} of the .keras file is not JSON", where=where, got=str(error)
        ) from error
    if not isinstance(value, dict):
        raise BadInput(f"{name} of the .keras file is not a JSON object", where=where)
    return value


def _check_objects(config: dict[str, Any], where: str) -> None:
    if "class_name" not in config or "config" not in config:
        raise BadInput("config.json of the .keras file describes no model", where=where)
    for value in _objects(config):
        _refuse_code(value, where)
    # A foreign loss or metric is no danger: the model is loaded without being compiled.
    architecture = {key: value for key, value in config.items() if key != "compile_config"}
    for value in _objects(architecture):
        _refuse_foreign(value, where)


def _objects(root: Any) -> Iterator[dict[str, Any]]:
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
    if name == "__lambda__" or name in _UNSAFE:
        inner = value.get("config")
        layer = inner.get("name", "") if isinstance(inner, dict) else ""
        raise BadInput(
            "the .keras file carries code or reads other files; nothing in it was run",
            where=where,
            got=f"{name} {layer}".strip(),
            next_step=_NEXT,
        )


def _refuse_foreign(value: dict[str, Any], where: str) -> None:
    name, module = str(value["class_name"]), value.get("module")
    registered = value.get("registered_name")
    if name in _PLAIN_VALUES:
        return
    if module == "builtins" and name == "function" and isinstance(value.get("config"), str):
        # A function of Keras by name, as an activation is stored; Keras looks it up.
        return
    of_keras = isinstance(module, str) and (module == "keras" or module.startswith("keras."))
    custom = isinstance(registered, str) and ">" in registered
    if not of_keras or custom or not _CLASS_NAME.fullmatch(name):
        raise BadInput(
            "the .keras file names a class that is not part of Keras; nothing in it was run",
            where=where,
            expected="classes of keras only",
            got=f"{module}.{name}" + (f" registered as {registered}" if custom else ""),
            next_step=_NEXT,
        )


def _check_shapes(model: Any, where: str, image: ImageContract, classes: int) -> None:
    inputs, outputs = list(model.inputs), list(model.outputs)
    wanted = image.input_shape[1:]
    if len(inputs) != 1 or len(outputs) != 1:
        raise BadInput(
            "the model is not an image classifier",
            where=where,
            expected="one input and one output",
            got=f"{len(inputs)} inputs and {len(outputs)} outputs",
        )
    got_in, got_out = tuple(inputs[0].shape), tuple(outputs[0].shape)
    if len(got_in) != 4 or got_in[1:] != wanted:
        raise BadInput(
            "the model takes images of another shape than the image contract",
            where=where,
            expected=f"(batch, {', '.join(map(str, wanted))})",
            got=str(got_in),
        )
    if len(got_out) != 2 or got_out[1] != classes:
        raise BadInput(
            "the model has another number of outputs than there are labels",
            where=where,
            expected=f"(batch, {classes})",
            got=str(got_out),
            next_step="train with these labels, or give the labels the model was trained with",
        )


def _check_softmax(model: Any, where: str, image: ImageContract) -> None:
    import numpy as np

    last = _last_operation(model)
    if not _is_softmax(last):
        raise BadInput(
            "the model does not end in a softmax: it answers logits, not probabilities",
            where=where,
            expected="softmax as the last operation",
            got=_describe(last),
            next_step='end the model with a Dense layer of activation="softmax"',
        )
    low, high = image.float_range
    shape = (2, *image.input_shape[1:])
    values = np.random.default_rng(0).uniform(low, high, shape).astype(np.float32)
    answer = np.asarray(model(values, training=False), dtype=np.float64)
    if not np.isfinite(answer).all() or np.abs(answer.sum(axis=1) - 1).max() > 1e-3:
        raise BadInput(
            "the model's answers are not probabilities",
            where=where,
            expected="finite rows that sum to 1",
            got=f"sums {answer.sum(axis=1).round(4).tolist()} on random images",
        )


def _last_operation(model: Any) -> Any:
    operation = model.outputs[0]._keras_history.operation
    nested = getattr(operation, "outputs", None)
    return _last_operation(operation) if nested and hasattr(operation, "layers") else operation


def _is_softmax(operation: Any) -> bool:
    activation = getattr(operation, "activation", None)
    return type(operation).__name__ == "Softmax" or getattr(activation, "__name__", "") == "softmax"


def _describe(operation: Any) -> str:
    activation = getattr(getattr(operation, "activation", None), "__name__", "")
    kind = type(operation).__name__
    return f"{kind} {operation.name!r}" + (f" with activation {activation}" if activation else "")
