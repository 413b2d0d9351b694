"""List the families of `keras.applications` that int8 is measured on, and how each is trained."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pipeline.contract.normalization import Normalization, NormalizationName


@dataclass(frozen=True)
class Family:
    """Hold one family's constructor and convention.

    name: of the constructor in `keras.applications`. normalization: what its networks are trained
    with. tiny: arguments of the smallest network that the constructor makes. tiny_px: the size of
    that network's input. fading: the default weights make activations smaller from layer to layer,
    so the tiny network needs others. learning_rate, max_epochs: of brief training from random
    weights.
    """

    name: str
    normalization: NormalizationName
    learning_rate: float = 1e-3
    max_epochs: int = 12
    tiny: dict[str, Any] = field(default_factory=dict)
    tiny_px: int = 32
    fading: bool = False

    def build(self, size_px: int, classes: int, **options: Any) -> Any:
        """Return an untrained classifier with softmax, float32 (1, size_px, size_px, 3) in."""
        import keras

        trunk = getattr(keras.applications, self.name)(
            include_top=False,
            weights=None,
            input_shape=(size_px, size_px, 3),
            pooling="avg",
            **options,
        )
        answer = keras.layers.Dense(classes, activation="softmax")(trunk.output)
        return keras.Model(trunk.input, answer, name=self.name)

    @property
    def wanted(self) -> Normalization:
        """Return the convention in numbers."""
        return Normalization.named(self.normalization)


_TF, _RAW = NormalizationName.tf, NormalizationName.raw
_TORCH, _CAFFE = NormalizationName.torch, NormalizationName.caffe

FAMILIES = (
    Family("MobileNet", _TF, tiny={"alpha": 0.25}, fading=True),
    Family("MobileNetV2", _TF, tiny={"alpha": 0.35}, fading=True),
    Family("MobileNetV3Small", _RAW, tiny={"alpha": 0.75}, fading=True),
    Family("MobileNetV3Large", _RAW, tiny={"alpha": 0.75}, fading=True),
    Family("EfficientNetB0", _RAW),
    Family("EfficientNetV2B0", _RAW),
    Family("ResNet50", _CAFFE),
    Family("ResNet50V2", _TF),
    Family("DenseNet121", _TORCH),
    Family("NASNetMobile", _TF),
    Family("Xception", _TF, tiny_px=96, fading=True),
    Family("InceptionV3", _TF, tiny_px=96),
    Family("VGG16", _CAFFE, learning_rate=1e-4, fading=True),
    Family("ConvNeXtTiny", _RAW, learning_rate=5e-4),
)
BY_NAME = {family.name: family for family in FAMILIES}
