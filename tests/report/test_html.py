from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.contract.dataset import DatasetManifest, Finding, ImageRecord, Split
from pipeline.contract.image import ImageContract
from pipeline.contract.labels import Labels
from pipeline.contract.manifest import (
    NOTICE,
    BundleManifest,
    FileEntry,
    ModelManifest,
    TensorInfo,
)
from pipeline.contract.recipe import Io, Quantize, Recipe
from pipeline.contract.verdict import Verdict
from pipeline.metrics import measure
from pipeline.report.html import render_html
from pipeline.report.markup import element
from pipeline.report.run_report import BundleResult, RunReport, TrueClassPoints
from tests.report.examples import FAILED, OPEN, PASSED, verdict

LABELS = Labels(names=("MEL", "NV"), critical=("MEL",), full_names={"MEL": "Melanoma"})
NASTY = '<script>alert("x")</script>&'
VOID = {"meta"}


class Page(HTMLParser):
    """Check that tags nest, and collect them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def full_report() -> RunReport:
    truth = np.array([0, 0, 1, 1], np.int64)
    rows = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.3, 0.7]], np.float32)
    manifest = BundleManifest(
        versions={"tensorflow": "2.20.0"},
        seed=7,
        parents={"dataset": "d" * 64},
        files={"model.tflite": FileEntry(sha256="e" * 64, size_bytes=2_615_000)},
        image=ImageContract(),
        labels=LABELS,
        recipe=Recipe(quantize=Quantize.int8, io=Io.uint8),
        inputs=(
            TensorInfo(
                name="image", shape=(1, 256, 256, 3), dtype="uint8", scale=0.5, zero_point=128
            ),
        ),
        outputs=(TensorInfo(name="probability", shape=(1, 2), dtype="float32"),),
        operators={"CONV_2D": 35},
        min_runtime="2.3.0",
    )
    return RunReport(
        title=f"Run {NASTY}",
        bundles=(
            BundleResult("float16", verdict(PASSED), manifest, published="bundles/float16"),
            BundleResult(
                "int8-uint8",
                verdict(PASSED, FAILED, OPEN),
                manifest,
                rejected="rejected/int8-uint8",
                points=TrueClassPoints(truth, rows[:, 0], rows[:, 1]),
            ),
        ),
        dataset=DatasetManifest(
            root="/x",
            layout="folder",
            labels=LABELS,
            seed=0,
            fractions=(0.7, 0.15, 0.15),
            images=tuple(
                ImageRecord(
                    path=f"{split}{i}.jpg",
                    label="MEL" if i == 0 else "NV",
                    group=f"{split}{i}",
                    split=split,
                    width_px=10,
                    height_px=10,
                    size_bytes=1,
                    sha256="0" * 64,
                )
                for split in Split
                for i in range(3)
            ),
            findings=(Finding(kind="resolution", message=NASTY, count=3, examples=(NASTY,)),),
        ),
        model=ModelManifest(
            versions={"keras": "3.15.1"},
            seed=0,
            parents={},
            files={},
            image=ImageContract(),
            labels=LABELS,
            recipe="default",
            backbone="mobilenet_v2",
            width=1.0,
            weights="none",
            training={"epochs": 3, "note": NASTY},
        ),
        metrics={"validation": measure(truth, rows, LABELS.names)},
        history=(
            {"phase": NASTY, "epoch": 0, "loss": None, "val_loss": 2.5, "val_share": 0.1},
            {"phase": NASTY, "epoch": 1, "loss": "nan", "val_loss": "2.1", "val_share": 0.2},
            {"phase": "tune", "epoch": 2, "loss": "1.0", "val_loss": 1.9, "val_share": ""},
        ),
    )


def test_the_page_is_whole_and_says_the_verdicts_in_words() -> None:
    text = render_html(full_report())
    page = Page(text)
    assert text.startswith("<!doctype html>")
    assert NOTICE in text
    assert text.count("✗ Failed") >= 2
    assert "critical recall drop: MEL: 20.00%, asked for ≤ 1.72%" in text
    assert "bundles/float16" in text
    assert "Kept aside at" in text
    anchors = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    links = [str(attributes["href"]) for tag, attributes in page.tags if tag == "a"]
    assert links
    assert {link.removeprefix("#") for link in links} <= anchors


def test_the_page_loads_and_runs_nothing() -> None:
    page = Page(render_html(full_report()))
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "img", "iframe", "object"})
    assert not any("src" in attributes for _, attributes in page.tags)
    assert "http" not in re.sub("http-equiv", "", render_html(full_report()))


def test_user_text_is_escaped_everywhere() -> None:
    text = render_html(full_report())
    assert NASTY not in text
    assert text.count("&lt;script&gt;") >= 5


def test_every_drawing_and_every_table_says_what_it_shows() -> None:
    page = Page(render_html(full_report()))
    drawings = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(drawings) == 5  # recall twice, one scatter, loss and share
    assert all(d["role"] == "img" and d["aria-label"] for d in drawings)
    assert any("MEL (critical): 76.0% to 56.0%" in str(d["aria-label"]) for d in drawings)
    tables = sum(tag == "table" for tag, _ in page.tags)
    assert tables == sum(tag == "caption" for tag, _ in page.tags)


def test_a_page_of_one_verdict_and_nothing_else_is_whole() -> None:
    text = render_html(RunReport("Run", (BundleResult("x", Verdict.from_checks([])),)))
    Page(text)
    assert "Nothing was checked" in text
    assert "The images" not in text


def test_a_page_without_bundles_claims_nothing() -> None:
    text = render_html(RunReport("Run", ()))
    assert "nothing is proven" in text
    assert "Passed" not in text


def test_the_same_report_has_the_same_bytes(tmp_path: Path) -> None:
    assert render_html(full_report()) == render_html(full_report())


@pytest.mark.parametrize("value", [0.0, 1e-3, -4.0])
def test_a_constant_curve_can_be_drawn(value: float) -> None:
    history = [{"epoch": 0, "lr": value}, {"epoch": 1, "lr": value}]
    Page(render_html(RunReport("Run", (), history=history)))


@example("</p><b>", '"><b x="')
@given(st.text(), st.text())
def test_an_element_never_lets_text_become_markup(content: str, attribute: str) -> None:
    page = Page(element("p", content, title=attribute))
    assert [tag for tag, _ in page.tags] == ["p"]
    assert set(page.tags[0][1]) == {"title"}
