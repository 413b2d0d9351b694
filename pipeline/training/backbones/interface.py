"""Say what a backbone is: a convolutional network without its top, and what it wants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Backbone:
    """Describe a network that turns an image into a feature map.

    Attributes:
        name: the name of its file, of `--backbone` and in the manifest.
        title: what people call it, for messages.
        build: makes the Keras model from (inputs, width, weights). `inputs` is a Keras tensor
            float32 (batch, height, width, 3), `width` a multiplier of the channels, and `weights`
            "imagenet", which Keras downloads, or None for random ones. The result gives float32
            (batch, rows, columns, features). Imports Keras inside.
        trunk_output: the layer whose output is cached when the layers up to it stay frozen; no
            layer after it may read one before it. None where there is no such layer: the default
            recipe then cannot start from pretrained weights.
        size_multiple_px: height and width of the input must be multiples of it.
        mean: of the image contract its pretrained weights were trained with; 0 with a `std` of 1
            for a network that scales the pixels itself.
        std: of the same contract; the input is (pixel - mean) / std.
        imagenet_widths: the widths for which Keras has ImageNet weights.
        other_widths: whether `build` takes any other width too, without ImageNet weights.
        min_size_px: the smallest height and width of the input.
        after_loading: corrects the model in place after `load_weights` read a file of weights, for
            a network that `build` makes differently with "imagenet" than with None.
    """

    name: str
    title: str
    build: Callable[[Any, float, Literal["imagenet"] | None], Any]
    trunk_output: str | None
    size_multiple_px: int
    mean: float
    std: float
    imagenet_widths: tuple[float, ...]
    other_widths: bool = True
    min_size_px: int = 32
    after_loading: Callable[[Any], None] | None = None

    def fits(self, height_px: int, width_px: int) -> bool:
        """Tell whether the network takes images of this size."""
        return min(height_px, width_px) >= self.min_size_px and (
            height_px % self.size_multiple_px == width_px % self.size_multiple_px == 0
        )

    def takes(self, width: float) -> bool:
        """Tell whether the network can be built at this width multiplier."""
        return self.other_widths or width in self.imagenet_widths
