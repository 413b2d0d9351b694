"""Describe what was made, from what, with what: the record beside every artifact."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import (
    AliasChoices,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
)

from pipeline import __version__
from pipeline.contract.about import About
from pipeline.contract.base import Frozen
from pipeline.contract.calibration import Calibration
from pipeline.contract.chosen import ChosenDecision
from pipeline.contract.decision import Decision
from pipeline.contract.hashing import sha256_file
from pipeline.contract.image import ImageContract
from pipeline.contract.labels import Labels
from pipeline.contract.normalization import Normalization
from pipeline.contract.recipe import Recipe
from pipeline.contract.search import SearchRecord
from pipeline.errors import BadInput

NOTICE = "Research and engineering example. Not a medical device; not for diagnosis."


class FileEntry(Frozen):
    """Pin one file of an artifact."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size_bytes: int = Field(ge=0)

    @classmethod
    def of(cls, path: Path) -> FileEntry:
        """Measure the file at `path`."""
        return cls(sha256=sha256_file(path), size_bytes=path.stat().st_size)


class TensorInfo(Frozen):
    """Describe one input or output tensor as read back from the finished file.

    `scale` and `zero_point` follow real = scale * (stored - zero_point); both are None for a
    float tensor.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float | None = None
    zero_point: int | None = None


class Manifest(Frozen):
    """Hold what every artifact records.

    `parents` maps a role (dataset, model) to a digest, `versions` a package to its version,
    `files` a name inside the artifact to its hash. There is no time stamp: the same inputs give
    the same manifest.
    """

    schema_version: Literal[1] = 1
    tool_version: str = __version__
    versions: dict[str, str]
    seed: int = Field(ge=0)
    parents: dict[str, str]
    files: dict[str, FileEntry]
    image: ImageContract
    labels: Labels
    notice: str = NOTICE

    def check_files(self, folder: Path) -> None:
        """Compare every listed file under `folder` with its recorded hash.

        Raises:
            BadInput: a file is missing or was changed.
        """
        for name, entry in self.files.items():
            path = folder / name
            if not path.is_file():
                raise BadInput("a file named in the manifest is missing", where=str(path))
            found = sha256_file(path)
            if found != entry.sha256:
                raise BadInput(
                    "a file differs from its manifest",
                    where=str(path),
                    expected=f"sha256 {entry.sha256}",
                    got=f"sha256 {found}",
                    next_step="make the artifact again; never edit it in place",
                )


class ModelManifest(Manifest):
    """Describe a trained `.keras` model."""

    made_by: ClassVar[str | None] = "pipeline train"

    kind: Literal["model"] = "model"
    recipe: str
    backbone: str
    width: float = Field(gt=0)
    weights: str
    training: dict[str, Any]

    @property
    def calibration(self) -> Calibration | None:
        """Return how the model was calibrated, None where it was not."""
        stated = self.training.get("calibration")
        return None if stated is None else Calibration.model_validate(stated)

    @field_validator("training")
    @classmethod
    def _calibration_is_one(cls, training: dict[str, Any]) -> dict[str, Any]:
        if (stated := training.get("calibration")) is not None:
            Calibration.model_validate(stated)
        return training


# Of a bundle's manifest, left out where they are None.
_LATER_FIELDS = ("calibration", "chosen")


class BundleManifest(Manifest):
    """Describe an exported bundle; its tensors were read back from the finished file.

    `about` is what the metadata must say, `min_runtime` the oldest TFLite runtime that the
    operators allow, `promised_runtime` the one that was asked for. `recipe` names the steps an
    int8 search settled on, `search` what it tried. `decision` says how a device is to speak of
    an answer. `files` lists every file but the manifest itself and what was measured, which differs
    where the same is exported again (see `pipeline.contract.measured`). `normalization` is what
    the Keras model itself takes, which `image` need not repeat, and `logits` says that it answers
    logits: so its model can be asked again. `reference` says whether the bundle carries what its
    Keras model answered to the validation split; None in the manifests of earlier releases, whose
    bundles do not. `calibration` says how the Keras model's probabilities were calibrated, None
    where they were not, and `chosen` what the decision was chosen for, None where it was stated.
    """

    made_by: ClassVar[str | None] = "pipeline export --quantize int8"

    kind: Literal["bundle"] = "bundle"
    about: About
    recipe: Recipe
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    operators: dict[str, int]
    min_runtime: str
    promised_runtime: str
    representative_sha256: tuple[str, ...] = ()
    # "ladder" in the manifests of earlier releases.
    search: SearchRecord = Field(
        default=SearchRecord(), validation_alias=AliasChoices("search", "ladder")
    )
    decision: Decision = Decision()
    normalization: Normalization = Normalization()
    logits: bool = False
    reference: Literal["included", "left_out"] | None = None
    license: str = "unknown"
    calibration: Calibration | None = None
    chosen: ChosenDecision | None = None

    @model_serializer(mode="wrap")
    def _as_earlier_releases_wrote_it(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # The verdict of a bundle pins its manifest's digest: one without these has none of them.
        value: dict[str, Any] = write(self)
        return {k: v for k, v in value.items() if v is not None or k not in _LATER_FIELDS}


def package_versions(*names: str) -> dict[str, str]:
    """Return the installed version of each package, with Python's and the platform's."""
    found = {
        "python": platform.python_version(),
        "platform": f"{sys.platform}-{platform.machine()}",
    }
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return dict(sorted(found.items()))
