"""Show what was compared with what, and how far the probabilities are apart."""

from __future__ import annotations

from typing import Any

from pipeline.report.run_report import BundleResult
from pipeline.report.wording import amount, plain


def context(bundle: BundleResult) -> dict[str, Any]:
    """Return the two recordings side by side, and the differences."""
    figures, sides = bundle.figures, (bundle.verdict.reference, bundle.verdict.candidate)
    rows = [
        (key.replace("_", " "), *(plain(side.get(key)) for side in sides))
        for key in {**sides[0], **sides[1]}
    ]
    if latency := figures.latency_ms:
        before, after = latency.reference, latency.candidate
        rows.append(("latency p50", amount(before.p50, "ms"), amount(after.p50, "ms")))
        rows.append(("latency p90", amount(before.p90, "ms"), amount(after.p90, "ms")))
    return {"rows": rows, "difference": figures.probability_difference, "ties": figures.ties}
