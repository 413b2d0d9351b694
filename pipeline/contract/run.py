"""Name every path of a run and publish folders whole."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.contract.files import UNFINISHED, umask
from pipeline.errors import EnvironmentProblem, PipelineError

_REPLACED = ".replaced-"
_STAGING = ".staging-"
# Of a scan: about a thousand images, a few seconds' work.
_WORTH_KEEPING_BYTES = 500_000

# Names inside a folder that appears whole: the same while it is staged and when it is published.
KERAS_MODEL_FILE = "model.keras"
MODEL_MANIFEST_FILE = "manifest.json"
METRICS_FILE = "metrics.json"


@dataclass(frozen=True)
class TrainingState:
    """Name the files of a training that may be unfinished."""

    folder: Path

    @property
    def journal(self) -> Path:
        """Return the file that says which epochs are done and which checkpoints count."""
        return self.folder / "journal.json"

    @property
    def history(self) -> Path:
        """Return the table of epochs, which outlives the training."""
        return self.folder / "history.csv"

    @property
    def tensorboard(self) -> Path:
        """Return the folder of TensorBoard logs, a folder a phase, which outlives the training."""
        return self.folder / "tensorboard"

    def checkpoint(self, phase: str, epoch: int, *, best: bool = False) -> Path:
        """Return the file of weights and optimizer after an epoch, or of the best weights."""
        return self.folder / f"{phase}-{'best-' if best else ''}{epoch:04d}.npz"

    def checkpoints(self) -> list[Path]:
        """Return every checkpoint that is there."""
        return sorted(self.folder.glob("*.npz"))

    def pixels(self, split: str) -> Path:
        """Return the stem of the shards of a split's resized pixels, before augmentation."""
        return self.folder / f"{split}-pixels"

    @property
    def mean_answers(self) -> Path:
        """Return the array of the teacher's answers, averaged over the views."""
        return self.folder / "mean-answers.npy"

    def features(self, split: str, view: int, layer: Literal["trunk", "pooled"]) -> Path:
        """Return the array of a split's features in one mirrored view."""
        return self.folder / f"{split}-{view}-{layer}.npy"


def shard_of(stem: Path, number: int, shards: int) -> Path:
    """Return the file of one shard, counted from 0, of so many of the same stem."""
    return stem.with_name(f"{stem.name}-{number:05d}-of-{shards:05d}.tfrecord")


