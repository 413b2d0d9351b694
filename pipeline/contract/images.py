"""Name the images a model is asked about, wherever they lie and whoever labelled them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.contract.choices import Split
from pipeline.contract.dataset import DatasetManifest
from pipeline.contract.hashing import sha256_json
from pipeline.contract.labels import Labels

# What a recording of images that no split was made of says in place of a split's name.
ALL_IMAGES = "all"


@dataclass(frozen=True)
class KnownImage:
    """Name one image file by its content; `label` is None where it is not known.

    `attributes` say which subgroup it belongs to, for example `{"sex": "female"}`.
    """

    path: Path
    sha256: str
    label: str | None
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ImageSet:
    """Hold images, each content once, in a fixed order.

    `source` is what the user named. `split` is a split's name, or `all`. `labels` are those of
    the source, of which some may have no image. `dataset_sha256` is the digest of the dataset the
    images belong to; of a folder it is that of the contents and labels, so that a copy under
    other names is the same dataset.
    """

    source: Path
    split: str
    labels: Labels
    images: tuple[KnownImage, ...]
    dataset_sha256: str

    @property
    def unlabelled(self) -> bool:
        """Tell whether no image has a label."""
        return all(image.label is None for image in self.images)

    @property
    def ids(self) -> tuple[str, ...]:
        """Return the content hashes, in order."""
        return tuple(image.sha256 for image in self.images)


def images_of_dataset(
    dataset: DatasetManifest, split: Split | None, *, source: Path | None = None
) -> ImageSet:
    """Return the images of one split of a prepared dataset, or of all of it."""
    records = dataset.images if split is None else dataset.of(split)
    unique = {one.sha256: one for one in records}
    return ImageSet(
        source=Path(dataset.root) if source is None else source,
        split=ALL_IMAGES if split is None else str(split),
        labels=dataset.labels,
        images=tuple(
            KnownImage(dataset.file(one), one.sha256, one.label, one.attributes)
            for one in unique.values()
        ),
        dataset_sha256=dataset.digest(),
    )


def images_of_folder(source: Path, labels: Labels, images: tuple[KnownImage, ...]) -> ImageSet:
    """Return all images of a folder, whose dataset is just these contents and labels."""
    unique = {one.sha256: one for one in images}
    content = sorted([one.sha256, one.label or ""] for one in unique.values())
    return ImageSet(source, ALL_IMAGES, labels, tuple(unique.values()), sha256_json(content))
