"""Judge from evidence whether a candidate moves no more than its reference's own noise."""

from __future__ import annotations

from pipeline.contract.verdict import Check

# The kind of the rule by which such a check passes.
OWN_NOISE_ACCEPTED = "own_noise_accepted"


def is_within_own_noise(check: Check) -> bool:
    """Tell from a check's evidence whether its candidate moves no more than noise would.

    The reference itself must miss the check's limit under that noise: a candidate that breaks a
    steady reference has no excuse. Then the candidate must agree on as many images as the
    reference does with itself, and be no further from it on average.
    """
    data = check.evidence.get("own_noise")
    if check.name != "top1_agreement" or check.threshold is None or not isinstance(data, dict):
        return False
    numbers = [data.get(key) for key in ("n", "reference_agreed", "candidate_agreed")]
    counts = [one for one in numbers if isinstance(one, int) and not isinstance(one, bool)]
    before, after = (data.get(f"{side}_mean_difference") for side in ("reference", "candidate"))
    if len(counts) < len(numbers) or not isinstance(before, float) or not isinstance(after, float):
        return False
    n, reference, candidate = counts
    fragile = n > 0 and reference / n < check.threshold
    return fragile and candidate >= reference and after <= before
