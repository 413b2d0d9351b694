"""Show a trace and a diagnosis whose values are known."""

from __future__ import annotations

from pipeline.contract.choices import Mistake
from pipeline.contract.diagnosis import Diagnosis, Found, Suspect
from pipeline.contract.trace import StepKind, Trace, TraceStep
from pipeline.report.diagnosis import conclusion, diagnosis_table, remarks
from pipeline.report.html import render_html
from pipeline.report.run_report import BundleResult, RunReport
from pipeline.report.sections.trace import context
from pipeline.report.trace import lost, rows, trace_table
from tests.report.examples import PASSED, verdict


def step(kind: StepKind, name: str, flips: int, keras_flips: int, before: int | None) -> TraceStep:
    return TraceStep(
        kind=kind,
        name=name,
        before=before,
        model_sha256="0" * 64,
        runtime="litert",
        runtime_version="2",
        host="Linux",
        flips=flips,
        keras_flips=keras_flips,
        mean_difference=0.01 * flips,
        keras_mean_difference=0.01 * keras_flips,
        accuracy=0.9,
        critical_recall={"MEL": 0.75},
    )


TRACE = Trace(
    bundle="int8-uint8",
    model_sha256="0" * 64,
    split="validation",
    images=200,
    steps=(
        step(StepKind.keras, "model.keras", 0, 0, None),
        step(StepKind.convert, "float32", 0, 0, 0),
        step(StepKind.recipe, "int8", 6, 6, 1),
        step(StepKind.io, "uint8", 1, 7, 2),
        step(StepKind.runtime, "<phone> 1", 2, 8, 3),
    ),
)
BGR = Suspect(
    mistake=Mistake.bgr,
    variant="BGR",
    images=200,
    flips=103,
    flips_explained=97,
    agreed=190,
    distance=0.01,
    right_distance=0.5,
    log_likelihood_ratio=700.0,
    clear=True,
)
DIAGNOSIS = Diagnosis(
    found=Found.known,
    reference="bundle",
    reference_sha256="0" * 64,
    candidate="phone.json",
    runtime="phone",
    runtime_version="1",
    host="Android",
    same_model=True,
    recorded=378,
    images=200,
    flips=103,
    distance=0.5,
    largest_difference=0.4,
    named=(Mistake.bgr,),
    suspects=(BGR,),
    unseen=(Mistake.letterbox,),
)


def test_the_step_that_lost_most_is_named() -> None:
    assert lost(TRACE).startswith("most is lost at int8, float32 in and out: 6 of 200 images")
    calm = TRACE.model_copy(update={"steps": TRACE.steps[:2]})
    assert lost(calm).startswith("nothing is lost")


def test_every_step_has_a_row_and_a_bar() -> None:
    assert [row[0] for row in rows(TRACE)] == [
        "Keras",
        "float32 file",
        "int8, float32 in and out",
        "uint8 in and out",
        "<phone> 1",
    ]
    assert rows(TRACE)[2][1:3] == ("97.00%", "6")
    assert trace_table(TRACE).row_count == 5
    shown = context(BundleResult("int8-uint8", verdict(PASSED), trace=TRACE))
    assert shown is not None
    assert shown["bars"].count("<rect") == 5
    page = render_html(RunReport("Run", (BundleResult("a", verdict(PASSED), trace=TRACE),)))
    assert "&lt;phone&gt; 1" in page
    assert context(BundleResult("a", verdict(PASSED))) is None


def test_a_mistake_is_named_with_what_it_explains() -> None:
    assert conclusion(DIAGNOSIS) == "this runtime most likely feeds BGR (explains 97 of 103 flips)"
    said = remarks(DIAGNOSIS)
    assert any("letterbox" in one for one in said)
    assert any("200 of the 378" in one for one in said)
    assert diagnosis_table(DIAGNOSIS).row_count == 2


def test_a_mistake_that_flips_nothing_is_named_by_the_probabilities() -> None:
    twice = BGR.model_copy(
        update={"mistake": Mistake.softmax_twice, "flips": 0, "flips_explained": 0}
    )
    found = DIAGNOSIS.model_copy(update={"named": (Mistake.softmax_twice,), "suspects": (twice,)})
    assert "explains 98% of the difference in the probabilities" in conclusion(found)


def test_two_mistakes_that_cannot_be_told_apart_are_both_named() -> None:
    other = BGR.model_copy(update={"mistake": Mistake.transposed})
    both = (Mistake.bgr, Mistake.transposed)
    found = DIAGNOSIS.model_copy(update={"named": both, "suspects": (BGR, other)})
    assert any("as likely" in one and "transposed" in one for one in remarks(found))


def test_nothing_known_and_no_disagreement_are_said() -> None:
    unknown = DIAGNOSIS.model_copy(update={"found": Found.none_known, "named": ()})
    assert "none of the known mistakes" in conclusion(unknown)
    healthy = DIAGNOSIS.model_copy(
        update={"found": Found.no_disagreement, "named": (), "flips": 2, "suspects": ()}
    )
    assert conclusion(healthy).startswith("no disagreement: 198 of 200 images")
