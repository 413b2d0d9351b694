"""Time the cache of pixels beside `keras.utils.image_dataset_from_directory`, on the same images.

Usage: uv run python -m benchmarks.input_pipeline IMAGES [--sizes 2500,25000] [--index-only 400000]
       [--peer-cache-to 2500] [--size-px 256]

Larger sets repeat the images of the folder IMAGES under other names (hard links in a temporary
folder, where the caches go too: 0.2 MB an image, and 0.8 for the peer's). A pass reads every image
once, in batches of 32 and a random order, and trains nothing; each runs in a fresh process, from
the first line after the imports. The first pass of ours decodes and writes the cache, the second
opens it, checksums and all. The peer decodes in every pass, or keeps float32 with `.cache(FILE)`.
The system's own cache of files is left as it is. Memory is resident, at its peak, and the part of
it that is mapped from files, libraries among them; `idle` has imports alone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pipeline.contract.dataset import DatasetManifest, ImageRecord, Split
from pipeline.contract.image import ImageContract
from pipeline.contract.labels import Labels
from pipeline.progress import silent

CLASSES = ("a", "b")
_BATCH = 32
_SAMPLE_S = 0.05
_SUFFIX = ".jpg"


def make_set(source: Path, folder: Path, count: int) -> None:
    """Fill `folder` with a folder of links a class, and write `dataset.json` beside it."""
    found = sorted(source.rglob(f"*{_SUFFIX}"))
    if not found:
        sys.exit(f"no {_SUFFIX} image in {source}")
    originals, hashes = folder / "originals", []
    originals.mkdir(parents=True)
    for number, file in enumerate(found):
        shutil.copyfile(file, originals / f"{number}{_SUFFIX}")
        hashes.append(hashlib.sha256(file.read_bytes()).hexdigest())
    for name in CLASSES:
        (folder / "images" / name).mkdir(parents=True)
    records = []
    for number in range(count):
        which, label = number % len(found), CLASSES[number % len(CLASSES)]
        path = f"{label}/{number}{_SUFFIX}"
        os.link(originals / f"{which}{_SUFFIX}", folder / "images" / path)
        records.append(
            ImageRecord(
                path=path,
                label=label,
                group=path,
                split=Split.train,
                width_px=1,
                height_px=1,
                size_bytes=1,
                sha256=hashes[which],
            )
        )
    DatasetManifest(
        root=str(folder / "images"),
        layout="folder",
        labels=Labels(names=CLASSES),
        seed=0,
        fractions=(1.0, 0.0, 0.0),
        images=tuple(records),
    ).save(folder / "dataset.json")


class Memory:
    """Watch the resident memory of this process until `stop`."""

    def __init__(self) -> None:
        self.peak = {"resident": 0, "from files": 0}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._ended.wait(_SAMPLE_S):
            self._look()

    def _look(self) -> None:
        status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        kib = {line.split(":")[0]: int(line.split()[1]) for line in status if line.endswith(" kB")}
        if kib["VmRSS"] > self.peak["resident"]:
            self.peak = {"resident": kib["VmRSS"], "from files": kib["RssFile"]}

    def stop(self) -> dict[str, float]:
        """Return the peak in MB."""
        self._ended.set()
        self._thread.join()
        self._look()
        return {name: kib * 1024 / 1e6 for name, kib in self.peak.items()}


def ours(folder: Path, image: ImageContract) -> int:
    """Open the cache, made where it is not there, and read every image in a random order."""
    import tensorflow as tf

    from pipeline.training.input import batches, cache_pixels

    dataset: DatasetManifest = DatasetManifest.load(folder / "dataset.json")
    stem = folder / "cache" / "train-pixels"
    first = not stem.parent.exists()
    pixels = cache_pixels(stem, dataset.images, Path(dataset.root), image, silent)
    if first:
        return len(pixels)
    order = np.random.default_rng(0).permutation(len(pixels))
    return sum(len(b) for _, b in batches(lambda rows: pixels[rows], order, _BATCH, tf.uint8))


def _of_directory(folder: Path, image: ImageContract) -> object:
    import keras

    return keras.utils.image_dataset_from_directory(
        folder / "images",
        image_size=(image.height_px, image.width_px),
        batch_size=_BATCH,
        seed=0,
        verbose=False,
    )


def peer(folder: Path, image: ImageContract) -> int:
    """Decode every image."""
    return sum(len(images) for images, _ in _of_directory(folder, image))


def peer_cached(folder: Path, image: ImageContract) -> int:
    """Decode every image into the peer's file, or read them from there."""
    (folder / "peer").mkdir(exist_ok=True)
    kept = _of_directory(folder, image).cache(str(folder / "peer" / "cache"))
    return sum(len(images) for images, _ in kept)


