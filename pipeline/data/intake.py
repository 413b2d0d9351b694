"""Hold what a layout reader found: images with labels and groups, and what is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import assert_never

from pydantic import ValidationError

from pipeline.contract.base import first_problem
from pipeline.contract.dataset import Finding
from pipeline.contract.labels import ISIC_2019, Labels
from pipeline.contract.malignancy import proposed_critical
from pipeline.contract.printable import printable_name
from pipeline.data.choices import OnBad
from pipeline.errors import BadInput

EXAMPLES = 5


@dataclass(frozen=True)
class Item:
    """Name one image: its path under the source folder, label, group and where it came from.

    `label` is None where the layout knows none. `attributes` are those of `data/attributes.py`.
    """

    path: str
    label: str | None
    group: str
    source: str
    attributes: Mapping[str, str] = field(default_factory=dict)


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
        self._images.setdefault(kind, []).append(printable_name(image))
        self._words.setdefault(kind, (message, next_step))

    @property
    def count(self) -> int:
        """Return how many problems were recorded."""
        return sum(len(images) for images in self._images.values())

    def problems(self) -> tuple[Problem, ...]:
        """Return one problem a kind, the images in order of name."""
        return tuple(
            Problem(kind, self._words[kind][0], tuple(sorted(images)), self._words[kind][1])
            for kind, images in sorted(self._images.items())
        )


def refuse_or_skip(
    problems: tuple[Problem, ...], on_bad: OnBad, where: Path
) -> tuple[Finding, ...]:
    """Refuse the problems, or return them as findings when bad images are to be left out.

    Raises:
        BadInput: there are problems and `on_bad` is `fail`; names each kind, how many images it
            has, and the first five.
    """
    match on_bad:
        case OnBad.fail:
            _refuse(problems, where)
        case OnBad.skip:
            pass
        case _:
            assert_never(on_bad)
    return tuple(problem.finding() for problem in problems)


def _refuse(problems: tuple[Problem, ...], where: Path) -> None:
    if not problems:
        return
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
        f"{len(bad)} image{'' if len(bad) == 1 else 's'} cannot be used",
        where=str(where),
        got="; ".join(lines),
        next_step="; ".join(
            [*advice, "repair or remove them, or leave them out with --on-bad skip"]
        ),
    )


def require_items(items: list[Item], book: ProblemBook, where: Path) -> None:
    """Refuse a table of which no image can be used.

    Raises:
        BadInput: `items` is empty.
    """
    if not items:
        problems = book.problems()
        raise BadInput(
            "no image of the table can be used",
            where=str(where),
            got="; ".join(f"{len(p.images)} {p.message}" for p in problems) or "an empty table",
            next_step="put the images of the table beside it",
        )


def choose_labels(names: set[str], given: Labels | None, where: Path) -> Labels:
    """Order class names: as given, else as ISIC 2019 when all 8 are there, else sorted.

    Names of ISIC 2019 keep their full names. Classes that are named as known malignancies are
    critical; of ISIC 2019's, MEL alone.

    Raises:
        BadInput: a name is not among the given labels or no plain word, or there are fewer than
            two.
    """
    if given is not None:
        unknown = sorted(names - set(given.names))
        if unknown:
            raise BadInput(
                f"unknown class name {', '.join(unknown[:EXAMPLES])}",
                where=str(where),
                expected=", ".join(given.names),
                next_step="name the classes as the labels do",
            )
        return given
    if names == set(ISIC_2019.names):
        return ISIC_2019
    known = names <= set(ISIC_2019.names)
    try:
        return Labels(
            names=tuple(sorted(names)),
            critical=proposed_critical(sorted(names)),
            full_names={n: ISIC_2019.full_names[n] for n in sorted(names)} if known else {},
        )
    except ValidationError as error:
        raise BadInput(
            "the class names cannot be labels",
            where=str(where),
            expected="at least two plain words: letters, digits, space and _.+-",
            got=first_problem(error),
        ) from error


def source_of(path: str) -> str:
    """Return the letters a file name begins with, which often tell where it came from."""
    name = path.rpartition("/")[2]
    match = re.match(r"[^0-9.]*", name)
    return match.group() if match else ""
