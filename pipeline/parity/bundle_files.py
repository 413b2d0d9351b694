"""Check the files of a bundle against its manifest: all of them, unchanged, and nothing else."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.contract.bundle import (
    GOLDENS_FILE,
    LABELS_FILE,
    MANIFEST_FILE,
    MEASURED_FILE,
    MODEL_FILE,
    RECIPE_FILE,
    SIGNATURE_FILES,
    VERDICT_FILE,
)
from pipeline.contract.hashing import sha256_file
from pipeline.contract.manifest import BundleManifest
from pipeline.contract.verdict import Check, Gate
from pipeline.errors import BadInput, reason_of
from pipeline.parity.comparison import expect

# The manifest cannot list itself, a signature is made of what is there, and what was measured
# differs each time.
_UNLISTED = frozenset({MANIFEST_FILE, MEASURED_FILE, *SIGNATURE_FILES})
# Without one of these there is nothing to prove.
_NEEDED = (GOLDENS_FILE, LABELS_FILE, MODEL_FILE, RECIPE_FILE)
_MAX_FILES = 10_000


@dataclass(frozen=True)
class Found:
    """Hold what is in a folder, as names inside it: plain files, and anything but files.

    An empty folder is among the files, with a slash at its end: no manifest lists one.
    """

    files: tuple[str, ...]
    special: tuple[str, ...]


def files_in(folder: Path) -> Found:
    """List a folder without following a link.

    Raises:
        BadInput: there are more files than any bundle has, or the folder cannot be read.
    """
    files: list[str] = []
    special: list[str] = []
    waiting = [folder]
    while waiting:
        try:
            inside = waiting.pop()
            paths = sorted(inside.iterdir())
            if not paths and inside != folder:
                files.append(f"{inside.relative_to(folder).as_posix()}/")
            for path in paths:
                name, mode = path.relative_to(folder).as_posix(), path.lstat().st_mode
                if stat.S_ISDIR(mode):
                    waiting.append(path)
                else:
                    (files if stat.S_ISREG(mode) else special).append(name)
        except OSError as error:
            raise BadInput(
                "cannot read the bundle", where=str(folder), got=reason_of(error)
            ) from error
        if len(files) + len(special) > _MAX_FILES:
            raise BadInput(
                "this folder is not a bundle",
                where=str(folder),
                got=f"more than {_MAX_FILES} files",
            )
    return Found(tuple(sorted(files)), tuple(sorted(special)))


def release_check(manifest: BundleManifest) -> Check:
    """Check that the manifest lists the verdict, as earlier releases did not."""
    return expect("release", Gate.bundle, True, VERDICT_FILE in manifest.files)


def file_checks(folder: Path, manifest: BundleManifest, found: Found) -> Iterator[Check]:
    """Check names, kinds, presence and content of the files; each expects an empty list.

    Whoever takes these one by one and stops at the first that fails never follows a link and
    never leaves the folder.
    """
    outside = sorted(name for name in manifest.files if not is_plain_name(name))
    yield expect("file_names", Gate.bundle, [], [*outside])
    yield expect("special_files", Gate.bundle, [], [*found.special])
    wanted = {*manifest.files, MANIFEST_FILE, *_NEEDED}
    yield expect("missing_files", Gate.bundle, [], sorted(wanted - {*found.files}))
    unlisted = {*found.files} - {*manifest.files} - _UNLISTED
    yield expect("unlisted_files", Gate.bundle, [], sorted(unlisted))
    unneeded = sorted(name for name in _NEEDED if name not in manifest.files)
    yield expect("needed_files", Gate.bundle, [], [*unneeded])
    changed = sorted(name for name in manifest.files if _is_changed(folder, name, manifest))
    yield expect("changed_files", Gate.bundle, [], [*changed])


def is_plain_name(name: str) -> bool:
    """Tell whether a name is that of a file inside the bundle, on any system."""
    pure = PurePosixPath(name)
    return (
        bool(name)
        and pure.as_posix() == name
        and not pure.is_absolute()
        and not {"..", "."} & {*pure.parts}
        and not any(character in name for character in '\\:*?"<>|')
        and name.isprintable()
        and name not in _UNLISTED
    )


def _is_changed(folder: Path, name: str, manifest: BundleManifest) -> bool:
    path, entry = folder / name, manifest.files[name]
    return path.stat().st_size != entry.size_bytes or sha256_file(path) != entry.sha256
