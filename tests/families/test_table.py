"""The whole table: every family trained briefly, converted, quantized, repaired, compared."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.families.catalog import FAMILIES
from tests.families.measure import Measured
from tests.families.table import Row, replace_table, row_of, table

LEAST_AGREEMENT = 0.95
MUST_AGREE = 11
# Four classes: a network that learned nothing is right on a quarter.
LEAST_ACCURACY = 0.6


@pytest.fixture(scope="module")
def folder() -> Path:
    """Return where trained networks are kept."""
    named = os.environ.get("PIPELINE_FAMILIES")
    if named is None:
        pytest.skip("trains 14 networks, about an hour: PIPELINE_FAMILIES names a folder for them")
    return Path(named)


@pytest.mark.slow
def test_at_least_eleven_families_answer_as_their_float_file_does(folder: Path) -> None:
    rows = [row_of(family, folder) for family in FAMILIES]
    assert len(rows) >= 12
    assert {row.family: row.measured.accuracy for row in rows if not taught(row)} == {}
    agreeing = [row.family for row in rows if row.measured.agreement >= LEAST_AGREEMENT]
    assert len(agreeing) >= MUST_AGREE
    # 8-bit weights take a quarter; what is left in floats and the graph itself a little more.
    assert all(row.measured.int8_bytes < 0.4 * row.measured.float_bytes for row in rows)


def taught(row: Row) -> bool:
    return row.measured.accuracy >= LEAST_ACCURACY


def example() -> Row:
    measured = Measured(
        operators={"CONV_2D": 3, "HARD_SWISH": 2},
        float_bytes=4_000_000,
        int8_bytes=1_040_000,
        accuracy=0.9,
        plain_agreement=0.98,
        agreement=0.9875,
        mean_difference=0.01,
        steps=("ranges", "mixed-precision"),
        float16_layers=2,
        meets_target=True,
        seconds=12.3,
        held_out=160,
    )
    return Row(family="Tiny", normalization="raw", measured=measured)


def test_a_row_says_what_was_measured() -> None:
    wanted = (
        "| Tiny | raw | HARD_SWISH 2 | 4.0 MB | 1.0 MB | 0.980 | 0.988 "
        "| ranges, mixed-precision (2 layers) | 12 |"
    )
    assert table([example()]).splitlines()[-1] == wanted


def test_the_table_replaces_the_one_before_and_nothing_else(tmp_path: Path) -> None:
    document = tmp_path / "families.md"
    text = "Before\n<!-- table: begin -->\nold\n<!-- table: end -->\nAfter\n"
    document.write_text(text, encoding="utf-8")
    replace_table(document, "table", table([example()]))
    written = document.read_text(encoding="utf-8")
    assert written.startswith("Before\n")
    assert written.endswith("\nAfter\n")
    assert "old" not in written
    assert "| Tiny |" in written
