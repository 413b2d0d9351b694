from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
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
from pipeline.errors import BadInput
from pipeline.metrics import measure
from pipeline.report.html import render_html
from pipeline.report.run_report import (
    BundleResult,
    PageLink,
    RunReport,
    TrueClassPoints,
    Unreadable,
)
from pipeline.report.sections import AFTER_BUNDLES, BEFORE_BUNDLES, OF_BUNDLE
from tests.export.samples import ABOUT
from tests.report.examples import FAILED, OPEN, PASSED, verdict

LABELS = Labels(names=("MEL", "NV"), critical=("MEL",), full_names={"MEL": "Melanoma"})
NASTY = '<script>alert("x")</script>&'
VOID = {"meta", "img"}


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
        about=ABOUT,
        recipe=Recipe(quantize=Quantize.int8, io=Io.uint8),
        inputs=(
            TensorInfo(
                name="image", shape=(1, 256, 256, 3), dtype="uint8", scale=0.5, zero_point=128
            ),
        ),
        outputs=(TensorInfo(name="probability", shape=(1, 2), dtype="float32"),),
        operators={"CONV_2D": 35},
        min_runtime="2.3.0",
        promised_runtime="2.16.0",
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
    assert "critical recall drop: MEL" in text
    assert ">20.00%</td>" in text
    assert ">≤ 1.72%</td>" in text
    assert "bundles/float16" in text
    assert "Kept aside at" in text
    anchors = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    links = [str(attributes["href"]) for tag, attributes in page.tags if tag == "a"]
    assert links
    assert {link.removeprefix("#") for link in links} <= anchors


def test_the_navigation_leads_to_every_bundle_and_every_section_with_a_heading() -> None:
    page = Page(render_html(full_report()))
    links = [str(one["href"]) for tag, one in page.tags if tag == "a"]
    anchors = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    expected = ["side_by_side", "bundle-1", "bundle-2", "training", "dataset", "reproduction"]
    assert links[: len(expected)] == [f"#{id}" for id in expected]
    assert set(expected) <= anchors


def test_passing_checks_are_folded_and_broken_ones_stand_open() -> None:
    text = render_html(full_report())
    folded = re.findall(r"<details.*?</details>", text, flags=re.DOTALL)
    within = "".join(folded)
    assert "candidate not finite" in within
    assert "critical recall drop: MEL" not in within
    assert within.count("1 check passed") == 2


def test_the_page_says_when_it_was_made_and_leads_to_the_other_models() -> None:
    pages = (PageLink("Model a", "index.html", True), PageLink("Model b", "b/index.html", False))
    text = render_html(dataclasses.replace(full_report(), date="1 May 2026", pages=pages))
    assert "<time>1 May 2026</time>" in text
    assert '<a href="index.html" aria-current="page">Model a</a>' in text
    assert '<a href="b/index.html">Model b</a>' in text


def test_without_pictures_the_page_names_no_image() -> None:
    report = full_report()
    assert report.dataset is not None
    finding = Finding(kind="near", message="looks alike", count=1, examples=("secret.jpg",))
    dataset = report.dataset.model_copy(update={"findings": (finding,), "skipped": (finding,)})
    quiet = render_html(dataclasses.replace(report, dataset=dataset))
    assert not re.search(r"\w+\.jpg|data:image|<img", quiet)
    asked = render_html(dataclasses.replace(report, dataset=dataset, images=True))
    assert asked.count("secret.jpg") == 2


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
    assert "What was compared" not in text


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


@settings(deadline=None, max_examples=50)
@example("</p><b>", '"><b x="')
@given(st.text(min_size=1), st.text())
def test_no_text_becomes_markup(label: str, text: str) -> None:
    check = FAILED.model_copy(
        update={"name": f"drop:{label}", "evidence": {"kind": text, "text": label}}
    )
    one = BundleResult(text, verdict(check), published=label, rejected=text)
    page = Page(render_html(RunReport(label, (one,), unreadable=(Unreadable(text, label),))))
    plain = BundleResult("x", verdict(FAILED), published="x", rejected="x")
    known = Page(render_html(RunReport("Run", (plain,), unreadable=(Unreadable("x", "y"),))))
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in known.tags]
    assert [set(attributes) for _, attributes in page.tags] == [
        set(attributes) for _, attributes in known.tags
    ]


def test_no_python_is_shown_to_a_person() -> None:
    report = full_report()
    assert report.model is not None
    training = {"phases": [{"epochs": 3, "rate": None}], "augment": True, "weights": None}
    model = report.model.model_copy(update={"training": training})
    side = {"runtime": "litert", "options": {"threads": 4, "delegate": None}, "tags": ["a", "b"]}
    one = verdict(PASSED, FAILED, OPEN).model_copy(update={"candidate": side})
    text = render_html(dataclasses.replace(report, model=model, bundles=(BundleResult("x", one),)))
    body = re.sub(r"<style>.*?</style>|<[^>]*>", " ", text, flags=re.DOTALL)
    assert "epochs: 3, rate: \N{EN DASH}" in body
    assert "threads: 4, delegate: \N{EN DASH}" in body
    assert not re.search(r"\bNone\b|\bTrue\b|\bFalse\b|[\[\]{}]|&#39;", body)


def test_what_could_not_be_read_is_listed() -> None:
    left_out = Unreadable("rejected/int8/verdict.json", "not a valid verdict", "checks: missing")
    text = render_html(dataclasses.replace(full_report(), unreadable=(left_out,)))
    assert '<th scope="row">rejected/int8/verdict.json</th>' in text
    assert ">not a valid verdict</td>" in text
    assert "Not in this report" not in render_html(full_report())


def test_a_bundle_judged_on_goldens_alone_can_be_shown() -> None:
    one = Verdict.from_checks(
        [PASSED],
        figures={
            "latency_ms": {"candidate": {"p50": 12.0, "p90": None}},
            "notes": [{"kind": "choice_not_compared", "margin": 0.01}],
        },
    )
    text = render_html(RunReport("Run", (BundleResult("x", one),)))
    assert ">12.0 ms" in text
    assert "more than 0.01 on any golden" in text


@pytest.mark.parametrize(
    "figures",
    [
        {"accuracy": {"reference": 0.5}},
        {"recall": {"MEL": {}}},
        {"confusion": {"reference": [[1]], "candidate": [[1]]}},
        {"notes": ["words"]},
    ],
)
def test_figures_of_another_form_are_refused(figures: dict[str, object]) -> None:
    one = Verdict.from_checks([PASSED], figures=figures)
    with pytest.raises(BadInput, match="another form"):
        render_html(RunReport("Run", (BundleResult("x", one),)))


def test_every_section_has_a_template_of_its_name() -> None:
    templates = files("pipeline.report").joinpath("templates")
    for name in (*BEFORE_BUNDLES, *OF_BUNDLE, *AFTER_BUNDLES):
        assert templates.joinpath(f"{name}.html.j2").is_file()