def our_index(folder: Path, image: ImageContract) -> int:
    """Read the manifest, name every shard and draw an order: all there is before an image."""
    from pipeline.training.input import SHARD_BYTES, plan_shards

    dataset: DatasetManifest = DatasetManifest.load(folder / "dataset.json")
    shards = plan_shards(folder / "cache" / "train-pixels", dataset.images, image, SHARD_BYTES)
    np.random.default_rng(0).permutation(len(dataset.images))
    return sum(shard.count for shard in shards)


def peer_index(folder: Path, image: ImageContract) -> int:
    """List the folder and build the peer's data set, without reading an image."""
    return len(_of_directory(folder, image).file_paths)


def idle(_folder: Path, _image: ImageContract) -> int:
    """Do nothing: what the imports take."""
    return 0


WORK: dict[str, Callable[[Path, ImageContract], int]] = {
    "idle": idle,
    "ours": ours,
    "image_dataset_from_directory": peer,
    "image_dataset_from_directory, .cache(FILE)": peer_cached,
    "our index": our_index,
    "image_dataset_from_directory, index": peer_index,
}


def once(name: str, folder: Path, size_px: int) -> dict[str, float]:
    """Do one piece of work in this process."""
    import keras  # noqa: F401
    import tensorflow  # noqa: F401

    import pipeline.training.input  # noqa: F401

    memory = Memory()
    start = time.perf_counter()
    done = WORK[name](folder, ImageContract(height_px=size_px, width_px=size_px))
    spent_s = time.perf_counter() - start
    return {"images": done, "s": spent_s, **memory.stop()}


def row(name: str, what: str, count: int, folder: Path, size_px: int) -> None:
    command = [sys.executable, "-m", "benchmarks.input_pipeline", str(folder), "--once", name]
    ran = subprocess.run(
        [*command, "--size-px", str(size_px)],
        capture_output=True,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    if ran.returncode != 0:
        sys.exit(f"{name}: {ran.stderr[-2000:]}")
    found = json.loads(ran.stdout.splitlines()[-1])
    if name != "idle" and found["images"] != count:
        sys.exit(f"{name} saw {found['images']:.0f} of {count} images")
    rate = f"{count / found['s']:,.0f}" if name != "idle" else ""
    print(
        f"| {count:,} | {name}, {what} | {found['s']:.1f} | {rate} | {found['resident']:,.0f} | "
        f"{found['from files']:,.0f} |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("--sizes", default="2500,25000")
    parser.add_argument("--index-only", type=int, default=400_000)
    parser.add_argument("--peer-cache-to", type=int, default=2500)
    parser.add_argument("--size-px", type=int, default=256)
    parser.add_argument("--once", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.once:
        print(json.dumps(once(asked.once, asked.images, asked.size_px)))
        return
    print("| images | work | s | images/s | peak resident, MB | of it from files, MB |")
    print("|---|---|---|---|---|---|")
    for count in map(int, asked.sizes.split(",")):
        with tempfile.TemporaryDirectory(prefix="input-pipeline-") as name:
            folder = Path(name)
            make_set(asked.images, folder, count)
            row("idle", "imports alone", count, folder, asked.size_px)
            for what in ("first pass", "second pass"):
                row("ours", what, count, folder, asked.size_px)
                row("image_dataset_from_directory", what, count, folder, asked.size_px)
                if count <= asked.peer_cache_to:
                    cached = "image_dataset_from_directory, .cache(FILE)"
                    row(cached, what, count, folder, asked.size_px)
    if asked.index_only:
        with tempfile.TemporaryDirectory(prefix="input-pipeline-") as name:
            folder = Path(name)
            make_set(asked.images, folder, asked.index_only)
            for work in ("our index", "image_dataset_from_directory, index"):
                row(work, "no image read", asked.index_only, folder, asked.size_px)


if __name__ == "__main__":
    main()
