"""Choose thresholds and an unsure band on labelled answers; pure functions."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from pipeline.contract.chosen import (
    Answered,
    ChosenBand,
    ChosenDecision,
    ChosenThreshold,
    CountedShare,
    DecisionAsked,
    Reached,
)
from pipeline.contract.decision import Decision
from pipeline.contract.manifest import BundleManifest
from pipeline.contract.verdict import Check, Gate
from pipeline.errors import BadInput
from pipeline.metrics import Probabilities, Truth, wilson_95
from pipeline.parity.comparison import expect

# A threshold is rounded down to so many digits, where no answer lies in between.
_DIGITS = 6
_ROUNDING = 1e-9
_LARGEST = 1 - 10**-_DIGITS

Scores = npt.NDArray[np.float32]


def choose(
    truth: Truth, probabilities: Probabilities, labels: tuple[str, ...], asked: DecisionAsked
) -> ChosenDecision:
    """Choose what is asked for on the images whose label is known.

    The threshold of a class is the highest that reaches the sensitivity. The band is the one that
    leaves the most answers at the risk, or at least the stated coverage; answers of one
    probability are all answered or none.

    Args:
        truth: int64 (n,), label indices, -1 where unknown.
        probabilities: float32 (n, len(labels)), 0 to 1.
        labels: the classes, in order.
        asked: what is to be reached; its classes are among the labels.

    Raises:
        BadInput: no image has a label, a class has no image, or no probability reaches the goal.

    Source: El-Yaniv & Wiener 2010, On the Foundations of Noise-free Selective Classification, JMLR
    11, for risk and coverage.
    """
    rows = truth >= 0
    truth, probabilities = truth[rows], probabilities[rows]
    if not len(truth):
        raise BadInput(
            "a decision is chosen on validation images with labels, and there is none",
            expected="images whose true class is known",
            next_step="state --threshold and --unsure-below instead",
        )
    return ChosenDecision(
        asked=asked,
        images=len(truth),
        thresholds=tuple(
            _threshold(truth == labels.index(name), probabilities[:, labels.index(name)], name, s)
            for name, s in asked.sensitivity.items()
        ),
        band=_band(truth, probabilities, asked) if asked.asks_a_band else None,
    )


def with_file(
    chosen: ChosenDecision, truth: Truth, probabilities: Probabilities, labels: tuple[str, ...]
) -> ChosenDecision:
    """Return what was chosen with what it comes to by other answers to the same images."""
    rows = truth >= 0
    truth, probabilities = truth[rows], probabilities[rows]
    band = chosen.band
    return chosen.model_copy(
        update={
            "thresholds": tuple(
                one.model_copy(
                    update={
                        "file": _reached(
                            truth == labels.index(one.label),
                            probabilities[:, labels.index(one.label)],
                            one.threshold,
                        )
                    }
                )
                for one in chosen.thresholds
            ),
            "band": band
            and band.model_copy(
                update={"file": _answered(truth, probabilities, band.unsure_below)}
            ),
        }
    )


def risk_coverage(
    truth: Truth, probabilities: Probabilities
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return coverage and risk where the most confident answers are given, one more each time.

    Args:
        truth: int64 (n,), label indices, n at least 1.
        probabilities: float32 (n, classes).

    Returns:
        two arrays (n,), 0 to 1; answers of one confidence share the values after the last of them.
    """
    _, coverage, risk, ends = _by_confidence(truth, probabilities)
    last = np.flatnonzero(ends)[np.searchsorted(np.flatnonzero(ends), np.arange(len(ends)))]
    return coverage[last], risk[last]


def decision_check(
    manifest: BundleManifest, truth: Truth, probabilities: Probabilities
) -> Check | None:
    """Choose again what a bundle's decision was chosen for; None where nothing was chosen.

    Args:
        manifest: the bundle's.
        truth: int64 (n,), of its reference recording.
        probabilities: float32 (n, classes), what its reference answered.
    """
    chosen = manifest.chosen
    if chosen is None:
        return None
    labels = manifest.labels.names
    stated = Decision(
        unsure_below=None if chosen.band is not None else manifest.decision.unsure_below,
        thresholds={
            name: value
            for name, value in manifest.decision.thresholds.items()
            if name not in chosen.asked.sensitivity
        },
    )
    try:
        again = choose(truth, probabilities, labels, chosen.asked)
    except (BadInput, ValueError) as error:
        return expect("decision_follows", Gate.bundle, "a decision", str(error))
    wanted = {
        "chosen": again.model_dump(mode="json"),
        "decision": again.applied_to(stated).model_dump(mode="json"),
    }
    found = {
        "chosen": chosen.without_file().model_dump(mode="json"),
        "decision": manifest.decision.model_dump(mode="json"),
    }
    return expect("decision_follows", Gate.bundle, wanted, found)


