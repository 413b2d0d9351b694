"""Part what a run holds into a page for each model, and lead from one to the other."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from pipeline.contract.bundle import MODEL_FILE
from pipeline.contract.files import MAX_JSON_BYTES, read_regular
from pipeline.contract.run import KERAS_MODEL_FILE, RunDir
from pipeline.report.run_report import BundleResult, PageLink, RunReport

_SHOWN = 12


@dataclass(frozen=True)
class Page:
    """Hold one page: where it is, of which model, and what it shows."""

    path: Path
    model_sha256: str | None
    report: RunReport


def pages_of(run: RunDir, gathered: RunReport) -> tuple[Page, ...]:
    """Return a page for each model of a run, the run's own first.

    The first one is `run.report`: of the model that the run trained, else of the first bundle.
    Exports of another model have a page of their own, without the training.
    """
    own = None
    if gathered.model is not None and KERAS_MODEL_FILE in gathered.model.files:
        own = gathered.model.files[KERAS_MODEL_FILE].sha256
    by_model: dict[str | None, list[BundleResult]] = {} if own is None else {own: []}
    for bundle in gathered.bundles:
        by_model.setdefault(_parent(bundle), []).append(bundle)
    models = list(by_model) or [None]
    paths = {
        model: run.report_of(model or "unnamed") if i else run.report
        for i, model in enumerate(models)
    }
    pages = []
    for model in models:
        path = paths[model]
        trained = own is None or model == own
        links = [
            PageLink(_link_title(other, own), _way(path, paths[other]), other == model)
            for other in models
        ]
        bundles = [_with_debug_page(one, run, path) for one in by_model.get(model, [])]
        report = replace(
            gathered,
            title=gathered.title if len(models) == 1 else _title(gathered.title, model, own),
            bundles=bundles,
            pages=links if len(models) > 1 else (),
        )
        if not trained:
            report = replace(report, model=None, metrics={}, history=())
            if not _of_dataset(bundles, gathered):
                report = replace(report, dataset=None)
        pages.append(Page(path, model, report))
    return tuple(pages)


def remove_stale(run: RunDir, pages: Sequence[Page]) -> None:
    """Remove the pages of models that the run no longer has a bundle of."""
    current = {page.path for page in pages}
    for path in run.report.parent.glob("*/index.html"):
        if path not in current and re.fullmatch(f"[0-9a-f]{{{_SHOWN}}}", path.parent.name):
            path.unlink()
            if not any(path.parent.iterdir()):
                path.parent.rmdir()


def _parent(bundle: BundleResult) -> str | None:
    return None if bundle.manifest is None else bundle.manifest.parents.get("model")


def _of_dataset(bundles: Sequence[BundleResult], gathered: RunReport) -> bool:
    digest = None if gathered.dataset is None else gathered.dataset.digest()
    return any(
        bundle.manifest is not None and bundle.manifest.parents.get("dataset") == digest
        for bundle in bundles
    )


def _with_debug_page(bundle: BundleResult, run: RunDir, page: Path) -> BundleResult:
    """Link the page on the layers of a bundle's file, where there is one of this very file."""
    entry = None if bundle.manifest is None else bundle.manifest.files.get(MODEL_FILE)
    found = run.debug_page(bundle.name)
    if entry is None or not found.is_file():
        return bundle
    # A page of an earlier file of the same name would explain another one.
    if entry.sha256.encode() not in read_regular(found, max_bytes=MAX_JSON_BYTES):
        return bundle
    return replace(bundle, debug_page=_way(page, found))


def _way(page: Path, to: Path) -> str:
    return quote(Path(os.path.relpath(to, page.parent)).as_posix())


def _link_title(model: str | None, own: str | None) -> str:
    if model == own and own is not None:
        return "The model trained here"
    return "A model not named" if model is None else f"Model {model[:_SHOWN]}"


def _title(title: str, model: str | None, own: str | None) -> str:
    if model == own and own is not None:
        return f"{title}, the model trained here"
    return f"{title}, {'a model not named' if model is None else f'model {model[:_SHOWN]}'}"
