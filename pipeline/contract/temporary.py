"""Make temporary folders that do not outlive who made them, even where that was killed.

A folder is locked by the process that made it for as long as it lives. The lock of a dead one is
free, so the next process that makes a folder removes those of the dead.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "pipeline-tmp-"
# Until its owner has locked it: a lock that is still free would be taken for that of a dead one.
_NEW_PREFIX = "pipeline-new-"
_OWNER = ".owner"
# Longer than any process takes from making a folder to locking it.
_NEW_S = 60.0


@contextmanager
def temporary_folder(name: str) -> Iterator[Path]:
    """Yield an empty folder in the system's temporary folder, removed at the end.

    Raises:
        OSError: there is no room, or no right.
    """
    parent = Path(tempfile.gettempdir())
    _remove_orphans(parent)
    new = Path(tempfile.mkdtemp(prefix=f"{_NEW_PREFIX}{name}-", dir=parent))
    folder = new.with_name(new.name.replace(_NEW_PREFIX, _PREFIX, 1))
    handle = os.open(new / _OWNER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        new.rename(folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def _remove_orphans(parent: Path) -> None:
    for folder in [*parent.glob(f"{_PREFIX}*"), *parent.glob(f"{_NEW_PREFIX}*")]:
        try:
            state = folder.lstat()
            if folder.is_symlink() or not folder.is_dir() or state.st_uid != os.getuid():
                continue
            if folder.name.startswith(_NEW_PREFIX) and time.time() - state.st_mtime < _NEW_S:
                continue
            if _is_orphan(folder, state.st_mtime):
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            # Another process removed it first.
            continue


def _is_orphan(folder: Path, changed_s: float) -> bool:
    try:
        handle = os.open(folder / _OWNER, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        # Only an empty one: what else is called like this is not ours to remove.
        return time.time() - changed_s > _NEW_S and not any(folder.iterdir())
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True
