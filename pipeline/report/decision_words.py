"""Put into words how an answer is to be read, as a bundle's manifest states it."""

from __future__ import annotations

from pipeline.contract.chosen import (
    Answered,
    ChosenBand,
    ChosenDecision,
    ChosenThreshold,
    CountedShare,
    Reached,
)
from pipeline.contract.decision import Decision, Reading
from pipeline.report.wording import joined


def decision_facts(decision: Decision) -> list[tuple[str, str]]:
    """Return what a bundle states about reading an answer, as names and values."""
    facts = []
    if decision.unsure_below is not None:
        facts.append(("unsure", f"where no class reaches {decision.unsure_below:g}"))
    facts += [
        (f"threshold of {label}", f"named whenever it reaches {threshold:g}")
        for label, threshold in decision.thresholds.items()
    ]
    return facts


def reading_words(reading: Reading) -> str:
    """Return how one answer reads: the class or unsure, and the classes over their threshold."""
    named = f"unsure ({reading.label})" if reading.unsure else reading.label
    over = [name for name in reading.over_threshold if reading.unsure or name != reading.label]
    return f"{named}; over threshold: {joined(over)}" if over else named


def stated_facts(decision: Decision, chosen: ChosenDecision | None) -> list[tuple[str, str]]:
    """Return what a bundle states about reading an answer, and what that was chosen for."""
    return [*decision_facts(decision), *chosen_facts(chosen)]


def chosen_facts(chosen: ChosenDecision | None) -> list[tuple[str, str]]:
    """Return what thresholds and band were chosen for, and what they come to."""
    if chosen is None:
        return []
    facts = [
        (f"sensitivity of {one.label}", f"{_threshold(one)}; {_of(chosen)}")
        for one in chosen.thresholds
    ]
    if chosen.band is not None:
        facts.append(("unsure band", f"{_band(chosen, chosen.band)}; {_of(chosen)}"))
    return facts


def _of(chosen: ChosenDecision) -> str:
    return f"chosen on {chosen.images} validation images"


def _threshold(one: ChosenThreshold) -> str:
    positives = one.reached.sensitivity.images
    said = f"at least {one.asked:g} asked; {_reached(one.reached)}"
    if one.file is not None:
        said += f"; the file: {_reached(one.file)}"
        if one.file.sensitivity.value < one.asked:
            said += ", less than asked, as its rounding moves answers across the threshold"
    if not one.is_promised:
        said += f"; {positives} images of it are too few to promise that"
    return said


def _reached(found: Reached) -> str:
    said = f"sensitivity {_share(found.sensitivity)}"
    return said if found.specificity is None else f"{said}, specificity {_share(found.specificity)}"


def _band(chosen: ChosenDecision, band: ChosenBand) -> str:
    asked = chosen.asked
    goals = [
        f"{word} {value:g}"
        for word, value in (
            ("a risk of at most", asked.unsure_risk),
            ("a coverage of at least", asked.unsure_coverage),
        )
        if value is not None
    ]
    said = f"{' with '.join(goals)} asked; {_answered(band.reached)}"
    if band.unsure_below is None:
        said += "; no answer need be unsure for it"
    return said if band.file is None else f"{said}; the file: {_answered(band.file)}"


def _answered(found: Answered) -> str:
    said = f"coverage {_share(found.coverage)}"
    return said if found.risk is None else f"{said}, wrong of those answered {_share(found.risk)}"


def _share(found: CountedShare) -> str:
    return (
        f"{found.value:.3f} ({found.hits} of {found.images}, "
        f"95% interval {found.low:.3f} to {found.high:.3f})"
    )
