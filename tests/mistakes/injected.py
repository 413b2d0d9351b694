"""Make known mistakes with OpenCV, on a tiny model whose answers depend on everything.

Nothing here uses `pipeline.imaging` or `pipeline.mistakes`: OpenCV decodes, turns and resizes.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from pipeline.child import ask_child
from pipeline.classifier.spec import spec_of_image
from pipeline.contract.about import About
from pipeline.contract.base import Frozen
from pipeline.contract.choices import Io, Mistake, Quantize, Step
from pipeline.contract.hashing import sha256_file
from pipeline.contract.image import ImageContract
from pipeline.contract.labels import Labels
from pipeline.contract.recipe import Recipe
from pipeline.export.convert import ConvertRequest
from pipeline.export.int8.request import ImageFile, ModelFile, QuantizeRequest
from pipeline.export.metadata_writer import write_metadata
from pipeline.progress import Report
from pipeline.runtimes.recording import Recording
from tests.parity.recordings import recording

# Mean and standard deviation differ, so that swapping them shows.
MEAN, STD, SIZE_PX = 110.0, 60.0, 48
IMAGE = ImageContract(height_px=SIZE_PX, width_px=SIZE_PX, mean=MEAN, std=STD)
LABELS = Labels(names=("ONE", "TWO", "THREE", "FOUR", "FIVE"), critical=())
FLOAT, INT8 = "float32", "int8-uint8"
_RECIPES = {
    FLOAT: Recipe(quantize=Quantize.float32, io=Io.float32),
    INT8: Recipe(quantize=Quantize.int8, io=Io.uint8, steps=(Step.ranges, Step.bias_correction)),
}
_ABOUT = About(
    name="tiny",
    description="A test.",
    version="1",
    author="tests",
    license="CC0-1.0",
    input_name="image",
    output_name="probability",
)
_ORIENTATIONS = (1, 6, 3, 8)
_RIGHT, _BLURRED = "right", "blurred"
_ORDER = [3, 0, 4, 2, 1]

Rgb = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.float32]


class TrainRequest(Frozen):
    """Ask for a float file of a network for the images in `folder`."""

    folder: Path
    images: tuple[Path, ...]


class AnswerRequest(Frozen):
    """Ask for the int8 file, and for what both files answer to every wrong input."""

    folder: Path
    images: tuple[Path, ...]
    quantize: QuantizeRequest


class Made(Frozen):
    """Say that the files are there."""


@dataclass(frozen=True)
class Injected:
    """Hold images, the files by recipe, and their answers by recipe and what was fed."""

    images: Path
    ids: tuple[str, ...]
    models: dict[str, Path]
    answers: dict[str, dict[str, Rows]]

    def cases(self, recipe: str) -> dict[Mistake, Rows]:
        """Return what a runtime answers with each mistake."""
        rows = self.answers[recipe]
        known = [name for name in _WRONG if name in {*Mistake} and name in rows]
        found = {Mistake(name): rows[name] for name in known}
        right = rows[_RIGHT]
        found[Mistake.labels_shifted] = right[:, [4, 0, 1, 2, 3]]
        found[Mistake.labels_permuted] = right[:, _ORDER]
        again = np.exp(right.astype(np.float64))
        found[Mistake.softmax_twice] = (again / again.sum(1, keepdims=True)).astype(np.float32)
        if recipe == INT8:
            found[Mistake.raw_output] = rows["raw-output"]
        return found

    def recording(self, rows: Rows) -> Recording:
        """Return answers as a phone shares them: no truth, ids by content."""
        unknown = [-1] * len(self.ids)
        return recording(rows, unknown, runtime="phone", ids=self.ids, labels=LABELS.names)

    @property
    def right(self) -> dict[str, Rows]:
        """Return the right answers of each file."""
        return {recipe: rows[_RIGHT] for recipe, rows in self.answers.items()}

    def blurred(self, recipe: str) -> Rows:
        """Return what is answered to strongly blurred pictures."""
        return self.answers[recipe][_BLURRED]


@cache
def drawn(count: int = 60) -> Injected:
    """Draw pictures that are no squares, most of them turned by EXIF, and inject every mistake."""
    folder = _temporary()
    random = np.random.default_rng(8)
    paths = []
    for i in range(count):
        height, width = (int(side) for side in random.integers(90, 160, 2) * (1, 2))
        coarse = random.integers(0, 256, (5, 9, 3), dtype=np.uint8)
        smooth = np.asarray(Image.fromarray(coarse).resize((width, height)), np.float64)
        noisy = smooth * 0.75 + random.normal(30, 28, (height, width, 1)) + random.normal(0, 9, 3)
        path = folder / "images" / f"{i:03}.jpg"
        path.parent.mkdir(exist_ok=True)
        exif = Image.Exif()
        exif[0x0112] = _ORIENTATIONS[i % 4]
        pixels = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(path, quality=92, exif=exif)
        paths.append(path)
    return inject(folder, tuple(paths))


def turned(sources: list[Path]) -> Injected:
    """Copy photographs, every second one turned by EXIF, and inject every mistake."""
    folder = _temporary()
    (folder / "images").mkdir()
    paths = []
    for i, source in enumerate(sources):
        path = folder / "images" / source.name
        with Image.open(source) as photo:
            exif = Image.Exif()
            exif[0x0112] = _ORIENTATIONS[i % 4]
            photo.save(path, quality="keep", exif=exif)
        paths.append(path)
    return inject(folder, tuple(paths))


def inject(folder: Path, images: tuple[Path, ...]) -> Injected:
    """Make the model, and let it answer every image rightly and with every mistake."""
    ask = {"answer": Made, "log": folder / "child.log"}
    ask_child(
        "tests.mistakes.injected:train_child", TrainRequest(folder=folder, images=images), **ask
    )
    float_file = folder / f"{FLOAT}-plain.tflite"
    files = tuple(
        ImageFile(path=str(path), sha256=sha256_file(path), label=None) for path in images
    )
    request = QuantizeRequest(
        float_file=ModelFile(path=str(float_file), sha256=sha256_file(float_file)),
        recipe=_RECIPES[INT8],
        image=IMAGE,
        labels=LABELS,
        representative=files[:16],
        out=str(folder / f"{INT8}-plain.tflite"),
    )
    asked = AnswerRequest(folder=folder, images=images, quantize=request)
    ask_child("tests.mistakes.injected:answer_child", asked, **ask)
    models, answers = {}, {}
    for name, recipe in _RECIPES.items():
        models[name] = folder / f"{name}.tflite"
        plain = folder / f"{name}-plain.tflite"
        write_metadata(plain, models[name], image=IMAGE, labels=LABELS, io=recipe.io, about=_ABOUT)
        with np.load(folder / f"{name}.npz") as arrays:
            answers[name] = {key: arrays[key] for key in arrays.files}
    ids = tuple(file.sha256 for file in files)
    return Injected(folder / "images", ids, models, answers)


def train_child(request: TrainRequest, report: Report) -> Made:
    """Save a network of random features whose answers are spread over the classes."""
    import keras
    from keras import layers

    from pipeline.export.convert import convert_child

    keras.utils.set_random_seed(2)
    pixels = np.stack([_resized(_upright(path)) for path in request.images])
    values = (pixels.astype(np.float32) - MEAN) / STD
    entry = keras.Input((SIZE_PX, SIZE_PX, 3))
    x = layers.Conv2D(12, 3, strides=2, activation="relu", kernel_initializer="he_normal")(entry)
    x = layers.Conv2D(16, 3, strides=2, activation="relu", kernel_initializer="he_normal")(x)
    x = layers.Flatten()(layers.AveragePooling2D(3)(x))
    head = layers.Dense(len(LABELS))
    features = keras.Model(entry, x)
    model = keras.Model(entry, layers.Softmax()(head(x)))
    found = features.predict(values, verbose=0)
    spread = found - found.mean(0)
    random = np.random.default_rng(3).normal(size=(found.shape[1], len(LABELS)))
    weights = random * 2.5 / (spread @ random).std(0)
    head.set_weights([weights, -(found.mean(0) @ weights)])
    path = request.folder / "model.keras"
    model.save(path)
    convert_child(
        ConvertRequest(
            classifier=spec_of_image(path, IMAGE, len(LABELS)),
            out=str(request.folder / f"{FLOAT}-plain.tflite"),
        ),
        report,
    )
    return Made()


def answer_child(request: AnswerRequest, report: Report) -> Made:
    """Quantize, then answer every image under every mistake on the way in."""
    from ai_edge_litert.interpreter import Interpreter

    from pipeline.export.int8.quantize import quantize_child

    quantize_child(request.quantize, report)
    for name in _RECIPES:
        interpreter = Interpreter(model_path=str(request.folder / f"{name}-plain.tflite"))
        interpreter.allocate_tensors()
        entry, out = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        rows: dict[str, list[Any]] = {}
        for path in request.images:
            for case, make in _WRONG.items():
                tensor = make(path, entry)
                if tensor is None:
                    continue
                interpreter.set_tensor(entry["index"], tensor[None])
                interpreter.invoke()
                rows.setdefault(case, []).append(interpreter.get_tensor(out["index"])[0].copy())
        scale, zero = out["quantization"]
        found = {case: np.array(stored) for case, stored in rows.items()}
        real = {
            case: stored if name == FLOAT else (stored.astype(np.float32) - zero) * scale
            for case, stored in found.items()
        }
        raw = found[_RIGHT].astype(np.float32)
        arrays = {case: answers.astype(np.float32) for case, answers in real.items()}
        np.savez(request.folder / f"{name}.npz", **{**arrays, "raw-output": raw})
    return Made()


def _temporary() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="pipeline-injected-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _bgr(path: Path) -> Rgb:
    import cv2

    return np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR), np.uint8)


def _upright(path: Path) -> Rgb:
    return _bgr(path)[:, :, ::-1]


def _resized(rgb: Rgb, method: str = "INTER_LINEAR") -> Rgb:
    import cv2

    resized = cv2.resize(
        rgb.astype(np.float32), (SIZE_PX, SIZE_PX), interpolation=getattr(cv2, method)
    )
    return np.clip(np.rint(resized), 0, 255).astype(np.uint8)


def _tensor(values: Any, entry: Any) -> Any:
    """Store normalized values in the input's type."""
    if entry["dtype"] is np.float32:
        return np.asarray(values, np.float32)
    scale, zero = entry["quantization"]
    return np.clip(np.rint(np.asarray(values) / scale + zero), 0, 255).astype(np.uint8)


