"""Put the bundles side by side: what a decision between them needs, first on the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.contract.bundle import MODEL_FILE
from pipeline.contract.run import KERAS_MODEL_FILE
from pipeline.contract.verdict import Outcome
from pipeline.report.run_report import BundleResult, Interval, RunReport
from pipeline.report.verdict_figures import VerdictFigures
from pipeline.report.wording import MARK, NOTHING, OUTCOME_WORD, amount, counted, joined

_MOST_COLUMNS = 3


@dataclass(frozen=True)
class Cell:
    """Hold a value, and what is said below it in small type."""

    value: str
    detail: str = ""


@dataclass(frozen=True)
class Row:
    """Hold one measure: a cell of Keras, None where the bundles have no common one, and of each."""

    name: str
    detail: str
    keras: Cell | None
    cells: tuple[Cell, ...]


def context(report: RunReport) -> dict[str, Any]:
    """Return the bundles as columns and the measures as rows; no bundle is something to say too."""
    bundles, common = report.bundles, _common_reference(report.bundles)
    names = [*(["Keras"] if common else []), *(bundle.name for bundle in bundles)]
    return {
        "heading": "Side by side",
        "conclusion": _conclusion(bundles),
        "columns": [_column(bundle) for bundle in bundles],
        "keras": common,
        "names": names,
        # More columns than a narrow page has room for.
        "stacked": len(names) > _MOST_COLUMNS,
        "rows": _rows(report) if bundles else [],
    }


def _conclusion(bundles: Sequence[BundleResult]) -> list[tuple[str, str, str]]:
    """Return an outcome, its word and the bundles of it, for each outcome there is."""
    return [
        (
            str(outcome),
            f"{MARK[outcome]} {words}",
            joined(one.name for one in bundles if one.verdict.outcome is outcome),
        )
        for outcome, words in (
            (Outcome.passed, "Proven"),
            (Outcome.inconclusive, "Undecided, not published"),
            (Outcome.failed, "Failed, not published"),
        )
        if any(one.verdict.outcome is outcome for one in bundles)
    ]


def _column(bundle: BundleResult) -> dict[str, str]:
    verdict = bundle.verdict
    passed = sum(check.outcome is Outcome.passed for check in verdict.checks)
    return {
        "name": bundle.name,
        "outcome": str(verdict.outcome),
        "word": f"{MARK[verdict.outcome]} {OUTCOME_WORD[verdict.outcome]}",
        "detail": f"{passed} of {counted(len(verdict.checks), 'check')}",
    }


def _common_reference(bundles: Sequence[BundleResult]) -> bool:
    """Tell whether one recording of Keras answers for all bundles."""
    named = {str(bundle.verdict.reference.get("recording_sha256")) for bundle in bundles}
    return len(named) == 1


def _rows(report: RunReport) -> list[Row]:
    bundles, common = report.bundles, _common_reference(report.bundles)
    figures = [bundle.figures for bundle in bundles]

    def both(
        name: str, detail: str, cell: Callable[[BundleResult, VerdictFigures, str], Cell]
    ) -> Row:
        cells = [cell(one, of, "candidate") for one, of in zip(bundles, figures, strict=True)]
        keras = [cell(one, of, "reference") for one, of in zip(bundles, figures, strict=True)]
        if not common:
            cells = [
                Cell(mine.value, joined(filter(None, (mine.detail, f"Keras {theirs.value}"))))
                for mine, theirs in zip(cells, keras, strict=True)
            ]
        return Row(name, detail, keras[0] if common else None, tuple(cells))

    critical = list(dict.fromkeys(label for one in figures for label in one.critical))
    rows = [
        _size(report, common),
        both("Latency p50", "one image, this host", _latency),
        both("Accuracy", _judged_on(figures), _accuracy),
        both("Balanced accuracy", "mean recall of the classes", _balanced),
        *(
            both(f"{label} recall", _critical_detail(label, figures), _recall_of(label))
            for label in critical
        ),
        Row(
            "Agreement with Keras",
            "same class first",
            Cell(NOTHING) if common else None,
            tuple(map(_agreement, figures)),
        ),
    ]
    return [row for row in rows if _says_something(row)]


def _says_something(row: Row) -> bool:
    return any(cell.value != NOTHING for cell in (*row.cells, *filter(None, (row.keras,))))


def _size(report: RunReport, common: bool) -> Row:
    keras = None if report.model is None else report.model.files.get(KERAS_MODEL_FILE)
    sizes = []
    for bundle in report.bundles:
        entry = None if bundle.manifest is None else bundle.manifest.files.get(MODEL_FILE)
        sizes.append(Cell(amount(None if entry is None else entry.size_bytes, "bytes")))
    mine = Cell(amount(None if keras is None else keras.size_bytes, "bytes"))
    return Row("Size", "of the model file", mine if common else None, tuple(sizes))


def _judged_on(figures: Sequence[VerdictFigures]) -> str:
    sets = {(one.images, one.split) for one in figures if one.images is not None}
    if len(sets) != 1:
        return ""
    ((images, split),) = sets
    return counted(images or 0, f"{split} image" if split else "image")


def _latency(_: BundleResult, figures: VerdictFigures, side: str) -> Cell:
    found = figures.latency_ms
    return Cell(amount(None if found is None else getattr(found, side).p50, "ms"))


def _accuracy(_: BundleResult, figures: VerdictFigures, side: str) -> Cell:
    if figures.accuracy is None:
        return Cell(NOTHING)
    found = getattr(figures.accuracy, side)
    return Cell(percent(found.share), interval_words(found.wilson_95))


def _balanced(_: BundleResult, figures: VerdictFigures, side: str) -> Cell:
    found = figures.balanced_accuracy
    return Cell(percent(None if found is None else getattr(found, side)))


def _critical_detail(label: str, figures: Sequence[VerdictFigures]) -> str:
    images = {one.recall[label].images for one in figures if label in one.recall}
    counts = counted(images.pop(), "image") if len(images) == 1 else ""
    return joined(filter(None, ("critical", counts)))


def _recall_of(label: str) -> Callable[[BundleResult, VerdictFigures, str], Cell]:
    def cell(bundle: BundleResult, figures: VerdictFigures, side: str) -> Cell:
        found = figures.recall.get(label)
        known = bundle.recall_intervals.get(label)
        share = None if found is None else getattr(found, side)
        return Cell(percent(share), interval_words(getattr(known, side, None)))

    return cell


def _agreement(figures: VerdictFigures) -> Cell:
    found, flips = figures.top1_agreement, figures.flips
    if found is None:
        return Cell(NOTHING)
    differ = "" if flips is None else f"{counted(flips.count, 'image')} flipped"
    return Cell(
        percent(found.share), joined(filter(None, (interval_words(found.wilson_95), differ)), "")
    )


def percent(share: float | None) -> str:
    """Return a share as percent with one decimal."""
    return NOTHING if share is None else f"{100 * share:.1f}%"


def interval_words(interval: Interval | None) -> str:
    """Return an interval of shares as percent; empty where there is none."""
    return "" if interval is None else f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}"
