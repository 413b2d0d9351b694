"""A run folder with all that a report can show, made without training or exporting anything."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.contract.bundle import MANIFEST_FILE, MODEL_FILE, VERDICT_FILE
from pipeline.contract.calibration import Calibration
from pipeline.contract.choices import Split, Step
from pipeline.contract.chosen import DecisionAsked
from pipeline.contract.dataset import DatasetManifest, Finding, ImageRecord
from pipeline.contract.decision import Decision
from pipeline.contract.hashing import sha256_file
from pipeline.contract.image import ImageContract
from pipeline.contract.labels import Labels
from pipeline.contract.layer_errors import DebugReport, LayerFigures
from pipeline.contract.manifest import BundleManifest, FileEntry, ModelManifest, TensorInfo
from pipeline.contract.recipe import Io, Quantize, Recipe
from pipeline.contract.run import RunDir
from pipeline.contract.search import SearchRecord, Trial
from pipeline.metrics import measure
from pipeline.parity.choosing import choose
from pipeline.parity.judge import judge_recordings
from pipeline.parity.thresholds import Thresholds
from pipeline.report.debug_page import render_debug_page
from pipeline.training.calibration import Answers, Temperature, calibration, scaled
from tests.export.samples import ABOUT
from tests.parity.recordings import answers, recording

COUNT = 160
FOREIGN = "f" * 64
NAMES = ("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC")
LONG_NAMES = tuple(f"a_class_with_a_very_long_name_{i}" for i in range(14))


def whole_run(folder: Path, names: tuple[str, ...] = NAMES) -> RunDir:
    """Make a run with a proven, refused and another model's bundles, and a debug page."""
    run = RunDir(folder)
    labels = Labels(names=names, critical=(names[0],))
    dataset = _dataset(run, labels)
    truth = [names.index(str(image.label)) for image in dataset.images]
    _train(run, labels, truth)
    own = sha256_file(run.model)
    lost = [1 if chosen == 0 and i % 3 else chosen for i, chosen in enumerate(truth)]
    moved = [(chosen + 1) % len(names) if i == 3 else chosen for i, chosen in enumerate(truth)]
    for path, recipe, chosen, model in (
        (run.bundle("float16"), Recipe(quantize=Quantize.float16), moved, own),
        (run.rejected("int8-uint8"), _INT8, lost, own),
        (run.bundle("float32"), Recipe(quantize=Quantize.float32), truth, own),
        (run.bundle("dynamic"), Recipe(quantize=Quantize.dynamic), truth, FOREIGN),
        (run.rejected("int8-int8"), Recipe(quantize=Quantize.int8, io=Io.int8), lost, FOREIGN),
    ):
        _bundle(run, dataset, path, recipe, (truth, chosen), model)
    _debug(run)
    return run


_INT8 = Recipe(quantize=Quantize.int8, io=Io.uint8, steps=(Step.ranges, Step.bias_correction))
_STEPS = (Step.ranges, Step.bias_correction, Step.rounding, Step.equalization)


def _dataset(run: RunDir, labels: Labels) -> DatasetManifest:
    photos = run.root / "photos"
    photos.mkdir(parents=True)
    images = []
    for i in range(COUNT):
        path = photos / f"a_photograph_with_a_long_name_{i:05d}.jpg"
        pixels = np.full((60, 80, 3), (i, 255 - i, (7 * i) % 256), np.uint8)
        Image.fromarray(pixels).save(path, quality=95)
        images.append(
            ImageRecord(
                path=path.name,
                label=labels.names[i % len(labels.names)],
                group=path.name,
                split=Split.validation,
                width_px=80,
                height_px=60,
                size_bytes=path.stat().st_size,
                sha256=sha256_file(path),
            )
        )
    found = Finding(
        kind="near_duplicate",
        message="images look like one in another split",
        count=4,
        examples=tuple(image.path for image in images[:4]),
    )
    dataset = DatasetManifest(
        root=str(photos),
        layout="folder",
        labels=labels,
        seed=0,
        fractions=(0.7, 0.15, 0.15),
        images=tuple(images),
        findings=(found,),
        license="CC BY-NC 4.0",
    )
    dataset.save(run.dataset)
    return dataset


def _train(run: RunDir, labels: Labels, truth: list[int]) -> None:
    run.train.mkdir(parents=True)
    run.model.write_bytes(b"a model of this run")
    figures = measure(np.array(truth), answers(truth, len(labels.names)), labels.names)
    by_split = {split: figures.model_dump() for split in ("train", "validation", "test")}
    run.metrics.write_text(json.dumps(by_split), encoding="utf-8")
    ModelManifest(
        versions={"keras": "3.15.1", "tensorflow": "2.20.0"},
        seed=0,
        parents={"dataset": "d" * 64},
        files={"model.keras": FileEntry.of(run.model)},
        image=ImageContract(),
        labels=labels,
        recipe="default",
        backbone="mobilenet_v2",
        width=1.0,
        weights="a_file_of_weights_with_a_long_name.weights.h5",
        training={
            "settings": {"epochs": 3, "schedule": None},
            "parameters": 2_268_232,
            "calibration": _calibration(labels, truth).model_dump(mode="json"),
        },
    ).save(run.model_manifest)
    run.training_state.history.parent.mkdir()
    rows = [f"{'head' if i < 4 else 'tune'},{i},{3 / (i + 1)},{4 / (i + 2)}" for i in range(9)]
    run.training_state.history.write_text("\n".join(["phase,epoch,loss,val_loss", *rows]))


