"""Name the choices a user has when preparing a dataset."""

from __future__ import annotations

from enum import StrEnum


class Layout(StrEnum):
    """Name how a folder of images says which class each belongs to."""

    auto = "auto"
    folder = "folder"
    isic2019 = "isic2019"
    ham10000 = "ham10000"


class OnBad(StrEnum):
    """Name what happens to images that cannot be used: refuse the dataset, or leave them out."""

    fail = "fail"
    skip = "skip"
