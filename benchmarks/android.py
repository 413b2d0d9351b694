"""Compare Python's LiteRT with the Android library behind the app's own code, image by image.

Usage: uv run python -m benchmarks.android RUN_DIR BUNDLE... [--runtime android] [--count 400]

Both start from the bytes of the JPEG files of the validation and test splits: here Pillow, NumPy
and LiteRT, there the app's `core` on a JVM with the AAR's unmodified library. One thread each.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from pipeline.contract.bundle import MODEL_FILE
from pipeline.contract.choices import RuntimeName, Split
from pipeline.contract.dataset import DatasetManifest
from pipeline.imaging.decode import decode_file
from pipeline.imaging.preprocess import input_tensor, resize_pixels
from pipeline.progress import silent
from pipeline.runtimes.android_host import HostAnswers, ask_host
from pipeline.runtimes.ask import hash_model
from pipeline.runtimes.interface import Answers, ImageFile, InferenceRequest
from pipeline.tflite.metadata import DescribedModel, described_model

HEADER = (
    "| bundle | images | decoded alike | input values that differ | largest, levels | top-1 alike "
    "| largest probability difference | p50 here, ms | p50 there, ms |"
)


def main(run_dir: Path, bundles: list[Path], runtime: RuntimeName, count: int) -> None:
    dataset = DatasetManifest.load(run_dir / "data" / "dataset.json")
    entries = (dataset.of(Split.validation) + dataset.of(Split.test))[:count]
    images = [(dataset.file(entry), entry.sha256) for entry in entries]
    print(HEADER)
    print("|---|---|---|---|---|---|---|---|---|")
    for bundle in bundles:
        print(row(bundle, images, runtime), flush=True)


def row(bundle: Path, images: list[tuple[Path, str | None]], runtime: RuntimeName) -> str:
    model = bundle / MODEL_FILE
    described = described_model(model)
    with tempfile.TemporaryDirectory() as folder:
        tensors = Path(folder) / "tensors.bin"
        request = InferenceRequest(
            runtime=runtime,
            model=model,
            model_sha256=hash_model(model),
            image=described.image,
            labels=described.labels.names,
            images=tuple(ImageFile(path=path, sha256=sha256) for path, sha256 in images),
        )
        emulated = runtime is RuntimeName.android_arm64
        found = ask_host(request, emulated=emulated, report=silent, tensors=tensors)
        answers = found.answers_for(request)
        return compare(bundle.name, model, described, images, found, answers, tensors)


def compare(
    name: str,
    model: Path,
    described: DescribedModel,
    images: list[tuple[Path, str | None]],
    found: HostAnswers,
    answers: Answers,
    tensors: Path,
) -> str:
    interpreter = Interpreter(model_path=str(model), num_threads=1)
    interpreter.allocate_tensors()
    fed, given = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    scale, zero_point = fed["quantization"]
    step = {"uint8": 1.0, "float32": described.image.std, "int8": scale * described.image.std}
    levels_of_one = step[np.dtype(fed["dtype"]).name]
    theirs = answers.probabilities
    kept = np.memmap(tensors, fed["dtype"], "r").reshape(len(images), *described.image.input_shape)
    ours = np.zeros_like(theirs)
    own_ms, alike, differing, largest = [], 0, 0, 0.0
    for i, (path, sha256) in enumerate(images):
        pixels = decode_file(path, described.image, sha256)
        decoded = hashlib.sha256(pixels.tobytes()).hexdigest()
        alike += decoded == found.answers[i].pixels_sha256
        tensor = input_tensor(
            resize_pixels(pixels, described.image),
            described.image,
            dtype=np.dtype(fed["dtype"]).name,
            scale=scale,
            zero_point=zero_point,
        )
        apart = np.abs(kept[i].astype(np.float64) - tensor)
        differing += int(np.count_nonzero(apart))
        largest = max(largest, float(apart.max()) * levels_of_one)
        ours[i], spent_ms = answer(interpreter, tensor, fed, given)
        own_ms.append(spent_ms)
    same = float(np.mean(ours.argmax(axis=1) == theirs.argmax(axis=1)))
    return (
        f"| {name} | {len(images)} | {alike} | {differing / kept.size:.2e} | {largest:.2f} "
        f"| {same:.4f} | {np.abs(ours - theirs).max():.2e} "
        f"| {np.median(own_ms):.1f} | {np.median(answers.latencies_ms):.1f} |"
    )


def answer(interpreter, tensor, fed, given):
    interpreter.set_tensor(fed["index"], tensor[None])
    start = time.perf_counter()
    interpreter.invoke()
    spent_ms = (time.perf_counter() - start) * 1000
    stored = interpreter.get_tensor(given["index"])[0]
    if stored.dtype == np.float32:
        return stored.copy(), spent_ms
    scale, zero_point = given["quantization"]
    return (stored.astype(np.float32) - np.float32(zero_point)) * np.float32(scale), spent_ms


if __name__ == "__main__":
    arguments = sys.argv[1:]
    options = {"--runtime": "android", "--count": "400"}
    for option in options:
        if option in arguments:
            place = arguments.index(option)
            options[option] = arguments[place + 1]
            del arguments[place : place + 2]
    run, *listed = map(Path, arguments)
    main(run, listed, RuntimeName(options["--runtime"]), int(options["--count"]))
