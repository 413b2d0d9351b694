"""Print a training's curve as a table, from the history that `pipeline train` keeps.

Usage: uv run python -m benchmarks.training_curve RUN_DIR/training/history.csv [EVERY]

One row for each EVERY epochs of each phase (8 unless told), and for a phase's best and last one.
The last line is the file's SHA-256.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from pipeline.contract.hashing import sha256_file

_COLUMNS = ("loss", "accuracy", "val_loss", "val_accuracy", "val_balanced_accuracy")


def main(history: Path, every: int) -> None:
    """Print the table."""
    with history.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    print(f"| phase | epoch | {' | '.join(_COLUMNS)} |")
    print("|---|---|" + "---|" * len(_COLUMNS))
    for phase in dict.fromkeys(row["phase"] for row in rows):
        of = [row for row in rows if row["phase"] == phase]
        best = max(of, key=lambda row: (float(row["val_balanced_accuracy"]), int(row["epoch"])))
        for row in of:
            if int(row["epoch"]) % every == 0 or row is best or row is of[-1]:
                figures = " | ".join(f"{float(row[n]):.3f}" if row[n] else "" for n in _COLUMNS)
                print(f"| {phase} | {row['epoch']}{' (best)' * (row is best)} | {figures} |")
    print(f"\nsha256 {sha256_file(history)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 8)
