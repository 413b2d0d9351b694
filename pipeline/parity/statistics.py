"""Bound shares and compare paired answers."""

from __future__ import annotations

from pipeline.metrics import wilson_95 as wilson_95


def mcnemar_exact(lost: int, gained: int) -> float:
    """Return the two-sided p-value of `lost` against `gained` paired changes, 0 to 1.

    Under the hypothesis that reference and candidate are equally good, each image on which only
    one of them is right is a fair coin.

    Source: McNemar 1947, Psychometrika 12(2); exact binomial form.
    """
    total, tail, term = lost + gained, 0, 1
    for k in range(min(lost, gained) + 1):
        tail += term
        term = term * (total - k) // (k + 1)
    return min(1.0, 2 * tail / (1 << total))