def _calibration(labels: Labels, truth: list[int]) -> Calibration:
    before = Answers(np.array(truth), answers(truth, len(labels.names)))
    after = Answers(before.truth, scaled(before.probabilities, 0.5))
    splits = ("validation", "test")
    sides = (dict.fromkeys(splits, one) for one in (before, after))
    return calibration(Temperature(0.5, at_limit=True), *sides)


def _bundle(
    run: RunDir,
    dataset: DatasetManifest,
    folder: Path,
    recipe: Recipe,
    sides: tuple[list[int], list[int]],
    model: str,
) -> None:
    truth, chosen = sides
    ids, classes = [image.sha256 for image in dataset.images], len(dataset.labels.names)
    reference, candidate = (
        recording(
            answers(side, classes),
            truth,
            ids=ids,
            labels=dataset.labels.names,
            runtime=runtime,
            dataset_sha256=dataset.digest(),
        )
        for side, runtime in ((truth, "keras"), (chosen, "litert"))
    )
    for one in (reference, candidate):
        run.recordings.mkdir(exist_ok=True)
        one.save(run.recordings / f"{one.facts.runtime}-{one.facts.digest()[:16]}.json")
    asked = DecisionAsked(sensitivity={dataset.labels.names[0]: 0.9})
    chosen = choose(np.array(truth), answers(truth, classes), dataset.labels.names, asked)
    folder.mkdir(parents=True)
    (folder / MODEL_FILE).write_bytes(f"a model of {folder.name}".encode() * 1000)
    tensor = TensorInfo(name="image", shape=(1, 256, 256, 3), dtype="uint8", scale=0.0078)
    BundleManifest(
        versions={"tensorflow": "2.20.0", "litert-quantizer": "0.11.0"},
        seed=0,
        parents={"model": model, "dataset": dataset.digest()},
        files={MODEL_FILE: FileEntry.of(folder / MODEL_FILE)},
        image=ImageContract(),
        labels=dataset.labels,
        about=ABOUT,
        recipe=recipe,
        inputs=(tensor.model_copy(update={"zero_point": 128}),),
        outputs=(TensorInfo(name="probability", shape=(1, classes), dtype="float32"),),
        operators={f"AN_OPERATOR_WITH_A_LONG_NAME_{i}@{i}": i for i in range(12)},
        min_runtime="2.3.0",
        promised_runtime="2.16.0",
        representative_sha256=("0" * 64,) * 200,
        search=_search(dataset.labels) if recipe.quantize is Quantize.int8 else SearchRecord(),
        decision=chosen.applied_to(Decision(unsure_below=0.5)),
        chosen=chosen,
    ).save(folder / MANIFEST_FILE)
    verdict = judge_recordings(reference, candidate, Thresholds(), critical=dataset.labels.critical)
    verdict.save(folder / VERDICT_FILE)


def _search(labels: Labels) -> SearchRecord:
    trials = [
        Trial(
            steps=_STEPS[:count],
            agreement=0.88 + 0.02 * count,
            mean_difference=0.12 / (count + 1),
            balanced_accuracy=0.9,
            critical_recall={labels.names[0]: 0.85},
            size_bytes=2_713_636,
            latency_ms_p50=20.0 - count,
            meets_target=False,
            chosen=count == 2,
        )
        for count in range(len(_STEPS) + 1)
    ]
    return SearchRecord(
        trials=tuple(trials),
        float_balanced_accuracy=0.95,
        float_critical_recall={labels.names[0]: 0.9},
        repair_sha256=("1" * 64,) * 128,
        min_agreement=0.97,
        max_mean_difference=0.0175,
    )


def _debug(run: RunDir) -> None:
    file = run.rejected("int8-uint8") / MODEL_FILE
    layers = tuple(
        LayerFigures(
            name=f"classifier/block_{i}_expand_relu/Relu6;classifier/block_{i}_expand/convolution",
            operator="DEPTHWISE_CONV_2D",
            weight_low=-0.5,
            weight_high=0.25,
            weight_channel_ratio=12.0 + i,
            float_low=-1.0,
            float_high=7.0,
            int8_low=-1.5,
            int8_high=6.0,
            sqnr_db=30.0 - i / 2,
            saturated_share=i / 400,
            mean_shift_steps=0.25,
            largest_mean_shift_steps=3.0,
        )
        for i in range(64)
    )
    found = DebugReport(
        model="rejected/int8-uint8",
        model_sha256=sha256_file(file),
        images=64,
        equalized=False,
        layers=layers,
    )
    page = run.debug_page("int8-uint8")
    page.parent.mkdir()
    text = render_debug_page(found, date="1 May 2026", report_page="../report/index.html")
    page.write_text(text, encoding="utf-8")
