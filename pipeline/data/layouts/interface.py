"""Say what a layout is: how a folder of images says which class each belongs to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

from pipeline.contract.labels import Labels
from pipeline.data.intake import Intake


@dataclass(frozen=True)
class LayoutOptions:
    """Hold what only some layouts take; None is not given.

    Attributes:
        isic_table: ISIC 2019 ground truth that divides HAM10000's akiec into AK and SCC.
        partial: the images are to be answered, not trained on: every layout accepts that some of
            the given labels have no image.
    """

    isic_table: Path | None = None
    partial: bool = False

    def given(self) -> tuple[str, ...]:
        """Return the names of the options that only some layouts take, where given."""
        own = (f.name for f in fields(self) if f.default is None)
        return tuple(name for name in own if getattr(self, name) is not None)


@dataclass(frozen=True)
class Layout:
    """Describe one layout.

    Attributes:
        name: the name of its file, of `--layout` and in the dataset manifest.
        looked_for: what marks a folder of this layout, in words.
        detect: tells whether a folder (resolved) is laid out like this, without opening an image.
            Raises BadInput where it looks like it but is something else.
        read: takes (folder, label order or None, options) and returns every image with label and
            group; opens no image. Raises BadInput where the folder as a whole cannot be read.
        options: the names of the LayoutOptions it takes.
    """

    name: str
    looked_for: str
    detect: Callable[[Path], bool]
    read: Callable[[Path, Labels | None, LayoutOptions], Intake]
    options: tuple[str, ...] = ()
