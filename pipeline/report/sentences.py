"""Make the sentence of a check from its evidence; the one place that words what a gate found.

To word a new kind of evidence: one function here, and its line in `SENTENCES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pipeline.contract.verdict import Check, Outcome
from pipeline.report.bundle_sentences import bundle_sentence
from pipeline.report.noise_sentences import fragile_words, own_noise_words
from pipeline.report.reference_sentences import REFERENCE_SENTENCES
from pipeline.report.task_sentences import TASK_SENTENCES, straddles
from pipeline.report.wording import (
    asked_for,
    counted,
    exception,
    images,
    joined,
    measured,
    plain,
    title,
)

_SHOWN_ID = 12


def sentence(check: Check) -> str:
    """Say what a check found.

    A kind that is not known here, or whose data has another form (of another version of the
    pipeline), is shown whole, key by key.
    """
    evidence: Mapping[str, Any] = check.evidence
    if check.outcome is Outcome.failed and (refused := bundle_sentence(check)):
        return refused
    text = _worded(SENTENCES, evidence, "evidence")
    if reason := evidence.get("undecided"):
        text = f"undecided, {_reason(reason)}: {text}"
    elif _is_undecided_strictly(check):
        text = f"undecided, {_worded(_STRADDLES, evidence, 'evidence')}: {text}"
    if noise := own_noise_words(check):
        text = f"{noise}; {text}"
    if excuse := exception(check):
        text = f"{text}; passed as {excuse}"
    return text


def _is_undecided_strictly(check: Check) -> bool:
    """Tell whether it is an interval that leaves a check open, not the reference's own noise."""
    if check.evidence.get("strict") is not True or check.outcome is not Outcome.inconclusive:
        return False
    interval = check.evidence.get("interval_95")
    high = interval[-1] if isinstance(interval, list) and interval else None
    asked = check.threshold
    return not (isinstance(high, float) and asked is not None and high < asked)


def summary(check: Check) -> str:
    """Say in a few words what a check measured and asked for."""
    if check.value is None or check.threshold is None:
        return f"{title(check)}: {sentence(check)}"
    return f"{title(check)}: {measured(check)}, asked for {asked_for(check)}"


def note(data: Mapping[str, Any]) -> str:
    """Say what a note of a verdict's figures tells the reader."""
    return _worded(_NOTES, data, "note")


def _worded(
    makers: Mapping[str, Callable[[Mapping[str, Any]], str]], data: Mapping[str, Any], what: str
) -> str:
    make = makers.get(str(data.get("kind")))
    if make is not None:
        try:
            return make(data)
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError):
            return _whole(data, f"{what} of another form")
    return _whole(data, f"{what} of a kind not known here")


def _whole(data: Mapping[str, Any], what: str) -> str:
    rest = {key: value for key, value in data.items() if key != "kind"}
    return f"{what}, {data.get('kind')!s}: {plain(rest)}"


def _reason(reason: Any) -> str:
    return _worded(_REASONS, reason, "reason") if isinstance(reason, Mapping) else plain(reason)


def _not_finite(e: Mapping[str, Any]) -> str:
    return f"{e['images']} of {images(e['n'])} of the {e['side']} hold NaN or infinity"


def _out_of_range(e: Mapping[str, Any]) -> str:
    low, high = e["range"]
    if not e["images"]:
        return f"values of the {e['side']} lie between {low:.4g} and {high:.4g}"
    return (
        f"{e['images']} of {images(e['n'])} of the {e['side']} have values outside 0 to 1 "
        f"(found {low:.4g} to {high:.4g}); logits instead of a softmax look like this"
    )


def _sum_error(e: Mapping[str, Any]) -> str:
    step = e["step"]
    values = "float values" if step is None else f"steps of 1/{1 / step:g}, one a class"
    return (
        f"{e['images']} of {images(e['n'])} of the {e['side']} sum further from 1 than "
        f"{e['limit']:.4g} ({values}); the furthest by {e['furthest']:.4g}"
    )


def _distinct_answers(e: Mapping[str, Any]) -> str:
    distinct = counted(e["distinct"], "distinct answer")
    return f"{distinct} of the {e['side']} to {images(e['n'])}"


