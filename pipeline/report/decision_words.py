"""Put into words how an answer is to be read, as a bundle's manifest states it."""

from __future__ import annotations

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
