"""Put the figures of one layer of an int8 file into words, for a page and for a terminal."""

from __future__ import annotations

from pipeline.contract.layer_errors import LayerFigures
from pipeline.report.wording import NOTHING

COLUMNS = (
    "SQNR dB",
    "alone",
    "saturated",
    "mean shift",
    "largest shift",
    "float range",
    "int8 range",
    "weights",
    "channel ratio",
    "absolute sum",
    "dead",
)


def cells(layer: LayerFigures) -> tuple[str, ...]:
    """Return a layer's figures as words, in the order of `COLUMNS`."""
    return (
        _number(layer.sqnr_db, ".1f"),
        _number(layer.alone, ".4f"),
        f"{100 * layer.saturated_share:.2f}%",
        _number(layer.mean_shift_steps, ".2f"),
        _number(layer.largest_mean_shift_steps, ".2f"),
        _span(layer.float_low, layer.float_high),
        "in floats" if layer.in_floats else _span(layer.int8_low, layer.int8_high),
        _span(layer.weight_low, layer.weight_high),
        _number(layer.weight_channel_ratio, ".3g"),
        _number(layer.absolute_sum, ".3g"),
        _number(layer.dead_channels, "d"),
    )


def _number(value: float | None, form: str) -> str:
    return NOTHING if value is None else f"{value:{form}}"


def _span(low: float | None, high: float | None) -> str:
    return NOTHING if low is None or high is None else f"{low:.3g} to {high:.3g}"
