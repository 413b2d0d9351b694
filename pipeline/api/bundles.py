"""Make a bundle, prove it again, verify it, read it."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack, overload

from pipeline.api.arguments import (
    arguments_checked,
    path_or_none,
    run_or_scratch,
    stated_model,
)
from pipeline.contract.bundle import load_bundle as _load_bundle
from pipeline.contract.choices import DEFAULT_RUNTIME, Io, Quantize, Repair
from pipeline.contract.run import RunDir
from pipeline.parity.thresholds import Thresholds
from pipeline.progress import Report, silent

if TYPE_CHECKING:
    from pipeline.contract.chosen import DecisionAsked
    from pipeline.contract.decision import Decision
    from pipeline.contract.manifest import BundleManifest
    from pipeline.contract.normalization import Normalization
    from pipeline.contract.verdict import Verdict
    from pipeline.workflow.exported import Exported
    from pipeline.workflow.verify import Verified

DEFAULT_RUN_DIR = "artifacts/run"
_THRESHOLDS = Thresholds()


class ExportOptions(TypedDict, total=False):
    """Name what `export` takes besides the quantization; the function says what each is."""

    model: str | PathLike[str] | None
    run_dir: str | PathLike[str]
    labels: Sequence[str] | None
    critical: Sequence[str] | None
    normalization: Normalization | str | None
    logits: bool
    size_px: tuple[int, int] | None
    io: Io | str | None
    repair: Repair | str | None
    calibrate: bool
    thresholds: Thresholds
    decision: Decision | None
    asked: DecisionAsked | None
    golden_photos: Sequence[str | PathLike[str]]
    min_runtime: str
    model_version: str | None
    author: str
    report: Report


@overload
def export(quantize: Quantize | str, **options: Unpack[ExportOptions]) -> Exported: ...


@overload
def export(
    quantize: list[Quantize | str] | tuple[Quantize | str, ...], **options: Unpack[ExportOptions]
) -> tuple[Exported, ...]: ...


def export(
    quantize: Quantize | str | list[Quantize | str] | tuple[Quantize | str, ...],
    *,
    model: str | PathLike[str] | None = None,
    run_dir: str | PathLike[str] = DEFAULT_RUN_DIR,
    labels: Sequence[str] | None = None,
    critical: Sequence[str] | None = None,
    normalization: Normalization | str | None = None,
    logits: bool = False,
    size_px: tuple[int, int] | None = None,
    io: Io | str | None = None,
    repair: Repair | str | None = None,
    calibrate: bool = False,
    thresholds: Thresholds = _THRESHOLDS,
    decision: Decision | None = None,
    asked: DecisionAsked | None = None,
    golden_photos: Sequence[str | PathLike[str]] = (),
    min_runtime: str = DEFAULT_RUNTIME,
    model_version: str | None = None,
    author: str = "",
    report: Report = silent,
) -> Exported | tuple[Exported, ...]:
    """Convert, describe and prove; publish only if proven.

    Args:
        quantize: `float32`, `float16`, `dynamic` or `int8`; or a list of several, which are made
            at one start of TensorFlow. `io` and `repair` then go to int8.
        model: a `.keras` or `.h5` file or a SavedModel folder; the run's own where None.
        run_dir: holds the prepared dataset; takes bundles, recordings and logs.
        labels: in the order of the model's outputs; the dataset's where None.
        critical: labels whose recall is gated one by one; known malignancies where None.
        normalization: what the model takes, as `tf` (-1 to 1), `unit` (0 to 1) or `raw` (0 to
            255); read from the model where None.
        logits: whether the model answers logits.
        size_px: height and width, for a model that takes any.
        io: type of input and output; uint8 for int8, else float32.
        repair: how far int8 is repaired: `none`, `auto` or `max`.
        calibrate: whether to scale a copy of the model by a temperature fitted on validation.
        thresholds: the limits.
        decision: how a device is to speak of an answer.
        asked: what else of the decision is to be chosen on the validation images.
        golden_photos: JPEG files to ship as goldens, beside the synthetic ones.
        min_runtime: the oldest TFLite runtime that must load the file.
        model_version: the model's own; from its hash where None.
        author: who made the model.
        report: receives progress.

    Returns:
        What became of it: `published`, `folder`, `verdict`, `manifest`; `refusal()` is why it was
        not published, or None. One for each of a list, in its order.

    Raises:
        PipelineError: the model, the dataset, an image or a value is refused, or a tool could not
            run. A file that fails its gate raises nothing: it is kept aside.
    """
    from pipeline.contract.chosen import DecisionAsked
    from pipeline.contract.decision import Decision
    from pipeline.contract.recipe import recipes_of
    from pipeline.workflow.calibrate import calibrated_source
    from pipeline.workflow.export import export_all
    from pipeline.workflow.export_job import ExportJob
    from pipeline.workflow.source import keras_source

    with arguments_checked():
        named = [quantize] if isinstance(quantize, str) else quantize
        kinds = tuple(Quantize(one) for one in named)
        if len(set(kinds)) < len(kinds) or not kinds:
            raise ValueError("quantize names none, or one twice")
        recipes = recipes_of(
            kinds,
            io=None if io is None else Io(io),
            repair=None if repair is None else Repair(repair),
        )
    stated = stated_model(labels, critical, normalization, logits, size_px)
    run = RunDir(Path(run_dir))
    with run.lock():
        source = keras_source(run, path_or_none(model), stated)
        if calibrate:
            source = calibrated_source(source, run, report=report)
        job = ExportJob(
            source=source,
            recipe=recipes[0],
            thresholds=thresholds,
            promised_runtime=min_runtime,
            decision=Decision() if decision is None else decision,
            asked=DecisionAsked() if asked is None else asked,
            golden_photos=tuple(Path(photo) for photo in golden_photos),
            model_version=model_version,
            author=author,
        )
        exported = export_all(job.for_recipes(recipes), run, report=report)
    return exported[0] if isinstance(quantize, str) else exported


def parity(
    bundle: str | PathLike[str],
    *,
    data: str | PathLike[str] | None = None,
    model: str | PathLike[str] | None = None,
    run_dir: str | PathLike[str] | None = None,
    critical: Sequence[str] | None = None,
    thresholds: Thresholds = _THRESHOLDS,
    report: Report = silent,
) -> Verdict:
    """Judge a bundle, or a bare `.tflite` file, against its Keras model.

    Args:
        bundle: a bundle folder or a `.tflite` file.
        data: images, all of which are used: a folder or a `dataset.json`; the validation split of
            the run where None.
        model: its Keras model; where None the run's own, or with `data` what the bundle carries
            of it.
        run_dir: holds the dataset, takes recordings and logs; `artifacts/run` where None. With
            `data` only recordings are kept there, and none where it is None.
        critical: labels whose recall is gated one by one; the file's own where None.
        thresholds: the limits.
        report: receives progress.

    Returns:
        The verdict: `passed`, `checks`, `broken()`, `figures`.

    Raises:
        PipelineError: something is missing, refused or belongs to another model, or a runtime
            could not run. A verdict that is no pass raises nothing.
    """
    from pipeline.workflow.parity import judge_model
    from pipeline.workflow.parity_data import DataSource, judge_data

    named, keras = None if critical is None else tuple(critical), path_or_none(model)
    if data is None:
        run = RunDir(Path(run_dir or DEFAULT_RUN_DIR))
        with run.lock():
            return judge_model(
                run, Path(bundle), thresholds, critical=named, keras=keras, report=report
            )
    with run_or_scratch(run_dir) as run, run.lock():
        return judge_data(
            run,
            Path(bundle),
            DataSource(Path(data)),
            thresholds,
            critical=named,
            keras=keras,
            report=report,
        )


def verify(
    bundle: str | PathLike[str],
    *,
    public_key: str | PathLike[str] | None = None,
    identity: str | None = None,
    identity_provider: str | None = None,
    require_signature: bool = False,
) -> Verified:
    """Check that a bundle is what was proven, from its own files alone.

    Args:
        bundle: the folder; it is only read.
        public_key: PEM file of the key with which a signature in it must agree.
        identity: or whose Sigstore signature it must be, vouched for by `identity_provider`.
        identity_provider: address of an OpenID Connect provider.
        require_signature: whether a bundle that is not signed is refused.

    Returns:
        What it came to: `refusal()` is why the bundle is refused, or None; `verdict`, `manifest`.

    Raises:
        PipelineError: this is no bundle at all, the options do not fit together, or LiteRT could
            not run. A bundle that is refused raises nothing.
    """
    from pipeline.workflow.signature import SignatureAsked
    from pipeline.workflow.verify import verify as verify_bundle

    asked = SignatureAsked.of(
        public_key=path_or_none(public_key),
        identity=identity,
        identity_provider=identity_provider,
        required=require_signature,
    )
    return verify_bundle(Path(bundle), more=[asked.checks])


def load_bundle(folder: str | PathLike[str]) -> BundleManifest:
    """Return the manifest of a bundle whose files are those that it lists.

    Unlike `verify` this judges nothing.

    Raises:
        BadInput: this is no bundle, or a file is missing or was changed.
    """
    return _load_bundle(Path(folder))
