"""Name the choices a user has when training; imports nothing, so that `--help` is fast."""

from __future__ import annotations

from enum import StrEnum


class TrainRecipe(StrEnum):
    """Name how to train: from pretrained features by the default, or the plain 128 epochs."""

    default = "default"
    seed = "seed"
