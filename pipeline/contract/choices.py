"""Name the choices that commands offer; imports nothing, so that `--help` is fast."""

from __future__ import annotations

from enum import StrEnum


class Quantize(StrEnum):
    """Name how weights and activations are stored."""

    none = "none"
    float16 = "float16"
    dynamic = "dynamic"
    int8 = "int8"


class Io(StrEnum):
    """Name the type of the model's input and output tensors."""

    float32 = "float32"
    uint8 = "uint8"
    int8 = "int8"


class Split(StrEnum):
    """Name the three disjoint parts of a dataset."""

    train = "train"
    validation = "validation"
    test = "test"


class RuntimeName(StrEnum):
    """Name the runtimes that can make a recording."""

    keras = "keras"
    litert = "litert"
    litert_reference = "litert-reference"
    task_library = "task-library"
    mediapipe = "mediapipe"
    android = "android"
    android_arm64 = "android-arm64"


class Repair(StrEnum):
    """Name how far an int8 export goes to undo what quantization breaks."""

    none = "none"
    auto = "auto"
    max = "max"


class Step(StrEnum):
    """Name the repair steps of int8, in order of cost."""

    ranges = "ranges"
    bias_correction = "bias-correction"
    rounding = "rounding"
    equalization = "equalization"
    mixed_precision = "mixed-precision"


def default_io(quantize: Quantize) -> Io:
    """Return uint8 for int8, so that phone runtimes take raw pixels, and float32 otherwise."""
    return Io.uint8 if quantize is Quantize.int8 else Io.float32
