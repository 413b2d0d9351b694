"""Kill a command at random moments, run it again, and get what an undisturbed run gets."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.hostile.warm import ROOT

_SEED = 15
_MOMENTS = 20
_SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
# What differs each time: measured latencies and the report that shows them, logs, what a scan saw
# of the file system, and figures that TensorFlow's threads sum in another order.
_COMPARED = {
    "prepare": ("data/dataset.json",),
    "train": ("train/model.keras",),
    "export": ("bundles/float16/model.tflite", "bundles/float16/manifest.json"),
    "record": ("recordings/*.npz",),
    "run": ("data/dataset.json", "train/model.keras", "bundles/float16/model.tflite"),
}


@dataclass(frozen=True)
class Command:
    """Hold a command line, and the run folder as it is before."""

    words: tuple[str, ...]
    before: Path


def run(words: tuple[str, ...], folder: Path) -> subprocess.Popen[bytes]:
    env = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "TMPDIR": str(folder / "tmp"),
        # One thread, so that sums of floats come in one order.
        "OMP_NUM_THREADS": "1",
        "TF_NUM_INTRAOP_THREADS": "1",
        "TF_NUM_INTEROP_THREADS": "1",
    }
    (folder / "tmp").mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", *words],
        cwd=folder,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def finish(words: tuple[str, ...], folder: Path) -> float:
    began = time.monotonic()
    process = run(words, folder)
    _, said = process.communicate(timeout=600)
    # A tiny model on a few images may fail its gate; it is made and judged all the same.
    assert process.returncode in (0, 1, 4), said.decode()
    return time.monotonic() - began


def result(folder: Path, patterns: tuple[str, ...]) -> dict[str, str]:
    """Return the hashes of what a command made, wherever its bundle ended up."""
    found = {}
    for pattern in patterns:
        places = (pattern, pattern.replace("bundles/", "rejected/"))
        for path in {file for place in places for file in (folder / "run").glob(place)}:
            found[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    assert len(found) >= len(patterns), f"{patterns} of {folder} made {sorted(found)}"
    return found


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Command]:
    """Run every stage once, keeping the folder as it was before each."""
    folder = tmp_path_factory.mktemp("stages")
    synthesize = ("data", "synthesize", "images", "--per-class", "12", "--size-px", "32")
    finish(synthesize, folder)
    config = (
        'run_dir = "run"\n[data]\nsource = "images"\n'
        '[train]\nweights = "none"\nsize_px = 32\nwidth = 0.35\nepochs = 2\n'
        '[export]\nquantize = ["float16"]\n[parity]\naccept_weak_reference = true\n'
    )
    (folder / "pipeline.toml").write_text(config, encoding="utf-8")
    words = {
        "prepare": ("data", "prepare", "images", "--run-dir", "run"),
        "train": (
            *("train", "--weights", "none", "--size-px", "32", "--width", "0.35"),
            *("--epochs", "2", "--run-dir", "run"),
        ),
        "record": ("record", "--runtime", "keras", "--run-dir", "run"),
        "export": (
            *("export", "--quantize", "float16", "--accept-weak-reference"),
            *("--run-dir", "run"),
        ),
        "run": ("run", "pipeline.toml"),
    }
    made = {}
    for name, line in words.items():
        before = folder.with_name(f"{folder.name}-before-{name}")
        shutil.copytree(folder, before)
        if name == "run":
            shutil.rmtree(before / "run")
        else:
            finish(line, folder)
        made[name] = Command(line, before)
    return made


def _moments() -> list[int]:
    return list(range(int(os.environ.get("PIPELINE_KILLS", _MOMENTS))))


@pytest.mark.slow
@pytest.mark.hostile
@pytest.mark.parametrize("stage", list(_COMPARED))
def test_a_killed_command_comes_to_the_same_when_it_is_run_again(
    stages: dict[str, Command], tmp_path: Path, stage: str
) -> None:
    command, chance = stages[stage], random.Random(f"{_SEED} {stage}")
    # The dataset names its folder, so every trial is in the same place.
    folder = tmp_path / "trial"
    shutil.copytree(command.before, folder)
    needed_s = finish(command.words, folder)
    expected = result(folder, _COMPARED[stage])
    shutil.rmtree(folder)
    for moment in _moments():
        shutil.copytree(command.before, folder)
        delay_s, number = chance.uniform(0.05, needed_s), _SIGNALS[moment % len(_SIGNALS)]
        process = run(command.words, folder)
        time.sleep(delay_s)
        process.send_signal(number)
        process.communicate(timeout=60)
        assert process.returncode in (0, 1, 4, -signal.SIGKILL, 128 + number, -number), number
        finish(command.words, folder)
        where = f"{number.name} after {delay_s:.2f} s"
        assert result(folder, _COMPARED[stage]) == expected, where
        left = [p for p in (folder / "tmp").iterdir() if p.is_dir()]
        assert left == [], f"{where}: {left}"
        unfinished = [p for p in folder.rglob("*") if p.name.startswith((".tmp-", ".staging-"))]
        assert unfinished == [], where
        shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.hostile
def test_two_trainings_in_two_processes_give_the_same_bytes(
    stages: dict[str, Command], tmp_path: Path
) -> None:
    hashes = []
    for name in ("first", "second"):
        shutil.copytree(stages["train"].before, tmp_path / name)
        finish(stages["train"].words, tmp_path / name)
        hashes.append(result(tmp_path / name, _COMPARED["train"]))
        manifest = json.loads((tmp_path / name / "run/train/manifest.json").read_text())
        hashes[-1]["inputs"] = manifest["training"]["inputs_sha256"]
    assert hashes[0] == hashes[1]
