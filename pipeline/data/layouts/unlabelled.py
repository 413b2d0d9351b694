"""Read a folder of photographs without labels, which calibrate int8 and show agreement alone."""

from __future__ import annotations

from pathlib import Path

from pipeline.contract.labels import Labels
from pipeline.data.files import Tree
from pipeline.data.intake import Intake, Item, source_of
from pipeline.data.layouts.interface import Layout, LayoutOptions
from pipeline.errors import BadInput


def _detect(root: Path) -> bool:  # noqa: ARG001
    # Any folder of images could be one, and whoever has labels must not lose them unawares.
    return False


def _read(root: Path, labels: Labels | None, options: LayoutOptions) -> Intake:
    """Read images from `root`, at any depth; each is its own group and has no label.

    Raises:
        BadInput: the labels of the model are not given, or there are fewer than two images to
            calibrate with and to prove with, or none to be answered.
    """
    if labels is None:
        raise BadInput(
            "photographs without labels do not say which classes there are",
            where=str(root),
            expected="the labels of a model",
            next_step=f"pipeline export --model FILE --labels A,B,C --unlabelled {root}",
        )
    tree = Tree(root)
    paths = tree.images(root, deep=True)
    if options.partial and not paths and not tree.book.count:
        raise BadInput(
            "the folder has no images",
            where=str(root),
            expected="JPEG, PNG, WebP, BMP or TIFF files",
        )
    if not options.partial and len(paths) + tree.book.count < 2:
        raise BadInput(
            "the folder has too few photographs to calibrate with some and prove with others",
            where=str(root),
            expected="at least two JPEG, PNG, WebP, BMP or TIFF files",
            got=f"{len(paths)}",
        )
    return Intake(
        layout="unlabelled",
        labels=labels,
        items=tuple(Item(path, None, path, source_of(path)) for path in paths),
        problems=tree.book.problems(),
        findings=tree.findings(),
    )


LAYOUT = Layout(
    name="unlabelled",
    looked_for="nothing: taken where it is named, as pipeline export --unlabelled DIR does",
    detect=_detect,
    read=_read,
)
