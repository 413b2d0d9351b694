"""Offer the limits of the gates as options, the same for export and parity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pipeline.parity.thresholds import Thresholds


def _share(name: str, text: str) -> Any:
    return typer.Option(name, min=0.0, max=1.0, help=text, show_default=False)


MinAgreementOption = Annotated[
    float | None, _share("--min-agreement", "Least top-1 agreement with Keras; 0.95.")
]
BalancedToleranceOption = Annotated[
    float | None, _share("--balanced-tolerance", "Largest drop in balanced accuracy; 0.02.")
]
CriticalToleranceOption = Annotated[
    float | None,
    _share("--critical-tolerance", "Largest drop in a critical class's recall; 0.01."),
]
MaxMeanDifferenceOption = Annotated[
    float | None,
    _share("--max-mean-difference", "Largest mean probability difference; 0.10."),
]
MinImagesOption = Annotated[
    int | None,
    typer.Option("--min-images", min=1, help="Fewest images that decide; 50.", show_default=False),
]
MinCriticalImagesOption = Annotated[
    int | None,
    typer.Option(
        "--min-critical-images",
        min=1,
        help="Fewest images of a critical class that decide; 20.",
        show_default=False,
    ),
]
MinReferenceAccuracyOption = Annotated[
    float | None,
    _share("--min-reference-accuracy", "Least accuracy of the Keras model itself."),
]
AcceptWeakOption = Annotated[
    bool,
    typer.Option(
        "--accept-weak-reference",
        help="Publish though the Keras model is no better than always answering the largest "
        "class; the verdict says so.",
    ),
]
StrictOption = Annotated[
    bool,
    typer.Option(
        "--strict",
        help="Ask that the whole 95% interval of each task figure is within its tolerance, not "
        "the estimate alone; exit 4, with the number of images that would decide, where it "
        "straddles it.",
    ),
]

AcceptFragileOption = Annotated[
    bool,
    typer.Option(
        "--accept-fragile",
        help="Publish though too few answers agree with Keras, where noise of one pixel value "
        "changes as many of its own; the verdict says so.",
    ),
]


def thresholds_of(
    *,
    tolerance: float,
    min_agreement: float | None,
    balanced_tolerance: float | None,
    critical_tolerance: float | None,
    max_mean_difference: float | None,
    min_images: int | None,
    min_critical_images: int | None,
    min_reference_accuracy: float | None,
    accept_weak_reference: bool,
    strict: bool,
    accept_fragile: bool,
) -> Thresholds:
    """Return the limits that the options state; None takes the default."""
    from pipeline.parity.thresholds import Thresholds

    stated = {
        "accuracy_tolerance": tolerance,
        "min_top1_agreement": min_agreement,
        "balanced_accuracy_tolerance": balanced_tolerance,
        "critical_recall_tolerance": critical_tolerance,
        "max_mean_probability_difference": max_mean_difference,
        "min_images": min_images,
        "min_critical_images": min_critical_images,
        "min_reference_accuracy": min_reference_accuracy,
        "accept_weak_reference": accept_weak_reference,
        "strict": strict,
        "accept_fragile": accept_fragile,
    }
    given = {name: value for name, value in stated.items() if value is not None}
    return Thresholds.model_validate(given)
