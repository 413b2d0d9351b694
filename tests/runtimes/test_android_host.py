"""Ask the app's code on a JVM: here a small program stands in for Java."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.contract.choices import RuntimeName, Split
from pipeline.contract.hashing import sha256_file
from pipeline.contract.images import images_of_dataset
from pipeline.contract.run import RunDir
from pipeline.errors import BadInput, EnvironmentProblem
from pipeline.progress import ProgressEvent
from pipeline.runtimes.android_host import AndroidHost, EmulatedEngine, find_host
from pipeline.runtimes.ask import Recorded, RecordRequest, ask, hash_model, record
from pipeline.runtimes.interface import ImageFile, InferenceRequest
from tests.export.samples import IMAGE, INT8, LABELS, samples

# Answers with the index of the image, so that rows cannot be mixed up unseen.
STAND_IN = """#!{python}
import hashlib, json, pathlib, sys
words = sys.argv[1:]
assert words[0] == "-cp" and words[1] == "core.jar:host.jar", words
assert words[2] == "-Djava.library.path=jni" and words[3:5] == ["the.Main", "record"], words
import os
assert os.environ["LD_LIBRARY_PATH"] == "shim"
request = json.loads(pathlib.Path(words[5]).read_text())
mode = {mode!r}
if mode == "dies":
    sys.exit("no such library")
if mode == "refuses":
    pathlib.Path(words[6]).write_text(json.dumps({{"error": "The model file cannot be read: x."}}))
    sys.exit(2)
if mode == "silent":
    sys.exit(0)
if mode == "other-form":
    pathlib.Path(words[6]).write_text(json.dumps({{"answers": []}}))
    sys.exit(0)
if mode == "killed":
    os.kill(os.getpid(), 11)
answers, bad = [], []
for i, image in enumerate(request["images"]):
    print(json.dumps({{"done": i + 1, "total": len(request["images"])}}))
    if not pathlib.Path(image["path"]).read_bytes():
        bad.append({{"index": i, "what": "the image file is empty"}})
        continue
    answers.append({{"index": i, "probabilities": [i / 100, 0.25, 0.75 - i / 100],
                    "latency_ms": 1.5 + i}})
print("a line that is no progress")
model = pathlib.Path(request["model"]).read_bytes()
result = {{
    "model_sha256": hashlib.sha256(model).hexdigest(), "runtime_version": "2.16.1",
    "labels": ["RED", "GREEN", "BLUE"] if mode != "labels" else ["BLUE", "GREEN", "RED"],
    "image": {{"height_px": 32, "width_px": 32 if mode != "size" else 64,
              "mean": 127.5, "std": 127.5 if mode != "normalization" else 255.0}},
    "answers": answers, "bad": bad, }}
