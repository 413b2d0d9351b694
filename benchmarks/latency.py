"""Compare the latency of files pairwise, one inference of each in turn, in one process.

Usage: uv run python -m benchmarks.latency BASE.tflite OTHER.tflite... [--rounds 400]

One thread. The order changes every round, so that no file always runs on a cache the same other
one left. The ratio is the median over rounds of other/base.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter


def main(paths: list[Path], rounds: int) -> None:
    interpreters = []
    for path in paths:
        interpreter = Interpreter(model_path=str(path), num_threads=1)
        interpreter.allocate_tensors()
        detail = interpreter.get_input_details()[0]
        random = np.random.default_rng(0)
        values = random.integers(0, 255, detail["shape"])
        interpreter.set_tensor(detail["index"], values.astype(detail["dtype"]))
        for _ in range(20):
            interpreter.invoke()
        interpreters.append(interpreter)
    spent_ms = np.zeros((rounds, len(paths)))
    for turn in range(rounds):
        for i in np.roll(np.arange(len(paths)), turn):
            start = time.perf_counter()
            interpreters[i].invoke()
            spent_ms[turn, i] = (time.perf_counter() - start) * 1000
    print("| file | p50, ms | p90, ms | ratio to the first |")
    print("|---|---|---|---|")
    for i, path in enumerate(paths):
        p50, p90 = np.percentile(spent_ms[:, i], [50, 90])
        ratio = np.median(spent_ms[:, i] / spent_ms[:, 0])
        print(f"| {path.parent.name}/{path.name} | {p50:.2f} | {p90:.2f} | {ratio:.3f} |")


if __name__ == "__main__":
    arguments = sys.argv[1:]
    count = 400
    if "--rounds" in arguments:
        place = arguments.index("--rounds")
        count = int(arguments[place + 1])
        del arguments[place : place + 2]
    main([Path(argument) for argument in arguments], count)
