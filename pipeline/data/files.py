"""List the image files of a source folder without leaving it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.contract.dataset import Finding
from pipeline.contract.files import resolved
from pipeline.contract.printable import printable_name
from pipeline.data.intake import EXAMPLES, ProblemBook
from pipeline.errors import BadInput, reason_of
from pipeline.imaging.decode import IMAGE_SUFFIXES

_CLUTTER = frozenset({"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini", ".Spotlight-V100"})


@dataclass
class Tree:
    """Look at the files under `root` (resolved), noting what leads out of it or is no image.

    `ignored` lists paths; `refused` holds the names, without suffix, of files in the book.
    """

    root: Path
    book: ProblemBook = field(default_factory=ProblemBook)
    ignored: list[str] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)

    def images(self, folder: Path, *, deep: bool) -> list[str]:
        """Return the image files in `folder`, as sorted paths under the root.

        Args:
            folder: a folder under the root.
            deep: look into its subfolders too.
        """
        return sorted(self._list(folder, deep))

    def inside(self, path: Path) -> bool:
        """Tell whether a path stays under the root when links are followed."""
        return resolved(path).is_relative_to(self.root)

    def ignore(self, path: Path) -> None:
        """Note a file that is no part of the dataset, or every file of such a folder."""
        files = sorted(one for one in path.rglob("*") if not one.is_dir()) if path.is_dir() else []
        self.ignored += [_printable(self.name(one)) for one in files or [path]]

    def name(self, path: Path) -> str:
        """Return a path as it is written under the root, with forward slashes."""
        return path.relative_to(self.root).as_posix()

    def findings(self) -> tuple[Finding, ...]:
        """Return the files that were left alone, if any."""
        if not self.ignored:
            return ()
        return (
            Finding(
                kind="ignored_file",
                message="files that are no JPEG, PNG, WebP, BMP or TIFF, or are hidden, are "
                "not part of the dataset",
                count=len(self.ignored),
                examples=tuple(sorted(self.ignored)[:EXAMPLES]),
            ),
        )

    def _list(self, folder: Path, deep: bool) -> Iterator[str]:
        for entry in self._entries(folder):
            name = self.name(entry)
            if entry.is_symlink() and not self.inside(entry):
                self.book.add("symlink_outside", "lead out of the folder by a link", name)
                self.refused.add(entry.stem)
            elif is_clutter(entry):
                self.ignore(entry)
            elif entry.is_dir():
                # A link to a folder inside the tree is not followed: its images are read where
                # they are.
                if deep and not entry.is_symlink():
                    yield from self._list(entry, deep)
            elif not is_image_name(entry):
                self.ignored.append(_printable(name))
            elif not _is_utf8(name):
                self.book.add("name_not_utf8", "have a name that is not UTF-8", _printable(name))
            else:
                yield name

    def _entries(self, folder: Path) -> list[Path]:
        try:
            return sorted(folder.iterdir())
        except OSError as error:
            raise BadInput(
                "cannot list a folder", where=str(folder), got=reason_of(error)
            ) from error


def _printable(name: str) -> str:
    return printable_name(os.fsencode(name).decode("utf-8", errors="replace"))


def _is_utf8(name: str) -> bool:
    return os.fsencode(name).decode("utf-8", errors="replace") == name


def is_clutter(path: Path) -> bool:
    """Tell whether a file or folder is what a desktop leaves everywhere, such as `__MACOSX`."""
    return path.name in _CLUTTER or path.name.startswith("._")


def is_image_name(path: Path) -> bool:
    """Tell whether a name is that of an image file the pipeline reads, not hidden."""
    return not path.name.startswith(".") and path.suffix.lower() in IMAGE_SUFFIXES


def subfolders(root: Path) -> list[Path]:
    """Return the folders directly in `root` that are not hidden, by name."""
    return sorted(
        p for p in root.iterdir() if p.is_dir() and not p.name.startswith(".") and not is_clutter(p)
    )
