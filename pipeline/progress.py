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
