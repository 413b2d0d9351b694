"""Word how much a float model's answers move by themselves, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.contract.noise import NoiseFloor, NoiseLevel
from pipeline.contract.verdict import Check, Outcome
from pipeline.report.verdict_figures import RuntimeSpread
from pipeline.report.wording import amount, counted, joined

WHAT_HELPS = (
    "train with noise and random resizing among the augmentations, and make the photos for it as "
    "the phone makes them"
)


def noise_words(noise: NoiseFloor) -> str:
    """Say what noise does to the float model, level by level."""
    levels = "; ".join(_level(level) for level in noise.levels)
    return (
        f"The float model against itself on {counted(noise.images, 'image')}, every pixel moved "
        f"at random: {levels}."
    )


def fragile_words(data: Mapping[str, Any]) -> str:
    """Say that a model is fragile, what that means on a phone, and what helps."""
    return (
        f"FRAGILE MODEL: with every pixel moved at random by at most {_steps(data['pixel_steps'])} "
        f"of 255, the float model itself agrees with its own answers on "
        f"{amount(data['agreement'], 'share')} of {counted(data['images'], 'image')} (mean "
        f"difference {amount(data['mean_difference'], 'probability')}); a file is allowed "
        f"{amount(data['min_agreement'], 'share')} and "
        f"{amount(data['max_mean_difference'], 'probability')}. A phone's camera moves pixels by "
        "more, so two photos of one thing may get two answers, whatever the file's format. What "
        f"helps: {WHAT_HELPS}."
    )


def own_noise_words(check: Check) -> str:
    """Say how a candidate compares with the reference's own noise; empty where it was not asked."""
    data = check.evidence.get("own_noise")
    if not isinstance(data, dict) or check.within_threshold is not False:
        return ""
    try:
        text = (
            f"on {counted(_whole(data['n']), 'image')} the candidate agrees "
            f"{data['candidate_agreed']} times, mean difference "
            f"{amount(_real(data['candidate_mean_difference']), 'probability')}, where the float "
            f"model with every pixel moved by at most {_steps(_real(data['pixel_steps']))} agrees "
            f"with itself {data['reference_agreed']} times, "
            f"{amount(_real(data['reference_mean_difference']), 'probability')}"
        )
    except (KeyError, TypeError, ValueError):
        return ""
    within = check.outcome is not Outcome.failed
    return f"{'' if within else 'not '}within the model's own noise: {text}"


def _level(level: NoiseLevel) -> str:
    flips = joined(
        (
            f"{name} {flips.into} into, {flips.out_of} out of it"
            for name, flips in level.flips.items()
        ),
        "",
    )
    return (
        f"by at most {_steps(level.pixel_steps)} of 255, agreement "
        f"{amount(level.agreement, 'share')}, mean difference "
        f"{amount(level.mean_difference, 'probability')}{f', flips: {flips}' if flips else ''}"
    )


def _steps(steps: float) -> str:
    return f"{steps:g}"


def _whole(value: Any) -> int:
    return int(value)


def _real(value: Any) -> float:
    return float(value)


def spread_words(spread: RuntimeSpread) -> str:
    """Say how other runtimes answer, one after another."""
    parts = [
        f"{one.runtime} is not installed"
        if one.agreement is None
        else f"{one.runtime} agrees on {amount(one.agreement, 'share')}, mean difference "
        f"{amount(one.mean_difference, 'probability')}"
        for one in spread.others
    ]
    return (
        f"The same file through other kernels, on {counted(spread.images, 'image')} against "
        f"{spread.runtime}: {joined(parts)}."
    )
