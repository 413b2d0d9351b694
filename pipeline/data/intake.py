"""Hold what a layout reader found: images with labels and groups, and what is wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.contract.dataset import Finding
from pipeline.contract.labels import ISIC_2019, Labels
from pipeline.data.choices import OnBad
from pipeline.errors import BadInput

EXAMPLES = 5


@dataclass(frozen=True)
class Item:
    """Name one image: its path under the source folder, label, group and where it came from."""

    path: str
    label: str
    group: str
    source: str


@dataclass(frozen=True)
class Problem:
    """Say why some images cannot be used; `images` names every one of them."""

    kind: str
    message: str
    images: tuple[str, ...]
    next_step: str = ""

    def finding(self) -> Finding:
        """Return the problem as a finding, with the first few images."""
        return Finding(
            kind=self.kind,
            message=f"{self.message}: {len(self.images)} left out",
            count=len(self.images),
            examples=self.images[:EXAMPLES],
        )


@dataclass(frozen=True)
class Intake:
    """Hold one source folder as its layout describes it, sorted by path."""

    layout: str
    labels: Labels
    items: tuple[Item, ...]
    problems: tuple[Problem, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass
class ProblemBook:
    """Collect problems by kind, so that each kind is reported once with its count."""

    _images: dict[str, list[str]] = field(default_factory=dict)
    _words: dict[str, tuple[str, str]] = field(default_factory=dict)

    def add(self, kind: str, message: str, image: str, next_step: str = "") -> None:
        """Record that `image` has this problem."""
        self._images.setdefault(kind, []).append(image)
        self._words.setdefault(kind, (message, next_step))

    def problems(self) -> tuple[Problem, ...]:
        """Return one problem a kind, the images in order of name."""
        return tuple(
            Problem(kind, self._words[kind][0], tuple(sorted(images)), self._words[kind][1])
            for kind, images in sorted(self._images.items())
        )


def settle(problems: tuple[Problem, ...], on_bad: OnBad, where: Path) -> tuple[Finding, ...]:
    """Refuse the problems, or return them as findings when bad images are to be left out.

    Raises:
        BadInput: there are problems and `on_bad` is `fail`; names each kind, how many images it
            has, and the first five.
    """
    if on_bad is OnBad.skip or not problems:
        return tuple(problem.finding() for problem in problems)
    lines = []
    for problem in problems:
        shown = ", ".join(problem.images[:EXAMPLES])
        more = len(problem.images) - EXAMPLES
        lines.append(
            f"{len(problem.images)} {problem.message}: {shown}"
            + (f" and {more} more" if more > 0 else "")
        )
    advice = [problem.next_step for problem in problems if problem.next_step]
    bad = {image for problem in problems for image in problem.images}
    raise BadInput(
        f"{len(bad)} images cannot be used",
        where=str(where),
        got="; ".join(lines),
        next_step="; ".join(
            [*advice, "repair or remove them, or leave them out with --on-bad skip"]
        ),
    )


def labels_of(names: set[str]) -> Labels:
    """Order class names: the ISIC 2019 order when all 8 are there, otherwise sorted.

    Names of ISIC 2019 keep their full names and MEL stays critical.

    Raises:
        ValueError: fewer than two names, or one that is no plain word.
    """
    if names == set(ISIC_2019.names):
        return ISIC_2019
    if not names <= set(ISIC_2019.names):
        return Labels(names=tuple(sorted(names)))
    return Labels(
        names=tuple(sorted(names)),
        critical=tuple(name for name in ISIC_2019.critical if name in names),
        full_names={name: ISIC_2019.full_names[name] for name in sorted(names)},
    )


def source_of(path: str) -> str:
    """Return the letters a file name begins with, which often tell where it came from."""
    name = path.rpartition("/")[2]
    match = re.match(r"[^0-9.]*", name)
    return match.group() if match else ""
