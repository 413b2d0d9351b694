"""Put into words and tables how a model was calibrated."""

from __future__ import annotations

from rich.table import Table

from pipeline.contract.calibration import Calibration, CalibrationFigures
from pipeline.report.wording import amount, images

CALIBRATION_COLUMNS = (
    "split",
    "scaling",
    "images",
    "error, 15 equal widths",
    "error, equal numbers",
    "without chance",
    "95% interval",
    "mean loss",
)


def calibration_rows(calibration: Calibration) -> list[tuple[str, ...]]:
    """Return a row for each split before and after scaling, for `CALIBRATION_COLUMNS`."""
    return [
        (split, when, *_cells(figures))
        for split, change in calibration.splits.items()
        for when, figures in (("before", change.before), ("after", change.after))
    ]


def calibration_words(calibration: Calibration) -> str:
    """Say by what the logits are divided, on how many images that was fitted, and what is odd."""
    said = (
        f"Temperature {calibration.temperature:.4g}, fitted on "
        f"{images(calibration.images)} of the validation split"
    )
    if calibration.at_limit:
        said += (
            ". The best temperature lies beyond those tried: scaling cannot calibrate this model, "
            "look at its training and its labels"
        )
    return said


def calibration_table(calibration: Calibration) -> Table:
    """Return the calibration error before and after scaling, by split."""
    table = Table(
        title=f"Calibration: {calibration_words(calibration)}",
        caption="Chance alone makes a calibration error: the fewer images, the more. The column "
        "without it is the root mean square; the interval is the bootstrap's. That of "
        "validation is flattered by the fit.",
    )
    for column in CALIBRATION_COLUMNS:
        table.add_column(column, justify="left" if column in ("split", "scaling") else "right")
    for row in calibration_rows(calibration):
        table.add_row(*row)
    return table


def _cells(figures: CalibrationFigures) -> tuple[str, ...]:
    return (
        str(figures.images),
        f"{figures.equal_width:.4f}",
        f"{figures.equal_mass:.4f}",
        f"{figures.debiased:.4f}",
        f"{figures.low:.4f} to {figures.high:.4f}",
        amount(figures.loss, ""),
    )
