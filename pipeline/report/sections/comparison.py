"""Show what was compared with what, and the images that flipped."""

from __future__ import annotations

from typing import Any

from pipeline.report.run_report import BundleResult
from pipeline.report.wording import NOTHING, amount, plain


def context(bundle: BundleResult) -> dict[str, Any]:
    """Return the two recordings side by side, the flips and the differences."""
    verdict, figures = bundle.verdict, bundle.figures
    rows = [
        (key.replace("_", " "), *(plain(side.get(key)) for side in (reference, candidate)))
        for reference, candidate in ((verdict.reference, verdict.candidate),)
        for key in {**reference, **candidate}
    ]
    if latency := figures.latency_ms:
        before, after = latency.reference, latency.candidate
        rows.append(("latency p50", amount(before.p50, "ms"), amount(after.p50, "ms")))
        rows.append(("latency p90", amount(before.p90, "ms"), amount(after.p90, "ms")))
    return {
        "rows": rows,
        "flips": figures.flips,
        "difference": figures.probability_difference,
        "ties": figures.ties,
        "nothing": NOTHING,
    }
