"""Bring models as people have them: each is exported right, or refused with what mends it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands import Call, Done
from tests.traps.models import LABELS, traps

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("traps") / "run"


def export(call: Call, run_dir: Path, model: str, *options: str, quantize: str = "float16") -> Done:
    if not (run_dir / "data" / "dataset.json").exists():
        prepared = call("data", "prepare", traps().images, "--run-dir", run_dir)
        assert prepared.code == 0, prepared
    arguments = ["--quantize", quantize, "--model", traps().models[model], *options]
    return call("export", *arguments, "--run-dir", run_dir, "--json")


def accuracy(done: Done) -> float:
    assert done.code == 0, (done.out[-3000:], done.said)
    figures = done.json()["exports"][0]["verdict"]["figures"]
    return float(figures["accuracy"]["candidate"]["share"])


@pytest.mark.parametrize(
    ("model", "options", "quantize"),
    [
        ("plain", ["--normalization", "tf"], "int8"),
        ("rescaled", [], "float16"),
        ("rescaled", [], "int8"),
        ("augmented", [], "float16"),
        ("bytes", [], "float16"),
        ("bgr", ["--normalization", "tf", "--channels", "BGR"], "int8"),
        ("unit", ["--normalization", "unit"], "float16"),
        ("caffe", ["--normalization", "caffe"], "float16"),
        ("caffe", ["--normalization", "caffe"], "float32"),
        ("caffe", ["--normalization", "caffe"], "int8"),
        ("torch", ["--mean", "123.675,116.28,103.53", "--std", "58.395,57.12,57.375"], "int8"),
        ("logits", ["--normalization", "tf", "--logits"], "float16"),
        ("legacy", ["--normalization", "tf"], "float16"),
        ("saved_model", ["--normalization", "tf"], "float16"),
    ],
)
def test_a_model_that_is_stated_rightly_is_published_at_its_true_accuracy(
    call: Call, run_dir: Path, model: str, options: list[str], quantize: str
) -> None:
    done = export(call, run_dir, model, *options, quantize=quantize)
    assert accuracy(done) > 0.9
    figures = done.json()["exports"][0]["verdict"]["figures"]
    assert figures["top1_agreement"]["share"] >= 0.95
    assert figures["critical"] == ["MEL"]


@pytest.mark.parametrize(
    ("model", "options", "mended"),
    [
        ("rescaled", ["--normalization", "tf"], "say --normalization raw"),
        ("plain", ["--normalization", "raw"], "say --normalization tf"),
        ("unit", ["--normalization", "raw"], "say --normalization unit"),
        ("bgr", ["--normalization", "tf"], "say --normalization tf --channels BGR"),
        ("caffe", ["--normalization", "torch"], "say --normalization caffe"),
    ],
)
def test_a_wrong_input_convention_is_refused_with_the_right_one(
    call: Call, run_dir: Path, model: str, options: list[str], mended: str
) -> None:
    done = export(call, run_dir, model, *options)
    assert done.code == 1, (done.out[-2000:], done.said)
    value = done.json()
    assert value["error"]["next_step"].split("; or ")[0] == mended
    assert value["exports"][0]["folder"] is None
    assert not value["exports"][0]["published"]


def test_labels_in_another_order_are_refused_with_the_right_one(call: Call, run_dir: Path) -> None:
    swapped = ["BLUE", "AMBER", "DARK", "MEL"]
    done = export(call, run_dir, "plain", "--normalization", "tf", "--labels", ",".join(swapped))
    assert done.code == 1, (done.out[-2000:], done.said)
    assert done.json()["error"]["next_step"].endswith(f"--labels {','.join(LABELS)}")


def test_a_model_that_knows_nothing_is_refused_and_may_be_accepted(
    call: Call, run_dir: Path
) -> None:
    stated = ["--normalization", "tf"]
    refused = export(call, run_dir, "constant", *stated)
    assert refused.code == 1, (refused.out[-2000:], refused.said)
    names = [c["name"] for c in refused.json()["exports"][0]["verdict"]["checks"]]
    assert "reference_better_than_largest_class" in names
    accepted = export(call, run_dir, "constant", *stated, "--accept-weak-reference")
    verdict = accepted.json()["exports"][0]["verdict"]
    (weak,) = (c for c in verdict["checks"] if c["name"] == "reference_better_than_largest_class")
    assert weak["outcome"] == "pass"
    assert weak["evidence"]["unless"] == {"kind": "weak_reference_accepted"}


@pytest.mark.parametrize(
    ("model", "options", "words"),
    [
        ("plain", [], "--normalization"),
        ("logits", ["--normalization", "tf"], "--logits"),
        ("several", ["--normalization", "tf"], "sigmoid"),
    ],
)
def test_what_is_not_stated_is_asked_for(
    call: Call, run_dir: Path, model: str, options: list[str], words: str
) -> None:
    done = export(call, run_dir, model, *options)
    assert done.code == 2, (done.out[-2000:], done.said)
    assert words in done.out


def test_one_sigmoid_becomes_two_classes(call: Call, tmp_path: Path) -> None:
    images = tmp_path / "two"
    for label, source in (("BENIGN", "BLUE"), ("MEL", "MEL")):
        (images / label).mkdir(parents=True)
        for path in (traps().images / source).iterdir():
            (images / label / path.name).write_bytes(path.read_bytes())
    run = tmp_path / "run"
    assert call("data", "prepare", images, "--run-dir", run).code == 0
    done = export(call, run, "binary", "--normalization", "tf", "--min-images", "40")
    assert accuracy(done) > 0.95


def test_no_critical_class_is_said_loudly(call: Call, tmp_path: Path) -> None:
    images, run = tmp_path / "renamed", tmp_path / "run"
    names = {"AMBER": "one", "BLUE": "two", "DARK": "three", "MEL": "zfour"}
    for source, label in names.items():
        (images / label).mkdir(parents=True)
        for path in (traps().images / source).iterdir():
            (images / label / path.name).write_bytes(path.read_bytes())
    assert call("data", "prepare", images, "--run-dir", run).code == 0
    done = call(
        "export", "--quantize", "float16", "--model", traps().models["plain"], "--run-dir", run,
        "--normalization", "tf", "--labels", "one,two,three,zfour",
    )  # fmt: skip
    assert done.code == 0, (done.out[-3000:], done.said)
    assert "NO CRITICAL CLASS" in done.out
    page = (run / "report" / "index.html").read_text(encoding="utf-8")
    assert "NO CRITICAL CLASS" in page
    gated = export(
        call, run, "plain", "--normalization", "tf", "--labels", "one,two,three,zfour",
        "--critical", "zfour",
    )  # fmt: skip
    checks = gated.json()["exports"][0]["verdict"]["checks"]
    assert "critical_recall_drop:zfour" in [c["name"] for c in checks]


def test_a_bundle_of_an_own_model_is_judged_again_with_its_model(call: Call, run_dir: Path) -> None:
    done = export(call, run_dir, "caffe", "--normalization", "caffe")
    assert accuracy(done) > 0.9
    bundle = done.json()["exports"][0]["folder"]
    again = call(
        "parity", bundle, "--model", traps().models["caffe"], "--run-dir", run_dir, "--json"
    )
    assert again.code == 0, (again.out[-2000:], again.said)
    names = [[c["name"] for c in v["checks"]] for v in (
        done.json()["exports"][0]["verdict"], again.json()["verdict"])]  # fmt: skip
    assert names[0] == names[1]
    other = call("parity", bundle, "--model", traps().models["plain"], "--run-dir", run_dir)
    assert other.code == 2
    assert "made from another model" in other.said
