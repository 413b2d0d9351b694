"""Time `pipeline parity` beside the loop people write by hand, on the same files and images.

Usage: uv run python -m benchmarks.parity_time RUN_DIR BUNDLE [ROUNDS]

Each round runs everything once, each in a fresh process and with no recording to find, the peer
before ours. The images are the run's validation split. A time is that of the whole process,
imports and all; ours proves more than the peer does (structure, input conventions, order of the
labels, intervals, latencies). Ratios are of medians. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pipeline.contract.bundle import MODEL_FILE
from pipeline.contract.choices import Split
from pipeline.contract.dataset import DatasetManifest
from pipeline.contract.run import RunDir

PEER = Path(__file__).with_name("judge_by_hand.py")
BY_HAND = "by hand"
OURS = {
    "parity BUNDLE --data, the bundle's reference": ("--split", "validation", "--data"),
    "parity BUNDLE, Keras asked": (),
}


def command(name: str, run: RunDir, bundle: Path, empty: Path) -> list[str]:
    """Return what is timed; `empty` becomes the run folder of ours."""
    if name == BY_HAND:
        dataset: DatasetManifest = DatasetManifest.load(run.dataset)
        images = [str(dataset.file(one)) for one in dataset.of(Split.validation)]
        return [sys.executable, str(PEER), str(run.model), str(bundle / MODEL_FILE), *images]
    given = OURS[name]
    ours = [sys.executable, "-m", "pipeline", "parity", str(bundle), *given]
    if given:
        return [*ours, str(run.dataset)]
    # The dataset and the model of the run, without what it has recorded.
    for part in (run.dataset.parent, run.train):
        (empty / part.name).symlink_to(part.resolve())
    return [*ours, "--run-dir", str(empty)]


def seconds(name: str, run: RunDir, bundle: Path) -> float:
    """Return how long one process takes; a verdict that is no pass is shown, and counts."""
    with tempfile.TemporaryDirectory() as folder:
        asked = command(name, run, bundle, Path(folder))
        start = time.perf_counter()
        done = subprocess.run(asked, capture_output=True, text=True)
        spent = time.perf_counter() - start
    if done.returncode not in (0, 1, 4):
        sys.exit(f"{name}: {done.stderr}")
    print(f"{name:46} {spent:6.1f} s, exit code {done.returncode}", flush=True)
    return spent


def main(run: RunDir, bundle: Path, rounds: int) -> None:
    times: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name in (BY_HAND, *OURS):
            times.setdefault(name, []).append(seconds(name, run, bundle))
    peer = statistics.median(times[BY_HAND])
    print("| judged by | median, s | peer's median, s | ratio |")
    print("|---|---|---|---|")
    for name in OURS:
        mine = statistics.median(times[name])
        print(f"| {name} | {mine:.1f} | {peer:.1f} | {mine / peer:.2f} |")


if __name__ == "__main__":
    main(RunDir(Path(sys.argv[1])), Path(sys.argv[2]), int(sys.argv[3]) if sys.argv[3:] else 3)