@dataclass(frozen=True)
class RunDir:
    """Give each stage's files one name under one root."""

    root: Path

    @property
    def dataset(self) -> Path:
        """Return the dataset manifest."""
        return self.root / "data" / "dataset.json"

    @property
    def scan_cache(self) -> Path:
        """Return what the scan measured of each image, a JSON line an image."""
        return self.root / "data" / "scan.jsonl"

    @property
    def synthetic(self) -> Path:
        """Return the folder of generated images."""
        return self.root / "synthetic"

    @property
    def train(self) -> Path:
        """Return the folder of the finished model, its manifest and its metrics."""
        return self.root / "train"

    @property
    def model(self) -> Path:
        """Return the trained Keras model."""
        return self.train / KERAS_MODEL_FILE

    @property
    def model_manifest(self) -> Path:
        """Return the manifest beside the trained model."""
        return self.train / MODEL_MANIFEST_FILE

    @property
    def metrics(self) -> Path:
        """Return the trained model's figures on each split."""
        return self.train / METRICS_FILE

    @property
    def training_state(self) -> TrainingState:
        """Return the checkpoints and logs of a training that may be unfinished."""
        return TrainingState(self.root / "training-state")

    @property
    def recordings(self) -> Path:
        """Return the folder of recordings, named by hash."""
        return self.root / "recordings"

    @property
    def export_cache(self) -> Path:
        """Return the folder of converted and quantized files, named by what they are made from."""
        return self.root / "export-cache"

    @property
    def calibrated(self) -> Path:
        """Return the folder of calibrated copies of Keras models, named by what decides them."""
        return self.root / "calibrated"

    @property
    def logs(self) -> Path:
        """Return the folder of child process logs."""
        return self.root / "logs"

    @property
    def report(self) -> Path:
        """Return the HTML report of the run: the page of the model it trained."""
        return self.root / "report" / "index.html"

    @property
    def debug(self) -> Path:
        """Return the folder of pages on single int8 files, named after them."""
        return self.root / "debug"

    @property
    def traces(self) -> Path:
        """Return the folder of what each step did to a bundle's answers, a file a bundle."""
        return self.root / "traces"

    def report_of(self, model_sha256: str) -> Path:
        """Return the page of another model whose exports are in this run."""
        return self.report.parent / model_sha256[:12] / "index.html"

    def debug_page(self, name: str) -> Path:
        """Return the page on the layers of a bundle's or a file's int8 model."""
        return self.debug / f"{name}.html"

    def bundle(self, recipe_name: str) -> Path:
        """Return the folder of a published bundle."""
        return self.root / "bundles" / recipe_name

    def rejected(self, recipe_name: str) -> Path:
        """Return the folder where a bundle that failed its gate is kept aside."""
        return self.root / "rejected" / recipe_name

    def recording(self, runtime: str, split: str, key: str) -> Path:
        """Return the JSON file of the recording that `key`, a hash, decides."""
        return self.recordings / f"{runtime}-{split}-{key[:16]}.json"

    def conventions(self, key: str) -> Path:
        """Return what a model answers under other input conventions, beside no recording's name."""
        return self.root / "conventions" / f"{key[:16]}.json"

    def noise(self, key: str) -> Path:
        """Return the noise floor that `key`, a hash, decides."""
        return self.root / "noise" / f"{key[:16]}.json"

    def log(self, name: str) -> Path:
        """Return the log of the child process that does `name`."""
        return self.logs / f"{name}.log"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold this run for writing, so that two commands never mix their files.

        Raises:
            EnvironmentProblem: another process holds it. A killed process holds nothing.
        """
        from filelock import FileLock, Timeout

        made = [folder for folder in (self.root, *self.root.parents) if not folder.exists()]
        self.root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.root / ".lock", timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise EnvironmentProblem(
                "another pipeline command is writing to this run",
                where=str(self.root),
                next_step="wait for it, or choose another folder with --run-dir",
            ) from error
        try:
            self._recover()
            yield
        except (PipelineError, OSError):
            self._remove_what_is_empty(made)
            raise
        finally:
            lock.release()

    def _recover(self) -> None:
        """Clear what a killed command left; only for who holds the lock."""
        for parent in (self.root, self.root / "bundles", self.root / "rejected"):
            if parent.is_dir():
                recover(parent)
        for folder in (self.root, *(one for one in self.root.iterdir() if one.is_dir())):
            for pattern in (f"{UNFINISHED}*", "*.unfinished"):
                for file in folder.glob(pattern):
                    file.unlink(missing_ok=True)

    def _remove_what_is_empty(self, made: list[Path]) -> None:
        """Remove the folders that a refused command made, if it left nothing worth keeping.

        What it measured of many images is worth keeping: the next command need not do it again.
        """
        files = {path for path in self.root.rglob("*") if not path.is_dir()}
        if self.root not in made or not files <= {self.root / ".lock", self.scan_cache}:
            return
        if self.scan_cache.exists() and self.scan_cache.stat().st_size > _WORTH_KEEPING_BYTES:
            return
        shutil.rmtree(self.root, ignore_errors=True)
        for folder in made[1:]:
            if any(folder.iterdir()):
                return
            folder.rmdir()


def recover(parent: Path) -> None:
    """Put back what a killed `publish_dir` left aside in `parent`, and clear its staging folders.

    Only for who holds the right to write there: a staging folder in use would be cleared too.
    """
    for old in parent.glob(f"{_REPLACED}*"):
        target = parent / old.name.removeprefix(_REPLACED)
        if target.exists():
            shutil.rmtree(old)
        else:
            old.rename(target)
    for staging in parent.glob(f"{_STAGING}*"):
        shutil.rmtree(staging)


@contextmanager
def staging_dir(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside `target`; it is removed unless it was published."""
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f"{_STAGING}{target.name}-", dir=target.parent))
    staging.chmod(0o777 & ~umask())
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def publish_dir(staging: Path, target: Path) -> None:
    """Rename `staging` to `target`, replacing what was there.

    A folder cannot replace another in one rename, so the old one steps aside first; if the
    process dies in between, `RunDir.lock` puts it back.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    replaced = target.parent / f"{_REPLACED}{target.name}"
    if replaced.exists():
        shutil.rmtree(replaced)
    if target.exists():
        target.rename(replaced)
    staging.rename(target)
    shutil.rmtree(replaced, ignore_errors=True)
