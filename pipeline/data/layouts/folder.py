"""Read a folder per class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.contract.dataset import Finding
from pipeline.contract.labels import Labels
from pipeline.data.attributes import attributes_of
from pipeline.data.files import Tree, is_clutter, is_image_name, subfolders
from pipeline.data.intake import EXAMPLES, Intake, Item, choose_labels, source_of
from pipeline.data.layouts.interface import Layout, LayoutOptions
from pipeline.data.table import read_table
from pipeline.errors import BadInput

GROUPS_CSV = "groups.csv"
METADATA_CSV = "metadata.csv"
_LOOKED_FOR = "at least two folders of images, named by class"
# Folder names that hold the images of a table, or a split, but are never a class.
_NO_CLASS = ("ISIC_2019_", "HAM10000_IMAGES")
_SPLITS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})


def _detect(root: Path) -> bool:
    # Classes beside a table would be a second meaning; the one folder of HAM10000's images is not.
    names = [f.name for f in subfolders(root) if not f.name.upper().startswith(_NO_CLASS)]
    if len(names) >= 2 and {name.lower() for name in names} <= _SPLITS:
        raise BadInput(
            "the folders are named like splits, not like classes",
            where=str(root),
            expected=_LOOKED_FOR,
            got=", ".join(names),
            next_step="give the folder that holds the class folders; the pipeline splits itself",
        )
    return len(names) >= 2


def _read(root: Path, labels: Labels | None, options: LayoutOptions) -> Intake:
    """Read images from one folder per class, at any depth; the folder names are the labels.

    An image is its own group (its path without the suffix, so that `NV/1.jpg` and `MEL/1.jpg`
    are two lesions), unless `groups.csv` in `root` gives it another; there, `image` is the path
    under `root`. A table `metadata.csv` in `root`, of `image` and columns such as `age_approx`,
    `sex` or `anatom_site_general`, says which subgroups an image belongs to.

    Raises:
        BadInput: fewer than two class folders, an empty one, a folder name that is no label, or
            a bad `groups.csv`.
    """
    tree = Tree(root)
    found: dict[str, list[str]] = {}
    for folder in subfolders(root):
        if not tree.inside(folder):
            tree.book.add("symlink_outside", "lead out of the folder by a link", folder.name)
            found[folder.name] = []
            continue
        problems = tree.book.count
        found[folder.name] = tree.images(folder, deep=True)
        if not found[folder.name] and tree.book.count == problems:
            raise BadInput(
                "a class folder has no images",
                where=str(folder),
                expected="JPEG, PNG, WebP, BMP or TIFF files",
                next_step="add images of this class or remove its folder",
            )
    if len(found) < 2 and not options.partial:
        raise BadInput(
            "a dataset needs a folder for each of at least two classes",
            where=str(root),
            got=", ".join(found) or "no folders",
        )
    chosen = choose_labels(set(found), labels, root)
    empty = [name for name in chosen.names if name not in found]
    if empty and not options.partial:
        raise BadInput(f"there is no folder for the class {', '.join(empty)}", where=str(root))
    paths = [path for images in found.values() for path in images]
    groups, findings = _read_groups(tree, paths)
    attributes = _read_attributes(root / METADATA_CSV)
    items = tuple(
        Item(
            path,
            label,
            groups.get(path, path.rpartition(".")[0]),
            source_of(path),
            attributes.get(path, {}),
        )
        for label, images in sorted(found.items())
        for path in images
    )
    for entry in sorted(root.iterdir()):
        if is_clutter(entry) or is_image_name(entry):
            tree.ignore(entry)
    return Intake(
        layout="folder",
        labels=chosen,
        items=tuple(sorted(items, key=lambda item: item.path)),
        problems=tree.book.problems(),
        findings=(*tree.findings(), *findings),
    )


def _read_groups(tree: Tree, paths: Sequence[str]) -> tuple[dict[str, str], tuple[Finding, ...]]:
    path = tree.root / GROUPS_CSV
    if not path.is_file():
        return {}, ()
    known, groups = set(paths), dict[str, str]()
    for row in read_table(path, ("image", "group")).rows:
        image, group = row["image"], row["group"]
        if not group:
            raise BadInput("an image has an empty group", where=f"{path}: {image}")
        if groups.setdefault(image, group) != group:
            raise BadInput("an image is in two groups", where=f"{path}: {image}")
        if image not in known:
            tree.book.add(
                "missing_image", f"named in {GROUPS_CSV} are not there or not readable", image
            )
    alone = sorted(known - groups.keys())
    if not alone:
        return groups, ()
    finding = Finding(
        kind="group_unknown",
        message=f"images are not in {GROUPS_CSV}; each is a group of its own",
        count=len(alone),
        examples=tuple(alone[:EXAMPLES]),
    )
    return groups, (finding,)


def _read_attributes(path: Path) -> dict[str, dict[str, str]]:
    if not path.is_file():
        return {}
    return {row["image"]: attributes_of(row) for row in read_table(path, ("image",)).rows}


LAYOUT = Layout(
    name="folder",
    looked_for=_LOOKED_FOR,
    detect=_detect,
    read=_read,
)
