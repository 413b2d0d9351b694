from __future__ import annotations

import pytest

from pipeline.contract.choices import Repair, Step
from pipeline.contract.image import ImageContract
from pipeline.contract.labels import Labels
from pipeline.contract.manifest import BundleManifest
from pipeline.contract.noise import CriticalFlips, NoiseFloor, NoiseLevel
from pipeline.contract.recipe import Recipe
from pipeline.contract.search import SearchRecord, Stop, Trial
from pipeline.contract.verdict import Check, Gate, Outcome
from pipeline.report.html import render_html
from pipeline.report.run_report import BundleResult, RunReport
from pipeline.report.search_sentences import why_no_more
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
        "latency_of_plain": 1.05,
        "latency_of_float16": 0.6,
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
    assert mixed.latency == "10.5 ms, 1.05 of plain, 0.60 of float16"
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


def test_a_file_short_of_the_target_is_called_the_best_found() -> None:
    chosen = PLAIN.model_copy(update={"chosen": True, "agreement_95": (0.85, 0.94)})
    (row,) = trial_rows(manifest(SEARCH.model_copy(update={"trials": (chosen,)})))
    assert row.state.startswith("chosen as the best found, short of the target")
    assert row.agreement == "90.00% (85.00% to 94.00%)"


@pytest.mark.parametrize(
    ("stopped", "words"),
    [
        (None, None),
        (Stop.met, "meets the target"),
        (Stop.gain, "less than 10.00% off"),
        (Stop.latency, "0.85 of float16's latency, agreement 99.00%"),
        (Stop.exhausted, "no registered step was left"),
    ],
)
def test_why_nothing_more_was_tried(stopped: Stop | None, words: str | None) -> None:
    slow = MIXED.model_copy(update={"latency_of_float16": 0.85, "chosen": False})
    search = SEARCH.model_copy(
        update={
            "trials": (PLAIN, MIXED, slow),
            "stopped": stopped,
            "min_gain": 0.1,
            "max_latency_of_float16": 0.8,
        }
    )
    said = why_no_more(search)
    shown = context(bundle(search))
    assert shown is not None
    assert shown["stopped"] == said
    assert said is None if words is None else words in str(said)


def test_the_noise_floor_stands_beside_the_trials() -> None:
    levels = tuple(
        NoiseLevel(
            pixel_steps=steps,
            agreement=0.98,
            mean_difference=0.01,
            flips={"MEL": CriticalFlips(into=1, out_of=2)},
        )
        for steps in (0.5, 1.0)
    )
    noise = NoiseFloor(images=256, seed=0, levels=levels)
    shown = context(bundle(SEARCH.model_copy(update={"noise": noise})))
    assert shown is not None
    for words in ("256 images", "by at most 0.5 of 255", "98.00%", "MEL 1 into, 2 out of it"):
        assert words in shown["noise"]
