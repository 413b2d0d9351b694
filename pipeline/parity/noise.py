"""Hold a candidate's disagreement against the reference's own noise, on the same images."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import JsonValue

from pipeline.contract.noise import MeasuredNoise, NoiseFloor
from pipeline.errors import BadInput
from pipeline.parity.answers import Answers
from pipeline.parity.numbers import largest_differences
from pipeline.parity.thresholds import Thresholds


def own_noise(answers: Answers, noise: MeasuredNoise) -> dict[str, JsonValue]:
    """Return as evidence what one pixel value of noise does, and what the candidate does.

    Both are counted on the images that the noise was measured on, and nothing else is compared:
    a file is not excused by noise of other images.

    Raises:
        BadInput: the noise was measured on images that are not among the answers.
    """
    row_of = {str(name): row for row, name in enumerate(answers.pair.image_ids)}
    missing = [name for name in noise.image_ids if name not in row_of]
    if missing:
        raise BadInput(
            "the noise floor was measured on other images than the answers",
            expected=f"{len(noise.image_ids)} images of the recordings",
            got=f"{len(missing)} that are not, as {missing[0][:12]}",
        )
    rows = np.array([row_of[name] for name in noise.image_ids])
    level, count = noise.floor.largest, len(rows)
    return {
        "pixel_steps": level.pixel_steps,
        "n": count,
        "reference_agreed": round(level.agreement * count),
        "reference_mean_difference": level.mean_difference,
        "candidate_agreed": int(answers.agreed[rows].sum()),
        "candidate_mean_difference": float(largest_differences(answers.pair)[rows].mean()),
    }


def noise_figures(noise: NoiseFloor, thresholds: Thresholds) -> dict[str, Any]:
    """Return the noise floor as figures of a verdict, and whether the reference is fragile."""
    return {**noise.model_dump(mode="json"), "fragile": is_fragile(noise, thresholds)}


def fragile_note(noise: NoiseFloor, thresholds: Thresholds) -> list[dict[str, Any]]:
    """Return the note that a reference is fragile, nothing where it is not."""
    if not is_fragile(noise, thresholds):
        return []
    level = noise.largest
    return [
        {
            "kind": "fragile_model",
            "images": noise.images,
            "pixel_steps": level.pixel_steps,
            "agreement": level.agreement,
            "mean_difference": level.mean_difference,
            "min_agreement": thresholds.min_top1_agreement,
            "max_mean_difference": thresholds.max_mean_probability_difference,
        }
    ]


def is_fragile(noise: NoiseFloor, thresholds: Thresholds) -> bool:
    """Tell whether one pixel value of noise moves the reference further than a file may move."""
    level = noise.largest
    return (
        level.agreement < thresholds.min_top1_agreement
        or level.mean_difference > thresholds.max_mean_probability_difference
    )
