"""Show what an int8 search tried: a row and a bar for each file it measured.

The only place that reads the record of a search; the terminal takes its rows from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.contract.choices import Repair, Step
from pipeline.contract.manifest import BundleManifest
from pipeline.contract.search import SearchRecord, Trial
from pipeline.report.noise_sentences import noise_words
from pipeline.report.plots import Bar, share_bars
from pipeline.report.run_report import BundleResult
from pipeline.report.search_sentences import state, why_no_more
from pipeline.report.wording import amount, counted, joined

TITLE = "int8 repair: what was tried"


@dataclass(frozen=True)
class TrialRow:
    """Hold one trial in words, with its agreement as a share for the drawing."""

    step: str
    agreement: str
    mean_difference: str
    balanced_accuracy: str
    critical_recall: str
    size: str
    latency: str
    state: str
    meets_target: bool
    chosen: bool
    agreement_share: float


COLUMNS = (
    "Step",
    "Agreement",
    "Mean difference",
    "Balanced accuracy",
    "Critical recall",
    "Size",
    "Latency p50",
    "Result",
)


def context(bundle: BundleResult) -> dict[str, Any] | None:
    """Return the search as a sentence, a drawing and a table; None where none was made."""
    manifest = bundle.manifest
    if manifest is None or not (rows := trial_rows(manifest)):
        return None
    search = manifest.search
    words = "; ".join(f"{row.step} {row.agreement}" for row in rows)
    asked = None
    if search.min_agreement is not None:
        asked = (search.min_agreement, f"asked {amount(search.min_agreement, 'share')}")
    bars = [Bar(row.step, row.agreement_share, row.meets_target, row.chosen) for row in rows]
    return {
        "title": TITLE,
        "conclusion": conclusion(manifest),
        "images": len(search.repair_sha256),
        "min_agreement": amount(search.min_agreement, "share"),
        "max_mean_difference": amount(search.max_mean_difference, "probability"),
        "calibrated_on": len(manifest.representative_sha256),
        "delegation": _delegation(bundle),
        "stopped": why_no_more(search),
        "noise": None if search.noise is None else noise_words(search.noise),
        "bars": share_bars(bars, f"Agreement with the float model: {words}.", asked),
        "columns": COLUMNS,
        "rows": [
            {
                "step": row.step,
                "chosen": row.chosen,
                "cells": (
                    row.agreement,
                    row.mean_difference,
                    row.balanced_accuracy,
                    row.critical_recall,
                    row.size.replace(" ", "\N{NO-BREAK SPACE}"),
                    row.latency,
                    row.state,
                ),
            }
            for row in rows
        ],
    }


def conclusion(manifest: BundleManifest) -> str:
    """Say which trial was chosen and why nothing better was tried."""
    trials, repair = manifest.search.trials, manifest.recipe.repair
    chosen = next((trial for trial in trials if trial.chosen), None)
    if chosen is None:
        return "No trial is marked as chosen."
    name = _step_words(chosen)
    if not chosen.meets_target:
        last = "; there is no further step" if manifest.search.stopped is None else ""
        return (
            f"No trial meets the target. Of all that could be tried, {name} was chosen for its "
            f"small mean difference{last}. The target is the search's own, on "
            "training images: whether the file ships is for the gates, on validation images."
        )
    if repair is Repair.auto and trials[-1] is chosen:
        return (
            f"{name} was chosen: the first trial that meets the target "
            "(--repair max builds every trial)."
        )
    return f"{name} was chosen: of those that meet the target, the one of least mean difference."


def _delegation(bundle: BundleResult) -> str | None:
    """Return how much of the graph XNNPACK ran where the file was judged."""
    for check in bundle.verdict.checks:
        if check.name == "delegated_nodes" and check.value is not None:
            return f"XNNPACK runs {check.value:g} of {check.evidence.get('nodes')} nodes."
    return None


def trial_rows(manifest: BundleManifest) -> Sequence[TrialRow]:
    """Return each trial of the search that made a bundle, in order; none where none was made."""
    search = manifest.search
    return tuple(_row(trial, search) for trial in search.trials)


def _row(trial: Trial, search: SearchRecord) -> TrialRow:
    recall = joined(
        (
            f"{name} {amount(share, 'share')} of "
            f"{amount(search.float_critical_recall.get(name), 'share')}"
            for name, share in trial.critical_recall.items()
        ),
        amount(None, "share"),
    )
    return TrialRow(
        step=_step_words(trial),
        agreement=_agreement(trial),
        mean_difference=amount(trial.mean_difference, "probability"),
        balanced_accuracy=f"{amount(trial.balanced_accuracy, 'share')} of "
        f"{amount(search.float_balanced_accuracy, 'share')}",
        critical_recall=recall,
        size=amount(float(trial.size_bytes), "bytes"),
        latency=_latency(trial),
        state=state(trial, search),
        meets_target=trial.meets_target,
        chosen=trial.chosen,
        agreement_share=trial.agreement,
    )


def _agreement(trial: Trial) -> str:
    text = amount(trial.agreement, "share")
    if trial.agreement_95 is None:
        return text
    low, high = (amount(one, "share") for one in trial.agreement_95)
    return f"{text} ({low} to {high})"


def _step_words(trial: Trial) -> str:
    """Return the last step of a trial in words, as `+ bias correction`."""
    if not trial.steps:
        return "plain int8"
    if trial.steps[-1] is Step.float16_prefix:
        return f"+ first {counted(len(trial.float16_layers), 'operator')} in float16"
    if trial.steps[-1] is Step.mixed_precision:
        return f"+ {counted(len(trial.float16_layers), 'layer')} in float16"
    return f"+ {str(trial.steps[-1]).replace('-', ' ')}"


def _latency(trial: Trial) -> str:
    if trial.latency_ms_p50 is None:
        return "-"
    text = amount(trial.latency_ms_p50, "ms")
    for share, other in (
        (trial.latency_of_plain, "plain"),
        (trial.latency_of_float16, "float16"),
    ):
        if share is not None:
            text += f", {share:.2f} of {other}"
    return text
