"""Find out how a source folder is laid out and read it."""

from __future__ import annotations

from pathlib import Path

from pipeline.contract.labels import Labels
from pipeline.data import ham_layout, isic_layout
from pipeline.data.choices import Layout
from pipeline.data.files import subfolders
from pipeline.data.folder_layout import read_folder
from pipeline.data.ham_layout import read_ham
from pipeline.data.intake import Intake
from pipeline.data.isic_layout import read_isic
from pipeline.errors import BadInput

# Folder names that hold the images of a table, or a split, but are never a class.
_NO_CLASS = ("ISIC_2019_", "HAM10000_IMAGES")
_SPLITS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})
_LOOKED_FOR = (
    "folder: at least two folders of images, named by class; "
    f"isic2019: {isic_layout.GROUND_TRUTH} and {isic_layout.INPUT}/; "
    f"ham10000: {ham_layout.METADATA}"
)


def read_layout(
    source: Path,
    layout: Layout,
    *,
    labels: Labels | None = None,
    isic_table: Path | None = None,
) -> Intake:
    """Read which images a folder has, their labels and their groups; open no image.

    Args:
        source: the folder.
        layout: how it is laid out; `auto` detects it.
        labels: the label order; None derives it from the class names found.
        isic_table: ISIC 2019 ground truth that divides HAM10000's akiec; for ham10000 only.

    Returns:
        The images in order of path, and the problems of single images.

    Raises:
        BadInput: the folder as a whole cannot be read as this layout, or `auto` finds none or
            several.
    """
    if not source.is_dir():
        raise BadInput("the source is not a folder", where=str(source))
    root = source.resolve()
    found = detect(root) if layout is Layout.auto else layout
    if isic_table is not None and found is not Layout.ham10000:
        raise BadInput("--isic-table belongs to the layout ham10000", got=str(found))
    if found is Layout.isic2019:
        return read_isic(root, labels)
    if found is Layout.ham10000:
        return read_ham(root, labels, isic_table)
    return read_folder(root, labels)


def detect(root: Path) -> Layout:
    """Return the one layout a folder has.

    Raises:
        BadInput: none or several match; names what was looked for.
    """
    isic = (root / isic_layout.GROUND_TRUTH).is_file() and (root / isic_layout.INPUT).is_dir()
    ham = (root / ham_layout.METADATA).is_file()
    # Classes beside a table would be a second meaning; the one folder of HAM10000's images is not.
    folders = _class_folders(root)
    matches = [
        layout
        for layout, matched in (
            (Layout.folder, len(folders) >= 2),
            (Layout.isic2019, isic),
            (Layout.ham10000, ham),
        )
        if matched
    ]
    if len(matches) != 1:
        raise BadInput(
            "several layouts match this folder" if matches else "no layout matches this folder",
            where=str(root),
            expected=_LOOKED_FOR,
            got=", ".join(matches) or _contents(root),
            next_step="choose one with --layout",
        )
    if matches == [Layout.folder] and {folder.lower() for folder in folders} <= _SPLITS:
        raise BadInput(
            "the folders are named like splits, not like classes",
            where=str(root),
            expected=_LOOKED_FOR,
            got=", ".join(folders),
            next_step="give the folder that holds the class folders; the pipeline splits itself",
        )
    return matches[0]


def _class_folders(root: Path) -> list[str]:
    return [f.name for f in subfolders(root) if not f.name.upper().startswith(_NO_CLASS)]


def _contents(root: Path) -> str:
    names = sorted(path.name for path in root.iterdir())
    return ", ".join(names[:8]) + (" ..." if len(names) > 8 else "") or "an empty folder"
