"""Say what a Keras model's own input is: channel order, and mean and standard deviation."""

from __future__ import annotations

from typing import Literal, assert_never

from pydantic import Field, model_validator

from pipeline.contract.base import Frozen
from pipeline.contract.image import ImageContract
from pipeline.contract.normalization_name import NormalizationName as NormalizationName

_Three = tuple[float, float, float]


class Normalization(Frozen):
    """Fix how pixels become a Keras model's input: (pixel - mean) / std, channel by channel.

    `mean` and `std` are in pixel values, 0 to 255, in the order of `channels`, which is the order
    the model takes. Source of the named ones: `keras.applications.imagenet_utils`, whose torch
    mode is (pixel / 255 - mean) / std.
    """

    channels: Literal["RGB", "BGR"] = "RGB"
    mean: _Three = (127.5, 127.5, 127.5)
    std: _Three = (127.5, 127.5, 127.5)

    @model_validator(mode="after")
    def _sane(self) -> Normalization:
        if any(not -1000.0 <= value <= 1000.0 for value in self.mean):
            raise ValueError("mean must be between -1000 and 1000, in pixel values")
        if any(not 1e-3 <= value <= 1000.0 for value in self.std):
            raise ValueError("std must be between 0.001 and 1000, in pixel values")
        return self

    @classmethod
    def named(cls, name: NormalizationName) -> Normalization:
        """Return a known convention."""
        match name:
            case NormalizationName.tf:
                return cls()
            case NormalizationName.unit:
                return cls(mean=(0.0,) * 3, std=(255.0,) * 3)
            case NormalizationName.raw:
                return cls(mean=(0.0,) * 3, std=(1.0,) * 3)
            case NormalizationName.torch:
                mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
                return cls(mean=_scaled(mean), std=_scaled(std))
            case NormalizationName.caffe:
                return cls(channels="BGR", mean=(103.939, 116.779, 123.68), std=(1.0,) * 3)
            case _:
                assert_never(name)

    @classmethod
    def of_image(cls, image: ImageContract) -> Normalization:
        """Return that of a model which takes exactly what the image contract feeds."""
        return cls(mean=(image.mean,) * 3, std=(image.std,) * 3)

    @property
    def name(self) -> NormalizationName | None:
        """Return which known convention this is, None for another."""
        return next((name for name in NormalizationName if self.named(name) == self), None)

    @property
    def uniform(self) -> bool:
        """Return whether one mean and one standard deviation say it all, in RGB."""
        return self.channels == "RGB" and len({*self.mean}) == 1 and len({*self.std}) == 1

    def swapped(self) -> Normalization:
        """Return the same with red and blue in the other order: each colour keeps its numbers."""
        return Normalization(
            channels="BGR" if self.channels == "RGB" else "RGB",
            mean=_backwards(self.mean),
            std=_backwards(self.std),
        )

    def others(self) -> tuple[Normalization, ...]:
        """Return what else the owner of a model may have meant: the known ones, and `swapped`."""
        known = [self.named(name) for name in NormalizationName]
        swapped = self.swapped()
        return tuple(
            one for one in (*known, *(() if swapped in known else (swapped,))) if one != self
        )

    def option(self) -> str:
        """Return the command-line options that state it."""
        if self.name is not None:
            return f"--normalization {self.name}"
        if (name := self.swapped().name) is not None:
            return f"--normalization {name} --channels {self.channels}"
        mean, std = (",".join(f"{v:g}" for v in values) for values in (self.mean, self.std))
        return f"--mean {mean} --std {std} --channels {self.channels}"

    def words(self) -> str:
        """Return it as a person reads it."""
        if self.name is not None:
            return str(self.name)
        if (name := self.swapped().name) is not None:
            return f"{name} in {self.channels}"
        mean, std = (
            f"{values[0]:g}" if len({*values}) == 1 else ",".join(f"{v:g}" for v in values)
            for values in (self.mean, self.std)
        )
        return f"{self.channels}, mean {mean}, std {std}"


class UniformNormalization(Frozen):
    """Hold the one mean and one standard deviation that a phone applies, in pixel values."""

    mean: float = Field(ge=0.0, le=255.0)
    std: float = Field(gt=0.0, le=255.0)


def shared_normalization(normalization: Normalization) -> UniformNormalization:
    """Return one mean and one standard deviation nearest to those of the channels."""
    mean = sum(normalization.mean) / 3
    std = sum(normalization.std) / 3
    return UniformNormalization(mean=min(255.0, max(0.0, mean)), std=min(255.0, std))


def _backwards(values: _Three) -> _Three:
    first, second, third = values
    return third, second, first


def _scaled(values: _Three) -> _Three:
    # Rounded, since 0.485 * 255 has no exact decimal and the digest is of the text.
    first, second, third = (round(255 * value, 6) for value in values)
    return first, second, third
