"""Render the layers of an int8 file as one self-contained HTML page."""

from __future__ import annotations

from pathlib import PurePath

from pipeline.contract.layer_errors import DebugReport
from pipeline.report.debug_sentences import hurts_and_helps
from pipeline.report.layer_plot import layer_plot
from pipeline.report.layers import COLUMNS, cells
from pipeline.report.page import render

_LEGEND = (
    ("SQNR", "10 log10 of the mean square of the float activation over that of the int8 error"),
    (
        "alone",
        "mean over images of the largest difference in any probability when this layer alone is "
        "in 8 bits, and everything else, residual sums too, in floats",
    ),
    (
        "saturated",
        "values at an end of the int8 range; a zero end that the float model never passes, as a "
        "ReLU's, does not count, a ReLU6's end at 6 does",
    ),
    ("mean shift", "mean error of a channel, in steps: its mean over channels, and the largest"),
    ("channel ratio", "largest absolute weight of the widest channel over the narrowest's"),
    ("absolute sum", "largest sum of a channel's absolute weights: how far it enlarges rounding"),
    ("dead", "channels whose float activation is one value everywhere"),
)


def render_debug_page(
    found: DebugReport, *, date: str | None = None, report_page: str | None = None
) -> str:
    """Return the page as an HTML document in UTF-8: no script, no external resource.

    Args:
        found: the figures of every layer.
        date: when the page was made, in words.
        report_page: the way to the report of the run, relative to this page.
    """
    return render(
        "debug.html.j2",
        title=f"Layers of {PurePath(found.model).name}",
        date=date,
        report_page=report_page,
        facts=[
            ("file", found.model),
            ("SHA-256", found.model_sha256),
            ("compared on", f"{found.images} training images"),
            ("float model", "equalized as the file was" if found.equalized else "as trained"),
            *(("what hurts, and what would help", one) for one in hurts_and_helps(found)),
            *_LEGEND,
        ],
        drawing=layer_plot(found),
        columns=COLUMNS,
        layers=[
            (index + 1, layer.short_name, layer.name, layer.operator, cells(layer))
            for index in found.weakest_first()
            for layer in (found.layers[index],)
        ],
    )
