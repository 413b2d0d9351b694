"""Turn a folder of images into a dataset manifest: read, check, split, publish."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.contract.dataset import DatasetManifest, Finding, ImageRecord, Split
from pipeline.contract.files import resolved
from pipeline.contract.image import ImageContract
from pipeline.contract.labels import Labels
from pipeline.contract.run import RunDir
from pipeline.data.choices import OnBad
from pipeline.data.duplicates import contradictions, merge_groups, near_duplicates
from pipeline.data.intake import Item, ProblemBook, refuse_or_skip
from pipeline.data.layouts import AUTO
from pipeline.data.layouts.interface import LayoutOptions
from pipeline.data.layouts.read import read_layout
from pipeline.data.scan import Scan, scan_images
from pipeline.data.shortcut_features import shortcut_features
from pipeline.data.splits import (
    HALVES,
    halve_groups,
    refuse_shared_groups,
    split_groups,
    split_shares,
)
from pipeline.errors import BadInput
from pipeline.progress import ProgressEvent, Report, silent


def prepare(
    source: Path,
    run: RunDir,
    *,
    layout: str = AUTO,
    seed: int = 0,
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15),
    on_bad: OnBad = OnBad.fail,
    labels: Labels | None = None,
    critical: tuple[str, ...] | None = None,
    isic_table: Path | None = None,
    license: str = "unknown",
    report: Report = silent,
) -> DatasetManifest:
    """Read, check and split the images of `source`, and write `run.dataset`.

    Every image is decoded once; `run.scan_cache` remembers it, so that a killed run
    goes on where it was. The same images, seed and fractions give the same manifest. The caller
    holds `run.lock()`.

    Args:
        source: the folder of images; its absolute path becomes the manifest's root.
        run: where the manifest goes.
        layout: one of `pipeline.data.layouts`: how `source` says the class of an image.
        seed: shuffles the groups before they are split.
        fractions: shares of train, validation and test, multiples of 0.05 that sum to 1; images
            without labels are halved between train and validation.
        on_bad: refuse images that cannot be used (unreadable, too large, linked from outside,
            without a clear class, same content under two labels), or leave all of them out and
            list them under `skipped`.
        labels: the label order; None takes the class names found.
        critical: the classes whose recall is gated; None takes those named as known malignancies.
        isic_table: ISIC 2019 ground truth that divides HAM10000's akiec into AK and SCC.
        license: the licence of the images.
        report: gets the progress.

    Raises:
        BadInput: the source cannot be used as it is; names the first offenders.
        OSError: the run folder cannot be written.
    """
    root = resolved(source)
    # Before the images are read, which can take minutes.
    split_shares(fractions)
    options = LayoutOptions(isic_table=isic_table)
    intake = read_layout(source, layout, labels=labels, options=options)
    chosen = intake.labels.with_critical(critical, where="--critical")
    skipped = list(refuse_or_skip(intake.problems, on_bad, root))
    scans, bad = scan_images(
        root,
        [item.path for item in intake.items],
        run.scan_cache,
        contract=ImageContract(),
        report=report,
    )
    readable = [item for item in intake.items if item.path in scans]
    clashes = contradictions(readable, scans)
    unreadable = ProblemBook()
    for path, error in bad.items():
        reason = error.what if error.got is None else f"{error.what} ({error.got})"
        unreadable.add("unreadable", "cannot be read", f"{path}: {reason}")
    skipped += refuse_or_skip((*unreadable.problems(), *clashes), on_bad, root)
    clashing = {path for problem in clashes for path in problem.images}
    usable = [item for item in readable if item.path not in clashing]
    if not usable:
        raise BadInput("no image can be used", where=str(root), got="all were left out")

    items, copied = merge_groups(usable, scans)
    report(ProgressEvent("split", 0))
    noted: tuple[Finding, ...] = ()
    if all(item.label is None for item in items):
        split_of, fractions = halve_groups(items, scans, seed=seed), HALVES
    else:
        split_of, noted = split_groups(items, chosen.names, seed=seed, fractions=fractions)
    images = tuple(_record(item, scans, split_of) for item in items)
    refuse_shared_groups(images)
    manifest = DatasetManifest(
        root=str(root),
        layout=intake.layout,
        labels=chosen,
        seed=seed,
        fractions=fractions,
        images=images,
        skipped=tuple(skipped),
        findings=(
            *intake.findings,
            *copied,
            *near_duplicates(images, scans),
            *shortcut_features(items, scans),
            *noted,
        ),
        license=license,
    )
    manifest.save(run.dataset)
    return manifest


def _record(item: Item, scans: Mapping[str, Scan], split_of: Mapping[str, Split]) -> ImageRecord:
    scan = scans[item.path]
    return ImageRecord(
        path=item.path,
        label=item.label,
        group=item.group,
        split=split_of[item.group],
        width_px=scan.width_px,
        height_px=scan.height_px,
        size_bytes=scan.size_bytes,
        sha256=scan.sha256,
        attributes=dict(item.attributes),
    )
