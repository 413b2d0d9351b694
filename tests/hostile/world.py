"""Give each case what it needs: a folder with good files, for it to spoil."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.contract.run import RunDir
from tests.android.bundles import whole_bundle
from tests.export.samples import FLOATS, LABELS, samples
from tests.parity.recordings import pair


def make_world(folder: Path) -> None:
    """Write one good file or folder of each kind to `folder`."""
    made = samples()
    random = np.random.default_rng(0)
    for label in ("A", "B"):
        (folder / "images" / label).mkdir(parents=True)
        for i in range(20):
            pixels = random.integers(0, 255, (24, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "images" / label / f"{i}.jpg")
    photos = folder / "photos"
    photos.mkdir()
    for i in range(4):
        shutil.copyfile(folder / "images" / "A" / f"{i}.jpg", photos / f"{i}.jpg")
    shutil.copyfile(photos / "0.jpg", folder / "photo.jpg")
    shutil.copytree(made.dataset.root, folder / "dataset")
    labels = LABELS.model_copy(update={"critical": ()})
    # In its place in the end: {case}/dataset.
    dataset = made.dataset.model_copy(update={"labels": labels, "root": "dataset"})
    dataset.save(RunDir(folder / "run").dataset)
    shutil.copyfile(made.models["good"], folder / "good.keras")
    shutil.copyfile(made.described["float16"], folder / "model.tflite")
    shutil.copyfile(made.described["int8-uint8"], folder / "int8.tflite")
    shutil.copyfile(made.converted["float16"], folder / "plain.tflite")
    whole_bundle(folder / "bundle")
    whole_bundle(folder / "float", FLOATS[1])
    first, second = pair([0, 1, 2] * 20, [0, 1, 2] * 20, [0, 1, 2] * 20)
    (folder / "recordings").mkdir()
    first.save(folder / "recordings" / "a.json")
    second.save(folder / "recordings" / "b.json")
    (folder / "labels.txt").write_text("RED\nGREEN\nBLUE\n", encoding="utf-8")
    (folder / "pipeline.toml").write_text(
        '[data]\nsource = "images"\n[train]\nweights = "none"\nsize_px = 32\nwidth = 0.35\n',
        encoding="utf-8",
    )
    gradle = folder / "project" / "gradle"
    gradle.mkdir(parents=True)
    (gradle / "libs.versions.toml").write_text(
        '[versions]\ntflite-checked = "2.16.1"\n', encoding="utf-8"
    )
    isic = folder / "isic"
    (isic / "ISIC_2019_Training_Input").mkdir(parents=True)
    names = [f"ISIC_{i}" for i in range(8)]
    for i, name in enumerate(names):
        source = folder / "images" / "A" / f"{i}.jpg"
        shutil.copyfile(source, isic / "ISIC_2019_Training_Input" / f"{name}.jpg")
    (isic / "ISIC_2019_Training_GroundTruth.csv").write_text(
        "image,MEL,NV,BCC,AK,BKL,DF,VASC,SCC\n"
        + "".join(f"{n},{i % 2}.0,{1 - i % 2}.0,0,0,0,0,0,0\n" for i, n in enumerate(names)),
        encoding="utf-8",
    )
    (isic / "ISIC_2019_Training_Metadata.csv").write_text(
        "image,lesion_id\n" + "".join(f"{n},L{i}\n" for i, n in enumerate(names)),
        encoding="utf-8",
    )
    run = RunDir(folder / "run")
    shutil.copytree(folder / "bundle", run.bundle("int8-uint8"))
    shutil.copytree(folder / "recordings", run.recordings)


@dataclass(frozen=True)
class Place:
    """Copy parts of the world to `root` when a case names them."""

    world: Path
    root: Path

    def __getitem__(self, name: str) -> Path:
        target = self.root / name
        if not os.path.lexists(target) and (self.world / name).exists():
            if (self.world / name).is_dir():
                shutil.copytree(self.world / name, target)
            else:
                shutil.copyfile(self.world / name, target)
            if name == "run":
                self["dataset"]
        return target
