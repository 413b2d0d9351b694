"""Take photographs without labels as the dataset that a brought model is exported on."""

from __future__ import annotations

from pathlib import Path

from pipeline.contract.dataset import DatasetManifest
from pipeline.contract.run import RunDir
from pipeline.data.prepare import prepare
from pipeline.errors import BadInput
from pipeline.progress import Report, silent
from pipeline.workflow.keras_model import StatedModel, labels_named, manifest_beside

_LAYOUT = "unlabelled"


def take_unlabelled(
    folder: Path, run: RunDir, model: Path | None, stated: StatedModel, *, report: Report = silent
) -> DatasetManifest:
    """Write `run.dataset` from photographs without labels: half calibrate int8, half prove.

    The same photographs give the same dataset, so what was exported on them is found again. The
    caller holds `run.lock()`.

    Raises:
        BadInput: the model or its labels are not stated, the run has images with labels, or the
            photographs are refused.
    """
    if model is None:
        raise BadInput(
            "--unlabelled is for a model that was trained elsewhere",
            where=str(folder),
            expected="--model FILE",
            next_step="add --model FILE and --labels A,B,C; a model that `pipeline train` made is "
            "exported on its own dataset",
        )
    if not model.exists():
        raise BadInput("there is no Keras model here", where=str(model))
    names = stated.labels
    if names is None and (manifest := manifest_beside(model)) is not None:
        names = manifest.labels.names
    if names is None:
        raise BadInput(
            "photographs without labels do not say which classes the model has",
            where=str(folder),
            expected="the labels in the order of the model's outputs",
            next_step="add --labels FILE or --labels A,B,C",
        )
    if run.dataset.exists() and not DatasetManifest.load(run.dataset).unlabelled:
        raise BadInput(
            "this run has images with labels, which prove more than photographs without",
            where=str(run.dataset),
            next_step="leave --unlabelled out, or give another --run-dir",
        )
    labels = labels_named(names)
    labels.with_critical(stated.critical, where="--critical")
    return prepare(folder, run, layout=_LAYOUT, labels=labels, report=report)
