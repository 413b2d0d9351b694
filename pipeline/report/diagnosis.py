"""Say in words and in a table what a diagnosis found."""

from __future__ import annotations

from typing import assert_never

from rich.table import Table
from rich.text import Text

from pipeline.contract.choices import Mistake
from pipeline.contract.diagnosis import Diagnosis, Found, Suspect
from pipeline.mistakes.registry import describe
from pipeline.report.wording import joined

_SHOWN = 8
_ALWAYS_SHOWN = 3


def conclusion(diagnosis: Diagnosis) -> str:
    """Return what was found, in one sentence."""
    images = f"{diagnosis.images} images"
    match diagnosis.found:
        case Found.no_disagreement:
            return (
                f"no disagreement: {diagnosis.images - diagnosis.flips} of {images} get the same "
                "class, and no known mistake explains the rest"
            )
        case Found.none_known:
            return (
                "none of the known mistakes: "
                f"{diagnosis.runtime} disagrees on {diagnosis.flips} of {images}, and no known "
                "mistake explains why"
            )
        case Found.known:
            best = next(one for one in diagnosis.suspects if one.mistake is diagnosis.named[0])
            return f"this runtime most likely {describe(best.mistake).title} ({_explains(best)})"
        case _:
            assert_never(diagnosis.found)


def remarks(diagnosis: Diagnosis) -> list[str]:
    """Return what else is to be known: mistakes that cannot be told apart, or not be seen."""
    said = [f"to mend it: {describe(name).mend}" for name in diagnosis.named]
    if len(diagnosis.named) > 1:
        said.append(f"as likely on these images: {_titles(diagnosis.named[1:], '; it ')}")
    best = diagnosis.suspects[0] if diagnosis.suspects else None
    if diagnosis.named and best is not None and best.order:
        said.append(f"its outputs hold, in this order: {', '.join(best.order)}")
    if diagnosis.unseen:
        said.append(
            "not to be told from the right way on these images with this model: "
            + joined([str(name) for name in diagnosis.unseen])
        )
    if diagnosis.images < diagnosis.recorded:
        said.append(f"{diagnosis.images} of the {diagnosis.recorded} recorded images were used")
    if not diagnosis.same_model:
        said.append("the recording is of another file than the reference's")
    return said


def diagnosis_table(diagnosis: Diagnosis) -> Table:
    """Return the likeliest mistakes, a row each, after a row for none.

    Those that explain nothing are left out but for the nearest few.
    """
    table = Table(
        title=f"{diagnosis.runtime}: {diagnosis.flips} flips on {diagnosis.images} images",
        title_justify="left",
        caption="distance: half the sum of the probability differences, mean over the images",
        caption_justify="left",
    )
    table.add_column("mistake", overflow="fold")
    for column in ("images", "flips explained", "distance", "explained"):
        table.add_column(column, justify="right")
    flips, distance = f"0 of {diagnosis.flips}", f"{diagnosis.distance:.4f}"
    table.add_row("none", str(diagnosis.images), flips, distance, "-")
    for place, one in enumerate(diagnosis.suspects[:_SHOWN]):
        if place >= _ALWAYS_SHOWN and one.explained_share <= 0:
            break
        style = "bold" if one.mistake in diagnosis.named else ""
        table.add_row(
            Text(f"{one.mistake} ({one.variant})", style),
            str(one.images),
            f"{one.flips_explained} of {one.flips}",
            f"{one.distance:.4f}",
            f"{100 * one.explained_share:.0f}%" if one.explained_share > 0 else "-",
        )
    return table


def _explains(suspect: Suspect) -> str:
    if suspect.flips:
        return f"explains {suspect.flips_explained} of {suspect.flips} flips"
    share = f"{100 * suspect.explained_share:.0f}%"
    return f"explains {share} of the difference in the probabilities; no class flips"


def _titles(names: tuple[Mistake, ...], between: str) -> str:
    return between.join(f"{describe(name).title} ({name})" for name in names)
