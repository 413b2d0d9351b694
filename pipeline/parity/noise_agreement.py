"""Compare the noise that a verdict records with what its checks and its figures count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from pipeline.contract.noise import MOST_NOISE_IMAGES, NoiseFloor
from pipeline.contract.verdict import Verdict
from pipeline.parity.noise import fragile_note, is_fragile
from pipeline.parity.thresholds import Thresholds

_ROUNDING = 1e-9
_FORMS = (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, IndexError)


def noise_that_differs(verdict: Verdict, thresholds: Thresholds, *, in_8_bits: bool) -> list[Any]:
    """Return what the record of the reference's own noise contradicts.

    The noise of a float model cannot be measured again without it. But the evidence that excuses
    must be of the recorded noise floor, on as many images as the gate takes, and must fit what
    the whole set of images came to.

    Args:
        verdict: as recorded.
        thresholds: that it states.
        in_8_bits: whether the file computes in 8 bits; of another no noise is recorded.
    """
    stated = verdict.figures.get("noise")
    if not in_8_bits:
        return [] if stated is None else [{"noise": "of a file that does not work in 8 bits"}]
    try:
        fields = {key: value for key, value in dict(stated or {}).items() if key != "fragile"}
        floor = NoiseFloor.model_validate(fields)
        return list(_differing(verdict, floor, thresholds))
    except (*_FORMS, ValidationError) as error:
        return [{"noise": "of another form", "found": repr(error)}]


def _differing(verdict: Verdict, floor: NoiseFloor, thresholds: Thresholds) -> Iterator[Any]:
    figures, level, count = verdict.figures, floor.largest, floor.images
    yield from _unequal("images", min(MOST_NOISE_IMAGES, figures["images"]), count)
    yield from _unequal("fragile", is_fragile(floor, thresholds), figures["noise"]["fragile"])
    notes = [note for note in figures["notes"] if note.get("kind") == "fragile_model"]
    yield from _unequal("note", fragile_note(floor, thresholds), notes)
    evidence: dict[str, Mapping[str, Any]] = {c.name: c.evidence for c in verdict.checks}
    agreement, own = evidence["top1_agreement"], evidence["top1_agreement"]["own_noise"]
    yield from _unequal("images compared", count, own["n"])
    yield from _unequal("pixel steps", level.pixel_steps, own["pixel_steps"])
    yield from _unequal(
        "agreed under noise", round(level.agreement * count), own["reference_agreed"]
    )
    yield from _unequal(
        "difference under noise", level.mean_difference, own["reference_mean_difference"]
    )
    # The images compared are some of all: what is left must be possible too.
    total, agreed, here = agreement["n"], agreement["agreed"], own["candidate_agreed"]
    if not max(0, agreed - (total - count)) <= here <= min(count, agreed):
        yield {"figure": "agreed of those compared", "of": agreed, "found": here}
    difference, mean = evidence["mean_probability_difference"], own["candidate_mean_difference"]
    rest = difference["mean"] * total - mean * count
    if not -_ROUNDING * total <= rest <= total - count + _ROUNDING * total:
        yield {"figure": "difference of those compared", "of": difference["mean"], "found": mean}


def _unequal(what: str, expected: Any, found: Any) -> Iterator[Any]:
    if expected != found:
        yield {"figure": what, "expected": expected, "found": found}
