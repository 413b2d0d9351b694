"""Read the layout of the ISIC 2019 challenge."""

from __future__ import annotations

from pathlib import Path

from pipeline.contract.labels import Labels
from pipeline.data.attributes import attributes_of
from pipeline.data.files import Tree
from pipeline.data.intake import Intake, Item, choose_labels, require_items, source_of
from pipeline.data.isic_truth import (
    GROUND_TRUTH,
    absent_classes,
    index_by_stem,
    no_lesion,
    read_truth,
    unlisted,
)
from pipeline.data.layouts.interface import Layout, LayoutOptions
from pipeline.data.table import read_table
from pipeline.errors import BadInput

INPUT = "ISIC_2019_Training_Input"
METADATA = "ISIC_2019_Training_Metadata.csv"


def _detect(root: Path) -> bool:
    return (root / GROUND_TRUTH).is_file() and (root / INPUT).is_dir()


def _read(root: Path, labels: Labels | None, options: LayoutOptions) -> Intake:  # noqa: ARG001
    """Read images, one-hot ground truth and lesions of the ISIC 2019 challenge.

    An image without a `lesion_id` is a group of its own.

    Raises:
        BadInput: a table or a column is missing, or a class column is unknown.
    """
    tree = Tree(root)
    truth = read_truth(root / GROUND_TRUTH)
    lesions, attributes = _read_metadata(root / METADATA)
    if not (root / INPUT).is_dir():
        raise BadInput("the image folder is missing", where=str(root / INPUT))
    by_name = index_by_stem(tree, [root / INPUT])
    items, alone = [], []
    for image, row in sorted(truth.items()):
        path = by_name.pop(image, None)
        if row.label is None:
            tree.book.add(*row.problem, image)
        elif path is None and image in tree.refused:
            continue
        elif path is None:
            tree.book.add("missing_image", f"named in {GROUND_TRUTH} have no image", image)
        else:
            if not lesions.get(image):
                alone.append(path)
            group = lesions.get(image) or image
            about = attributes.get(image, {})
            items.append(Item(path, row.label, group, source_of(path), about))
    require_items(items, tree.book, root / GROUND_TRUTH)
    names = {item.label for item in items if item.label is not None}
    chosen = choose_labels(names, labels, root / GROUND_TRUTH)
    return Intake(
        layout="isic2019",
        labels=chosen,
        items=tuple(sorted(items, key=lambda item: item.path)),
        problems=tree.book.problems(),
        findings=(
            *tree.findings(),
            *unlisted(by_name),
            *absent_classes(chosen),
            *no_lesion(alone),
        ),
    )


def _read_metadata(path: Path) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    lesions: dict[str, str] = {}
    attributes: dict[str, dict[str, str]] = {}
    for row in read_table(path, ("image", "lesion_id")).rows:
        if lesions.setdefault(row["image"], row["lesion_id"]) != row["lesion_id"]:
            raise BadInput("an image has two lesions", where=f"{path}: {row['image']}")
        attributes[row["image"]] = attributes_of(row)
    return lesions, attributes


LAYOUT = Layout(
    name="isic2019",
    looked_for=f"{GROUND_TRUTH} and {INPUT}/",
    detect=_detect,
    read=_read,
)