def _threshold(
    positive: npt.NDArray[np.bool_], scores: Scores, label: str, asked: float
) -> ChosenThreshold:
    count = int(positive.sum())
    if not count:
        raise BadInput(
            f"no labelled validation image is of {label}, so no sensitivity can be asked of it",
            expected=f"images of {label} in the validation split",
            next_step=f"state --threshold {label}=P instead",
        )
    needed = math.ceil(asked * count - _ROUNDING)
    at = np.sort(scores[positive])[::-1][needed - 1]
    threshold = _probability(at, scores)
    reached = None if threshold is None else _reached(positive, scores, threshold)
    if threshold is None or reached is None or reached.sensitivity.hits < needed:
        raise BadInput(
            f"no threshold reaches the sensitivity asked of {label}",
            expected=f"{needed} of {count} images with a probability above {10**-_DIGITS:g}",
            got=f"a probability of {at:.3g}",
            next_step="ask for a lower sensitivity",
        )
    return ChosenThreshold(label=label, asked=asked, threshold=threshold, reached=reached)


def _band(truth: Truth, probabilities: Probabilities, asked: DecisionAsked) -> ChosenBand:
    confidence, coverage, risk, ends = _by_confidence(truth, probabilities)
    fits = ends.copy()
    if asked.unsure_risk is not None:
        fits &= risk <= asked.unsure_risk + _ROUNDING
    if asked.unsure_coverage is not None:
        fits &= coverage >= asked.unsure_coverage - _ROUNDING
    places = np.flatnonzero(fits)
    if not len(places):
        raise _out_of_reach(coverage[ends], risk[ends], asked)
    # Most answers at a risk; else no more than the coverage takes.
    place = int(places[-1] if asked.unsure_risk is not None else places[0])
    if place == len(truth) - 1:
        return ChosenBand(unsure_below=None, reached=_answered(truth, probabilities, None))
    below = _probability(confidence[place], confidence)
    found = _answered(truth, probabilities, below)
    if below is None or found.coverage.hits != place + 1:
        raise _out_of_reach(coverage[ends], risk[ends], asked)
    return ChosenBand(unsure_below=below, reached=found)


def _out_of_reach(
    coverage: npt.NDArray[np.float64], risk: npt.NDArray[np.float64], asked: DecisionAsked
) -> BadInput:
    wanted = [] if asked.unsure_risk is None else [f"a risk of at most {asked.unsure_risk:g}"]
    if asked.unsure_coverage is not None:
        wanted.append(f"a coverage of at least {asked.unsure_coverage:g}")
    enough = coverage >= (asked.unsure_coverage or 0) - _ROUNDING
    return BadInput(
        "no unsure band reaches what is asked of it",
        expected=" with ".join(wanted),
        got=f"a risk of {risk[enough].min():.3g} at best",
        next_step="ask for a higher risk or a lower coverage",
    )


def _by_confidence(
    truth: Truth, probabilities: Probabilities
) -> tuple[Scores, npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Return confidences in falling order, coverage and risk down to each, the last of equals."""
    confidence = probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    wrong = (probabilities.argmax(axis=1) != truth)[order]
    count = np.arange(1, len(truth) + 1)
    ranked = confidence[order]
    ends = np.append(ranked[1:] != ranked[:-1], True)
    return ranked, count / len(truth), np.cumsum(wrong) / count, ends


def _probability(at: np.float32, scores: Scores) -> float | None:
    """Return a short threshold that parts `at` from the next lower score; None outside 0 to 1."""
    lower = scores[scores < at]
    exact = min(float(at), _LARGEST)
    short = math.floor(exact * 10**_DIGITS) / 10**_DIGITS
    found = short if short > 0 and (not len(lower) or short > lower.max()) else exact
    return found if found > 0 else None


def _reached(positive: npt.NDArray[np.bool_], scores: Scores, threshold: float) -> Reached:
    named = scores >= np.float32(threshold)
    negatives = int((~positive).sum())
    return Reached(
        sensitivity=_share(int((named & positive).sum()), int(positive.sum())),
        specificity=_share(int((~named & ~positive).sum()), negatives) if negatives else None,
    )


def _answered(truth: Truth, probabilities: Probabilities, below: float | None) -> Answered:
    sure = probabilities.max(axis=1) >= np.float32(below or 0)
    wrong, given = probabilities.argmax(axis=1) != truth, int(sure.sum())
    return Answered(
        coverage=_share(given, len(truth)),
        risk=_share(int((wrong & sure).sum()), given) if given else None,
    )


def _share(hits: int, images: int) -> CountedShare:
    low, high = wilson_95(hits, images)
    return CountedShare(hits=hits, images=images, low=low, high=high)
