"""Read the ground truth table of ISIC 2019, and report what its tables and images miss."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.contract.dataset import Finding
from pipeline.contract.labels import ISIC_2019, Labels
from pipeline.data.files import Tree
from pipeline.data.intake import EXAMPLES
from pipeline.data.table import read_table
from pipeline.errors import BadInput

GROUND_TRUTH = "ISIC_2019_Training_GroundTruth.csv"
_UNKNOWN = "UNK"


@dataclass(frozen=True)
class TruthRow:
    """Hold the label of one image, or why it has none as (kind, message)."""

    label: str | None
    problem: tuple[str, str] = ("", "")


def read_truth(path: Path) -> dict[str, TruthRow]:
    """Read the one-hot ground truth table of ISIC 2019: a row for each image name.

    Raises:
        BadInput: a column is missing or names an unknown class, or an image is listed twice.
    """
    table = read_table(path, ("image", *ISIC_2019.names))
    unknown = [c for c in table.columns if c not in ("image", *ISIC_2019.names, _UNKNOWN)]
    if unknown:
        raise BadInput(
            f"unknown class name {', '.join(unknown)}",
            where=str(path),
            expected=", ".join((*ISIC_2019.names, _UNKNOWN)),
        )
    rows: dict[str, TruthRow] = {}
    for row in table.rows:
        if row["image"] in rows:
            raise BadInput("an image is listed twice", where=f"{path}: {row['image']}")
        rows[row["image"]] = _truth_row(row)
    return rows


def index_by_stem(tree: Tree, folders: list[Path]) -> dict[str, str]:
    """Map the name without suffix of every image in `folders` to its path; the first one wins."""
    index: dict[str, str] = {}
    for folder in folders:
        for path in tree.images(folder, deep=False):
            # A second copy stays in the index under its full path, to be reported as unlisted.
            stem = path.rpartition("/")[2].rpartition(".")[0]
            index[path if stem in index else stem] = path
    return index


def unlisted(left_over: dict[str, str]) -> tuple[Finding, ...]:
    """Report images that no row of the tables used."""
    if not left_over:
        return ()
    return (
        Finding(
            kind="unlisted_image",
            message="images are named by no row of the tables, or twice there; not used",
            count=len(left_over),
            examples=tuple(sorted(left_over.values())[:EXAMPLES]),
        ),
    )


def absent_classes(labels: Labels) -> tuple[Finding, ...]:
    """Report the classes of ISIC 2019 that the labels leave out."""
    absent = tuple(name for name in ISIC_2019.names if name not in labels.names)
    if not absent:
        return ()
    return (
        Finding(
            kind="class_absent",
            message=f"no images of {', '.join(absent)}: the model will not know these classes",
            count=len(absent),
            examples=absent,
        ),
    )


def no_lesion(paths: list[str]) -> tuple[Finding, ...]:
    """Report images whose lesion is not known, so that each is a group of its own."""
    if not paths:
        return ()
    return (
        Finding(
            kind="lesion_unknown",
            message="images have no lesion_id; each is a group of its own",
            count=len(paths),
            examples=tuple(sorted(paths)[:EXAMPLES]),
        ),
    )


def _truth_row(row: dict[str, str]) -> TruthRow:
    values: dict[str, float] = {}
    for name in (*ISIC_2019.names, _UNKNOWN):
        try:
            values[name] = float(row.get(name, "0"))
        except ValueError:
            return TruthRow(None, ("not_one_hot", "have values other than 0 and 1"))
    if any(value not in (0.0, 1.0) for value in values.values()):
        return TruthRow(None, ("not_one_hot", "have values other than 0 and 1"))
    ones = [name for name, value in values.items() if value == 1.0]
    if not ones:
        return TruthRow(None, ("no_class", "are marked as no class"))
    if len(ones) > 1:
        return TruthRow(None, ("several_classes", "are marked as several classes"))
    if ones == [_UNKNOWN]:
        return TruthRow(None, ("unknown_class", f"are marked {_UNKNOWN}, which is no class"))
    return TruthRow(ones[0])