pathlib.Path(words[6]).write_text(json.dumps(result))
pathlib.Path("request.seen").write_text(json.dumps(request))
"""


def build(project: Path, mode: str = "answers", **changes: Any) -> None:
    """Leave a host in a project as `android_demo/check` does."""
    source = project / "core" / "Resize.kt"
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_text("class Resize\n", encoding="utf-8")
    java = project / "java"
    java.write_text(STAND_IN.format(python=sys.executable, mode=mode), encoding="utf-8")
    java.chmod(0o755)
    host = AndroidHost(
        java=str(java),
        class_path=("core.jar", "host.jar"),
        library_path="jni",
        shim="shim",
        main="the.Main",
        runtime_version="2.16.1",
        sources={"core/Resize.kt": sha256_file(source)},
    )
    host.model_copy(update=changes).save(project / "build" / "host" / "host.json")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PIPELINE_ANDROID_PROJECT", str(tmp_path / "project"))
    monkeypatch.chdir(tmp_path)
    build(tmp_path / "project")
    return tmp_path / "project"


def asked(
    images: list[Path],
    runtime: RuntimeName = RuntimeName.android,
    *,
    collect_bad: bool = False,
    **options: Any,
) -> Any:
    model = samples().described[INT8.name]
    request = InferenceRequest(
        runtime=runtime,
        model=model,
        model_sha256=hash_model(model),
        image=IMAGE,
        labels=LABELS.names,
        images=tuple(ImageFile(path=path) for path in images),
        collect_bad=collect_bad,
    )
    return ask(request, **options)


def photos() -> list[Path]:
    dataset = samples().dataset
    return [dataset.file(entry) for entry in dataset.of(Split.validation)]


def test_answers_come_back_row_by_row_with_progress(project: Path) -> None:
    events: list[ProgressEvent] = []
    answers = asked(photos()[:3], report=events.append)
    assert answers.probabilities.dtype == np.float32
    np.testing.assert_array_equal(
        answers.probabilities,
        np.array([[0, 0.25, 0.75], [0.01, 0.25, 0.74], [0.02, 0.25, 0.73]], np.float32),
    )
    assert answers.latencies_ms.tolist() == [1.5, 2.5, 3.5]
    assert answers.answered.tolist() == [0, 1, 2]
    assert [(event.done, event.total) for event in events] == [(1, 3), (2, 3), (3, 3)]


def test_a_bad_image_is_named(project: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.jpg"
    empty.write_bytes(b"")
    answers = asked([photos()[0], empty], collect_bad=True)
    assert answers.answered.tolist() == [0]
    assert answers.bad[1].what == "the image file is empty"
    assert answers.bad[1].where == str(empty)


@pytest.mark.parametrize("mode", ["size", "normalization", "labels"])
def test_an_app_that_reads_another_contract_is_refused(project: Path, mode: str) -> None:
    build(project, mode)
    with pytest.raises(BadInput, match=f"the app reads another {mode} than"):
        asked(photos()[:1])


def test_a_host_that_refuses_says_why(project: Path) -> None:
    build(project, "refuses")
    with pytest.raises(BadInput) as refused:
        asked(photos()[:1])
    assert refused.value.got == "The model file cannot be read: x."


def test_a_host_that_dies_leaves_its_last_words(project: Path) -> None:
    build(project, "dies")
    with pytest.raises(EnvironmentProblem, match="stopped with exit code 1") as died:
        asked(photos()[:1])
    assert "no such library" in str(died.value.got)


def test_a_host_without_answers_is_no_success(project: Path) -> None:
    build(project, "silent")
    with pytest.raises(EnvironmentProblem, match="left no answers"):
        asked(photos()[:1])


def test_an_answer_of_another_form_names_the_host_and_its_log(
    project: Path, tmp_path: Path
) -> None:
    build(project, "other-form")
    log = tmp_path / "host.log"
    with pytest.raises(EnvironmentProblem, match="the Android host left an answer") as refused:
        asked(photos()[:1], log=log)
    assert (refused.value.expected, refused.value.where) == ("HostAnswers", str(log))


def test_a_signal_that_ends_the_host_is_named(project: Path) -> None:
    build(project, "killed")
    with pytest.raises(EnvironmentProblem, match="the Android host was ended by SIGSEGV") as died:
        asked(photos()[:1])
    assert Path(str(died.value.where)).is_file()


def test_a_broken_progress_display_costs_no_answer(project: Path, tmp_path: Path) -> None:
    def broken(event: ProgressEvent) -> None:
        raise BrokenPipeError("the display broke")

    answers = asked(photos()[:3], report=broken, log=tmp_path / "host.log")
    assert answers.answered.tolist() == [0, 1, 2]
    log = (tmp_path / "host.log").read_text(encoding="utf-8")
    assert log.count("BrokenPipeError: the display broke") == 1
    assert "a line that is no progress" in log


def test_no_java_is_an_environment_problem(project: Path) -> None:
    build(project, java="/nowhere/java")
    with pytest.raises(EnvironmentProblem, match="needs Java"):
        asked(photos()[:1])


def test_a_host_that_was_not_built_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="not built") as missing:
        find_host(RuntimeName.android, tmp_path)
    assert missing.value.next_step == f"{tmp_path}/check --only host"


def test_a_host_older_than_its_sources_is_not_used(project: Path) -> None:
    (project / "core" / "Resize.kt").write_text("class Resize(antialias)\n", encoding="utf-8")
    with pytest.raises(EnvironmentProblem, match="older than its sources") as stale:
        find_host(RuntimeName.android, project)
    assert "core/Resize.kt" in str(stale.value.got)


def test_arm64_needs_its_engine_and_passes_it_on(project: Path, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="without the arm64-v8a engine"):
        asked(photos()[:1], RuntimeName.android_arm64)
    build(project, arm64=EmulatedEngine(engine=("qemu", "engine")))
    asked(photos()[:1], RuntimeName.android_arm64)
    seen = json.loads((tmp_path / "request.seen").read_text(encoding="utf-8"))
    assert seen["engine"] == ["qemu", "engine"]
    asked(photos()[:1])
    seen = json.loads((tmp_path / "request.seen").read_text(encoding="utf-8"))
    assert seen["engine"] is None


def test_a_recording_is_found_again_until_the_app_changes(project: Path, tmp_path: Path) -> None:
    def recorded() -> Recorded:
        model = samples().described[INT8.name]
        request = RecordRequest(
            runtime=RuntimeName.android,
            model=model,
            model_sha256=hash_model(model),
            image=IMAGE,
            labels=LABELS,
            images=images_of_dataset(samples().dataset, Split.validation),
        )
        return record(request, RunDir(tmp_path / "run"))

    first = recorded()
    recording, path = first.recording, first.path
    assert recording.facts.runtime == "android"
    assert recording.facts.runtime_version == "2.16.1"
    (tmp_path / "request.seen").unlink()
    assert recorded().path == path
    assert not (tmp_path / "request.seen").exists()
    (project / "core" / "Resize.kt").write_text("class Resize(other)\n", encoding="utf-8")
    changed = {"core/Resize.kt": sha256_file(project / "core" / "Resize.kt")}
    host = AndroidHost.load(project / "build" / "host" / "host.json")
    host.model_copy(update={"sources": changed}).save(project / "build" / "host" / "host.json")
    assert recorded().path != path
