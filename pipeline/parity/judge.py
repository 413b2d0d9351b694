"""Judge a candidate's recording against the reference's."""

from __future__ import annotations

from pipeline.contract.noise import MeasuredNoise
from pipeline.contract.verdict import Check, Outcome, Verdict
from pipeline.errors import BadInput
from pipeline.parity.align import align
from pipeline.parity.answers import Answers
from pipeline.parity.figures import answer_figures, common_figures, origin
from pipeline.parity.noise import fragile_note, noise_figures
from pipeline.parity.numbers import difference_check, validity_checks
from pipeline.parity.task import task_checks
from pipeline.parity.thresholds import Thresholds
from pipeline.runtimes.recording import Recording


def judge_recordings(
    reference: Recording,
    candidate: Recording,
    thresholds: Thresholds,
    *,
    critical: tuple[str, ...],
    unlabelled: bool = False,
    noise: MeasuredNoise | None = None,
    before: tuple[Check, ...] = (),
) -> Verdict:
    """Run the numbers gate, then the task gate; a pure function of its arguments.

    Answers that are no probabilities (NaN, infinity, outside 0 to 1, not summing to 1, the same
    for every image) end the verdict before any tolerance is asked.

    Args:
        reference: what the candidate is compared with, normally Keras.
        candidate: what was exported, in the runtime that will serve it.
        thresholds: the limits.
        critical: the labels whose recall is gated one by one.
        unlabelled: whether the images are declared to have no labels. Then accuracy and recall
            are not asked, and a note says that they are not proven.
        noise: the reference's own, measured on some of the same images, where it is known.
        before: checks of the reference and of the candidate's file, which come first.

    Raises:
        BadInput: the recordings are not of the same images under the same contract, `critical`
            names no label of theirs, or images declared `unlabelled` have labels.
    """
    pair = align(reference, candidate)
    unknown = [name for name in critical if name not in pair.labels]
    if unknown:
        raise BadInput(
            "a critical class is not among the labels",
            expected=f"one of {', '.join(pair.labels)}",
            got=", ".join(unknown),
        )
    if unlabelled and (pair.truth >= 0).any():
        raise BadInput(
            "images declared to have no labels have some",
            expected="no true label in either recording",
            got=f"{int((pair.truth >= 0).sum())} labels",
        )
    figures = common_figures(reference.facts, candidate.facts)
    figures["thresholds"] = thresholds.model_dump()
    figures["critical"] = [] if unlabelled else [*critical]
    if unlabelled:
        figures["notes"].append({"kind": "accuracy_not_proven", "not_gated": [*critical]})
    elif not critical:
        figures["notes"].append({"kind": "no_critical_class", "labels": [*pair.labels]})
    if noise is not None:
        figures["noise"] = noise_figures(noise.floor, thresholds)
        figures["notes"] += fragile_note(noise.floor, thresholds)
    checks = [*before, *validity_checks("reference", pair.reference)]
    checks += validity_checks("candidate", pair.candidate)
    if all(check.outcome is not Outcome.failed for check in checks):
        answers = Answers.of(pair)
        checks.append(difference_check(pair, thresholds))
        checks += task_checks(answers, thresholds, critical, unlabelled=unlabelled, noise=noise)
        figures |= answer_figures(answers, critical)
    return Verdict.from_checks(
        checks, reference=origin(reference), candidate=origin(candidate), figures=figures
    )
