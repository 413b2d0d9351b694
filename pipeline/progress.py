"""Carry progress from a stage to whoever shows it; stages never print."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class ProgressEvent(NamedTuple):
    """State how far a task is: `done` of `total` units (`total` 0 means unknown)."""

    task: str
    done: int
    total: int = 0
    detail: str = ""


Report = Callable[[ProgressEvent], None]


def silent(event: ProgressEvent) -> None:
    """Ignore progress: the default of every stage."""


def silenced_by_failure(report: Report, failed: Callable[[Exception], None]) -> Report:
    """Return `report` such that its first failure goes to `failed`, and nothing is shown after.

    Progress is a courtesy: a closed pipe must not end the work it tells of.
    """
    broken = False

    def show(event: ProgressEvent) -> None:
        nonlocal broken
        if broken:
            return
        try:
            report(event)
        except Exception as error:
            broken = True
            failed(error)

    return show
