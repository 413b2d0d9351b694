"""Record what a runtime answers on a split, for the command `record` and for the gates."""

from __future__ import annotations

from pathlib import Path

from pipeline.contract.bundle import tflite_file
from pipeline.contract.choices import RuntimeName, Split
from pipeline.contract.dataset import DatasetManifest
from pipeline.contract.images import images_of_dataset
from pipeline.contract.run import RunDir
from pipeline.errors import BadInput
from pipeline.progress import Report, silent
from pipeline.runtimes.ask import Recorded, RecordRequest, hash_model, record
from pipeline.tflite.metadata import described_model
from pipeline.workflow.source import keras_source


def record_model(
    run: RunDir,
    runtime: RuntimeName,
    model: Path | None,
    split: Split,
    *,
    threads: int = 1,
    report: Report = silent,
) -> Recorded:
    """Record one model on a split of the run's dataset.

    Keras takes the run's own model where none is given. What a `.tflite` expects (size,
    normalization, labels) is read from the file itself.

    Raises:
        BadInput: the model or the dataset is missing or refused.
        EnvironmentProblem: the runtime is not installed, or its process died.
    """
    if runtime is RuntimeName.keras:
        source = keras_source(run, model)
        images = images_of_dataset(source.dataset, split)
        request = source.record_request(images, threads=threads)
    elif model is None:
        raise BadInput(f"{runtime} needs a .tflite file or a bundle", next_step="pipeline export")
    else:
        file = tflite_file(model)
        described = described_model(file)
        request = RecordRequest(
            runtime=runtime,
            model=file,
            model_sha256=hash_model(file),
            image=described.image,
            labels=described.labels,
            images=images_of_dataset(DatasetManifest.load(run.dataset), split),
            threads=threads,
        )
    return record(request, run, report=report)
