"""Choose the images that calibrate and measure int8, from the training split only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from pipeline.contract.choices import HELD_OUT
from pipeline.contract.dataset import DatasetManifest, ImageRecord, Split
from pipeline.contract.hashing import sha256_bytes
from pipeline.errors import BadInput

# No label is empty, so this stratum is of the images that have none.
_NO_LABEL = ""


def representative_images(
    dataset: DatasetManifest,
    count: int,
    seed: int,
    *,
    exclude: Collection[ImageRecord] = (),
) -> tuple[ImageRecord, ...]:
    """Pick `count` training images, stratified by label, proven absent from the other splits.

    Images without labels are drawn as if they all had the same.

    Images in `exclude` are left out, by content, unless nothing else is there.

    Every label with training images gets at least one while `count` allows, and otherwise its
    share by largest remainder. The choice depends on the seed and on the images' content, not on
    their order or names. A training split smaller than `count` is taken whole.

    Raises:
        BadInput: there is no training image, or a picked one is in validation or test too.
    """
    by_label: dict[str, dict[str, ImageRecord]] = defaultdict(dict)
    taken = {image.sha256 for image in exclude}
    training = sorted(dataset.of(Split.train), key=lambda image: image.path)
    for image in [one for one in training if one.sha256 not in taken] or training:
        by_label[image.label or _NO_LABEL].setdefault(image.sha256, image)
    if not by_label:
        raise BadInput("the dataset has no training images to calibrate with", where=dataset.root)
    sizes = {label: len(images) for label, images in sorted(by_label.items())}
    picked: list[ImageRecord] = []
    for label, share in _shares(sizes, count).items():
        ordered = sorted(by_label[label].values(), key=lambda image: _draw(seed, image))
        picked += ordered[:share]
    picked.sort(key=lambda image: _draw(seed, image))
    prove_disjoint(picked, dataset)
    return tuple(picked)


def prove_disjoint(
    picked: list[ImageRecord] | tuple[ImageRecord, ...], dataset: DatasetManifest
) -> None:
    """Refuse images whose content is in the validation or test split, under whatever name.

    Raises:
        BadInput: an image is not of the training split, or its SHA-256 is in another split too.
    """
    held_out = {image.sha256: image for split in HELD_OUT for image in dataset.of(split)}
    shared = [
        (image, held_out.get(image.sha256, image))
        for image in picked
        if image.sha256 in held_out or image.split is not Split.train
    ]
    if shared:
        first, held = shared[0]
        raise BadInput(
            "calibration would use images that the model is judged on",
            where=dataset.root,
            expected="representative images from the training split only, by content",
            got=f"{len(shared)} in common, first {first.path}, the same as {held.path} "
            f"in {held.split}",
            next_step="remove the duplicates, then run `pipeline data prepare` again",
        )


def _draw(seed: int, image: ImageRecord) -> str:
    return sha256_bytes(f"{seed}:{image.sha256}".encode("ascii"))


def _shares(sizes: dict[str, int], count: int) -> dict[str, int]:
    total = sum(sizes.values())
    if count >= total:
        return sizes
    if count < len(sizes):
        # Too few for one of each: the largest classes first.
        largest = sorted(sizes, key=lambda label: (-sizes[label], label))[:count]
        return {label: int(label in largest) for label in sizes}
    exact = {label: count * size / total for label, size in sizes.items()}
    shares = {label: max(1, int(value)) for label, value in exact.items()}
    while sum(shares.values()) != count:
        step = 1 if sum(shares.values()) < count else -1
        open_to_change = [
            label
            for label in sizes
            if (shares[label] < sizes[label] if step > 0 else shares[label] > 1)
        ]
        label = max(open_to_change, key=lambda one: step * (exact[one] - shares[one]))
        shares[label] += step
    return shares
