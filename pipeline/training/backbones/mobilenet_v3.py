"""Build the MobileNetV3 networks (Howard et al. 2019, arXiv 1905.02244); no backbone of its own.

Not the minimalistic variant: that one trades squeeze-and-excitation, hard-swish and 5x5 kernels for
speed on accelerators. Keras would scale 0..255 inside the network; here that is left out, so that
the image contract says what the input is, and the input is from -1 to 1.
"""

from __future__ import annotations

from typing import Any, Literal

from pipeline.training.backbones.interface import Backbone


def mobilenet_v3(*, name: str, title: str, application: str, trunk_output: str) -> Backbone:
    """Return the backbone of one size.

    Args:
        name: as in `Backbone`.
        title: as in `Backbone`.
        application: the function of keras.applications that builds it.
        trunk_output: as in `Backbone`: the first block at a sixteenth of the image's height and
            width, which adds nothing to itself, so that no layer after it reads one before it.
    """

    def build(inputs: Any, width: float, weights: Literal["imagenet"] | None) -> Any:
        import keras

        return getattr(keras.applications, application)(
            input_tensor=inputs,
            include_top=False,
            weights=weights,
            alpha=width,
            minimalistic=False,
            include_preprocessing=False,
        )

    return Backbone(
        name=name,
        title=title,
        build=build,
        trunk_output=trunk_output,
        # It halves the image five times.
        size_multiple_px=32,
        mean=127.5,
        std=127.5,
        imagenet_widths=(0.75, 1.0),
    )
