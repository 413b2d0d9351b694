"""Measure how far the runtimes that may serve a file differ from each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.contract.choices import RuntimeName
from pipeline.contract.image import ImageContract
from pipeline.contract.images import ImageSet
from pipeline.contract.labels import Labels
from pipeline.contract.run import RunDir
from pipeline.errors import EnvironmentProblem
from pipeline.progress import Report, silent
from pipeline.runtimes.ask import ask
from pipeline.runtimes.interface import ImageFile, InferenceRequest
from pipeline.runtimes.recording import Recording
from pipeline.runtimes.registry import describe
from pipeline.workflow.noise import evenly_spaced

# The reference kernels take a sixth of a second for an image.
_MOST_IMAGES = 32
# A fragile network answers otherwise through other kernels, though each of them is right.
_OTHERS = (RuntimeName.litert_reference, RuntimeName.android)


def runtime_spread(
    recorded: Recording,
    model: Path,
    image: ImageContract,
    labels: Labels,
    images: ImageSet,
    run: RunDir,
    *,
    report: Report = silent,
) -> dict[str, Any]:
    """Return as figures how other runtimes answer what LiteRT with XNNPACK was recorded on.

    For each that is installed: the share of the images on which it chooses the same class, and the
    mean over them of the largest difference in any class's probability. One that is not installed
    is named with the reason.

    Raises:
        BadInput: an image is refused.
    """
    row_of = {str(name): row for row, name in enumerate(recorded.image_ids)}
    chosen = evenly_spaced(images.images, _MOST_IMAGES)
    rows = np.array([row_of[one.sha256] for one in chosen])
    before = recorded.probabilities[rows]
    found: list[dict[str, Any]] = []
    for runtime in _OTHERS:
        try:
            describe(runtime).require()
        except EnvironmentProblem as problem:
            found.append({"runtime": str(runtime), "not_installed": problem.what})
            continue
        answers = ask(
            InferenceRequest(
                runtime=runtime,
                model=model,
                model_sha256=recorded.facts.model_sha256,
                image=image,
                labels=labels.names,
                images=tuple(ImageFile(path=one.path, sha256=one.sha256) for one in chosen),
            ),
            log=run.log(f"spread-{runtime}"),
            report=report,
        )
        after = answers.probabilities
        found.append(
            {
                "runtime": str(runtime),
                "agreement": float((before.argmax(axis=1) == after.argmax(axis=1)).mean()),
                "mean_difference": float(np.abs(before - after).max(axis=1).mean()),
            }
        )
    return {"runtime": recorded.facts.runtime, "images": len(chosen), "others": found}
