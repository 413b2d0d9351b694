"""Record how well each layer of an int8 file follows the float model."""

from __future__ import annotations

from pydantic import Field

from pipeline.contract.base import Frozen
from pipeline.contract.noise import NoiseFloor


class LayerFigures(Frozen):
    """Hold one operator of an int8 file, measured on the tensor it writes.

    Ranges are in real units. `weight_low` and `weight_high` are the extremes of the float
    weights; `weight_channel_ratio` is the largest absolute weight of the channel where it is
    largest over that of the channel where it is smallest, channels of zeros left out;
    `absolute_sum` is the largest sum of one channel's absolute weights: so many times a layer can
    enlarge a rounding error of what it reads. `alone` is what the layer changes in the answers when
    it alone is in 8 bits, its range and bias the best for these images, and everything else in
    floats, residual sums too: the mean over up to 128 images of the largest difference in any
    probability. It is None, too, for a layer that was left in floats, and in the JSON of earlier
    releases. The other four are None for an operator without weights.
    `dead_channels` counts the channels whose float activation is one value everywhere.
    `float_low` and `float_high` are the extremes of the float activation over the images,
    `int8_low` and `int8_high` what the int8 tensor can hold; the latter are None for an operator
    that was left in floats.

    `sqnr_db` is 10 log10(mean(float^2) / mean((int8 - float)^2)), with the whole int8 network
    before the layer; None where either mean is zero. `saturated_share` is the share of values at
    127, and at -128 where the float activation goes below zero, 0 to 1. The mean shift is a
    channel's |mean error| in steps of the tensor: its mean over the channels, and the largest.
    """

    name: str
    operator: str
    weight_low: float | None = None
    weight_high: float | None = None
    weight_channel_ratio: float | None = Field(default=None, ge=1)
    absolute_sum: float | None = Field(default=None, ge=0)
    alone: float | None = Field(default=None, ge=0)
    dead_channels: int | None = Field(default=None, ge=0)
    float_low: float
    float_high: float
    int8_low: float | None = None
    int8_high: float | None = None
    sqnr_db: float | None
    saturated_share: float = Field(ge=0, le=1)
    mean_shift_steps: float | None = Field(default=None, ge=0)
    largest_mean_shift_steps: float | None = Field(default=None, ge=0)

    @property
    def short_name(self) -> str:
        """Return the Keras layer's name, for a table.

        The converter joins several names of the form model/layer/operation by semicolons.
        """
        first = self.name.split(";")[0]
        return "/".join(first.split("/")[1:-1]) or first

    @property
    def in_floats(self) -> bool:
        """Return whether the operator was left in floats."""
        return self.int8_low is None


class DebugReport(Frozen):
    """Hold every layer of one int8 file, in the order of its graph.

    `equalized` says that the float model was equalized as the file's was, so its ranges are not
    those of the trained model. `noise` is the float model's own, on images of the validation split;
    None where it was not measured.
    """

    model: str
    model_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    images: int = Field(ge=1)
    equalized: bool
    noise: NoiseFloor | None = None
    layers: tuple[LayerFigures, ...] = Field(min_length=1)

    def weakest_first(self) -> tuple[int, ...]:
        """Return the positions of the layers by rising SQNR, those without one last."""

        def key(index: int) -> tuple[bool, float]:
            sqnr_db = self.layers[index].sqnr_db
            return sqnr_db is None, sqnr_db or 0.0

        return tuple(sorted(range(len(self.layers)), key=key))
