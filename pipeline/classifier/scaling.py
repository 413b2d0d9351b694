"""Read how a model scales its image itself, and what range it therefore takes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pipeline.classifier.layers import Layer, front, numbers
from pipeline.contract.normalization import NormalizationName

# They change an image in training and hand it on as it is at inference.
AUGMENTATION = frozenset(
    {
        "AlphaDropout",
        "AugMix",
        "CutMix",
        "Equalization",
        "GaussianDropout",
        "GaussianNoise",
        "MixUp",
        "RandAugment",
        "RandomBrightness",
        "RandomColorDegeneration",
        "RandomColorJitter",
        "RandomContrast",
        "RandomElasticTransform",
        "RandomErasing",
        "RandomFlip",
        "RandomGaussianBlur",
        "RandomGrayscale",
        "RandomHeight",
        "RandomHue",
        "RandomInvert",
        "RandomPerspective",
        "RandomPosterization",
        "RandomRotation",
        "RandomSaturation",
        "RandomSharpness",
        "RandomShear",
        "RandomTranslation",
        "RandomWidth",
        "RandomZoom",
        "Solarization",
    }
)
# They change an image at inference too, and stay in the file.
IMAGE_OPERATIONS = frozenset(
    {
        "AutoContrast",
        "CenterCrop",
        "ContrastLimitedAdaptiveHistogramEqualization",
        "RandomCrop",
        "Resizing",
    }
)
_SCALING = frozenset({"Rescaling", "Normalization"})
_ARITHMETIC = frozenset({"TrueDivide", "Divide", "Multiply", "Subtract", "Add"})
_TRANSPARENT = frozenset({"InputLayer", "Dropout", "SpatialDropout2D", "Identity", "Cast"})
# Together they reverse the channels; alone they scale nothing.
_CHANNELS = frozenset({"GetItem", "Stack", "Flip"})
# A network is fed values of about this span at most; whole pixels span 255.
_MAX_SPAN = 8.0


@dataclass(frozen=True)
class Scaling:
    """Hold the layers in front that scale, and the convention that feeds them right."""

    layers: tuple[Layer, ...]
    takes: NormalizationName


def read_scaling(model: Layer) -> Scaling | None:
    """Return how a model scales the image itself, None if it does not.

    What reaches the first other layer is scale * input + offset. Whole pixels are meant where
    that brings 0 to 255 to a span that networks are trained with, or subtracts a mean of pixels.
    Where the model scales up, 0 to 1 or -1 to 1 is meant, by where the offset puts the middle.
    """
    scale, offset, known = 1.0, 0.0, True
    found: list[Layer] = []
    channels: list[Layer] = []
    for layer in front(model):
        step = _step(layer)
        if step is not None:
            found.append(layer)
            known = known and all(map(math.isfinite, step))
            if known:
                scale, offset = step[0] * scale, step[0] * offset + step[1]
        elif layer.class_name in _CHANNELS:
            channels.append(layer)
        elif layer.class_name not in AUGMENTATION | IMAGE_OPERATIONS | _TRANSPARENT:
            break
    if not found:
        return None
    centre = offset / scale if scale else 0.0
    if not known or abs(scale) * 255 <= _MAX_SPAN or centre < -2:
        takes = NormalizationName.raw
    elif centre > 0.5:
        takes = NormalizationName.tf
    else:
        takes = NormalizationName.unit
    return Scaling((*channels, *found), takes)


def _step(layer: Layer) -> tuple[float, float] | None:
    """Return scale and offset, averaged over channels; NaN where the file does not say."""
    unknown = (math.nan, math.nan)
    if layer.class_name == "Rescaling":
        scale = _mean(numbers(layer.config.get("scale")))
        offset = _mean(numbers(layer.config.get("offset", 0.0)))
        return (scale, offset)
    if layer.class_name == "Normalization":
        mean, variance = (_mean(numbers(layer.config.get(key))) for key in ("mean", "variance"))
        if not (math.isfinite(mean) and variance > 0):
            # Statistics that `adapt` found are among the weights.
            return unknown
        return (1 / math.sqrt(variance), -mean / math.sqrt(variance))
    # `Add` and `Multiply` of two tensors are layers of a network, not a scaling.
    if layer.class_name in _ARITHMETIC and len(layer.inputs) == 1 and layer.constants:
        value = _mean(layer.constants)
        match layer.class_name:
            case "Multiply":
                return (value, 0.0)
            case "Add":
                return (1.0, value)
            case "Subtract":
                return (1.0, -value)
            case _:
                return (1 / value, 0.0) if value else unknown
    return None


def _mean(values: tuple[float, ...]) -> float:
    return sum(values) / len(values) if values else math.nan
