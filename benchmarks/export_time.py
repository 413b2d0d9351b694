"""Time our exports beside the script people write by hand, on the same model and images.

Usage: uv run python -m benchmarks.export_time RUN_DIR [ROUNDS] [NAME...]

Each round runs every export once, each in a fresh process with an empty cache, the peer before
ours. "second export" is float16 of a model whose float file an earlier export left in the cache,
beside the peer's float16: the export before it is not timed. A time is that of the whole process,
imports and all, up to the file before metadata; the proof that ours runs afterwards is not in it,
since the peer has none. Ratios are of medians. Processor seconds, of the process and its children,
are shown for each export: on a machine that does other things too they say more than the time.
Run it on a machine that does nothing else.
"""

from __future__ import annotations

import json
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pipeline.contract.recipe import Io, Quantize, Recipe, Repair
from pipeline.contract.run import RunDir
from pipeline.export.converted import Conversion, adapted_float_file, converted_file
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
SECOND = "second export"
# What is shown by default, in this order.
NAMES = ("float16", SECOND, "int8 --repair none", "int8 --repair auto")
CPU_FACTS = Path("/proc/cpuinfo")


def processor(facts: str | None = None) -> str:
    """Name the processor, and say whether it has AVX-512, where the machine tells.

    Args:
        facts: what `/proc/cpuinfo` says; read from there where None.
    """
    if facts is None:
        facts = CPU_FACTS.read_text(encoding="utf-8") if CPU_FACTS.is_file() else ""
    lines = (line.partition(":") for line in facts.splitlines())
    told = {name.strip(): value.strip() for name, _, value in lines}
    name = told.get("model name") or platform.processor() or platform.machine()
    if "flags" not in told:
        return f"{name}, AVX-512 unknown"
    return f"{name}, {'with' if 'avx512f' in told['flags'].split() else 'without'} AVX-512"


def ours(run_dir: Path, name: str) -> None:
    """Export one recipe into an empty cache."""
    source = keras_source(RunDir(run_dir), None)
    conversion = Conversion(source.classifier_spec(), OURS[name], source.labels, source.dataset)
    with tempfile.TemporaryDirectory() as folder:
        made = converted_file(conversion, RunDir(Path(folder)), silent)
        print(json.dumps({"steps": [str(step) for step in made.recipe.steps or ()]}))


def second(run_dir: Path, cache: str) -> None:
    """Export float16 of a model whose float file is in the cache of the run folder `cache`."""
    source = keras_source(RunDir(run_dir), None)
    float16 = Recipe(quantize=Quantize.float16)
    conversion = Conversion(source.classifier_spec(), float16, source.labels, source.dataset)
    converted_file(conversion, RunDir(Path(cache)), silent)


def prepare(run_dir: Path, cache: str) -> None:
    """Leave the float file of a model in the cache of the run folder `cache`."""
    source = keras_source(RunDir(run_dir), None)
    adapted_float_file(source.classifier_spec(), RunDir(Path(cache)), silent)


def by_hand(run_dir: Path, quantize: str) -> None:
    """Run the peer on the same 200 images."""
    source = keras_source(RunDir(run_dir), None)
    images = representative_images(source.dataset, 200, 0)
    with tempfile.TemporaryDirectory() as folder:
        files = [str(source.dataset.file(image)) for image in images]
        out = str(Path(folder) / "out.tflite")
        command = [sys.executable, str(PEER), str(source.path), out, quantize, *files]
        subprocess.run(command, check=True, capture_output=True)


def one(run_dir: Path, kind: str, name: str) -> tuple[float, float, float]:
    """Return the seconds, the processor's and the largest resident set, in MB, of one export."""
    with tempfile.TemporaryDirectory() as cache:
        if name == SECOND:
            _process(run_dir, "prepare", cache)
            return _timed(run_dir, kind, name, "second", cache)
        return _timed(run_dir, kind, name, kind, name)


def _process(run_dir: Path, function: str, argument: str) -> str:
    command = [sys.executable, "-m", "benchmarks.export_time", "--one"]
    done = subprocess.run(
        [*command, str(run_dir), function, argument], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def _timed(
    run_dir: Path, kind: str, name: str, function: str, argument: str
) -> tuple[float, float, float]:
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    said = _process(run_dir, function, argument)
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{name:22} {kind:8} {seconds:6.1f} s  processor {spent:6.1f} s  {said}", flush=True)
    return seconds, spent, float(said.rsplit("peak_mb=", 1)[1])


def main(run_dir: Path, rounds: int, names: list[str]) -> None:
    times: dict[tuple[str, str], list[float]] = {}
    spent: dict[tuple[str, str], list[float]] = {}
    peaks: dict[tuple[str, str], float] = {}
    print(f"processor: {processor()}", flush=True)
    jobs = [("by hand", "float16"), ("by hand", "int8"), *(("ours", name) for name in names)]
    for _ in range(rounds):
        for kind, name in jobs:
            seconds, processor_s, peak_mb = one(run_dir, kind, name)
            spent.setdefault((kind, name), []).append(processor_s)
            times.setdefault((kind, name), []).append(seconds)
            peaks[kind, name] = max(peak_mb, peaks.get((kind, name), 0.0))
    print("| export | median, s | peer's median, s | ratio | of processor time | largest, MB |")
    print("|---|---|---|---|---|---|")
    for name in names:
        mine = statistics.median(times["ours", name])
        by = ("by hand", "int8" if name.startswith("int8") else "float16")
        peer = statistics.median(times[by])
        of_processor = statistics.median(spent["ours", name]) / statistics.median(spent[by])
        peak = peaks["ours", name]
        ratios = f"{mine / peer:.2f} | {of_processor:.2f}"
        print(f"| {name} | {mine:.1f} | {peer:.1f} | {ratios} | {peak:.0f} |")


if __name__ == "__main__":
    if sys.argv[1] == "--one":
        functions = {"ours": ours, "by hand": by_hand, "second": second, "prepare": prepare}
        functions[sys.argv[3]](Path(sys.argv[2]), sys.argv[4])
        kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        print(f"peak_mb={max(resource.getrusage(k).ru_maxrss for k in kinds) / 1000:.0f}")
    else:
        main(
            Path(sys.argv[1]),
            int(sys.argv[2]) if len(sys.argv) > 2 else 3,
            sys.argv[3:] or list(NAMES),
        )
