"""Read a model card as Hugging Face does, and compare what it says with manifest and verdict."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from huggingface_hub import ModelCard
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contract.bundle import CARD_FILE
from pipeline.contract.decision import Decision
from pipeline.contract.manifest import NOTICE, BundleManifest
from pipeline.contract.verdict import Check, Gate, Outcome, Verdict
from pipeline.report.model_card import render_model_card
from pipeline.training.calibration import Answers, Temperature, calibration
from pipeline.workflow.model_card import write_model_card
from tests.bundles.broken import BUNDLE

FIGURES: dict[str, Any] = {
    "images": 40,
    "split": "validation",
    "notes": [],
    "accuracy": {
        "reference": {"share": 0.8, "images": 32, "wilson_95": [0.65, 0.9]},
        "candidate": {"share": 0.75, "images": 30, "wilson_95": [0.6, 0.86]},
    },
    "balanced_accuracy": {"reference": 0.8, "candidate": 0.7},
    "recall": {
        "RED": {"images": 10, "critical": True, "reference": 1.0, "candidate": 0.9},
        "GREEN": {"images": 30, "critical": False, "reference": 0.7, "candidate": 0.5},
        "BLUE": {"images": 0, "critical": False, "reference": None, "candidate": None},
    },
    "top1_agreement": {"share": 0.95, "images": 38, "wilson_95": [0.83, 0.99]},
}
UNLABELLED: dict[str, Any] = {
    "images": 40,
    "split": "validation",
    "notes": [{"kind": "accuracy_not_proven", "not_gated": ["RED"]}],
    "top1_agreement": {"share": 0.95, "images": 38, "wilson_95": [0.83, 0.99]},
}

Write = Callable[..., str]


@pytest.fixture(scope="module")
def manifest() -> BundleManifest:
    loaded: BundleManifest = BundleManifest.load(BUNDLE / "manifest.json")
    about = loaded.about.model_copy(update={"license": "CC0-1.0"})
    parents = {"model": "1" * 64, "dataset": "2" * 64}
    return loaded.model_copy(update={"about": about, "parents": parents})


def verdict(figures: dict[str, Any]) -> Verdict:
    check = Check(name="x", gate=Gate.task, outcome=Outcome.passed, evidence={"kind": "example"})
    return Verdict.from_checks([check], figures=figures)


@pytest.fixture
def write(manifest: BundleManifest, tmp_path: Path) -> Write:
    def write_card(figures: dict[str, Any] = FIGURES, **changed: Any) -> str:
        entry = write_model_card(tmp_path, manifest.model_copy(update=changed), verdict(figures))
        assert list(entry) == [CARD_FILE]
        return (tmp_path / CARD_FILE).read_text(encoding="utf-8")

    return write_card


def test_hugging_face_reads_the_front_matter(write: Write, manifest: BundleManifest) -> None:
    card = ModelCard(write()).data
    assert card.license == "cc0-1.0"
    assert card.library_name == "tflite"
    assert card.pipeline_tag == "image-classification"
    assert card.tags == ["tflite", "litert", "image-classification", "int8"]
    assert card.metrics == ["accuracy", "balanced_accuracy", "recall", "top1_agreement"]
    assert card.model_name == manifest.about.name
    found = {one.metric_name: one.metric_value for one in card.eval_results}
    assert found == {
        "Accuracy": 0.75,
        "Balanced accuracy": 0.7,
        "Recall of RED": 0.9,
        "Recall of GREEN": 0.5,
        "Top-1 agreement with Keras": 0.95,
    }
    assert {one.task_type for one in card.eval_results} == {"image-classification"}
    assert {one.dataset_type for one in card.eval_results} == {"2" * 64}


def test_figures_have_images_intervals_and_the_reference(write: Write) -> None:
    lines = write().splitlines()
    assert "| Accuracy | 40 | 75.00% | 60.00% to 86.00% | 80.00% |" in lines
    # 9 of 10 and 15 of 30 by Wilson's formula.
    assert "| Recall of RED | 10 | 90.00% | 59.58% to 98.21% | 100.00% |" in lines
    assert "| Recall of GREEN | 30 | 50.00% | 33.15% to 66.85% | 70.00% |" in lines
    assert not [line for line in lines if "Recall of BLUE" in line]
    assert "| RED | RED | yes |" in lines


def test_disclaimer_use_and_what_is_unknown_are_said(write: Write) -> None:
    text = write()
    assert f"> **{NOTICE}**" in text
    headings = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    assert headings == [
        "Intended use",
        "Input and answer",
        "Figures",
        "How it was made",
        "Proof",
    ]
    assert "Not intended:" in text
    assert "Subgroups (age, sex, site, skin type): none were recorded" in text


def test_unproven_accuracy_is_said_and_not_given(write: Write) -> None:
    text = write(UNLABELLED)
    assert "ACCURACY NOT PROVEN" in text
    assert ModelCard(text).data.metrics == ["top1_agreement"]


def test_a_verdict_without_figures_makes_a_card_all_the_same(write: Write) -> None:
    text = write({})
    assert ModelCard(text).data.eval_results is None
    assert "No share of images was recorded." in text


def test_thresholds_are_said(write: Write) -> None:
    text = write(decision=Decision(unsure_below=0.6, thresholds={"RED": 0.3}))
    assert "Below a probability of 0.6000 an answer is called unsure." in text
    assert "RED is named from a probability of 0.3000 on" in text


def test_the_calibration_is_said(write: Write) -> None:
    rows = np.full((40, 2), 0.5, np.float32) + np.array([0.2, -0.2], np.float32)
    answers = {"test": Answers(np.arange(40) % 2, rows)}
    found = calibration(
        Temperature(1.25, False),
        {**answers, "validation": answers["test"]},
        {**answers, "validation": answers["test"]},
    )
    text = write(calibration=found)
    assert "divided by 1.25, fitted on 40 validation images" in text
    assert "error on test (40 images, 15 bins of equal width): 20.00% before, 20.00% after" in text
    assert "Probabilities are calibrated" not in write()


def test_equal_inputs_give_equal_cards_whatever_the_latency(write: Write) -> None:
    timed = {"latency_ms": {"reference": {"p50": 1.0}, "candidate": {"p50": 2.0}}}
    assert write() == write(FIGURES | timed)


def test_markdown_in_names_stays_text(write: Write, manifest: BundleManifest) -> None:
    about = manifest.about.model_copy(update={"name": "a | b\n# <c>", "author": "*d*"})
    lines = write(about=about).splitlines()
    assert r"# a \| b \# \<c\>" in lines
    assert r"| Author | \*d\* |" in lines


texts = st.text(
    st.characters(exclude_categories=("Cs",)),
    min_size=1,
    max_size=30,
)


@given(name=texts, licence=texts)
def test_the_front_matter_holds_any_text(manifest: BundleManifest, name: str, licence: str) -> None:
    about = manifest.about.model_copy(update={"name": name, "license": licence})
    text = render_model_card(manifest.model_copy(update={"about": about}), verdict({}), ())
    front = yaml.safe_load(text.split("---\n")[1])
    known = "-".join(licence.lower().split())
    assert (front["license"], front.get("license_name")) in {("other", licence), (known, None)}
