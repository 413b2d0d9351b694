"""Record how much a float model's answers move when its pixels do."""

from __future__ import annotations

from pydantic import Field

from pipeline.contract.base import Frozen

# Evenly from the images judged: seconds, and a share of 0.95 known to within 0.03.
MOST_NOISE_IMAGES = 256


class CriticalFlips(Frozen):
    """Count the images that noise moves into a critical class and out of it."""

    into: int = Field(ge=0)
    out_of: int = Field(ge=0)


class NoiseLevel(Frozen):
    """Hold the float model against itself with every pixel moved by at most `pixel_steps`.

    `pixel_steps` is in values of an 8-bit pixel. `agreement` is the share of images on which the
    class stays the same, `mean_difference` the mean over images of the largest difference in any
    class's probability, both 0 to 1. `flips` is by the label of a critical class.
    """

    pixel_steps: float = Field(gt=0)
    agreement: float = Field(ge=0, le=1)
    mean_difference: float = Field(ge=0, le=1)
    flips: dict[str, CriticalFlips] = Field(default_factory=dict)


class NoiseFloor(Frozen):
    """Hold a float model's own noise, by rising level, on `images` images.

    `seed` draws the noise: the same model, images and seed give the same figures.
    """

    images: int = Field(ge=1)
    seed: int = Field(ge=0)
    levels: tuple[NoiseLevel, ...] = Field(min_length=1)

    @property
    def smallest(self) -> NoiseLevel:
        """Return the lowest level, half a pixel value: what rounding a pixel does."""
        return self.levels[0]

    @property
    def largest(self) -> NoiseLevel:
        """Return the highest level, one pixel value: less than any camera's own noise."""
        return self.levels[-1]


class MeasuredNoise(Frozen):
    """Hold a noise floor with the SHA-256 of the images it was measured on, in order."""

    image_ids: tuple[str, ...] = Field(min_length=1)
    floor: NoiseFloor
