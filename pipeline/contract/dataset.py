"""Describe a prepared dataset: every image, its label, its group and its split."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from pipeline.contract.base import Frozen
from pipeline.contract.choices import Split as Split
from pipeline.contract.hashing import sha256_json
from pipeline.contract.labels import Labels


class ImageRecord(Frozen):
    """Describe one image; `width_px` and `height_px` are as stored, before EXIF orientation.

    `label` is None in a dataset of photographs without labels. `attributes` say which subgroup
    it belongs to where the dataset's tables do (`age_band`, `sex`, `site`, `skin_type`).
    """

    path: str
    label: str | None
    group: str
    split: Split
    width_px: int = Field(ge=1)
    height_px: int = Field(ge=1)
    size_bytes: int = Field(ge=1)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    attributes: dict[str, str] = Field(default_factory=dict)

    @field_validator("path")
    @classmethod
    def _inside(cls, path: str) -> str:
        pure = PurePosixPath(path)
        if pure.is_absolute() or ".." in pure.parts:
            raise ValueError(f"path {path!r} leaves the dataset folder")
        return path


class Finding(Frozen):
    """Report something a person should look at: how many images, and the first few."""

    kind: str
    message: str
    count: int = Field(ge=0)
    examples: tuple[str, ...] = ()


class DatasetManifest(Frozen):
    """List every image of a dataset under `root` (absolute), by split.

    `digest()` leaves `root` out, since the same images elsewhere are the same dataset, and the
    images' attributes, which decide neither a training nor a proof. `labels` are
    those of the classes, also where no image has one; either all images have a label or none.
    """

    made_by: ClassVar[str | None] = "pipeline data prepare SRC"

    schema_version: Literal[1] = 1
    kind: Literal["dataset"] = "dataset"
    root: str
    layout: str
    labels: Labels
    seed: int = Field(ge=0)
    fractions: tuple[float, float, float]
    images: tuple[ImageRecord, ...] = Field(min_length=1)
    skipped: tuple[Finding, ...] = ()
    findings: tuple[Finding, ...] = ()
    license: str = "unknown"

    @model_validator(mode="after")
    def _consistent(self) -> DatasetManifest:
        known = set(self.labels.names)
        split_of_group: dict[str, Split] = {}
        paths: set[str] = set()
        for image in self.images:
            if image.label is not None and image.label not in known:
                raise ValueError(f"{image.path}: unknown label {image.label!r}")
            if image.path in paths:
                raise ValueError(f"{image.path}: listed twice")
            paths.add(image.path)
            if split_of_group.setdefault(image.group, image.split) is not image.split:
                raise ValueError(f"group {image.group!r} is in two splits")
        if len({image.label is None for image in self.images}) > 1:
            raise ValueError("some images have a label and others have none")
        return self

    @property
    def unlabelled(self) -> bool:
        """Tell whether these are photographs without labels."""
        return all(image.label is None for image in self.images)

    def digest(self) -> str:
        """Return the SHA-256 of everything but `root` and the images' attributes."""
        values = self.model_dump(
            mode="json", exclude={"root": True, "images": {"__all__": {"attributes"}}}
        )
        return sha256_json(values)

    def of(self, split: Split) -> tuple[ImageRecord, ...]:
        """Return the images of one split, in manifest order."""
        return tuple(image for image in self.images if image.split is split)

    def file(self, image: ImageRecord) -> Path:
        """Return the path of an image on this machine."""
        return Path(self.root) / image.path
