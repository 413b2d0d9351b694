"""Put verdicts, checks and measured values into words, the same in every format."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pipeline.contract.verdict import Check, Outcome, Verdict

OUTCOME_WORD = {
    Outcome.passed: "Passed",
    Outcome.failed: "Failed",
    Outcome.inconclusive: "Inconclusive",
}
MARK = {
    Outcome.passed: "\N{CHECK MARK}",
    Outcome.failed: "\N{BALLOT X}",
    Outcome.inconclusive: "?",
}
NOTHING = "\N{EN DASH}"
_SIGN = {"<=": "\N{LESS-THAN OR EQUAL TO}", ">=": "\N{GREATER-THAN OR EQUAL TO}", "==": "="}


def headline(verdict: Verdict) -> str:
    """Say in one sentence what a verdict came to."""
    total, broken = len(verdict.checks), verdict.broken()
    if total == 0:
        return "Failed: nothing was checked"
    if verdict.passed:
        return (
            "Passed: the only check passed" if total == 1 else f"Passed: all {total} checks passed"
        )
    if verdict.outcome is Outcome.inconclusive:
        return f"Inconclusive: {len(broken)} of {counted(total, 'check')} could not be decided"
    failed = sum(check.outcome is Outcome.failed for check in broken)
    rest = len(broken) - failed
    more = f", {rest} could not be decided" if rest else ""
    return f"Failed: {failed} of {counted(total, 'check')} failed{more}"


def title(check: Check) -> str:
    """Return a check's name as words: `critical_recall_drop:MEL` as `critical recall drop: MEL`."""
    name, colon, rest = check.name.partition(":")
    return name.replace("_", " ") + (f": {rest}" if colon else "")


def measured(check: Check) -> str:
    """Return a check's value with its unit."""
    return amount(check.value, check.unit)


def limit(check: Check) -> str:
    """Return what a check asked for, sign first, and what of it was allowed beyond that.

    A tolerance is shown as asked, with the number of images and, where it asks for less than one
    of them, the one image that was allowed instead.
    """
    if check.threshold is None:
        return NOTHING
    sign = _SIGN.get(check.comparison, "")
    tolerance = check.evidence.get("tolerance")
    if not isinstance(tolerance, dict):
        whole = " by the whole interval" if check.evidence.get("strict") is True else ""
        return f"{sign} {amount(check.threshold, check.unit)}{whole}".strip()
    asked, n, label = tolerance.get("asked"), tolerance.get("n"), tolerance.get("label")
    known = asked if isinstance(asked, int | float) else check.threshold
    text = f"{sign} {amount(known, check.unit)}".strip()
    if check.evidence.get("strict") is True:
        text += " by the whole interval"
    elif known != check.threshold:
        text += f", one image of {plain(n)} allowed"
    return f"{text} (n = {' '.join(plain(part) for part in (n, label) if part is not None)})"


def sample(check: Check) -> str:
    """Return the number of images a check was measured on; empty where it records none."""
    n = check.evidence.get("n")
    return f"{n:,}" if isinstance(n, int) else ""


def interval(check: Check) -> str:
    """Return the 95% interval of a check's difference, in points, or of its share."""
    difference = check.evidence.get("difference")
    inside = difference if isinstance(difference, dict) else check.evidence
    match inside.get("interval_95"):
        case [int() | float() as low, int() | float() as high]:
            if inside is difference:
                return f"{points(low)} to {points(high)}"
            return f"{amount(low, check.unit)} to {amount(high, check.unit)}"
    return ""


def asked(check: Check) -> str:
    """Return the limit that a check was asked for, before one image was allowed."""
    if check.threshold is None:
        return NOTHING
    tolerance = check.evidence.get("tolerance")
    known = tolerance.get("asked") if isinstance(tolerance, dict) else None
    value = known if isinstance(known, int | float) else check.threshold
    return f"{_SIGN.get(check.comparison, '')} {amount(value, check.unit)}".strip()


