"""The whole table: every family trained briefly, converted, quantized, repaired, compared."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.contract.recipe import Quantize
from tests.families.catalog import FAMILIES
from tests.families.measure import Measured
from tests.families.published import KINDS, Published, published, published_table
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


@pytest.mark.slow
def test_at_least_eleven_families_are_published_from_their_own_file(folder: Path) -> None:
    rows = [published(family, quantize, folder) for family in FAMILIES for quantize in KINDS]
    # Published, or refused by a gate with its figures; never turned away, never a traceback.
    assert {row.family: row.message for row in rows if row.agreement is None} == {}
    int8 = [row for row in rows if row.quantize is Quantize.int8 and row.published]
    assert sum((row.agreement or 0.0) >= LEAST_AGREEMENT for row in int8) >= MUST_AGREE
    assert all(row.published for row in rows if row.quantize is Quantize.float16)


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


def test_an_export_that_was_refused_says_by_what() -> None:
    head = {"family": FAMILIES[0].name, "keras_accuracy": 0.9, "seconds": 1.0, "size_bytes": 10**6}
    rows = [
        Published(quantize=Quantize.float16, exit_code=0, outcome="pass", agreement=1.0, **head),
        Published(
            quantize=Quantize.int8,
            exit_code=1,
            outcome="fail",
            broken=("top1_agreement",),
            agreement=0.9479,
            mean_difference=0.0322,
            accuracy=0.92,
            **head,
        ),
    ]
    assert published_table(rows).splitlines()[-1] == (
        f"| {FAMILIES[0].name} | {FAMILIES[0].normalization} | 0.900 | published | 1.000 "
        "| fail: top1_agreement | 0.948 | 0.0322 | 0.920 | 1.0 MB |"
    )


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
