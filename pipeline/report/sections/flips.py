"""Show the images that the file answers otherwise than Keras; as pictures only where asked for."""

from __future__ import annotations

from typing import Any

from pipeline.report.run_report import BundleResult
from pipeline.report.verdict_figures import Flip
from pipeline.report.wording import counted


def context(bundle: BundleResult) -> dict[str, Any] | None:
    """Return each flip with who was right; None where answers were not compared.

    A file name and a picture are there only where pictures were asked for.
    """
    flips = bundle.figures.flips
    if flips is None:
        return None
    pictures = bundle.pictures
    return {
        "count": flips.count,
        "title": _title(flips.count, len(flips.examples)),
        "pictures": pictures is not None,
        "flips": [_flip(one, bundle) for one in flips.examples],
    }


def _title(count: int, shown: int) -> str:
    if count == 0:
        return "No image flipped"
    text = f"{counted(count, 'image')} flipped"
    return text if shown == count else f"{text}; the {shown} Keras was surest about"


def _flip(flip: Flip, bundle: BundleResult) -> dict[str, Any]:
    effect, words = _effect(flip)
    return {
        "id": flip.image_id[:12],
        "reference": flip.reference,
        "candidate": flip.candidate,
        "truth": flip.truth or "unknown",
        "margin": f"{flip.margin:.3f}",
        "effect": effect,
        "words": words,
        "picture": (bundle.pictures or {}).get(flip.image_id),
    }


def _effect(flip: Flip) -> tuple[str, str]:
    """Return the class of the style sheet and the words for what the flip cost."""
    if flip.truth is None:
        return "unknown", "truth unknown"
    if flip.truth == flip.reference:
        return "fail", "lost: only Keras was right"
    if flip.truth == flip.candidate:
        return "pass", "gained: only the file is right"
    return "unknown", "neither is right"