def _probability_difference(e: Mapping[str, Any]) -> str:
    return (
        f"the largest difference in any class of an image is {e['mean']:.4f} on average, "
        f"{e['largest']:.4f} at most; above {e['limit']:g} on {e['images_over']} of "
        f"{images(e['n'])}"
    )


def _golden_difference(e: Mapping[str, Any]) -> str:
    furthest = e["furthest"]
    return (
        f"above {e['limit']:g} on {e['goldens_over']} of {e['n']} goldens; furthest apart is "
        f"{furthest['label']} of {furthest['image_id'][:_SHOWN_ID]}: "
        f"{furthest['reference']:.4f} in the bundle, {furthest['candidate']:.4f} on the device"
    )


def _golden_choice(e: Mapping[str, Any]) -> str:
    examples = "; ".join(
        f"{flip['reference']} became {flip['candidate']} on {flip['image_id'][:_SHOWN_ID]}"
        for flip in e["flipped"]
    )
    return (
        f"{len(e['flipped'])} of the {e['compared']} goldens where the bundle prefers its class "
        f"by more than {e['margin']:g} (of {e['n']}){f': {examples}' if examples else ''}"
    )


_SHOWN_APART = ("kind", "expected", "found", "undecided")


def _comparison(e: Mapping[str, Any]) -> str:
    more = {key: value for key, value in e.items() if key not in _SHOWN_APART}
    text = f"expected {plain(e['expected'])}, found {plain(e['found'])}"
    return f"{text} ({plain(more)})" if more else text


def _too_few_images(reason: Mapping[str, Any]) -> str:
    of = f" of {reason['of']}" if reason["of"] is not None else ""
    return f"{images(reason['found'])}{of}, fewer than the {reason['needed']} needed"


_STRADDLES = dict.fromkeys(TASK_SENTENCES, straddles)
_REASONS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "too_few_images": _too_few_images,
    "no_labelled_images": lambda _: "no image has a label",
    "no_images_of_class": lambda reason: f"no image is labelled {reason['label']}",
    "reference_never_right": lambda reason: (
        f"the reference recognizes no {reason['label']}, so none can be lost"
    ),
    "not_significant": lambda reason: (
        f"chance explains it, p = {reason['p']:.2g} is not below {reason['significance']:g}"
    ),
    "unknown_operators": lambda reason: (
        f"not known for {joined(reason['operators'], 'a graph without operators')}"
    ),
}
_NOTES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "self_comparison": lambda _: (
        "Self-comparison: both recordings are of the same model in the same runtime, so this "
        "verdict says nothing about an export."
    ),
    "no_critical_class": lambda data: (
        "NO CRITICAL CLASS: no class's recall is gated on its own, so a file that loses all of one "
        "may pass. Name it with --critical LABEL; the labels are "
        f"{joined(data['labels'])}."
    ),
    "accuracy_not_proven": lambda data: (
        "ACCURACY NOT PROVEN: the photographs have no labels, so the file is only shown to answer "
        "as the Keras model does"
        + (
            f"; no recall is gated, not of {joined(data['not_gated'])} either."
            if data["not_gated"]
            else "."
        )
    ),
    "fragile_model": fragile_words,
    "choice_not_compared": lambda data: (
        "The chosen class is not compared: the reference prefers none by more than "
        f"{data['margin']:g} on any golden."
    ),
}
SENTENCES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    **REFERENCE_SENTENCES,
    **TASK_SENTENCES,
    "not_finite": _not_finite,
    "out_of_range": _out_of_range,
    "sum_error": _sum_error,
    "distinct_answers": _distinct_answers,
    "probability_difference": _probability_difference,
    "golden_difference": _golden_difference,
    "golden_choice": _golden_choice,
    "golden_self_test": lambda e: (
        "prepared otherwise on the device: "
        + joined([str(one)[:_SHOWN_ID] for one in e["image_ids"]], "no golden")
    ),
    "comparison": _comparison,
    "not_measured": lambda e: f"not measured: {_reason(e['reason'])}",
    "file_size": lambda e: f"{counted(e['size_bytes'], 'byte')}",
    "input_quantization": lambda e: (
        f"the pixel value that is stored furthest from itself; found {plain(e['found'])}"
    ),
    "delegation": lambda e: (
        f"{counted(e['nodes'], 'node')}, XNNPACK in {counted(e['partitions'], 'partition')}; left "
        f"to the interpreter: {joined(e['left'], 'none')}"
    ),
}
