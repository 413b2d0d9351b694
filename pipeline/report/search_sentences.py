"""Say why an int8 search took a file, and why it tried nothing more."""

from __future__ import annotations

from pipeline.contract.search import SearchRecord, Stop, Trial
from pipeline.report.wording import amount, joined


def state(trial: Trial, search: SearchRecord) -> str:
    """Say whether a trial meets the target, by which limits it does not, and whether it was taken.

    The limits are of `search`; how many images the third, no lost recall, forgives is not recorded.
    """
    if trial.meets_target:
        return "meets the target, chosen" if trial.chosen else "meets the target"
    missed = _missed(trial, search)
    if trial.chosen:
        by = f" by {missed}" if missed else ""
        return f"chosen as the best found, short of the target{by}; the gate judges it"
    return f"does not meet the target{f': {missed}' if missed else ''}"


def _missed(trial: Trial, search: SearchRecord) -> str:
    least, most = search.min_agreement, search.max_mean_difference
    if least is None or most is None:
        return ""
    missed = [
        *(["agreement"] if trial.agreement < least else []),
        *(["mean difference"] if trial.mean_difference > most else []),
    ]
    return joined(missed, "recall lost")


def why_no_more(search: SearchRecord) -> str | None:
    """Say why nothing more was tried; None in the records of earlier releases."""
    match search.stopped:
        case None:
            return None
        case Stop.met:
            return "Nothing more was tried, because a file meets the target."
        case Stop.gain:
            return (
                "Nothing more was tried, because leaving more of the first blocks in float16 took "
                f"less than {amount(search.min_gain, 'share')} off the mean difference."
            )
        case Stop.latency:
            return _too_slow(search)
        case Stop.exhausted:
            return "Nothing more was tried, because no registered step was left."


def _too_slow(search: SearchRecord) -> str:
    limit = search.max_latency_of_float16 or 0.0
    slow = [one for one in search.trials if (one.latency_of_float16 or 0.0) > limit]
    figures = ""
    if slow:
        last = slow[-1]
        figures = (
            f" (that file: {last.latency_of_float16:.2f} of float16's latency, agreement "
            f"{amount(last.agreement, 'share')}, mean difference "
            f"{amount(last.mean_difference, 'probability')})"
        )
    return (
        "Nothing more was tried, because with more of the first blocks in float16 a file takes "
        f"more than {limit:.2f} of float16's latency{figures}. Where the chosen file is not near "
        "enough, ship float16 itself: pipeline export --quantize float16."
    )
