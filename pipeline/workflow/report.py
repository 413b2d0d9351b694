"""Gather what the stages of a run left and write its HTML report."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from pipeline.contract.bundle import VERDICT_FILE, load_bundle
from pipeline.contract.dataset import DatasetManifest
from pipeline.contract.files import MAX_TABLE_BYTES, resolved, write_text_atomic
from pipeline.contract.manifest import ModelManifest
from pipeline.contract.measured import put_together
from pipeline.contract.run import RunDir
from pipeline.contract.sealed import is_whole
from pipeline.contract.text_file import read_text
from pipeline.contract.verdict import Verdict
from pipeline.errors import BadInput, EnvironmentProblem, PipelineError, reason_of
from pipeline.metrics import Metrics, load_metrics
from pipeline.parity.align import align
from pipeline.progress import silent
from pipeline.report.html import render_html
from pipeline.report.run_report import BundleResult, RunReport, TrueClassPoints, Unreadable
from pipeline.report.verdict_figures import figures_of
from pipeline.runtimes.recording import Recording, RecordingFacts

_Read = TypeVar("_Read")


@dataclass(frozen=True)
class ReportResult:
    """Hold where the report is and what it leaves out.

    `problem` says why it could not be written; what the run made is none the worse for it.
    """

    path: Path
    unreadable: tuple[Unreadable, ...] = ()
    problem: PipelineError | None = None


def write_report(run: RunDir) -> ReportResult:
    """Write `report/index.html` from the run's manifests, verdicts and recordings.

    A stage that has not run yet is left out of the report. What is there but damaged, changed or
    foreign is left out too, and listed in it.
    """
    gathered = gather(run)
    problem = None
    try:
        write_text_atomic(run.report, render_html(gathered))
    except OSError as error:
        problem = EnvironmentProblem(
            "cannot write the report",
            where=str(run.report),
            got=reason_of(error),
            next_step="make room or set the permissions, then `pipeline report`",
        )
    return ReportResult(run.report, tuple(gathered.unreadable), problem)


def gather(run: RunDir) -> RunReport:
    """Read everything that the report of a run shows."""
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
    return RunReport(
        title=f"Run {resolved(run.root).name}",
        bundles=_bundles(run, reader),
        dataset=dataset,
        model=model,
        metrics=metrics,
        history=reader.read(lambda: _history(history_path), history_path) or [],
        unreadable=reader.unreadable,
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
            bundle = _bundle(folder, published, recordings, reader)
            if bundle is not None:
                results.append(bundle)
    return results


def _bundle(
    folder: Path, published: bool, recordings: dict[str, Path], reader: _Reader
) -> BundleResult | None:
    # One that was changed since it was proven is not shown as proven.
    manifest = reader.read(lambda: load_bundle(folder), folder)
    verdict = None if manifest is None else reader.read(lambda: _verdict(folder), folder)
    if manifest is None or verdict is None:
        return None
    return BundleResult(
        name=folder.name,
        verdict=verdict,
        manifest=put_together(manifest, verdict),
        published=str(folder) if published else None,
        rejected=None if published else str(folder),
        points=reader.read(lambda: _points(verdict, recordings), folder),
    )


def _verdict(folder: Path) -> Verdict:
    verdict = Verdict.load(folder / VERDICT_FILE)
    figures_of(verdict, where=str(folder / VERDICT_FILE))
    return verdict


def _points(verdict: Verdict, recordings: dict[str, Path]) -> TrueClassPoints | None:
    named = [str(side.get("recording_sha256")) for side in (verdict.reference, verdict.candidate)]
    if not all(name in recordings for name in named):
        return None
    reference, candidate = (Recording.load(recordings[name]) for name in named)
    return TrueClassPoints(*align(reference, candidate).of_true_class())


def _history(path: Path) -> list[dict[str, float | str]]:
    if not path.is_file():
        return []
    if path.with_name(f"{path.name}.sha256").exists() and not is_whole(path, silent):
        raise BadInput("the table of epochs was damaged", where=str(path))
    text = read_text(path, "table of epochs", max_bytes=MAX_TABLE_BYTES)
    return [{**row} for row in csv.DictReader(io.StringIO(text, newline=""))]
