"""Name the choices a user has when preparing a dataset."""

from __future__ import annotations

from enum import StrEnum


class OnBad(StrEnum):
    """Name what happens to images that cannot be used: refuse the dataset, or leave them out."""

    fail = "fail"
    skip = "skip"
