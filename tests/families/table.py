"""Measure int8 on every family and write the table of `docs/families.md`.

`python -m tests.families.table [--folder FOLDER]` trains what FOLDER does not hold yet, one family
after another, converts, quantizes and compares. The first run takes about an hour on two cores.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.child import ask_child
from pipeline.contract.base import Frozen
from tests.families.catalog import FAMILIES, Family
from tests.families.float_file import FloatFileAnswer, FloatFileRequest
from tests.families.measure import Measured, MeasureRequest
from tests.families.pictures import SIZE_PX
from tests.families.training import TrainAnswer, TrainRequest

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "families.md"
_OF_EVERY_NETWORK = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MEAN", "SOFTMAX"}
_HEADER = (
    "| family | input | operators besides convolutions | float | int8 | plain | repaired | steps "
    "chosen | seconds |\n|---|---|---|--:|--:|--:|--:|---|--:|\n"
)


class Row(Frozen):
    """Hold a family's figures and the normalization it was trained with."""

    family: str
    normalization: str
    measured: Measured


def row_of(family: Family, folder: Path) -> Row:
    """Return a family's figures, measured now unless `folder` holds them."""
    kept = folder / f"{family.name}.row.json"
    if kept.is_file():
        return Row.load(kept)
    keras, file = folder / f"{family.name}.keras", folder / f"{family.name}.float.tflite"
    ask_child(
        "tests.families.training:train_child",
        TrainRequest(family=family.name, folder=str(folder)),
        TrainAnswer,
    )
    answer = ask_child(
        "tests.families.float_file:float_file_child",
        FloatFileRequest(family=family.name, keras=str(keras), size_px=SIZE_PX, out=str(file)),
        FloatFileAnswer,
    )
    measured = ask_child(
        "tests.families.measure:measure_child",
        MeasureRequest(
            family=family.name,
            float_file=str(file),
            image=answer.image(SIZE_PX),
            folder=str(folder),
        ),
        Measured,
    )
    row = Row(family=family.name, normalization=str(family.normalization), measured=measured)
    row.save(kept)
    return row


def table(rows: list[Row]) -> str:
    """Return the rows as a Markdown table."""
    return _HEADER + "".join(f"| {' | '.join(_cells(row))} |\n" for row in rows)


def _cells(row: Row) -> list[str]:
    found = row.measured
    own = [f"{name} {n}" for name, n in found.operators.items() if name not in _OF_EVERY_NETWORK]
    steps = ", ".join(found.steps) or "none"
    if found.float16_layers:
        steps += f" ({found.float16_layers} layers)"
    return [
        row.family,
        row.normalization,
        ", ".join(own) or "none",
        f"{found.float_bytes / 1e6:.1f} MB",
        f"{found.int8_bytes / 1e6:.1f} MB",
        f"{found.plain_agreement:.3f}",
        f"{found.agreement:.3f}",
        steps,
        f"{found.seconds:.0f}",
    ]


def replace_table(document: Path, name: str, table: str) -> None:
    """Put `table` where the document marks the place of the table `name`."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, rest = document.read_text(encoding="utf-8").split(begin)
    _, after = rest.split(end)
    document.write_text(f"{before}{begin}\n{table}{end}{after}", encoding="utf-8")


def main() -> None:
    """Measure every family and write the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("artifacts/families"))
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for family in FAMILIES:
        rows.append(row_of(family, folder))
        print(" | ".join(_cells(rows[-1])), flush=True)
    replace_table(DOCUMENT, "table", table(rows))


if __name__ == "__main__":
    main()
