"""Say whether a difference is within a margin, and how many images would decide it.

A candidate is not inferior where the whole interval of its difference lies above minus the margin:
a one-sided test at 2.5%. Where several checks must all pass, each is tested at the whole 2.5%: the
claim is their intersection, and the verdict passes wrongly no more often than the one check that
should have failed (Berger 1982, Multiparameter hypothesis testing and acceptance sampling,
Technometrics 24(4), 295-300).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import NormalDist

import numpy as np

from pipeline.contract.verdict import Data, Outcome
from pipeline.parity.paired import (
    SEED,
    Z_ALPHA,
    Counts,
    Interval,
    PairedShares,
    balanced_difference_95,
    score_statistic,
)

POWER = 0.8
_Z_POWER = NormalDist().inv_cdf(POWER)
_SIMULATED = 4000
# A larger number is no help to anyone.
_MOST_IMAGES = 10_000_000
# A bound on the margin itself is within it, whatever the last bit of a float64.
_ROUNDING = 1e-12


def outcome_of_interval(interval: Interval, limit: float) -> Outcome:
    """Say whether an interval lies at or above `limit` (pass), below it (fail), or around it."""
    low, high = interval
    if low >= limit - _ROUNDING:
        return Outcome.passed
    return Outcome.failed if high < limit - _ROUNDING else Outcome.inconclusive


def paired_evidence(shares: PairedShares, margin: float) -> dict[str, Data]:
    """Return the difference of two shares and whether it is within `margin`, as evidence."""
    interval = shares.interval_95()
    # Half an image more on either side: among few images no change does not mean none is possible.
    discordant = (shares.only_reference_right + shares.only_candidate_right + 1) / (
        shares.images + 2
    )
    as_observed = _images_for(discordant - shares.difference**2, margin + shares.difference)
    return _evidence(
        {"kind": "score", "value": shares.difference, "interval_95": [*interval]},
        outcome_of_interval(interval, -margin),
        margin,
        shares.images,
        images_if_equal(discordant, margin),
        as_observed,
    )


def balanced_evidence(
    images: Counts, lost: Counts, gained: Counts, margin: float
) -> dict[str, Data]:
    """Return the difference in balanced accuracy and whether it is within `margin`, as evidence.

    Args:
        images: int64 (classes,), at least 1 each.
        lost: int64 (classes,), images that only the reference answers right.
        gained: int64 (classes,), images that only the candidate answers right.
        margin: the largest drop that is no loss, 0 to 1.
    """
    interval = balanced_difference_95(images, lost, gained)
    by_class = (gained - lost) / images
    difference, total = float(by_class.mean()), int(images.sum())
    # Of the mean over classes, for one image of the whole set; as in the bootstrap, one image lost
    # and one gained are added to each class.
    weight = total / (len(images) ** 2 * images)
    discordant = (lost + gained + 2) / (images + 2)
    if_equal = float((discordant * weight).sum())
    observed = float(((discordant - by_class**2) * weight).sum())
    return _evidence(
        {
            "kind": "stratified_bootstrap",
            "value": difference,
            "interval_95": [*interval],
            "seed": SEED,
        },
        outcome_of_interval(interval, -margin),
        margin,
        total,
        _images_for(if_equal, margin),
        _images_for(observed, margin + difference),
    )


def images_for_share(share: float, limit: float) -> int | None:
    """Return how many images tell a share from a limit, at this power; None where none do.

    Args:
        share: as observed, 0 to 1.
        limit: the least share that is asked for, 0 to 1.

    Source: Fleiss, Levin & Paik 2003, Statistical Methods for Rates and Proportions, section 2.
    """
    error = Z_ALPHA * math.sqrt(limit * (1 - limit)) + _Z_POWER * math.sqrt(share * (1 - share))
    return _rounded_up(error**2, share - limit)


def images_if_equal(discordant: float, margin: float) -> int | None:
    """Return how many images pass a candidate as good as its reference, at this power.

    The number of the formula, raised until the test itself passes often enough in simulated sets:
    where few images are discordant the formula asks for too few. None where no number does.

    Args:
        discordant: the share of images on which only one side is right, 0 to 1.
        margin: the largest drop that is no loss, 0 to 1.
    """
    images = _images_for(discordant, margin)
    random = np.random.default_rng(SEED)
    while images is not None and images <= _MOST_IMAGES:
        half = discordant / 2
        lost, gained, _ = random.multinomial(images, [half, half, 1 - discordant], _SIMULATED).T
        limit = np.full(_SIMULATED, -margin)
        passed = score_statistic(lost, gained, np.full(_SIMULATED, images), limit) >= Z_ALPHA
        if passed.mean() >= POWER:
            return images
        images = math.ceil(images * 1.05)
    return None


def _evidence(
    difference: Data,
    outcome: Outcome,
    margin: float,
    images: int,
    if_equal: int | None,
    as_observed: int | None,
) -> dict[str, Data]:
    if as_observed is not None and outcome is Outcome.inconclusive:
        as_observed = max(as_observed, images + 1)
    non_inferiority: Data = {
        "kind": "non_inferiority",
        "margin": margin,
        "outcome": str(outcome),
        "power": POWER,
        "images_if_equal": if_equal,
        "images_if_as_observed": as_observed,
    }
    return {"difference": difference, "non_inferiority": non_inferiority}


def _images_for(variance: float, distance: float) -> int | None:
    """Return how many images decide; McNemar-type, Connor 1987, Biometrics 43(1), 207-211.

    `variance` is that of one image's contribution to the difference, `distance` the one from the
    true difference to minus the margin. None where they are the same: no number decides.
    """
    return _rounded_up((Z_ALPHA + _Z_POWER) ** 2 * max(variance, 0.0), distance)


def _rounded_up(error: float, distance: float) -> int | None:
    if abs(distance) <= _ROUNDING or error > _MOST_IMAGES * distance**2:
        return None
    return max(1, math.ceil(error / distance**2))


def lost_and_gained(by_class: Iterable[Data]) -> tuple[Counts, Counts, Counts]:
    """Return images, lost and gained of each class from its evidence, int64 (classes,) each."""
    rows = [
        [one["images"], one["only_reference_right"], one["only_candidate_right"]]
        for one in by_class
    ]
    images, lost, gained = np.array(rows, np.int64).reshape(-1, 3).T
    return images, lost, gained