def applied(check: Check) -> str:
    """Return what of it was applied: to the estimate or the interval, and any exception."""
    if check.threshold is None:
        return NOTHING
    text = f"{_SIGN.get(check.comparison, '')} {amount(check.threshold, check.unit)}".strip()
    if check.evidence.get("strict") is True:
        text = f"{asked(check)}, whole interval"
    elif text != asked(check):
        text += ", one image"
    return "; passed as ".join(filter(None, (text, exception(check))))


def points(share: float) -> str:
    """Return a difference of shares in percentage points, with its sign."""
    return f"{100 * share:+.2f}"


def exception(check: Check) -> str:
    """Say by which rule a check passed beyond its threshold; empty where it did not."""
    rule, paired = check.evidence.get("unless"), check.evidence.get("paired")
    if check.outcome is not Outcome.passed or not _falls_short(check):
        return ""
    if isinstance(rule, dict) and rule.get("kind") == "gain_within_chance":
        p = paired.get("mcnemar_exact_p") if isinstance(paired, dict) else None
        shown = f" (p = {p:.3g})" if isinstance(p, float) else ""
        return f"a gain that chance explains{shown}"
    if isinstance(rule, dict) and rule.get("kind") == "weak_reference_accepted":
        return "a weak reference that was accepted (--accept-weak-reference)"
    if isinstance(rule, dict) and rule.get("kind") == "own_noise_accepted":
        return "the noise of a fragile model, which was accepted (--accept-fragile)"
    return f"by a rule without words here: {plain(rule)}"


def _falls_short(check: Check) -> bool:
    """Tell whether a check misses its threshold, or strictly judged may miss it."""
    evidence = check.evidence
    if check.within_threshold is not False and evidence.get("strict") is True:
        interval = evidence.get("interval_95")
        low = interval[0] if isinstance(interval, list) and interval else None
        asked = check.threshold
        return isinstance(low, float) and asked is not None and low < asked
    return check.within_threshold is False


def asked_for(check: Check) -> str:
    """Return what a check asked for, and by which rule it passed beyond that."""
    return "; passed as ".join(filter(None, (limit(check), exception(check))))


def plain(value: Any) -> str:
    """Return any value of JSON as a person reads it."""
    match value:
        case None:
            return NOTHING
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.6g}"
        case dict():
            parts = (f"{str(key).replace('_', ' ')}: {plain(one)}" for key, one in value.items())
            return ", ".join(parts) or "none"
        case list() | tuple():
            return ", ".join(map(plain, value)) or "none"
        case _:
            return str(value)


def counted(count: int, noun: str) -> str:
    """Return a number of things: `1 image`, `1,200 images`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def images(count: int) -> str:
    """Return a number of images."""
    return counted(count, "image")


def joined(parts: Iterable[str], nothing: str = "none") -> str:
    """Return parts separated by commas."""
    return ", ".join(parts) or nothing


def amount(value: float | None, unit: str) -> str:
    """Return a value as a person reads it; shares become percent, bytes megabytes."""
    if value is None:
        return NOTHING
    if unit == "share":
        return f"{100 * value:.2f}%"
    if unit == "probability":
        return f"{value:.4f}"
    if unit == "bytes" and value >= 1e3:
        return f"{value / 1e6:.2f} MB" if value >= 1e6 else f"{value / 1e3:.1f} kB"
    if unit == "ms":
        return f"{value:.1f} ms"
    number = f"{int(value):,}" if float(value).is_integer() else f"{value:.4g}"
    return f"{number} {unit}".strip()


_ORIGINS = {
    "made": "made now",
    "found": "found in the run folder (--fresh makes it again)",
    "bundle": "carried by the bundle",
}


def recordings_used(verdict: Verdict) -> list[str]:
    """Return for each side whether its recording was made now; nothing where none was asked."""
    used = verdict.figures.get("recordings")
    if not isinstance(used, dict):
        return []
    return [
        f"recording of the {side}: {_ORIGINS.get(str(origin), str(origin))}"
        for side, origin in used.items()
    ]
