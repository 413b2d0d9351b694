"""Export and predict again and again, and see that memory, handles and temporary files stay flat.

`python -m benchmarks.soak --exports 200 --predictions 20000` takes hours; `--exports 3
--predictions 200` minutes. The model is the tiny one of the tests.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from pipeline.contract.choices import Quantize
from pipeline.contract.normalization import Normalization
from pipeline.contract.recipe import Recipe
from pipeline.contract.run import RunDir
from pipeline.parity.thresholds import Thresholds
from pipeline.workflow.export import export
from pipeline.workflow.export_job import ExportJob
from pipeline.workflow.keras_model import StatedModel
from pipeline.workflow.predict import predict
from pipeline.workflow.source import keras_source
from tests.export.samples import LABELS, samples

# After so many rounds caches are warm; from then on nothing may grow by more than this.
_WARM_UP = 2
_MOST_GROWTH_BYTES = 24 * 2**20
_PREDICTIONS_A_ROUND = 500


def state() -> dict[str, int]:
    """Return this process's memory in bytes, its open handles, and files of ours in /tmp."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    folder = Path(tempfile.gettempdir())
    return {
        "rss_bytes": pages * resource.getpagesize(),
        "handles": len(list(Path("/proc/self/fd").iterdir())),
        "temporary": len([p for p in folder.iterdir() if p.name.startswith("pipeline-")]),
    }


def soak(name: str, rounds: int, work: Callable[[], None]) -> bool:
    """Do `work` over and over; print what it came to and return whether all stayed flat."""
    if rounds <= _WARM_UP:
        raise SystemExit(f"{name} needs more than {_WARM_UP} rounds")
    for _ in range(_WARM_UP):
        work()
    before = state()
    for _ in range(rounds - _WARM_UP):
        work()
    after = state()
    growth = {key: after[key] - before[key] for key in before}
    flat = (
        growth["rss_bytes"] <= _MOST_GROWTH_BYTES
        and growth["handles"] <= 0
        and growth["temporary"] <= 0
    )
    print(json.dumps({"work": name, "rounds": rounds, "after": after, "growth": growth}))
    return flat


def main(arguments: list[str] | None = None) -> int:
    """Run the soak; return 1 where something grew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exports", type=int, default=200)
    parser.add_argument("--predictions", type=int, default=20_000)
    asked = parser.parse_args(arguments)
    made = samples()
    with tempfile.TemporaryDirectory() as name:
        # Its own temporary folder, so that what is counted is what it left.
        own = Path(name) / "tmp"
        own.mkdir()
        os.environ["TMPDIR"], tempfile.tempdir = str(own), str(own)
        run = RunDir(Path(name) / "run")
        labels = LABELS.model_copy(update={"critical": ()})
        made.dataset.model_copy(update={"labels": labels}).save(run.dataset)

        def one_export() -> None:
            # Nothing of an earlier one is found again.
            for folder in ("export-cache", "bundles", "rejected", "recordings", "conventions"):
                shutil.rmtree(run.root / folder, ignore_errors=True)
            source = keras_source(
                run, made.models["good"], StatedModel(normalization=Normalization.named("tf"))
            )
            job = ExportJob(
                source=source,
                recipe=Recipe(quantize=Quantize.float16, io="float32"),
                thresholds=Thresholds(accept_weak_reference=True),
            )
            with run.lock():
                export(job, run)

        images = [made.dataset.file(image) for image in made.dataset.images]
        batch = (images * (_PREDICTIONS_A_ROUND // len(images) + 1))[:_PREDICTIONS_A_ROUND]

        def many_predictions() -> None:
            predict(made.described["float16"], batch)

        flat = soak("export", asked.exports, one_export)
        rounds = max(_WARM_UP + 1, asked.predictions // _PREDICTIONS_A_ROUND)
        flat &= soak(f"{_PREDICTIONS_A_ROUND} predictions", rounds, many_predictions)
    return 0 if flat else 1


if __name__ == "__main__":
    sys.exit(main())
