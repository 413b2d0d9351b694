"""Makes folders from inputs, and leaves a folder alone while its inputs are the same."""

import hashlib
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from checks.project import BUILD


def digest(sources: Iterable[Path], *words: object) -> str:
    """Return a hash of the words and of what the sources are and contain.

    A folder made here counts with its own key, a download with its name, which has its version.
    """
    parts = [str(word) for word in words]
    for source in sources:
        if (key := _key_file(source)).is_file():
            content = key.read_text()
        elif source.is_file() and source.suffix != ".jar":
            content = hashlib.sha256(source.read_bytes()).hexdigest()
        else:
            content = ""
        parts.append(f"{source} {content}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def folder(target: Path, key: str, make: Callable[[Path], None]) -> Path:
    """Make a folder unless it was made with the same key; it appears whole or not at all."""
    if is_current(target, key):
        return target
    key_file = _key_file(target)
    temporary = target.with_name(f"{target.name}.new")
    for old in (temporary, target):
        if old.exists():
            shutil.rmtree(old)
    key_file.unlink(missing_ok=True)
    temporary.mkdir(parents=True)
    make(temporary)
    temporary.rename(target)
    key_file.write_text(key)
    return target


def is_current(target: Path, key: str) -> bool:
    """Tell whether a folder was made with a key."""
    key_file = _key_file(target)
    return target.is_dir() and key_file.is_file() and key_file.read_text() == key


def copy(source: Path, target: Path) -> None:
    """Replace a folder by a copy of another."""
    if target.exists():
        shutil.rmtree(target)
    shutil.copytree(source, target)


def _key_file(target: Path) -> Path:
    return target.with_name(f"{target.name}.key") if target.is_relative_to(BUILD) else target / "?"
