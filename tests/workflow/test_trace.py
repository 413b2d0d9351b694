"""Trace exported bundles from Keras to a second runtime."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pipeline.contract.bundle import MODEL_FILE
from pipeline.contract.choices import Io, Quantize, RuntimeName, Split, Step
from pipeline.contract.normalization import Normalization
from pipeline.contract.recipe import Recipe
from pipeline.contract.run import RunDir
from pipeline.contract.trace import StepKind, Trace
from pipeline.errors import BadInput
from pipeline.parity.thresholds import Thresholds
from pipeline.report.html import render_html
from pipeline.runtimes.recording import Recording
from pipeline.workflow.export import export
from pipeline.workflow.export_job import ExportJob
from pipeline.workflow.keras_model import StatedModel
from pipeline.workflow.record import record_model
from pipeline.workflow.report import gather
from pipeline.workflow.source import keras_source
from pipeline.workflow.trace import trace_bundle
from tests.commands import Call
from tests.commands import call as call
from tests.export.samples import LABELS, samples

pytestmark = pytest.mark.slow

EASY = Thresholds(
    min_images=1,
    accuracy_tolerance=1.0,
    min_top1_agreement=0.0,
    max_mean_probability_difference=1.0,
    accept_weak_reference=True,
)
STEPS = (Step.ranges, Step.bias_correction)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    run = RunDir(tmp_path_factory.mktemp("run"))
    labels = LABELS.model_copy(update={"critical": ()})
    samples().dataset.model_copy(update={"labels": labels}).save(run.dataset)
    run.train.mkdir()
    shutil.copyfile(samples().models["good"], run.model)
    return run


def exported(run: RunDir, recipe: Recipe) -> Path:
    source = keras_source(run, None, StatedModel(normalization=Normalization()))
    folder = export(ExportJob(source, recipe, EASY), run).folder
    assert folder is not None
    return folder


def kinds(trace: Trace) -> list[StepKind]:
    return [step.kind for step in trace.steps]


@pytest.mark.parametrize("io", [Io.uint8, Io.int8])
def test_an_int8_bundle_is_traced_to_every_runtime_that_recorded_it(
    run: RunDir, io: Io, tmp_path: Path, call: Call
) -> None:
    recipe = Recipe(quantize=Quantize.int8, io=io, representative_count=6, steps=STEPS)
    bundle = exported(run, recipe)
    trace, path = trace_bundle(run, bundle)
    assert kinds(trace) == [StepKind.keras, StepKind.convert, StepKind.recipe, StepKind.io]
    keras, converted, quantized, shipped = trace.steps
    assert converted.mean_difference < 1e-4
    assert quantized.mean_difference > converted.mean_difference
    # The same graph, and pixels reach it exactly; the output is rounded to steps of its type.
    assert shipped.flips == 0
    assert shipped.mean_difference < 1e-6
    assert len({step.model_sha256 for step in trace.steps}) == 4
    assert keras.runtime == "keras"
    assert Trace.load(path) == trace

    recorded = record_model(run, RuntimeName.litert_reference, bundle, Split.validation).path
    again, _ = trace_bundle(run, bundle)
    assert again.steps[:4] == trace.steps
    assert kinds(again)[4:] == [StepKind.runtime]
    assert again.steps[4].runtime == "litert-reference"
    assert again.steps[4].before == 3

    # What a phone recorded elsewhere is another runtime.
    phone = Recording.load(recorded)
    facts = phone.facts.model_copy(update={"runtime": "phone"})
    Recording(facts, phone.image_ids, phone.truth, phone.probabilities).save(tmp_path / "p.json")
    options = ("--recording", tmp_path / "p.json", "--run-dir", run.root)
    done = call("trace", bundle, *options, "--json")
    assert done.code == 0, done.said
    assert [step["runtime"] for step in done.json()["steps"]][4:] == ["litert-reference", "phone"]
    shown = call("trace", bundle, *options)
    assert f"{io} in and out" in shown.out

    (result,) = [one for one in gather(run).bundles if one.name == bundle.name]
    assert result.trace is not None
    assert len(result.trace.steps) == 6
    assert "From Keras to each runtime" in render_html(gather(run))


def test_a_float16_bundle_has_no_other_input_type(run: RunDir) -> None:
    trace, _ = trace_bundle(run, exported(run, Recipe(quantize=Quantize.float16)))
    assert kinds(trace) == [StepKind.keras, StepKind.convert, StepKind.recipe]


def test_a_float32_bundle_is_the_converted_file(run: RunDir) -> None:
    trace, path = trace_bundle(run, exported(run, Recipe(quantize=Quantize.float32)))
    assert kinds(trace) == [StepKind.keras, StepKind.convert]
    # A trace of an earlier file is not shown.
    value = json.loads(path.read_text(encoding="utf-8"))
    value["model_sha256"] = "0" * 64
    path.write_text(json.dumps(value), encoding="utf-8")
    (result,) = [one for one in gather(run).bundles if one.name == path.stem]
    assert result.trace is None


def test_a_recording_of_another_file_is_refused(run: RunDir, tmp_path: Path) -> None:
    bundle = exported(run, Recipe(quantize=Quantize.float16))
    shutil.copyfile(samples().described["dynamic"], tmp_path / MODEL_FILE)
    path = record_model(run, RuntimeName.litert, tmp_path / MODEL_FILE, Split.validation).path
    with pytest.raises(BadInput, match="another file"):
        trace_bundle(run, bundle, recordings=(path,))
