"""Gather what the stages of a run left and write its HTML report."""

from __future__ import annotations

import csv
from pathlib import Path

from pipeline.contract.dataset import DatasetManifest
from pipeline.contract.files import write_text_atomic
from pipeline.contract.manifest import BundleManifest, ModelManifest
from pipeline.contract.run import RunDir
from pipeline.contract.verdict import Verdict
from pipeline.metrics import load_metrics
from pipeline.parity.align import align
from pipeline.report.html import render_html
from pipeline.report.run_report import BundleResult, RunReport, TrueClassPoints
from pipeline.runtimes.recording import Recording, RecordingFacts


def write_report(run: RunDir) -> Path:
    """Write `report/index.html` from the run's manifests, verdicts and recordings.

    A stage that has not run yet is left out of the report; a file that is there but damaged is
    refused.

    Raises:
        BadInput: a manifest, verdict or recording cannot be read.
    """
    model = ModelManifest.load(run.model_manifest) if run.train.is_dir() else None
    metrics = {} if model is None else load_metrics(run.metrics)
    write_text_atomic(
        run.report,
        render_html(
            RunReport(
                title=f"Run {run.root.resolve().name}",
                bundles=_bundles(run),
                dataset=DatasetManifest.load(run.dataset) if run.dataset.exists() else None,
                model=model,
                metrics=metrics,
                history=_history(run.training_state.history),
            )
        ),
    )
    return run.report


def _bundles(run: RunDir) -> list[BundleResult]:
    recordings = {
        RecordingFacts.load(path).digest(): path for path in sorted(run.recordings.glob("*.json"))
    }
    results = []
    for parent, published in ((run.root / "bundles", True), (run.root / "rejected", False)):
        for verdict_path in sorted(parent.glob("[!.]*/verdict.json")):
            folder = verdict_path.parent
            verdict = Verdict.load(verdict_path)
            results.append(
                BundleResult(
                    name=folder.name,
                    verdict=verdict,
                    manifest=BundleManifest.load(folder / "manifest.json"),
                    published=str(folder) if published else None,
                    rejected=None if published else str(folder),
                    points=_points(verdict, recordings),
                )
            )
    return results


def _points(verdict: Verdict, recordings: dict[str, Path]) -> TrueClassPoints | None:
    named = [side.get("recording_sha256", "") for side in (verdict.reference, verdict.candidate)]
    if not all(name in recordings for name in named):
        return None
    reference, candidate = (Recording.load(recordings[name]) for name in named)
    return TrueClassPoints(*align(reference, candidate).of_true_class())


def _history(path: Path) -> list[dict[str, float | str]]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        return [{**row} for row in csv.DictReader(stream)]