def _normal(rgb: Rgb, entry: Any) -> Any:
    if entry["dtype"] is np.uint8:
        return rgb
    return _tensor((rgb.astype(np.float32) - MEAN) / STD, entry)


def _cropped(rgb: Rgb) -> Rgb:
    height, width = rgb.shape[:2]
    side = min(height, width)
    y, x = (height - side) // 2, (width - side) // 2
    return rgb[y : y + side, x : x + side]


def _padded(rgb: Rgb) -> Rgb:
    """Pad to a square first and resize then."""
    height, width = rgb.shape[:2]
    side = max(height, width)
    square = np.zeros((side, side, 3), np.uint8)
    y, x = (side - height) // 2, (side - width) // 2
    square[y : y + height, x : x + width] = rgb
    return square


def _stored(path: Path) -> Rgb:
    import cv2

    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    return np.asarray(cv2.imread(str(path), flags), np.uint8)[:, :, ::-1]


def _blurred(path: Path) -> Rgb:
    import cv2

    return _resized(np.asarray(cv2.GaussianBlur(_upright(path), (0, 0), 25.0), np.uint8))


def _off_by_one(path: Path, entry: Any) -> Any:
    if entry["dtype"] is np.float32:
        return None
    return (np.minimum(_resized(_upright(path)).astype(np.int16) + 1, 255)).astype(np.uint8)


