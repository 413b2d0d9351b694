"""Simulate how often the verdicts of the task gate are wrong, and write it into docs/statistics.md.

Usage: uv run python -m benchmarks.error_rates [--draws N] [--print]

Each row draws many validation sets from a reference and a candidate whose true difference is known,
and judges each as `parity` does. Seeded: the same command writes the same table.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.contract.files import write_text_atomic
from pipeline.parity.non_inferiority import images_if_equal
from pipeline.parity.paired import (
    Z_ALPHA,
    Counts,
    Floats,
    balanced_difference_95,
    score_interval_95,
)
from pipeline.parity.statistics import mcnemar_exact
from pipeline.parity.thresholds import Thresholds

PAGE = Path(__file__).parents[1] / "docs" / "statistics.md"
START, END = "<!-- benchmarks.error_rates -->", "<!-- end -->"
LIMITS = Thresholds()
# Fewer than `parity` draws: its 10,000 would take an hour, and hardly move a bound.
RESAMPLES = 1000
_ROUNDING = 1e-12

Flags = npt.NDArray[np.bool_]


def drawn(
    random: np.random.Generator, images: int, drop: float, discordant: float, draws: int
) -> tuple[Counts, Counts]:
    """Draw sets of `images`, return the images lost and gained in each, int64 (draws,).

    Raises:
        ValueError: a drop cannot be larger than the discordant share.
    """
    if discordant < abs(drop):
        raise ValueError(f"a drop of {drop} needs more than {discordant} discordant images")
    lost, gained = (discordant + drop) / 2, (discordant - drop) / 2
    counts = random.multinomial(images, [lost, gained, 1 - lost - gained], draws)
    return counts[:, 0], counts[:, 1]


def strict(lost: Counts, gained: Counts, images: int, margin: float) -> tuple[Flags, Flags]:
    """Return for each set whether `--strict` passes it, and whether it fails it."""
    tables, which = _distinct(lost, gained)
    low, high = score_interval_95(*tables, np.array(images))
    return (low >= -margin - _ROUNDING)[which], (high < -margin - _ROUNDING)[which]


def _distinct(lost: Counts, gained: Counts) -> tuple[Counts, Counts]:
    """Return the distinct pairs of counts, (2, tables), and which of them each set has."""
    tables, which = np.unique(np.stack([lost, gained]), axis=1, return_inverse=True)
    return tables, which.ravel()


def recall_passes(lost: Counts, gained: Counts, images: int, margin: float) -> Flags:
    """Return for each set whether the estimate of a critical recall passes."""
    return np.asarray((lost - gained) / images <= max(margin, 1 / images))


def accuracy_passes(lost: Counts, gained: Counts, images: int, margin: float) -> Flags:
    """Return for each set whether the estimate of an accuracy passes, as a lucky gain does."""
    within = np.abs(lost - gained) / images <= max(margin, 1 / images)
    tables, which = _distinct(lost, gained)
    lucky = np.array([bool(g > k and mcnemar_exact(int(k), int(g)) >= 0.05) for k, g in tables.T])
    return np.asarray(within | lucky[which])


def newcombe_95(both: Counts, lost: Counts, gained: Counts, images: int) -> tuple[Floats, Floats]:
    """Return the bounds of method 10 for the difference candidate minus reference.

    Source: Newcombe 1998, Improved confidence intervals for the difference between binomial
    proportions based on paired data, Statistics in Medicine 17(22), 2635-2650.
    """
    neither = images - both - lost - gained
    candidate, reference = both + gained, both + lost
    low_c, high_c = _wilson(candidate, images)
    low_r, high_r = _wilson(reference, images)
    p, q = candidate / images, reference / images
    product = 1.0 * candidate * (images - candidate) * reference * (images - reference)
    cross = 1.0 * both * neither - 1.0 * lost * gained
    corrected = np.where(cross > 0, np.maximum(cross - images / 2, 0), cross)
    phi = np.where(product > 0, corrected / np.sqrt(np.maximum(product, 1)), 0)

    def half(a: Floats, b: Floats) -> Floats:
        return np.asarray(np.sqrt(np.maximum(a**2 - 2 * phi * a * b + b**2, 0)))

    return p - q - half(p - low_c, high_r - q), p - q + half(high_c - p, q - low_r)


def _wilson(hits: Counts, images: int) -> tuple[Floats, Floats]:
    share, z2 = hits / images, Z_ALPHA**2
    centre = (share + z2 / (2 * images)) / (1 + z2 / images)
    half = (
        Z_ALPHA / (1 + z2 / images) * np.sqrt(share * (1 - share) / images + z2 / (2 * images) ** 2)
    )
    return centre - half, centre + half


def share_rows(
    margin: float,
    sizes: Sequence[int],
    discordants: Sequence[float],
    passes: Callable[[Counts, Counts, int, float], Flags],
    draws: int,
) -> Iterator[list[str]]:
    """Simulate a check of one share, a row for each size and discordant share."""
    random = np.random.default_rng(0)
    for images in sizes:
        for discordant in discordants:
            lost, gained = drawn(random, images, margin, discordant, draws)
            both = random.binomial(images - lost - gained, 0.6 / (1 - discordant))
            low, _ = newcombe_95(both, lost, gained, images)
            at_margin = [
                passes(lost, gained, images, margin),
                strict(lost, gained, images, margin)[0],
                low >= -margin - _ROUNDING,
            ]
            lost, gained = drawn(random, images, 0.0, discordant, draws)
            passed, failed = strict(lost, gained, images, margin)
            equal = [~passes(lost, gained, images, margin), failed, passed]
            needed = images_if_equal(discordant, margin)
            yield [
                f"{images:,}",
                f"{discordant:.0%}",
                *(percent(flags) for flags in (*at_margin, *equal)),
                "-" if needed is None else f"{needed:,}",
            ]


def balanced_rows(draws: int) -> Iterator[list[str]]:
    """Simulate the check of the balanced accuracy for several sizes of classes."""
    random = np.random.default_rng(1)
    margin = LIMITS.balanced_accuracy_tolerance
    for sizes in (
        (20, 200, 200),
        (58, 100, 220),
        (20, 30, 40, 50, 60, 80, 120, 300),
        (500, 500, 500),
    ):
        for where in ("the rarest", "all alike"):
            for more in (0.0, 0.04):
                drops = np.full(len(sizes), margin)
                if where == "the rarest":
                    drops = np.zeros(len(sizes))
                    drops[0] = margin * len(sizes)
                worse = _Balanced(random, sizes, drops, drops + more, margin, draws)
                none, some = np.zeros(len(sizes)), np.full(len(sizes), margin + more)
                equal = _Balanced(random, sizes, none, some, margin, draws)
                yield [
                    " ".join(map(str, sizes)),
                    where,
                    f"{drops.mean() + more:.0%}",
                    percent(worse.within),
                    percent(worse.passed),
                    percent(worse.plainly(random)),
                    percent(~equal.within),
                    percent(equal.failed),
                    percent(equal.passed),
                ]


class _Balanced:
    """Simulate sets of images of several classes, and judge their balanced accuracy."""

    def __init__(
        self,
        random: np.random.Generator,
        sizes: Sequence[int],
        drops: Floats,
        discordants: Floats,
        margin: float,
        draws: int,
    ) -> None:
        columns = [
            drawn(random, n, drop, discordant, draws)
            for n, drop, discordant in zip(sizes, drops, discordants, strict=True)
        ]
        self.images, self.limit = np.array(sizes, np.int64), -margin - _ROUNDING
        self.lost, self.gained = (np.stack(side, axis=1) for side in zip(*columns, strict=True))
        bounds = np.array(
            [
                balanced_difference_95(self.images, k, g, resamples=RESAMPLES)
                for k, g in zip(self.lost, self.gained, strict=True)
            ]
        )
        self.passed, self.failed = bounds[:, 0] >= self.limit, bounds[:, 1] < self.limit
        allowed = max(margin, 1 / (len(sizes) * min(sizes)))
        difference = ((self.gained - self.lost) / self.images).mean(axis=1)
        self.within = difference >= -allowed - _ROUNDING

    def plainly(self, random: np.random.Generator) -> Flags:
        """Return for each set whether a bootstrap without added images would pass it."""
        passed = []
        for lost, gained in zip(self.lost, self.gained, strict=True):
            kinds = np.stack([lost, gained, self.images - lost - gained], axis=1)
            shares = kinds / self.images[:, None]
            again = random.multinomial(self.images, shares, (RESAMPLES, len(self.images)))
            means = ((again[:, :, 1] - again[:, :, 0]) / self.images).mean(axis=1)
            passed.append(np.quantile(means, 0.025) >= self.limit)
        return np.array(passed)


def several_rows(draws: int) -> Iterator[list[str]]:
    """Simulate verdicts on several critical classes, of which each must pass."""
    random = np.random.default_rng(2)
    margin, images, discordant = 0.05, 500, 0.06
    for classes in (1, 2, 4, 8):
        judged = []
        for worse in (1, classes, 0):
            outcomes = [
                strict(
                    *drawn(random, images, margin if k < worse else 0.0, discordant, draws),
                    images,
                    margin,
                )
                for k in range(classes)
            ]
            judged.append(
                (
                    np.all([passed for passed, _ in outcomes], axis=0),
                    np.any([failed for _, failed in outcomes], axis=0),
                )
            )
        one, every, equal = judged
        yield [str(classes), percent(one[0]), percent(every[0]), percent(equal[1])]


def percent(flags: Flags) -> str:
    """Return the share of true values in percent."""
    return f"{100 * flags.mean():.1f}"


def table(columns: Sequence[str], rows: Iterator[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [columns, ["---"] + ["--:"] * (len(columns) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


_SHARE_COLUMNS = (
    *("images", "discordant", "at the margin: default passes", "strict passes"),
    *("Newcombe would pass", "equal: default fails", "strict fails", "strict passes"),
    "images that decide",
)


def simulated(draws: int) -> str:
    """Return every table, in percent of `draws` simulated validation sets."""
    accuracy, recall = LIMITS.accuracy_tolerance, 0.05
    few = max(100, draws // 10)
    return "\n\n".join(
        [
            f"Accuracy, margin {accuracy:.0%}, {draws:,} sets a row:",
            table(
                _SHARE_COLUMNS,
                share_rows(
                    accuracy,
                    (100, 378, 1000, 3000, 10_000),
                    (0.01, 0.02, 0.05, 0.1),
                    accuracy_passes,
                    draws,
                ),
            ),
            f"Recall of a critical class, margin {recall:.0%} (`--critical-tolerance {recall}`), "
            f"{draws:,} sets a row:",
            table(
                _SHARE_COLUMNS,
                share_rows(recall, (20, 58, 200, 1000), (0.05, 0.1, 0.2), recall_passes, draws),
            ),
            f"Balanced accuracy, margin {LIMITS.balanced_accuracy_tolerance:.0%}, {few:,} sets a "
            f"row, {RESAMPLES:,} resamples:",
            table(
                (
                    *("images of the classes", "who loses", "discordant, mean"),
                    *("at the margin: default passes", "strict passes"),
                    "a plain bootstrap would pass",
                    *("equal: default fails", "strict fails", "strict passes"),
                ),
                balanced_rows(few),
            ),
            f"Verdicts on several critical classes of 500 images, margin 5%, 6% discordant, "
            f"{draws:,} verdicts a row, strict:",
            table(
                (
                    *("critical classes", "one at the margin: passes", "all at it: passes"),
                    "all equal: fails",
                ),
                several_rows(draws),
            ),
        ]
    )


def main() -> None:
    """Write the tables into the page, or print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=10_000, help="simulated sets a row")
    parser.add_argument("--print", action="store_true", help="print, and leave the page alone")
    options = parser.parse_args()
    tables = simulated(options.draws)
    if options.print:
        print(tables)
        return
    before, rest = PAGE.read_text(encoding="utf-8").split(START)
    _, after = rest.split(END)
    write_text_atomic(PAGE, f"{before}{START}\n\n{tables}\n\n{END}{after}")


if __name__ == "__main__":
    main()
