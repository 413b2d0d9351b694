"""Name the choices that commands offer; imports nothing, so that `--help` is fast."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

# Earlier releases called float32 so; their recipes and manifests still load.
QUANTIZE_ALIASES = {"none": "float32"}

# The oldest TFLite runtime that must load a file, where nobody names another.
DEFAULT_RUNTIME = "2.16.0"


class Quantize(StrEnum):
    """Name how weights and activations are stored; `none` is read as `float32`."""

    float32 = "float32"
    float16 = "float16"
    dynamic = "dynamic"
    int8 = "int8"

    @classmethod
    def _missing_(cls, value: object) -> Quantize | None:
        alias = QUANTIZE_ALIASES.get(str(value))
        return None if alias is None else cls(alias)


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


# The images that no weights are fitted on.
HELD_OUT = (Split.validation, Split.test)


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


# The steps that name operators to leave in floats; a recipe has one of them at most.
_KEEP_FLOATS = ("float16-prefix", "mixed-precision")


class Step(StrEnum):
    """Name the repair steps of int8, in order of cost, the order in which recipes list them.

    Each member is its name in recipes, its name for people, and the names of the steps without
    which it does nothing. `keeps_floats` says that it leaves operators in floats. What a step does
    is in `pipeline.export.int8.steps`.
    """

    ranges = "ranges", "activation ranges"
    bias_correction = "bias-correction", "sequential bias correction"
    rounding = "rounding", "adaptive rounding", "bias-correction"
    equalization = "equalization", "cross-layer equalization"
    logits = "logits", "centred logits, rounded by the probabilities", "ranges"
    dither = "dither", "dither copies of the first convolution", "ranges"
    float16_prefix = "float16-prefix", "first blocks in float16"
    mixed_precision = "mixed-precision", "mixed precision"

    display_name: str
    keeps_floats: bool
    _needs: tuple[str, ...]

    def __new__(cls, value: str, display_name: str, *needs: str) -> Self:
        """Make a member that equals `value`."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.display_name, member._needs = display_name, needs
        member.keeps_floats = value in _KEEP_FLOATS
        return member

    @property
    def needs(self) -> tuple[Step, ...]:
        """Return the steps that must be in a recipe for this one to do anything."""
        by_name = {str(step): step for step in Step}
        return tuple(by_name[name] for name in self._needs)


class Mistake(StrEnum):
    """Name the known mistakes of a runtime that answers otherwise than its model should.

    The order is that in which equally likely ones are named. What each does is an entry in
    `pipeline.mistakes`, in `reading`, `feeding` or `answering`.
    """

    bgr = "bgr"
    unit_range = "unit-range"
    raw_range = "raw-range"
    mean_std_swapped = "mean-std-swapped"
    other_normalization = "other-normalization"
    planar = "planar"
    zero_point = "zero-point"
    nearest = "nearest"
    bicubic = "bicubic"
    antialiased = "antialiased"
    corner_sampled = "corner-sampled"
    center_crop = "center-crop"
    letterbox = "letterbox"
    exif_ignored = "exif-ignored"
    mirrored = "mirrored"
    transposed = "transposed"
    rotated = "rotated"
    labels_shifted = "labels-shifted"
    labels_permuted = "labels-permuted"
    softmax_twice = "softmax-twice"
    raw_output = "raw-output"


def default_io(quantize: Quantize) -> Io:
    """Return uint8 for int8, so that phone runtimes take raw pixels, and float32 otherwise."""
    return Io.uint8 if quantize is Quantize.int8 else Io.float32
