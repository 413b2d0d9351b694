"""Say which classifier is meant and how it is to be read."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import Field

from pipeline.contract.base import Frozen
from pipeline.contract.hashing import sha256_file
from pipeline.contract.image import ImageContract
from pipeline.contract.normalization import Normalization
from pipeline.errors import BadInput


class ClassifierSpec(Frozen):
    """Hold everything that decides what a Keras classifier answers for an image.

    `path` is a `.keras` or `.h5` file or a SavedModel folder and `sha256` its `model_sha256`.
    `image` gives the size. `normalization` is what the model itself takes. `classes` is the number
    of labels. `logits` says that the model answers logits, to which a softmax is added.
    """

    path: Path
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    image: ImageContract
    normalization: Normalization = Normalization()
    classes: int = Field(ge=2)
    logits: bool = False


def model_sha256(path: Path) -> str:
    """Return the SHA-256 of a model file, or of a folder's names and contents, as 64 hex digits.

    A folder's digest is over its files in the order of their relative names: each name's and each
    content's own digest.

    Raises:
        OSError: something cannot be read.
    """
    if not path.is_dir():
        return sha256_file(path)
    digest = hashlib.sha256()
    files = {file.relative_to(path).as_posix(): file for file in path.rglob("*") if file.is_file()}
    for name in sorted(files):
        digest.update(hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest())
        digest.update(bytes.fromhex(sha256_file(files[name])))
    return digest.hexdigest()


def unchanged_sha256(path: Path, sha256: str) -> str:
    """Hash a model again and return the hash, which is the one it was asked for by.

    Raises:
        BadInput: it is another one by now.
        OSError: it cannot be read.
    """
    found = model_sha256(path)
    if found != sha256:
        raise BadInput(
            "the model file changed while it was being used",
            where=str(path),
            expected=f"sha256 {sha256}",
            got=f"sha256 {found}",
        )
    return found


def spec_of_image(path: Path, image: ImageContract, classes: int) -> ClassifierSpec:
    """Return the spec of a model that takes what the image contract feeds, and answers softmax.

    Raises:
        OSError: the model cannot be read.
    """
    return ClassifierSpec(
        path=path,
        sha256=model_sha256(path),
        image=image,
        normalization=Normalization.of_image(image),
        classes=classes,
    )
