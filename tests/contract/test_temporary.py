"""Make temporary folders that nobody takes for a dead process's, and sweep those of the dead."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.contract.temporary import temporary_folder

ROOT = Path(__file__).resolve().parents[2]
_MANY = """
import sys
from pipeline.contract.temporary import temporary_folder
for number in range(150):
    with temporary_folder("many") as folder:
        (folder / "mine").write_text("here")
        assert (folder / "mine").read_text() == "here"
"""


@pytest.fixture(autouse=True)
def own_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_folder_is_gone_at_the_end(tmp_path: Path) -> None:
    with temporary_folder("one") as folder:
        assert folder.parent == tmp_path
        (folder / "file").write_text("x", encoding="utf-8")
    assert list(tmp_path.iterdir()) == []


def test_processes_that_make_folders_at_once_leave_each_other_alone(tmp_path: Path) -> None:
    def run(_: int) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-c", _MANY],
            env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=False,
        )

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(run, range(4)))
    assert [one.stderr for one in done] == [b""] * 4
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_dead_process_is_removed_and_one_just_made_is_not(tmp_path: Path) -> None:
    dead = tmp_path / "pipeline-tmp-child-dead"
    just_made, left_new = tmp_path / "pipeline-new-a", tmp_path / "pipeline-new-b"
    for folder in (dead, just_made, left_new):
        folder.mkdir()
        (folder / ".owner").touch()
    long_ago = time.time() - 3600
    os.utime(left_new, (long_ago, long_ago))
    with temporary_folder("next"):
        assert not dead.exists()
        assert not left_new.exists()
        assert just_made.exists()
