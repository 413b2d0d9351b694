"""Read HAM10000: its metadata table, and images in one or several folders."""

from __future__ import annotations

from pathlib import Path

from pipeline.contract.labels import Labels
from pipeline.data.attributes import attributes_of
from pipeline.data.files import Tree, subfolders
from pipeline.data.intake import Intake, Item, choose_labels, require_items, source_of
from pipeline.data.isic_truth import (
    GROUND_TRUTH,
    TruthRow,
    absent_classes,
    index_by_stem,
    no_lesion,
    read_truth,
    unlisted,
)
from pipeline.data.layouts.interface import Layout, LayoutOptions
from pipeline.data.table import read_table
from pipeline.errors import BadInput

METADATA = "HAM10000_metadata.csv"
# dx in HAM10000 (Tschandl et al. 2018, table 2) to the columns of ISIC 2019, which divides akiec.
_DX = {"mel": "MEL", "nv": "NV", "bcc": "BCC", "bkl": "BKL", "df": "DF", "vasc": "VASC"}
_AKIEC = "akiec"
_AKIEC_LABELS = ("AK", "SCC")


def _detect(root: Path) -> bool:
    return (root / METADATA).is_file()


def _read(root: Path, labels: Labels | None, options: LayoutOptions) -> Intake:
    """Read HAM10000, its images in `root` or in folders directly in it.

    `options.isic_table` says which `akiec` is AK and which SCC; if None, one in `root` is used.

    Raises:
        BadInput: a column is missing, a `dx` is unknown, or an image is listed twice.
    """
    isic_table = options.isic_table
    tree = Tree(root)
    table = read_table(root / METADATA, ("lesion_id", "image_id", "dx"))
    in_source = root / GROUND_TRUTH
    if isic_table is None and in_source.is_file():
        isic_table = in_source
    truth = None if isic_table is None else read_truth(isic_table)
    by_name = index_by_stem(tree, [root, *(f for f in subfolders(root) if tree.inside(f))])
    # Tables and notes beside the images are no lost images.
    tree.ignored = [name for name in tree.ignored if "/" in name]
    seen: set[str] = set()
    items, alone = [], []
    for row in table.rows:
        image = row["image_id"]
        if image in seen:
            raise BadInput("an image is listed twice", where=f"{table.path}: {image}")
        seen.add(image)
        path = by_name.pop(image, None)
        label = _label(tree, row["dx"], image, truth, table.path)
        if label is None:
            continue
        if path is None and image in tree.refused:
            continue
        if path is None:
            tree.book.add("missing_image", f"named in {METADATA} have no image", image)
            continue
        if not row["lesion_id"]:
            alone.append(path)
        source = row.get("dataset") or source_of(path)
        group = row["lesion_id"] or image
        items.append(Item(path, label, group, source, attributes_of(row)))
    require_items(items, tree.book, table.path)
    names = {item.label for item in items if item.label is not None}
    chosen = choose_labels(names, labels, table.path)
    return Intake(
        layout="ham10000",
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


def _label(
    tree: Tree, dx: str, image: str, truth: dict[str, TruthRow] | None, where: Path
) -> str | None:
    if dx in _DX:
        return _DX[dx]
    if dx != _AKIEC:
        raise BadInput(
            f"unknown class name {dx!r}",
            where=f"{where}: {image}",
            expected=", ".join(sorted((*_DX, _AKIEC))),
        )
    if truth is None:
        tree.book.add(
            "akiec_undivided",
            "are akiec, which is AK or SCC only by the ISIC 2019 ground truth",
            image,
            next_step=f"give {GROUND_TRUTH} with --isic-table PATH",
        )
        return None
    row = truth.get(image)
    if row is None or row.label not in _AKIEC_LABELS:
        tree.book.add(
            "akiec_undivided",
            "are akiec, but neither AK nor SCC in the ISIC 2019 ground truth",
            image,
        )
        return None
    return row.label


LAYOUT = Layout(
    name="ham10000",
    looked_for=METADATA,
    detect=_detect,
    read=_read,
    options=("isic_table",),
)
