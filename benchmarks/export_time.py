"""Time our exports beside the script people write by hand, on the same model and images.

Usage: uv run python -m benchmarks.export_time RUN_DIR [ROUNDS] [NAME...]

Each round runs every export once, each in a fresh process with an empty cache, the peer before
ours. A time is that of the whole process, imports and all, up to the file before metadata; the
proof that ours runs afterwards is not in it, since the peer has none. Ratios are of medians. Run
it on a machine that does nothing else.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pipeline.contract.recipe import Io, Quantize, Recipe, Repair
from pipeline.contract.run import RunDir
from pipeline.export.converted import Conversion, converted_file
from pipeline.export.representative import representative_images
from pipeline.progress import silent
from pipeline.workflow.source import keras_source

PEER = Path(__file__).with_name("by_hand.py")
OURS = {
    "float16": Recipe(quantize=Quantize.float16),
    "int8 --repair none": Recipe(io=Io.uint8, repair=Repair.none),
    "int8 --repair auto": Recipe(io=Io.uint8, repair=Repair.auto),
    "int8 --repair max": Recipe(io=Io.uint8, repair=Repair.max),
}


def ours(run_dir: Path, name: str) -> None:
    """Export one recipe into an empty cache."""
    source = keras_source(RunDir(run_dir), None)
    conversion = Conversion(source.classifier_spec(), OURS[name], source.labels, source.dataset)
    with tempfile.TemporaryDirectory() as folder:
        made = converted_file(conversion, RunDir(Path(folder)), silent)
        print(json.dumps({"steps": [str(step) for step in made.recipe.steps or ()]}))


def by_hand(run_dir: Path, quantize: str) -> None:
    """Run the peer on the same 200 images."""
    source = keras_source(RunDir(run_dir), None)
    images = representative_images(source.dataset, 200, 0)
    with tempfile.TemporaryDirectory() as folder:
        files = [str(source.dataset.file(image)) for image in images]
        out = str(Path(folder) / "out.tflite")
        command = [sys.executable, str(PEER), str(source.path), out, quantize, *files]
        subprocess.run(command, check=True, capture_output=True)


def one(run_dir: Path, kind: str, name: str) -> tuple[float, float]:
    """Return the seconds and the largest resident set, in MB, of one export."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.export_time", "--one", str(run_dir), kind, name],
        check=True,
        capture_output=True,
        text=True,
    )
    seconds = time.perf_counter() - start
    print(f"{name:22} {kind:8} {seconds:6.1f} s  {done.stdout.strip()}", flush=True)
    return seconds, float(done.stdout.rsplit("peak_mb=", 1)[1])


def main(run_dir: Path, rounds: int, names: list[str]) -> None:
    times: dict[tuple[str, str], list[float]] = {}
    peaks: dict[tuple[str, str], float] = {}
    jobs = [("by hand", "float16"), ("by hand", "int8"), *(("ours", name) for name in names)]
    for _ in range(rounds):
        for kind, name in jobs:
            seconds, peak_mb = one(run_dir, kind, name)
            times.setdefault((kind, name), []).append(seconds)
            peaks[kind, name] = max(peak_mb, peaks.get((kind, name), 0.0))
    print("| export | median, s | peer's median, s | ratio | largest process, MB |")
    print("|---|---|---|---|---|")
    for name in names:
        mine = statistics.median(times["ours", name])
        peer = statistics.median(times["by hand", name.split(" ")[0]])
        peak = peaks["ours", name]
        print(f"| {name} | {mine:.1f} | {peer:.1f} | {mine / peer:.2f} | {peak:.0f} |")


if __name__ == "__main__":
    if sys.argv[1] == "--one":
        {"ours": ours, "by hand": by_hand}[sys.argv[3]](Path(sys.argv[2]), sys.argv[4])
        print(f"peak_mb={resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000:.0f}")
    else:
        main(
            Path(sys.argv[1]),
            int(sys.argv[2]) if len(sys.argv) > 2 else 3,
            sys.argv[3:] or list(OURS)[:3],
        )
