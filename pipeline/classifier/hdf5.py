"""Look into an HDF5 file without trusting it: what it claims, and that it stays within itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.classifier.safe_config import MAX_TOTAL_BYTES, check_config, parse_config
from pipeline.errors import BadInput

_MAX_OBJECTS = 200_000
_NOT_H5 = "not an .h5 file, or cut short"


def read_h5_model(path: Path) -> tuple[dict[str, Any], str]:
    """Return the configuration of a model saved as `.h5`, checked, and Keras's version.

    Raises:
        BadInput: not an HDF5 file, one without a model, one that reaches outside itself or claims
            too much, or one that carries code.
    """
    import h5py

    where = str(path)
    try:
        with h5py.File(path, "r") as file:
            check_hdf5(file, where)
            attributes = file.attrs
            if "model_config" not in attributes:
                raise BadInput(
                    "the .h5 file holds weights only, not the model",
                    where=where,
                    expected="the attribute model_config, which model.save(FILE) writes",
                    got=f"attributes {', '.join(sorted(attributes)) or 'none'}",
                    next_step="build the model, load these weights, and model.save('model.keras')",
                )
            text = _text(attributes, "model_config", where)
            version = _text(attributes, "keras_version", where)
            if "model_weights" not in file:
                raise BadInput("the .h5 file holds no weights", where=where)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise BadInput(_NOT_H5, where=where, got=f"{type(error).__name__}: {error}") from error
    config = parse_config(text, "model_config of the .h5 file", where)
    check_config(config, where, legacy=True)
    return config, version or "unknown"


def check_hdf5(file: Any, where: str) -> None:
    """Refuse an open `h5py.File` that reaches into other files or claims too much.

    Raises:
        BadInput: a link to elsewhere, data stored in another file, or more than 4 GiB.
    """
    import h5py

    total, seen = 0, 0
    pending: list[tuple[str, Any]] = [("", file)]
    while pending:
        prefix, group = pending.pop()
        for name in group:
            seen += 1
            if seen > _MAX_OBJECTS:
                raise BadInput(
                    "the weights are in far too many parts",
                    where=where,
                    expected=f"at most {_MAX_OBJECTS}",
                )
            full = f"{prefix}/{name}"
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise BadInput("the weights link to another place", where=where, got=full)
            member = group[name]
            if isinstance(member, h5py.Group):
                # Two names of one group may make a circle; the count above ends it.
                pending.append((full, member))
            elif isinstance(member, h5py.Dataset):
                total += _check_dataset(member, full, where)
            if total > MAX_TOTAL_BYTES:
                raise BadInput(
                    "the weights claim far too much memory",
                    where=where,
                    expected=f"at most {MAX_TOTAL_BYTES} bytes",
                    got=f"at least {total} bytes, up to {full}",
                )


def _check_dataset(dataset: Any, name: str, where: str) -> int:
    if dataset.external or dataset.is_virtual:
        raise BadInput("the weights are stored in another file", where=where, got=name)
    return int(dataset.size or 0) * int(dataset.dtype.itemsize)


def _text(attributes: Any, name: str, where: str) -> str:
    value = attributes.get(name, "")
    if isinstance(value, bytes):
        value = value.decode("utf-8")
    if not isinstance(value, str):
        raise BadInput(f"{name} of the .h5 file is not text", where=where)
    return value
