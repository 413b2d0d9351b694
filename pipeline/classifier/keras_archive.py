"""Look into a `.keras` file without trusting it: all is checked before Keras sees it."""

from __future__ import annotations

import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.classifier.hdf5 import check_hdf5
from pipeline.classifier.safe_config import (
    MAX_CONFIG_BYTES,
    MAX_TOTAL_BYTES,
    check_config,
    parse_config,
)
from pipeline.errors import BadInput, reason_of

_MAX_RATIO = 200
_COPY_BYTES = 2**20
CONFIG = "config.json"
WEIGHTS = "model.weights.h5"


def read_keras_archive(path: Path) -> tuple[dict[str, Any], str]:
    """Return a `.keras` archive's configuration, checked, and the version of Keras that wrote it.

    Raises:
        BadInput: not a `.keras` archive, damaged, a zip bomb, weights that reach into other files
            or claim too much, or it names a Lambda layer, a class from outside Keras, or a
            function stored as code.
    """
    where = str(path)
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(archive, where)
            config = _read_json(archive, CONFIG, where)
            metadata = _read_json(archive, "metadata.json", where)
            check_config(config, where, legacy=False)
            _check_contents(archive, where)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise BadInput("no .keras file here", where=where, got=reason_of(error)) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise BadInput(
            "not a .keras file, or it is damaged or cut short",
            where=where,
            expected="the zip archive that Keras 3's model.save() writes",
            got=reason_of(error),
        ) from error
    except OSError as error:
        raise BadInput("cannot read the .keras file", where=where, got=reason_of(error)) from error
    return config, str(metadata.get("keras_version", "unknown"))


def _check_contents(archive: zipfile.ZipFile, where: str) -> None:
    """Read every member to its end, which checks its CRC, and look into the weights."""
    import h5py

    for member in archive.infolist():
        with archive.open(member) as stream, tempfile.TemporaryFile() as copy:
            while data := stream.read(_COPY_BYTES):
                if member.filename == WEIGHTS:
                    copy.write(data)
            if member.filename != WEIGHTS:
                continue
            copy.seek(0)
            try:
                with h5py.File(copy, "r") as weights:
                    check_hdf5(weights, f"{where}, {WEIGHTS}")
            except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
                raise BadInput(
                    "the weights in the .keras file are damaged", where=where, got=reason_of(error)
                ) from error


def _check_members(archive: zipfile.ZipFile, where: str) -> None:
    members = archive.infolist()
    names = {member.filename for member in members}
    for needed in (CONFIG, "metadata.json", WEIGHTS):
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
    if total > MAX_TOTAL_BYTES or (total > 2**20 and total > _MAX_RATIO * packed):
        raise BadInput(
            "the .keras file unpacks to far too much (zip bomb)",
            where=where,
            expected=f"at most {MAX_TOTAL_BYTES} bytes and {_MAX_RATIO} times its size",
            got=f"{total} bytes from {packed}",
        )


def _read_json(archive: zipfile.ZipFile, name: str, where: str) -> dict[str, Any]:
    if archive.getinfo(name).file_size > MAX_CONFIG_BYTES:
        raise BadInput(f"{name} of the .keras file is too large", where=where)
    return parse_config(archive.read(name), f"{name} of the .keras file", where)
