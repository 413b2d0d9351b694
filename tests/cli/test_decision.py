"""Read answers by the thresholds and the unsure band that a bundle states."""

from __future__ import annotations

import csv
import io
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline.contract.bundle import MANIFEST_FILE, MODEL_FILE
from pipeline.contract.chosen import ChosenDecision, DecisionAsked
from pipeline.contract.decision import Decision
from pipeline.contract.manifest import BundleManifest, FileEntry
from pipeline.contract.recipe import Quantize, Recipe
from pipeline.parity.choosing import choose
from tests.commands import Call
from tests.export.samples import ABOUT, IMAGE, LABELS, samples

FIRST, SECOND = LABELS.names[:2]


def bundle(folder: Path, decision: Decision, chosen: ChosenDecision | None = None) -> Path:
    folder.mkdir()
    shutil.copyfile(samples().described["float16"], folder / MODEL_FILE)
    BundleManifest(
        versions={},
        seed=0,
        parents={},
        files={MODEL_FILE: FileEntry.of(folder / MODEL_FILE)},
        image=IMAGE,
        labels=LABELS,
        about=ABOUT,
        recipe=Recipe(quantize=Quantize.float16),
        inputs=(),
        outputs=(),
        operators={},
        min_runtime="2.3.0",
        promised_runtime="2.16.0",
        decision=decision,
        chosen=chosen,
    ).save(folder / MANIFEST_FILE)
    return folder


@pytest.fixture
def strict(tmp_path: Path) -> Path:
    """Return a bundle that is unsure of everything, and names its second class always."""
    return bundle(tmp_path / "b", Decision(unsure_below=0.999, thresholds={SECOND: 0.001}))


@pytest.fixture
def image() -> Path:
    return samples().dataset.file(samples().dataset.images[0])


def test_predict_reads_answers_as_the_bundle_states(call: Call, strict: Path, image: Path) -> None:
    answered = call("predict", strict, image, "--json").json()
    assert answered["decision"] == {"unsure_below": 0.999, "thresholds": {SECOND: 0.001}}
    (one,) = answered["predictions"]
    assert one["unsure"] is True
    assert one["over_threshold"] == [SECOND]
    shown = call("predict", strict, image).out
    assert f"unsure ({one['label']}); over threshold: {SECOND}" in shown
    assert f"threshold of {SECOND}: named whenever it reaches 0.001" in shown
    (row,) = csv.DictReader(io.StringIO(call("predict", strict, image, "--csv").out))
    assert (row["unsure"], row["over_threshold"]) == ("true", SECOND)


def test_a_bare_file_states_nothing_about_its_answers(call: Call, image: Path) -> None:
    file = samples().described["float16"]
    (one,) = call("predict", file, image, "--json").json()["predictions"]
    assert (one["unsure"], one["over_threshold"]) == (False, [])
    header = call("predict", file, image, "--csv").out.splitlines()[0]
    assert header == ",".join(["image", "label", *LABELS.names])


def test_inspect_shows_what_a_bundle_states(call: Call, strict: Path) -> None:
    assert call("inspect", strict, "--json").json()["decision"]["unsure_below"] == 0.999
    shown = call("inspect", strict).out
    assert "where no class reaches 0.999" in shown
    assert "named whenever it reaches 0.001" in shown
    assert "decision" not in call("inspect", samples().described["float16"], "--json").json()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--sensitivity", "MEL"), "not a sensitivity"),
        (("--sensitivity", "MEL=2"), "sensitivity"),
        (("--sensitivity", "A=0.9", "--threshold", "A=0.3"), "both stated and to be chosen"),
        (("--unsure-risk", "0.1", "--unsure-below", "0.5"), "both stated and to be chosen"),
        (("--unsure-coverage", "1.5"), "unsure"),
        (("--unsure-risk", "0.1", "--unlabelled", "photos"), "--unlabelled has none"),
    ],
)
def test_what_cannot_be_chosen_is_refused_at_once(
    call: Call, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    refused = call("export", "--quantize", "int8", *options, "--run-dir", tmp_path / "run")
    assert refused.code == 2
    assert said in refused.said
    assert not (tmp_path / "run").exists()


def test_what_a_decision_was_chosen_for_is_shown(call: Call, tmp_path: Path, image: Path) -> None:
    truth = np.array([0, 0, 1, 2])
    rows = np.array([[0.6, 0.2, 0.2], [0.5, 0.3, 0.2], [0.2, 0.6, 0.2], [0.5, 0.1, 0.4]])
    asked = DecisionAsked(sensitivity={FIRST: 0.9}, unsure_coverage=0.75)
    chosen = choose(truth, rows.astype(np.float32), LABELS.names, asked)
    folder = bundle(tmp_path / "c", chosen.applied_to(Decision()), chosen)
    found = call("inspect", folder, "--json").json()
    assert found["chosen"] == chosen.model_dump(mode="json")
    assert call("predict", folder, image, "--json").json()["chosen"] == found["chosen"]
    for command in (("inspect", folder), ("predict", folder, image)):
        shown = re.sub("[^a-zA-Z]+", " ", call(*command).out)
        assert f"sensitivity of {FIRST}" in shown
        assert "coverage" in shown
