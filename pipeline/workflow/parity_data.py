"""Judge a file on any images, by its bundle's own reference or a Keras model; no run is needed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.contract.bundle import REFERENCE_FILE
from pipeline.contract.choices import Split
from pipeline.contract.images import ImageSet
from pipeline.contract.labels import Labels
from pipeline.contract.run import RunDir
from pipeline.contract.verdict import Verdict
from pipeline.data.choices import OnBad
from pipeline.data.images import read_images
from pipeline.data.layouts import AUTO
from pipeline.errors import BadInput
from pipeline.parity.reference import REFERENCE_CHECKS, floor_checks
from pipeline.parity.thresholds import Thresholds
from pipeline.progress import Report, silent
from pipeline.runtimes.ask import record
from pipeline.runtimes.bundle_reference import load_reference
from pipeline.runtimes.recording import Recording
from pipeline.workflow.judge import Candidate, HeldReference, hold_reference, judge_images
from pipeline.workflow.keras_model import KerasModel, keras_model
from pipeline.workflow.parity import open_candidate, stated_of
from pipeline.workflow.source import check_parent

_EXAMPLES = 3


@dataclass(frozen=True)
class DataSource:
    """Say which images a model is asked about; see `pipeline.data.images.read_images`."""

    path: Path
    split: Split | None = None
    layout: str = AUTO
    isic_table: Path | None = None
    on_bad: OnBad = OnBad.fail

    def read(self, labels: Labels | None, report: Report = silent) -> ImageSet:
        """Return the images, labelled by names that are among `labels`.

        Raises:
            BadInput: there are none, or they are refused.
        """
        return read_images(
            self.path,
            labels=labels,
            split=self.split,
            layout=self.layout,
            isic_table=self.isic_table,
            on_bad=self.on_bad,
            report=report,
        )


def judge_data(
    run: RunDir,
    model: Path,
    data: DataSource,
    thresholds: Thresholds,
    *,
    critical: tuple[str, ...] | None = None,
    keras: Path | None = None,
    fresh: bool = False,
    report: Report = silent,
) -> Verdict:
    """Judge a bundle, or a bare `.tflite` file, on all of these images.

    A bundle's Keras model was held to its labels when the bundle was made, so of the reference
    gate a floor of the accuracy alone is asked again. A bare file's is held to the labels here.

    Args:
        run: keeps recordings and logs; a new, empty folder serves.
        model: a bundle folder or a `.tflite` file.
        data: the images.
        thresholds: the limits.
        critical: labels whose recall is gated; the bundle's or the file's own where None.
        keras: the Keras model; where None, the bundle's own recording of it.
        fresh: record anew what was recorded before.
        report: receives progress.

    Raises:
        BadInput: a file or an image is refused, the images are not those the bundle's reference
            answered, or they are labelled otherwise.
        EnvironmentProblem: a runtime could not run.
    """
    candidate = open_candidate(model)
    labels = candidate.described.labels
    images = data.read(labels, report)
    inputs = {
        "dataset": images.dataset_sha256,
        "image": candidate.described.image.digest(),
        "labels": labels.digest(),
        "thresholds": thresholds.digest(),
    }
    if keras is None:
        recording = _bundle_reference(candidate, model, images)
        checks = tuple(floor_checks(recording, thresholds))
        held = HeldReference(recording, checks, "bundle", REFERENCE_CHECKS)
        manifest = candidate.manifest
        convention = manifest.normalization.words() if manifest is not None else ""
        return judge_images(
            candidate,
            images,
            lambda: held,
            thresholds,
            run,
            # The float model is not here, and noise of other images excuses nothing.
            noise_of=None,
            critical=labels.critical if critical is None else critical,
            inputs={**inputs, "model": recording.facts.model_sha256},
            figures={"input_convention": convention},
            fresh=fresh,
            report=report,
        )
    source = keras_model(keras, stated_of(candidate, keras), known=labels)
    if candidate.manifest is not None:
        check_parent(candidate.manifest, source, model, next_step="give its Keras model --model")
    return judge_images(
        candidate,
        images,
        lambda: _held(source, candidate, images, thresholds, run, fresh, report),
        thresholds,
        run,
        noise_of=source,
        critical=labels.critical if critical is None else critical,
        inputs={
            **inputs,
            "model": source.sha256,
            "normalization": source.normalization.digest(),
        },
        figures={
            "input_convention": source.normalization.words(),
            "adaptations": [str(one) for one in source.adaptations],
        },
        fresh=fresh,
        report=report,
    )


def _held(
    source: KerasModel,
    candidate: Candidate,
    images: ImageSet,
    thresholds: Thresholds,
    run: RunDir,
    fresh: bool,
    report: Report,
) -> HeldReference:
    if candidate.manifest is None:
        return hold_reference(source, images, thresholds, run, fresh, report)
    recorded = record(source.record_request(images), run, fresh=fresh, report=report)
    checks = tuple(floor_checks(recorded.recording, thresholds))
    return HeldReference(recorded.recording, checks, recorded.origin, REFERENCE_CHECKS)


def _bundle_reference(candidate: Candidate, model: Path, images: ImageSet) -> Recording:
    manifest = candidate.manifest
    if manifest is None:
        raise BadInput(
            "a .tflite file does not carry what its Keras model answers",
            where=str(model),
            expected="a bundle, or the Keras model",
            next_step="give the bundle folder, or add --model FILE.keras",
        )
    reference = load_reference(model, manifest)
    if reference is None:
        raise BadInput(
            "this bundle does not carry its reference",
            where=str(model),
            expected=f"{REFERENCE_FILE} in it",
            got="one exported with --no-reference"
            if manifest.reference == "left_out"
            else "one of an earlier release",
            next_step="add its Keras model with --model FILE.keras, or export it again",
        )
    truth_of = dict(zip(reference.image_ids.tolist(), reference.truth.tolist(), strict=True))
    unknown = [one for one in images.images if one.sha256 not in truth_of]
    if unknown:
        raise BadInput(
            "the bundle's reference did not answer all of these images",
            where=str(images.source),
            expected=f"images of the split it was proven on, {reference.facts.count} known by hash",
            got=f"{len(images.images) - len(unknown)} of {len(images.images)} known; unknown: "
            + _examples([str(one.path) for one in unknown]),
            next_step="add the bundle's Keras model with --model FILE.keras, or give those images "
            "alone (of a dataset.json, --split validation)",
        )
    names = manifest.labels.names
    contradicted = [
        f"{one.path} ({one.label}, not {names[truth_of[one.sha256]]})"
        for one in images.images
        if one.label is not None
        and truth_of[one.sha256] >= 0
        and names[truth_of[one.sha256]] != one.label
    ]
    if contradicted:
        raise BadInput(
            f"{len(contradicted)} images are labelled otherwise than when the bundle was made",
            where=str(images.source),
            got=_examples(contradicted),
            next_step="correct the folder, or judge by other labels with --model FILE.keras",
        )
    return reference.of_images(images)


def _examples(names: list[str]) -> str:
    return ", ".join(names[:_EXAMPLES]) + (", ..." if len(names) > _EXAMPLES else "")
