"""Read any images of a user as a set to be answered: all of them, without a split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.contract.choices import Split
from pipeline.contract.dataset import DatasetManifest
from pipeline.contract.files import MAX_IMAGE_BYTES, read_regular, resolved
from pipeline.contract.hashing import sha256_bytes
from pipeline.contract.image import ImageContract
from pipeline.contract.images import ImageSet, KnownImage, images_of_dataset, images_of_folder
from pipeline.contract.labels import Labels
from pipeline.data.choices import OnBad
from pipeline.data.files import subfolders
from pipeline.data.intake import Item, ProblemBook, refuse_or_skip
from pipeline.data.layouts import AUTO
from pipeline.data.layouts.interface import LayoutOptions
from pipeline.data.layouts.read import matching, read_layout
from pipeline.data.threads import in_threads
from pipeline.errors import BadInput, reason_of
from pipeline.imaging.decode import decode_bytes
from pipeline.progress import ProgressEvent, Report, silent

_TASK = "read images"
_FOLDER, _UNLABELLED = "folder", "unlabelled"


def read_images(
    source: Path,
    *,
    labels: Labels | None,
    split: Split | None = None,
    layout: str = AUTO,
    isic_table: Path | None = None,
    on_bad: OnBad = OnBad.fail,
    report: Report = silent,
) -> ImageSet:
    """Read images with what is known of them, each content once, by path.

    Args:
        source: a folder of any layout, with class folders or without labels, or the
            `dataset.json` of a prepared dataset.
        labels: the labels of the model that is asked; the source may lack some of them, and may
            have no others. None takes the classes found.
        split: the split of a prepared dataset; None takes all its images.
        layout: how a folder is laid out; `auto` finds out. A folder without class folders is one
            without labels.
        isic_table: ISIC 2019 ground truth that divides HAM10000's akiec into AK and SCC.
        on_bad: refuse images that cannot be used, or leave them out. Only then are the files
            decoded here; a bad one is otherwise refused by the runtime that is asked about it.
        report: gets the progress.

    Raises:
        BadInput: there is nothing here, the classes are not the labels', an image cannot be used,
            or an option is not one of this source.
    """
    expected = "a folder of images, or the dataset.json of a prepared dataset"
    if source.is_file():
        if source.suffix.lower() != ".json":
            raise BadInput(
                "one file is no folder of images",
                where=str(source),
                expected=expected,
                next_step=f"give the folder: {source.parent}",
            )
        return _of_manifest(source, labels, split)
    if split is not None:
        raise BadInput(
            "--split would do nothing with a folder, which has no splits",
            where=str(source),
            expected="the dataset.json of a prepared dataset",
            next_step="leave --split out: all images of a folder are used",
        )
    if not source.is_dir():
        raise BadInput(
            "there are no images here",
            where=str(source),
            expected=expected,
        )
    root = resolved(source)
    intake = read_layout(
        source,
        _layout_of(root, labels) if layout == AUTO else layout,
        labels=labels,
        options=LayoutOptions(isic_table=isic_table, partial=True),
    )
    refuse_or_skip(intake.problems, on_bad, root)
    book = ProblemBook()
    hashes = _hash_all(root, intake.items, book, decode=on_bad is OnBad.skip, report=report)
    label_of: dict[str, set[str | None]] = {}
    for item in intake.items:
        if item.path in hashes:
            label_of.setdefault(hashes[item.path], set()).add(item.label)
    for item in intake.items:
        if item.path in hashes and len(label_of[hashes[item.path]]) > 1:
            book.add(
                "contradictory_label", "have the same content as one of another class", item.path
            )
            del hashes[item.path]
    refuse_or_skip(book.problems(), on_bad, root)
    images = tuple(
        KnownImage(root / item.path, hashes[item.path], item.label, item.attributes)
        for item in intake.items
        if item.path in hashes
    )
    if not images:
        raise BadInput("no image can be used", where=str(source), got="all were left out")
    return images_of_folder(source, intake.labels, images)


def _of_manifest(source: Path, labels: Labels | None, split: Split | None) -> ImageSet:
    dataset = DatasetManifest.load(source)
    if not Path(dataset.root).is_dir():
        raise BadInput(
            "the images of this dataset are not where they were prepared",
            where=str(source),
            expected=f"the folder {dataset.root}",
            next_step="give the folder that holds the images now",
        )
    found = images_of_dataset(dataset, split, source=source)
    if not found.images:
        raise BadInput(f"the {split} split has no images", where=str(source))
    unknown = [n for n in dataset.labels.names if labels is not None and n not in labels.names]
    if unknown and labels is not None:
        raise BadInput(
            "the dataset has classes that are not among the model's labels",
            where=str(source),
            expected=", ".join(labels.names),
            got=", ".join(unknown),
        )
    return found


def _layout_of(root: Path, labels: Labels | None) -> str:
    """Return the name of a folder's layout, also where a class or every label is missing."""
    if matching(root):
        # One of them, or a refusal that names them all.
        return AUTO
    names = {folder.name for folder in subfolders(root)}
    known = names if labels is None else names & set(labels.names)
    return _FOLDER if known else _UNLABELLED


def _hash_all(
    root: Path, items: Sequence[Item], book: ProblemBook, *, decode: bool, report: Report
) -> dict[str, str]:
    """Return the content hash of each file that can be read, by path."""
    contract = ImageContract()

    def one(item: Item) -> str | BadInput:
        try:
            data = read_regular(root / item.path, max_bytes=MAX_IMAGE_BYTES)
            if decode:
                decode_bytes(data, contract, where=item.path)
        except OSError as error:
            return BadInput("cannot read the image file", where=item.path, got=reason_of(error))
        except BadInput as error:
            return error
        return sha256_bytes(data)

    hashes: dict[str, str] = {}
    for done, (item, found) in enumerate(in_threads(one, items), 1):
        if isinstance(found, BadInput):
            reason = found.what if found.got is None else f"{found.what} ({found.got})"
            book.add("unreadable", "cannot be read", f"{item.path}: {reason}")
        else:
            hashes[item.path] = found
        report(ProgressEvent(_TASK, done, len(items)))
    return hashes
