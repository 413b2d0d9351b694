"""Show at which step, from Keras to each runtime, the answers of a bundle changed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from pipeline.contract.bundle import MODEL_FILE, load_bundle
from pipeline.contract.choices import Io, RuntimeName, Split
from pipeline.contract.files import resolved
from pipeline.contract.image import ImageContract
from pipeline.contract.images import ImageSet, images_of_dataset
from pipeline.contract.manifest import BundleManifest
from pipeline.contract.recipe import Quantize
from pipeline.contract.run import RunDir
from pipeline.contract.trace import StepKind, Trace
from pipeline.errors import BadInput
from pipeline.export.converted import AdaptedFile, adapted_float_file
from pipeline.export.float_io import float_io_file
from pipeline.parity.trace import Recorded, trace_steps
from pipeline.progress import Report, silent
from pipeline.runtimes.ask import RecordRequest, record
from pipeline.runtimes.recording import Recording, RecordingFacts
from pipeline.workflow.calibrate import calibrated_copy
from pipeline.workflow.judge import reference_request
from pipeline.workflow.source import KerasSource, check_parent, keras_source, recorded_model


def trace_bundle(
    run: RunDir,
    bundle: Path,
    *,
    keras: Path | None = None,
    recordings: tuple[Path, ...] = (),
    report: Report = silent,
) -> tuple[Trace, Path]:
    """Record each step on the validation split, or find what was recorded before.

    The steps are Keras, the float32 file, the recipe with float input and output, the bundle's
    own file with its input and output type, and each other runtime that recorded that file. All
    files are answered by LiteRT.

    Args:
        run: holds the dataset, the Keras model, files and recordings.
        bundle: a bundle folder.
        keras: the Keras model; the run's own where None.
        recordings: recordings of the bundle's file from elsewhere, as a phone's.
        report: receives progress.

    Returns:
        The steps, and the file under `run.traces` that keeps them.

    Raises:
        BadInput: this is no bundle of this model, or something is missing or refused.
        EnvironmentProblem: a runtime could not run.
    """
    manifest, file = load_bundle(bundle), bundle / MODEL_FILE
    keras = keras or calibrated_copy(run, manifest)
    source = keras_source(run, keras, recorded_model(manifest, manifest.image))
    check_parent(
        manifest,
        source,
        bundle,
        next_step="give its Keras model with --model, or the --run-dir of the run that made it",
    )
    sha256 = manifest.files[MODEL_FILE].sha256
    outside = [(path, Recording.load(path)) for path in recordings]
    for path, one in outside:
        if one.facts.model_sha256 != sha256:
            raise BadInput(
                "the recording is of another file than the bundle's",
                where=str(path),
                expected=f"sha256 {sha256}",
                got=f"sha256 {one.facts.model_sha256}",
            )
    recorded = list(_made(source, manifest, file, run, report))
    shipped = len(recorded) - 1
    others = [*_found(run, recorded[-1].recording), *(one for _, one in outside)]
    for one in {other.facts.digest(): other for other in others}.values():
        name = f"{one.facts.runtime} {one.facts.runtime_version}, {one.facts.host}"
        recorded.append(Recorded(StepKind.runtime, name, one, shipped))
    trace = Trace(
        bundle=str(bundle),
        model_sha256=sha256,
        split=str(Split.validation),
        images=recorded[0].recording.facts.count,
        steps=trace_steps(recorded, manifest.labels.critical),
    )
    path = run.traces / f"{resolved(bundle).name}.json"
    trace.save(path)
    return trace, path


def _made(
    source: KerasSource, manifest: BundleManifest, file: Path, run: RunDir, report: Report
) -> Iterator[Recorded]:
    """Yield Keras and each file on the way to the bundle's own, every one after the one before."""
    answered = partial(_by_litert, source=source, run=run, report=report)
    images = _images(source)
    keras = record(reference_request(source, images), run, report=report).recording
    yield Recorded(StepKind.keras, source.path.name, keras, None)
    recipe, image = manifest.recipe, manifest.image
    shipped = AdaptedFile(file, manifest.files[MODEL_FILE].sha256, image)
    if recipe.quantize is Quantize.float32:
        yield Recorded(StepKind.convert, recipe.name, answered(shipped), 0)
        return
    floats = adapted_float_file(source.classifier_spec(), run, report)
    yield Recorded(StepKind.convert, str(Quantize.float32), answered(floats), 0)
    if recipe.io is Io.float32:
        yield Recorded(StepKind.recipe, recipe.name, answered(shipped), 1)
        return
    inside = float_io_file(file, image, recipe.io, run)
    yield Recorded(StepKind.recipe, str(recipe.quantize), answered(inside), 1)
    yield Recorded(StepKind.io, str(recipe.io), answered(shipped), 2)


def _by_litert(made: AdaptedFile, *, source: KerasSource, run: RunDir, report: Report) -> Recording:
    image: ImageContract = made.image
    return record(
        RecordRequest(
            runtime=RuntimeName.litert,
            model=made.path,
            model_sha256=made.sha256,
            image=image,
            labels=source.labels,
            images=_images(source),
        ),
        run,
        report=report,
    ).recording


def _images(source: KerasSource) -> ImageSet:
    return images_of_dataset(source.dataset, Split.validation)


def _found(run: RunDir, shipped: Recording) -> Iterator[Recording]:
    """Yield what other runtimes of this run answered with the bundle's file on the same images."""
    own = shipped.facts
    for path in sorted(run.recordings.glob("*.json")):
        facts = RecordingFacts.load(path)
        same = (own.model_sha256, own.dataset_sha256, own.split, own.image_contract_sha256)
        other = (facts.model_sha256, facts.dataset_sha256, facts.split, facts.image_contract_sha256)
        if same == other and facts.digest() != own.digest() and facts.runtime != own.runtime:
            yield Recording.load(path)
