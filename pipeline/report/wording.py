"""Put verdicts, checks and measured values into words, the same in every format."""

from __future__ import annotations

from pipeline.contract.verdict import Check, Outcome, Verdict

OUTCOME_WORD = {
    Outcome.passed: "Passed",
    Outcome.failed: "Failed",
    Outcome.inconclusive: "Inconclusive",
}
NOTHING = "\N{EN DASH}"
_SIGN = {"<=": "\N{LESS-THAN OR EQUAL TO}", ">=": "\N{GREATER-THAN OR EQUAL TO}", "==": "="}


def headline(verdict: Verdict) -> str:
    """Say in one sentence what a verdict came to."""
    total, broken = len(verdict.checks), verdict.broken()
    if total == 0:
        return "Failed: nothing was checked"
    if verdict.passed:
        return "Passed: the only check holds" if total == 1 else f"Passed: all {total} checks hold"
    if verdict.outcome is Outcome.inconclusive:
        return f"Inconclusive: {len(broken)} of {_checks(total)} could not be decided"
    failed = sum(check.outcome is Outcome.failed for check in broken)
    rest = len(broken) - failed
    more = f", {rest} could not be decided" if rest else ""
    return f"Failed: {failed} of {_checks(total)} {'does' if failed == 1 else 'do'} not hold{more}"


def title(check: Check) -> str:
    """Return a check's name as words: `critical_recall_drop:MEL` as `critical recall drop: MEL`."""
    name, colon, rest = check.name.partition(":")
    return name.replace("_", " ") + (f": {rest}" if colon else "")


def measured(check: Check) -> str:
    """Return a check's value with its unit."""
    return amount(check.value, check.unit)


def limit(check: Check) -> str:
    """Return what a check asked for, sign first."""
    if check.threshold is None:
        return NOTHING
    return f"{_SIGN.get(check.comparison, '')} {amount(check.threshold, check.unit)}".strip()


def summary(check: Check) -> str:
    """Say in a few words what a check measured and asked for."""
    if check.value is None or check.threshold is None:
        return f"{title(check)}: {check.evidence}"
    return f"{title(check)}: {measured(check)}, asked for {limit(check)}"


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


def _checks(count: int) -> str:
    return "1 check" if count == 1 else f"{count} checks"
