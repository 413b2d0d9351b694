"""Name every path of a run and publish folders whole."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import EnvironmentProblem

_REPLACED = ".replaced-"
_STAGING = ".staging-"


@dataclass(frozen=True)
class RunDir:
    """Give each stage's files one name under one root."""

    root: Path

    @property
    def dataset(self) -> Path:
        """Return the dataset manifest."""
        return self.root / "data" / "dataset.json"

    @property
    def synthetic(self) -> Path:
        """Return the folder of generated images."""
        return self.root / "synthetic"

    @property
    def train(self) -> Path:
        """Return the folder of the finished model: model.keras, manifest.json, metrics.json."""
        return self.root / "train"

    @property
    def model(self) -> Path:
        """Return the trained Keras model."""
        return self.train / "model.keras"

    @property
    def training_state(self) -> Path:
        """Return the folder of checkpoints and logs of a training that may be unfinished."""
        return self.root / "training-state"

    @property
    def recordings(self) -> Path:
        """Return the folder of recordings, named by hash."""
        return self.root / "recordings"

    @property
    def export_cache(self) -> Path:
        """Return the folder of converted and quantized files, named by what they are made from."""
        return self.root / "export-cache"

    @property
    def logs(self) -> Path:
        """Return the folder of child process logs."""
        return self.root / "logs"

    @property
    def report(self) -> Path:
        """Return the HTML report of the run."""
        return self.root / "report" / "index.html"

    @property
    def debug(self) -> Path:
        """Return the folder of pages on single int8 files, named after them."""
        return self.root / "debug"

    def bundle(self, recipe_name: str) -> Path:
        """Return the folder of a published bundle."""
        return self.root / "bundles" / recipe_name

    def rejected(self, recipe_name: str) -> Path:
        """Return the folder where a bundle that failed its gate is kept aside."""
        return self.root / "rejected" / recipe_name

    def recording(self, runtime: str, split: str, key: str) -> Path:
        """Return the JSON file of the recording that `key`, a hash, decides."""
        return self.recordings / f"{runtime}-{split}-{key[:16]}.json"

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
        finally:
            lock.release()

    def _recover(self) -> None:
        for parent in (self.root, self.root / "bundles", self.root / "rejected"):
            if parent.is_dir():
                recover(parent)


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
    staging.chmod(0o755)
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
