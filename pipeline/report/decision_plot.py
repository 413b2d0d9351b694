"""Draw the risk of the answers given against how many are given."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from pipeline.contract.manifest import BundleManifest
from pipeline.report import svg
from pipeline.report.run_report import RiskCoverage

_MOST_POINTS = 400


def risk_coverage_curves(
    curves: Mapping[str, RiskCoverage], manifest: BundleManifest | None
) -> Markup | None:
    """Draw each side's curve, and the coverage of a chosen band; None where there is no curve."""
    if not curves:
        return None
    axes = svg.Axes(70, 12, 316, 250)
    highest = max(0.05, *(float(one.risk.max()) for one in curves.values()))
    parts = [
        *axes.x_grid([f"{tick:g}" for tick in svg.TICKS]),
        *axes.y_grid([f"{highest * tick:.2g}" for tick in svg.TICKS]),
        *axes.titles("coverage", "risk"),
    ]
    said = []
    for side, one in curves.items():
        step = max(1, len(one.risk) // _MOST_POINTS)
        # The last point is the risk of all answers.
        rows = [*range(0, len(one.risk) - 1, step), len(one.risk) - 1]
        places = (
            f"{axes.x(float(one.coverage[i])):.1f} {axes.y(float(one.risk[i]) / highest):.1f}"
            for i in rows
        )
        parts.append(svg.path(f"thin line {side}", f"M{'L'.join(places)}h0"))
        said.append(f"{side} {100 * float(one.risk[-1]):.1f}% where all are given")
    band = None if manifest is None or manifest.chosen is None else manifest.chosen.band
    if band is not None:
        x = axes.x(band.reached.coverage.value)
        parts.append(svg.path("diagonal", f"M{x:.1f} {axes.top:g}V{axes.bottom:g}"))
        said.append(f"the band leaves {100 * band.reached.coverage.value:.1f}%")
    described = f"Risk of the most confident answers against their share: {', '.join(said)}."
    return svg.drawing(axes.x(1) + 14, axes.bottom + 50, described, parts)
