from __future__ import annotations

import pytest

from pipeline.contract.choices import Repair, Step
from pipeline.contract.image import ImageContract
from pipeline.contract.labels import Labels
from pipeline.contract.manifest import BundleManifest
from pipeline.contract.recipe import Recipe
from pipeline.contract.search import SearchRecord, Trial
from pipeline.contract.verdict import Check, Gate, Outcome
from pipeline.report.html import render_html
from pipeline.report.run_report import BundleResult, RunReport
from pipeline.report.sections.search import conclusion, context, trial_rows
from tests.export.samples import ABOUT
from tests.report.examples import PASSED, verdict

PLAIN = Trial(
    steps=(),
    agreement=0.9,
    mean_difference=0.1,
    balanced_accuracy=0.5,
    critical_recall={"<MEL>": 0.25},
    size_bytes=2_700_000,
    latency_ms_p50=10.0,
    meets_target=False,
)
MIXED = PLAIN.model_copy(
    update={
        "steps": (Step.ranges, Step.bias_correction, Step.mixed_precision),
        "float16_layers": ("one", "two"),
        "agreement": 0.99,
        "latency_ms_p50": 10.5,
        "meets_target": True,
        "chosen": True,
    }
)
SEARCH = SearchRecord(
    trials=(PLAIN, MIXED),
    float_balanced_accuracy=0.75,
    float_critical_recall={"<MEL>": 0.5},
    repair_sha256=("0" * 64,) * 3,
    min_agreement=0.97,
    max_mean_difference=0.0175,
)


NO_SEARCH = SearchRecord()
DELEGATED = Check(
    name="delegated_nodes",
    gate=Gate.structure,
    outcome=Outcome.passed,
    evidence={"kind": "delegation", "nodes": 67, "partitions": 1, "left": []},
    value=64.0,
    unit="nodes",
    comparison=">=",
    threshold=64.0,
)


def manifest(search: SearchRecord) -> BundleManifest:
    return BundleManifest(
        versions={},
        seed=0,
        parents={},
        files={},
        image=ImageContract(),
        labels=Labels(names=("MEL", "NV")),
        recipe=Recipe(),
        inputs=(),
        outputs=(),
        operators={},
        about=ABOUT,
        min_runtime="1.14.0",
        promised_runtime="2.16.0",
        search=search,
    )


def bundle(search: SearchRecord) -> BundleResult:
    return BundleResult("int8-uint8", verdict(PASSED, DELEGATED), manifest(search))


def test_every_trial_has_a_row_with_its_figures_beside_the_float_models() -> None:
    plain, mixed = trial_rows(manifest(SEARCH))
    assert plain.step == "plain int8"
    assert plain.balanced_accuracy == "50.00% of 75.00%"
    assert plain.critical_recall == "<MEL> 25.00% of 50.00%"
    assert plain.state == "does not meet the target: agreement, mean difference"
    assert not plain.meets_target
    assert mixed.step == "+ 2 layers in float16"
    assert mixed.latency == "10.5 ms, 1.05 of plain"
    assert mixed.state == "meets the target, chosen"


@pytest.mark.parametrize(
    ("step", "words"),
    [(Step.bias_correction, "+ bias correction"), (Step.ranges, "+ ranges")],
)
def test_a_step_is_named_in_words(step: Step, words: str) -> None:
    one = SEARCH.model_copy(update={"trials": (PLAIN.model_copy(update={"steps": (step,)}),)})
    assert [row.step for row in trial_rows(manifest(one))] == [words]


def test_the_section_says_what_was_asked_and_draws_it() -> None:
    page = render_html(RunReport("Run", (bundle(SEARCH),)))
    for words in ("97.00%", "0.0175", "3 training images", "64 of 67 nodes", "asked 97.00%"):
        assert words in page
    assert "&lt;MEL&gt; 25.00%" in page
    assert "<MEL>" not in page
    shown = context(bundle(SEARCH))
    assert shown is not None
    assert shown["bars"].count("<rect") == 2


@pytest.mark.parametrize(
    ("figures", "missed"),
    [
        ({"agreement": 0.98}, ": mean difference"),
        ({"mean_difference": 0.01}, ": agreement"),
        ({"agreement": 0.98, "mean_difference": 0.01}, ": recall lost"),
    ],
)
def test_a_trial_says_by_which_limit_it_misses_the_target(
    figures: dict[str, float], missed: str
) -> None:
    one = SEARCH.model_copy(update={"trials": (PLAIN.model_copy(update=figures),)})
    (row,) = trial_rows(manifest(one))
    assert row.state == f"does not meet the target{missed}"


def test_the_conclusion_says_why_nothing_better_was_tried() -> None:
    met = conclusion(manifest(SEARCH))
    assert met.startswith("+ 2 layers in float16 was chosen: the first trial that meets the target")
    assert "--repair max" in met
    off = PLAIN.model_copy(update={"chosen": True})
    missed = conclusion(manifest(SEARCH.model_copy(update={"trials": (off,)})))
    assert missed.startswith("No trial meets the target.")
    assert "plain int8 was chosen" in missed
    every = manifest(SEARCH).model_copy(update={"recipe": Recipe(repair=Repair.max)})
    assert "least mean difference" in conclusion(every)


def test_no_search_no_section() -> None:
    assert context(bundle(NO_SEARCH)) is None
