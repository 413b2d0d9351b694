"""Gather what the stages of a run left and write its HTML report, a page for each model."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from pipeline.contract.bundle import MODEL_FILE, VERDICT_FILE, load_bundle
from pipeline.contract.dataset import DatasetManifest
from pipeline.contract.files import MAX_TABLE_BYTES, resolved, write_text_atomic
from pipeline.contract.manifest import BundleManifest, ModelManifest
from pipeline.contract.measured import load_measured, load_verdict
from pipeline.contract.run import RunDir
from pipeline.contract.sealed import is_whole
from pipeline.contract.text_file import read_text
from pipeline.contract.trace import Trace
from pipeline.contract.verdict import Verdict
from pipeline.errors import BadInput, EnvironmentProblem, PipelineError, reason_of
from pipeline.metrics import Metrics, expected_calibration_error, load_metrics, reliability
from pipeline.parity.align import Pair, align
from pipeline.parity.choosing import risk_coverage
from pipeline.parity.statistics import wilson_95
from pipeline.progress import silent
from pipeline.report.html import render_html
from pipeline.report.page import page_date
from pipeline.report.run_report import (
    BundleResult,
    Calibration,
    Calibrations,
    RecallIntervals,
    RiskCoverage,
    RunReport,
    TrueClassPoints,
    Unreadable,
)
from pipeline.report.verdict_figures import VerdictFigures, figures_of
from pipeline.runtimes.recording import Recording, RecordingFacts
from pipeline.workflow.report_pages import pages_of, remove_stale
from pipeline.workflow.report_pictures import with_pictures

_Read = TypeVar("_Read")


@dataclass(frozen=True)
class ReportResult:
    """Hold where the report is and what it leaves out.

    `path` is the page of the model that was asked for, `others` those of the run's other models.
    `problem` says why they could not be written; what the run made is none the worse for it.
    """

    path: Path
    others: tuple[Path, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    problem: PipelineError | None = None


def write_report(
    run: RunDir, *, images: bool = False, model_sha256: str | None = None
) -> ReportResult:
    """Write a page for each model from the run's manifests, verdicts and recordings.

    A stage that has not run yet is left out of the report. What is there but damaged, changed or
    foreign is left out too, and listed in it.

    Args:
        run: where everything is.
        images: show the images that flipped, and name their files. They become part of the pages.
        model_sha256: the model whose page is the result's `path`; the run's own without it.
    """
    gathered = gather(run, images=images)
    pages = pages_of(run, gathered)
    asked = next((page.path for page in pages if page.model_sha256 == model_sha256), run.report)
    problem = None
    try:
        for page in pages:
            write_text_atomic(page.path, render_html(page.report))
        remove_stale(run, pages)
    except OSError as error:
        problem = EnvironmentProblem(
            "cannot write the report",
            where=str(error.filename or run.report),
            got=reason_of(error),
            next_step="make room or set the permissions, then `pipeline report`",
        )
    others = tuple(page.path for page in pages if page.path != asked)
    return ReportResult(asked, others, tuple(gathered.unreadable), problem)


def gather(run: RunDir, *, images: bool = False) -> RunReport:
    """Read everything that a run holds, of all its models; `pages_of` parts them."""
    reader = _Reader()
    model: ModelManifest | None = None
    metrics: dict[str, Metrics] = {}
    if run.train.is_dir():
        model = reader.read(lambda: ModelManifest.load(run.model_manifest), run.model_manifest)
        metrics = reader.read(lambda: load_metrics(run.metrics), run.metrics) or {}
    dataset = None
    if run.dataset.exists():
        dataset = reader.read(lambda: DatasetManifest.load(run.dataset), run.dataset)
    history_path = run.training_state.history
    bundles = _bundles(run, reader)
    if images:
        bundles = [with_pictures(bundle, dataset, reader.unreadable) for bundle in bundles]
    return RunReport(
        title=f"Run {resolved(run.root).name}",
        bundles=bundles,
        dataset=dataset,
        model=model,
        metrics=metrics,
        history=reader.read(lambda: _history(history_path), history_path) or [],
        unreadable=reader.unreadable,
        date=page_date(),
        images=images,
    )


class _Reader:
    """Read one thing after the other and keep a list of those that could not be read."""

    def __init__(self) -> None:
        self.unreadable: list[Unreadable] = []

    def read(self, load: Callable[[], _Read], path: Path) -> _Read | None:
        """Return what `load` reads from `path`, None where that is refused."""
        try:
            return load()
        except BadInput as error:
            found = Unreadable(error.where or str(path), error.what, error.got)
        except (OSError, csv.Error) as error:
            found = Unreadable(str(path), "cannot be read", reason_of(error))
        self.unreadable.append(found)
        return None


def _bundles(run: RunDir, reader: _Reader) -> list[BundleResult]:
    recordings: dict[str, Path] = {}
    for path in sorted(run.recordings.glob("*.json")):
        facts = reader.read(partial(RecordingFacts.load, path), path)
        if facts is not None:
            recordings[facts.digest()] = path
    results = []
    for parent, published in ((run.root / "bundles", True), (run.root / "rejected", False)):
        for folder in sorted(parent.glob("[!.]*")):
            trace = run.traces / f"{folder.name}.json"
            bundle = _bundle(folder, published, recordings, trace, reader)
            if bundle is not None:
                results.append(bundle)
    return results


def _bundle(
    folder: Path, published: bool, recordings: dict[str, Path], trace: Path, reader: _Reader
) -> BundleResult | None:
    # One that was changed since it was proven is not shown as proven.
    manifest = reader.read(lambda: load_bundle(folder), folder)
    verdict = None if manifest is None else reader.read(lambda: _verdict(folder), folder)
    if manifest is None or verdict is None:
        return None
    pair = reader.read(lambda: _pair(verdict, recordings), folder)
    truth = None if pair is None else pair.of_true_class()
    return BundleResult(
        name=folder.name,
        verdict=verdict,
        manifest=load_measured(folder).of_manifest(manifest),
        published=str(folder) if published else None,
        rejected=None if published else str(folder),
        trace=reader.read(lambda: _trace(trace, manifest), trace),
        points=None if truth is None else TrueClassPoints(*truth),
        calibrations=None if pair is None else _calibrations(pair),
        risk_coverage={} if pair is None else _risk_coverage(pair),
        recall_intervals=_recall_intervals(figures_of(verdict)),
    )


def _verdict(folder: Path) -> Verdict:
    verdict = load_verdict(folder)
    figures_of(verdict, where=str(folder / VERDICT_FILE))
    return verdict


def _pair(verdict: Verdict, recordings: dict[str, Path]) -> Pair | None:
    named = [str(side.get("recording_sha256")) for side in (verdict.reference, verdict.candidate)]
    if not all(name in recordings for name in named):
        return None
    reference, candidate = (Recording.load(recordings[name]) for name in named)
    return align(reference, candidate)


def _calibrations(pair: Pair) -> Calibrations | None:
    """Measure both sides on the labelled images; None where there is none."""
    rows = np.flatnonzero(pair.truth >= 0)
    truth = pair.truth[rows]
    if not len(truth):
        return None
    return Calibrations(
        *(
            Calibration(
                reliability(truth, side[rows]), expected_calibration_error(truth, side[rows])
            )
            for side in (pair.reference, pair.candidate)
        )
    )


def _risk_coverage(pair: Pair) -> dict[str, RiskCoverage]:
    rows = np.flatnonzero(pair.truth >= 0)
    if not len(rows):
        return {}
    truth = pair.truth[rows]
    return {
        name: RiskCoverage(*risk_coverage(truth, side[rows]))
        for name, side in (("reference", pair.reference), ("candidate", pair.candidate))
    }


def _recall_intervals(figures: VerdictFigures) -> dict[str, RecallIntervals]:
    found = {}
    for label, recall in figures.recall.items():
        if recall.images and recall.reference is not None and recall.candidate is not None:
            # The verdict records shares of a count, from which the images come back whole.
            sides = (
                wilson_95(round(share * recall.images), recall.images)
                for share in (recall.reference, recall.candidate)
            )
            found[label] = RecallIntervals(*sides)
    return found


def _trace(path: Path, manifest: BundleManifest) -> Trace | None:
    """Return what was traced of this bundle; None where that was of an earlier one."""
    if not path.exists():
        return None
    trace = Trace.load(path)
    return trace if trace.model_sha256 == manifest.files[MODEL_FILE].sha256 else None


def _history(path: Path) -> list[dict[str, float | str]]:
    if not path.is_file():
        return []
    if path.with_name(f"{path.name}.sha256").exists() and not is_whole(path, silent):
        raise BadInput("the table of epochs was damaged", where=str(path))
    text = read_text(path, "table of epochs", max_bytes=MAX_TABLE_BYTES)
    return [{**row} for row in csv.DictReader(io.StringIO(text, newline=""))]
