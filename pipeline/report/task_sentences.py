"""Put into words what the task gate found."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from pipeline.report.wording import amount, images, joined, points


def _accuracy(e: Mapping[str, Any]) -> str:
    before, after = e["reference"]["right"], e["candidate"]["right"]
    return (
        f"accuracy {_share(e['reference'], e['n'])} reference, {_share(e['candidate'], e['n'])} "
        f"candidate; apart by {images(abs(after - before))}, "
        f"{_allowed(e['tolerance'], abs(after - before))}; {_paired(e['paired'])}"
        f"{_difference(e)}"
    )


def _agreement(e: Mapping[str, Any]) -> str:
    agreed, n, needed = e["agreed"], e["n"], e["needed"]
    low, high = e["interval_95"]
    short = f", {images(needed - agreed)} short of {needed}" if agreed < needed else ""
    return (
        f"both choose the same class on {agreed / n:.4f} ({agreed} of {n}, "
        f"95% Wilson interval {low:.3f} to {high:.3f}); {images(n - agreed)} flipped{short}"
    )


def _balanced_accuracy(e: Mapping[str, Any]) -> str:
    tolerance, classes = e["tolerance"], e["right_by_class"]
    drop = e["reference"] - e["candidate"]
    one = ""
    if tolerance["applied"] > tolerance["asked"]:
        one = f", one image of {tolerance['label']}, the rarest class"
    over = drop - tolerance["applied"]
    changes = joined(
        (
            f"{label} {right['candidate'] - right['reference']:+d} of {right['images']}"
            for label, right in classes.items()
            if right["candidate"] != right["reference"]
        ),
        "no change",
    )
    return (
        f"balanced accuracy {e['reference']:.4f} reference, {e['candidate']:.4f} candidate over "
        f"{len(classes)} classes; allowed {tolerance['applied']:.4f}{one}"
        f"{f', exceeded by {over:.4f}' if over > 0 else ''}; images right: {changes}"
        f"{_difference(e)}"
    )


def _critical_recall(e: Mapping[str, Any]) -> str:
    lost = e["reference"]["right"] - e["candidate"]["right"]
    change = f"{images(abs(lost))} {'fewer' if lost > 0 else 'more'}" if lost else "no change"
    return (
        f"{e['label']} recall {_share(e['reference'], e['n'])} reference, "
        f"{_share(e['candidate'], e['n'])} candidate; {change}, "
        f"{_allowed(e['tolerance'], lost)}; {_paired(e['paired'])}{_difference(e)}"
    )


def _share(side: Mapping[str, Any], n: int) -> str:
    low, high = side["interval_95"]
    return (
        f"{side['share']:.4f} ({side['right']} of {n}, 95% Wilson interval {low:.3f} to {high:.3f})"
    )


def _allowed(tolerance: Mapping[str, Any], used: int) -> str:
    allowed = math.floor(tolerance["applied"] * tolerance["n"] + 1e-9)
    shown = "one image" if tolerance["applied"] > tolerance["asked"] else images(allowed)
    over = f", exceeded by {images(used - allowed)}" if used > allowed else ""
    return (
        f"asked at most {amount(tolerance['asked'], 'share')}, allowed {shown} "
        f"of {tolerance['n']}{over}"
    )


def _paired(paired: Mapping[str, Any]) -> str:
    return (
        f"only the reference is right on {paired['only_reference_right']}, only the candidate on "
        f"{paired['only_candidate_right']}, exact McNemar p = {paired['mcnemar_exact_p']:.3g}"
    )


def _difference(e: Mapping[str, Any]) -> str:
    # Verdicts of earlier versions have none.
    if "difference" not in e:
        return ""
    difference, rule = e["difference"], e["non_inferiority"]
    low, high = difference["interval_95"]
    lies = {
        "pass": "within",
        "fail": "wholly beyond",
        "inconclusive": "on both sides of",
    }[rule["outcome"]]
    method = _METHOD[difference["kind"]]
    return (
        f"; candidate minus reference {points(difference['value'])}, 95% {method} interval "
        f"{points(low)} to {points(high)} points, {lies} the margin of "
        f"{amount(rule['margin'], 'share')}"
    )


def straddles(e: Mapping[str, Any]) -> str:
    """Say why an interval decides nothing, and how many images would.

    Args:
        e: evidence of a check that was judged strictly and is inconclusive.
    """
    if e["kind"] == "agreement":
        return f"the 95% interval holds the limit; {_would_decide(e['images_to_decide'], '')}"
    rule, of = e["non_inferiority"], f" of {e['label']}" if "label" in e else ""
    if_equal, as_observed = rule["images_if_equal"], rule["images_if_as_observed"]
    text = "the 95% interval holds the margin; "
    if if_equal is not None and if_equal > e["n"]:
        text += f"{_would_decide(if_equal, of)} if the two are equally good, "
    return f"{text}{_would_decide(as_observed, of)} if the difference is the one measured"


def _would_decide(count: int | None, of: str) -> str:
    number = "no number of images" if count is None else f"about {images(count)}"
    return f"{number}{of} would decide"


_METHOD = {"score": "score", "stratified_bootstrap": "bootstrap"}
TASK_SENTENCES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "accuracy": _accuracy,
    "agreement": _agreement,
    "balanced_accuracy": _balanced_accuracy,
    "critical_recall": _critical_recall,
}
