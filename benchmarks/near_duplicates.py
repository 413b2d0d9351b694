"""Time the search for near duplicates beside comparing every pair, on simulated hashes.

Usage: uv run python -m benchmarks.near_duplicates [--scan RUN/data/scan.jsonl]
       [--sizes 2500,25000,400000] [--every-pair-to 25000]

No image is read. The hashes are drawn at random; with --scan from a normal distribution whose signs
are as often 1 and as correlated as the bits of the hashes in that file, which is what `pipeline
data prepare` leaves (near uniform ones are the easier case). One in a hundred is a near copy
of another, five in a hundred are blank images of one hash. Every search runs in a fresh process;
seconds are of the search alone, the memory is the most it allocates at once. Where both run,
they must find the same images.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.data.duplicates import NEAR_BITS
from pipeline.data.hamming import Flags, Hashes, have_near

OURS, PEER = "blocks of bits", "every pair"
_SHARES = (0.7, 0.15, 0.15)
_ROWS = 512


def every_pair(hashes: Hashes, which: npt.NDArray[np.int8]) -> Flags:
    """Return which images have a near one in another split, bool (n,), in blocks of rows."""
    near = np.zeros(len(hashes), np.bool_)
    for start in range(0, len(hashes), _ROWS):
        rows = slice(start, start + _ROWS)
        close = np.bitwise_count(hashes[rows, None] ^ hashes[None, :]) <= NEAR_BITS
        near[rows] = (close & (which[rows, None] != which[None, :])).any(axis=1)
    return near


def blocks_of_bits(hashes: Hashes, which: npt.NDArray[np.int8]) -> Flags:
    """Return the same as `every_pair`, as `data prepare` finds it."""
    near = np.zeros(len(hashes), np.bool_)
    for split in np.unique(which):
        inside = which == split
        near[inside] = have_near(hashes[inside], hashes[~inside], bits=NEAR_BITS)
    return near


def drawn(count: int, scan: Path | None) -> tuple[Hashes, npt.NDArray[np.int8]]:
    """Draw hashes and the split of each, the same ones for the same arguments."""
    random = np.random.default_rng(count)
    if scan is None:
        hashes = random.integers(0, 2**64, count, dtype=np.uint64)
    else:
        hashes = _like(_read(scan), count, random)
    copies = random.choice(count, count // 100, replace=False)
    flips = [random.choice(64, int(random.integers(NEAR_BITS + 1)), False) for _ in copies]
    changed = np.array([sum(1 << int(bit) for bit in bits) for bits in flips], np.uint64)
    hashes[copies] = hashes[random.integers(0, count, len(copies))] ^ changed
    hashes[random.choice(count, count // 20, replace=False)] = 0
    return hashes, random.choice(3, count, p=_SHARES).astype(np.int8)


def _read(scan: Path) -> Hashes:
    lines = scan.read_text(encoding="utf-8").splitlines()
    return np.array([int(json.loads(line)["scan"]["phash"], 16) for line in lines], np.uint64)


def _like(hashes: Hashes, count: int, random: np.random.Generator) -> Hashes:
    from scipy.stats import norm

    places = np.arange(64, dtype=np.uint64)
    bits = (hashes[:, None] >> places & np.uint64(1)).astype(np.float64)
    share = bits.mean(axis=0)
    varied = np.flatnonzero((share > 0) & (share < 1))
    # The correlation of two normal variables whose signs correlate by r is sin(r pi / 2).
    wanted = np.sin(np.corrcoef(bits[:, varied].T) * np.pi / 2)
    values, vectors = np.linalg.eigh(wanted)
    root = vectors * np.sqrt(np.maximum(values, 1e-6))
    root /= np.linalg.norm(root, axis=1, keepdims=True)
    found = np.zeros(count, np.uint64)
    for start in range(0, count, 10_000):
        rows = slice(start, min(start + 10_000, count))
        one = np.tile(share == 1, (rows.stop - start, 1))
        one[:, varied] = random.normal(size=(len(one), len(varied))) @ root.T < norm.ppf(
            share[varied]
        )
        found[rows] = (one.astype(np.uint64) << places).sum(axis=1, dtype=np.uint64)
    return found


def search(name: str, count: int, scan: Path | None) -> dict[str, float]:
    """Search once in this process."""
    hashes, which = drawn(count, scan)
    tracemalloc.start()
    start = time.perf_counter()
    near = (every_pair if name == PEER else blocks_of_bits)(hashes, which)
    spent_s = time.perf_counter() - start
    peak_bytes = tracemalloc.get_traced_memory()[1]
    return {
        "s": spent_s,
        "mb": peak_bytes / 1e6,
        "near": int(near.sum()),
        "hash": hash(near.tobytes()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scan", type=Path)
    parser.add_argument("--sizes", default="2500,25000,400000")
    parser.add_argument("--every-pair-to", type=int, default=25_000)
    parser.add_argument("--once", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    sizes = [int(size) for size in asked.sizes.split(",")]
    if asked.once:
        print(json.dumps(search(asked.once, sizes[0], asked.scan)))
        return
    print("| hashes | near | blocks of bits, s | MB | every pair, s | MB | ratio |")
    print("|---|---|---|---|---|---|---|")
    given = ["--scan", str(asked.scan)] if asked.scan else []
    for size in sizes:
        found = {}
        for name in (OURS, PEER) if size <= asked.every_pair_to else (OURS,):
            command = [sys.executable, "-m", "benchmarks.near_duplicates", "--once", name]
            ran = subprocess.run(
                [*command, "--sizes", str(size), *given],
                capture_output=True,
                text=True,
                check=True,
                env={"PYTHONHASHSEED": "0", "PYTHONPATH": str(Path.cwd())},
            )
            found[name] = json.loads(ran.stdout)
        ours, peer = found[OURS], found.get(PEER)
        if peer is not None and (ours["near"], ours["hash"]) != (peer["near"], peer["hash"]):
            sys.exit(f"the searches disagree on {size} hashes: {found}")
        beside = f"{peer['s']:.2f} | {peer['mb']:.0f} | {ours['s'] / peer['s']:.3f}" if peer else ""
        print(f"| {size} | {ours['near']} | {ours['s']:.2f} | {ours['mb']:.0f} | ", end="")
        print(f"{beside or 'not run | |'} |", flush=True)


if __name__ == "__main__":
    main()