_WRONG: dict[str, Callable[[Path, Any], Any]] = {
    _RIGHT: lambda path, entry: _normal(_resized(_upright(path)), entry),
    _BLURRED: lambda path, entry: _normal(_blurred(path), entry),
    Mistake.bgr: lambda path, entry: _normal(_resized(_bgr(path)), entry),
    Mistake.unit_range: lambda path, entry: _tensor(_resized(_upright(path)) / 255.0, entry),
    Mistake.raw_range: lambda path, entry: _tensor(_resized(_upright(path)) * 1.0, entry),
    Mistake.mean_std_swapped: lambda path, entry: _tensor(
        (_resized(_upright(path)) - STD) / MEAN, entry
    ),
    Mistake.nearest: lambda path, entry: _normal(_resized(_upright(path), "INTER_NEAREST"), entry),
    Mistake.bicubic: lambda path, entry: _normal(_resized(_upright(path), "INTER_CUBIC"), entry),
    Mistake.antialiased: lambda path, entry: _normal(_resized(_upright(path), "INTER_AREA"), entry),
    Mistake.center_crop: lambda path, entry: _normal(_resized(_cropped(_upright(path))), entry),
    Mistake.letterbox: lambda path, entry: _normal(_resized(_padded(_upright(path))), entry),
    Mistake.exif_ignored: lambda path, entry: _normal(_resized(_stored(path)), entry),
    Mistake.mirrored: lambda path, entry: _normal(_resized(_upright(path))[:, ::-1], entry),
    Mistake.transposed: lambda path, entry: _normal(
        _resized(_upright(path)).transpose(1, 0, 2), entry
    ),
    Mistake.zero_point: _off_by_one,
}
