"""Load a checked Keras model, rebuilt in float32. Child process only."""

from __future__ import annotations

import importlib
import inspect
import json
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any, assert_never

from pipeline.classifier.facts import ModelKind
from pipeline.classifier.hdf5 import read_h5_model
from pipeline.classifier.keras_archive import CONFIG, read_keras_archive
from pipeline.classifier.rebuild import rebuilt_config
from pipeline.classifier.safe_config import PLAIN_VALUES, objects_of, without_compilation
from pipeline.errors import BadInput

# Layers that Keras defines beside the network that uses them.
_SHOWN_CHARS = 300
_OF_NETWORKS = {
    "LayerScale": "keras.src.applications.convnext",
    "CustomScaleLayer": "keras.src.applications.inception_resnet_v2",
}


def load_keras_model(path: Path, kind: ModelKind, size: tuple[int, int]) -> Any:
    """Return the `keras.Model` in a `.keras` or `.h5` file, not compiled, in float32.

    Args:
        path: the file; it is checked again before Keras sees it.
        kind: its form, not a SavedModel.
        size: height and width in pixels, for a model that does not say its own.

    Raises:
        BadInput: it is refused, or Keras cannot load it.
    """
    match kind:
        case ModelKind.keras:
            config, _ = read_keras_archive(path)
        case ModelKind.h5:
            config, _ = read_h5_model(path)
        case ModelKind.saved_model:
            raise ValueError("a SavedModel folder is not loaded by Keras")
        case _:
            assert_never(kind)
    architecture = without_compilation(config)
    _check_known(architecture, str(path))
    rebuilt = rebuilt_config(architecture, size)
    suffix = ".keras" if kind is ModelKind.keras else ".h5"
    with tempfile.TemporaryDirectory(prefix="pipeline-model-") as folder:
        source = path
        if rebuilt != config or path.suffix != suffix:
            source = Path(folder) / f"model{suffix}"
            _write(path, kind, rebuilt, source)
        return _load(source, str(path))


def _load(source: Path, where: str) -> Any:
    import keras

    custom = {
        name: getattr(importlib.import_module(module), name)
        for name, module in _OF_NETWORKS.items()
    }
    try:
        return keras.saving.load_model(source, custom_objects=custom, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever a layer's constructor raises.
        raise BadInput(
            "Keras cannot load the model",
            where=where,
            got=_why(error),
            next_step=f"this is Keras {keras.version()}; where the model was made, save it as a "
            "SavedModel folder: model.export(FOLDER)",
        ) from error


def _why(error: Exception) -> str:
    """Return what Keras found, without the configuration that it prints around it."""
    text = str(error)
    _, marked, inner = text.partition("Exception encountered: ")
    found = " ".join((inner if marked else text).split())
    return f"{type(error).__name__}: {found[:_SHOWN_CHARS]}"


def _write(path: Path, kind: ModelKind, config: dict[str, Any], out: Path) -> None:
    """Copy a model file with another configuration."""
    text = json.dumps(config)
    if kind is ModelKind.h5:
        import h5py

        shutil.copyfile(path, out)
        with h5py.File(out, "r+") as file:
            del file.attrs["model_config"]
            file.attrs["model_config"] = text
        return
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
        for member in old.infolist():
            if member.filename == CONFIG:
                new.writestr(CONFIG, text)
                continue
            with old.open(member) as source, new.open(member.filename, "w") as target:
                shutil.copyfileobj(source, target)


def _check_known(config: dict[str, Any], where: str) -> None:
    """Refuse what is no layer, operation or part of a layer of the installed Keras."""
    for value in objects_of(config):
        name, module = str(value["class_name"]), value.get("module")
        if name in PLAIN_VALUES or module == "builtins":
            continue
        if not _is_part_of_a_model(name, module):
            raise BadInput(
                "the model names something that is no layer of the installed Keras",
                where=where,
                expected="layers, operations, initializers, regularizers and constraints of keras",
                got=name if module is None else f"{module}.{name}",
                next_step="where the model was made, save it as a SavedModel folder: "
                "model.export(FOLDER)",
            )


def _is_part_of_a_model(name: str, module: str | None) -> bool:
    import keras

    bases = (
        keras.Layer,
        keras.Operation,
        keras.Initializer,
        keras.regularizers.Regularizer,
        keras.constraints.Constraint,
        keras.DTypePolicy,
        keras.dtype_policies.DTypePolicyMap,
        keras.random.SeedGenerator,
    )
    if module is None:
        places = [keras.layers, keras.models, keras.initializers, keras.regularizers]
        places += [keras.constraints, keras.dtype_policies, keras.random]
        if name in ("Functional", "Policy") or name in _OF_NETWORKS:
            return True
    else:
        try:
            places = [importlib.import_module(module)]
        except ImportError:
            return name in _OF_NETWORKS
        if name in ("Functional",):
            return True
    found = next((getattr(place, name) for place in places if hasattr(place, name)), None)
    return inspect.isclass(found) and issubclass(found, bases)
