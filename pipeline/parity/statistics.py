"""Bound shares and compare paired answers."""

from __future__ import annotations

import math

# The 97.5% quantile of the standard normal distribution: two-sided 95%.
_Z_95 = 1.959963984540054


def wilson_95(hits: int, total: int) -> tuple[float, float]:
    """Return the 95% score interval of a share.

    Args:
        hits: 0 to total.
        total: at least 1.

    Source: Wilson 1927, Probable inference, the law of succession, and statistical inference,
    JASA 22(158).
    """
    share, z2 = hits / total, _Z_95**2
    scale = 1 + z2 / total
    centre = (share + z2 / (2 * total)) / scale
    half = _Z_95 / scale * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    # At both ends the bound is exact in theory and only rounding moves it.
    low = 0.0 if hits == 0 else max(0.0, centre - half)
    high = 1.0 if hits == total else min(1.0, centre + half)
    return low, high


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
