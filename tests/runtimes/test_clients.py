"""Load exported files in the clients that phones use, and classify a JPEG there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.contract.choices import RuntimeName
from pipeline.errors import BadInput, EnvironmentProblem
from pipeline.runtimes.ask import ask, hash_model
from pipeline.runtimes.interface import Answers, ImageFile, InferenceRequest
from pipeline.runtimes.native import install_hint
from pipeline.runtimes.task_library import by_label
from tests.export.samples import IMAGE, LABELS, samples
from tests.platforms import HAS_TFLITE_SUPPORT, needs_tflite_support

TASK_LIBRARY = pytest.param(RuntimeName.task_library, marks=needs_tflite_support)
RUNTIMES = (RuntimeName.litert, TASK_LIBRARY, RuntimeName.mediapipe)


def answers(runtime: RuntimeName, model: Path, **options: Any) -> Answers:
    dataset = samples().dataset
    images: list[tuple[Path, str | None]] = [
        (dataset.file(image), image.sha256) for image in dataset.images
    ]
    return ask(inference(runtime, model, images, **options))


def inference(
    runtime: RuntimeName, model: Path, images: list[tuple[Path, str | None]], **options: Any
) -> InferenceRequest:
    return InferenceRequest(
        runtime=runtime,
        model=model,
        model_sha256=hash_model(model),
        image=IMAGE,
        labels=LABELS.names,
        images=tuple(ImageFile(path=path, sha256=sha256) for path, sha256 in images),
        **options,
    )


@pytest.mark.parametrize("runtime", [TASK_LIBRARY, RuntimeName.mediapipe])
@pytest.mark.parametrize("name", ["float32", "float16", "int8-uint8"])
def test_the_task_library_and_mediapipe_classify_jpegs_as_litert_does(
    name: str, runtime: RuntimeName
) -> None:
    litert = answers(RuntimeName.litert, samples().described[name])
    client = answers(runtime, samples().described[name])
    assert client.probabilities.shape == litert.probabilities.shape
    # uint8 outputs are 1/256 apart, and the clients bring kernels of other years.
    np.testing.assert_allclose(client.probabilities, litert.probabilities, atol=2.1 / 256)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_full_names_in_the_file_change_no_answer(runtime: RuntimeName) -> None:
    plain = answers(runtime, samples().described["float16"])
    named = answers(runtime, samples().named["float16"])
    np.testing.assert_array_equal(named.probabilities, plain.probabilities)


def test_keras_and_the_float_file_answer_the_same() -> None:
    keras = answers(RuntimeName.keras, samples().models["good"])
    litert = answers(RuntimeName.litert, samples().described["float32"])
    np.testing.assert_allclose(litert.probabilities, keras.probabilities, atol=1e-5)
    assert len(set(keras.probabilities.argmax(axis=1).tolist())) > 1, "the model must tell apart"


def test_int8_input_is_quantized_as_the_file_says() -> None:
    uint8 = answers(RuntimeName.litert, samples().described["int8-uint8"])
    int8 = answers(RuntimeName.litert, samples().described["int8-int8"])
    np.testing.assert_allclose(int8.probabilities, uint8.probabilities, atol=0.05)


@pytest.mark.parametrize("runtime", [TASK_LIBRARY, RuntimeName.mediapipe])
def test_int8_input_is_refused_by_the_clients_in_words(runtime: RuntimeName) -> None:
    with pytest.raises(BadInput, match="refuses the model"):
        answers(runtime, samples().described["int8-int8"])


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_half_a_file_is_refused_by_every_runtime(runtime: RuntimeName, tmp_path: Path) -> None:
    data = samples().described["float16"].read_bytes()
    half = tmp_path / "half.tflite"
    half.write_bytes(data[: len(data) // 2])
    with pytest.raises(BadInput):
        answers(runtime, half)


def test_a_changed_image_is_refused_by_its_hash() -> None:
    dataset = samples().dataset
    images: list[tuple[Path, str | None]] = [(dataset.file(dataset.images[0]), "0" * 64)]
    with pytest.raises(BadInput, match="changed since the dataset was prepared"):
        ask(inference(RuntimeName.litert, samples().described["float32"], images))


def test_bad_images_are_collected_where_asked(tmp_path: Path) -> None:
    dataset = samples().dataset
    bad = tmp_path / "bad.jpg"
    bad.write_text("not a picture", encoding="utf-8")
    good = dataset.file(dataset.images[0])
    collected = ask(
        inference(
            RuntimeName.litert,
            samples().described["float32"],
            [(good, None), (bad, None), (good, None)],
            collect_bad=True,
        )
    )
    assert collected.answered.tolist() == [0, 2]
    assert list(collected.bad) == [1]


def test_scores_are_ordered_by_label_and_other_classes_refused() -> None:
    assert by_label([("b", 0.75), ("a", 0.25)], ["a", "b"]).tolist() == [[0.25, 0.75]]
    with pytest.raises(BadInput, match="other classes"):
        by_label([("b", 0.75), ("c", 0.25)], ["a", "b"])


@pytest.mark.skipif(HAS_TFLITE_SUPPORT, reason="tflite-support is installed here")
def test_a_runtime_without_wheels_here_is_refused_with_what_to_use() -> None:
    with pytest.raises(EnvironmentProblem, match="tflite-support") as refused:
        answers(RuntimeName.task_library, samples().described["float16"])
    assert refused.value.next_step == install_hint("tflite-support")


@pytest.mark.parametrize(
    ("platform", "machine", "python", "words"),
    [
        ("linux", "x86_64", (3, 11), "--extra task-library"),
        ("linux", "x86_64", (3, 12), "--runtime mediapipe"),
        ("linux", "aarch64", (3, 11), "--runtime mediapipe"),
        ("darwin", "arm64", (3, 11), "--runtime mediapipe"),
    ],
)
def test_the_hint_names_what_this_platform_can_do(
    monkeypatch: pytest.MonkeyPatch,
    platform: str,
    machine: str,
    python: tuple[int, int],
    words: str,
) -> None:
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr("sys.version_info", (*python, 0))
    assert words in install_hint("tflite-support")
    assert "uv sync" in install_hint("ai-edge-litert")
