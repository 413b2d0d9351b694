"""Kill a process while it fills the cache of pixels, and let another go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.contract.files import UNFINISHED
from pipeline.contract.run import RunDir

_DRIVER = """
import json, os, signal, sys
from pathlib import Path
from tests.training.shard_trials import Trials

trials, decoded = Trials(Path(sys.argv[1])), []

def report(event):
    if event.task == "decode images":
        decoded.append(event.done)
    if event.done == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

same = bool((trials.cache(report)[:] == trials.decoded).all())
print(json.dumps([decoded, same]))
"""


def fill(folder: Path, killed_at: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _DRIVER, str(folder), str(killed_at)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_whole_shards_outlive_sigkill_and_half_ones_are_cleared(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    state = tmp_path / "state"
    assert fill(tmp_path, 18).returncode == -signal.SIGKILL
    whole = [file for file in state.iterdir() if not file.name.startswith(UNFINISHED)]
    assert len(whole) == 3
    assert len(list(state.iterdir())) == 4
    with run.lock():
        assert sorted(state.iterdir()) == sorted(whole)
    resumed = fill(tmp_path, 0)
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout) == [list(range(16, 43)), True]
    assert len(list(state.iterdir())) == 9
