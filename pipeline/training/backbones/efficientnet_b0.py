"""EfficientNet-B0 (Tan and Le 2019, arXiv 1905.11946), from keras.applications.

Keras cannot leave the preprocessing out: the network divides the pixels by 255 and normalizes each
channel itself, so it takes them as they are, 0 to 255.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from pipeline.training.backbones.interface import Backbone

# As torchvision and Keras give it, of samples from 0 to 1.
_IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


def _build(inputs: Any, width: float, weights: Literal["imagenet"] | None) -> Any:
    import keras

    if width != 1.0:
        raise ValueError(f"EfficientNet-B0 has no width {width:g}")
    return keras.applications.EfficientNetB0(
        input_tensor=inputs, include_top=False, weights=weights
    )


def _divide_by_the_deviation(model: Any) -> None:
    """Make a network with ImageNet's weights from a file the one Keras makes with its download.

    Those weights hold the deviation where the layer wants the variance, so that it divides by the
    root of the deviation only. Keras mends that by one more scaling, which it adds for the weights
    it downloads and for no others (tensorflow issue 49930). Here the variance is put right.
    """
    import keras

    (layer,) = (x for x in model.layers if isinstance(x, keras.layers.Normalization))
    mean, variance, count = layer.get_weights()
    if np.allclose(variance, _IMAGENET_DEVIATION, atol=1e-4):
        layer.set_weights([mean, variance**2, count])
        layer.finalize_state()


BACKBONE = Backbone(
    name="efficientnet_b0",
    title="EfficientNet-B0",
    build=_build,
    # (height/16, width/16, 80): the first block at that resolution, which adds nothing to itself.
    trunk_output="block4a_project_bn",
    # Its paddings fit any size, even or odd.
    size_multiple_px=1,
    mean=0.0,
    std=1.0,
    imagenet_widths=(1.0,),
    other_widths=False,
    after_loading=_divide_by_the_deviation,
)
