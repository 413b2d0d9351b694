"""Say what one image is before a model sees it: the only home of 256 and 127.5."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipeline.contract.base import Frozen


class ImageContract(Frozen):
    """Fix how a photograph becomes a model input, on the host and on the device.

    The steps, in order: decode to 8-bit RGB; apply the EXIF orientation; take the whole frame;
    resize to `height_px` x `width_px` bilinearly in float32 with half-pixel centres and no
    antialiasing (the device kernels' way); round half to even to whole grey levels; and for a
    float input compute (level - mean) / std per channel. A uint8 input takes the grey levels as
    they are. `pipeline.imaging` is the reference implementation of these words.

    Units: `height_px`, `width_px` and `max_image_px` are pixels; `mean` and `std` are grey
    levels, 0 to 255, one value for all three channels. An image of more than `max_image_px`
    pixels is refused as a decompression bomb before it is decoded, on the host and on the device;
    up to it an image of any size gives the same input, since the resize needs only two rows and
    two columns of it for each of the input's: a device decodes a large one in bands.

    An embedded colour profile is ignored: the samples are taken as they are stored.
    """

    height_px: int = Field(default=256, ge=32, le=1024)
    width_px: int = Field(default=256, ge=32, le=1024)
    channels: Literal[3] = 3
    color: Literal["RGB"] = "RGB"
    alpha: Literal["over-white"] = "over-white"
    orientation: Literal["exif-applied"] = "exif-applied"
    crop: Literal["whole-frame"] = "whole-frame"
    resize: Literal["bilinear-half-pixel-no-antialias"] = "bilinear-half-pixel-no-antialias"
    rounding: Literal["half-to-even"] = "half-to-even"
    mean: float = Field(default=127.5, ge=0.0, le=255.0)
    std: float = Field(default=127.5, gt=0.0, le=255.0)
    layout: Literal["NHWC"] = "NHWC"
    max_image_px: int = Field(default=100_000_000, ge=1)

    @model_validator(mode="after")
    def _multiple_of_32(self) -> ImageContract:
        # MobileNetV2 halves the image five times.
        if self.height_px % 32 or self.width_px % 32:
            raise ValueError("height_px and width_px must be multiples of 32")
        return self

    @property
    def input_shape(self) -> tuple[int, int, int, int]:
        """Return the model input shape (1, height, width, channels)."""
        return (1, self.height_px, self.width_px, self.channels)

    @property
    def float_range(self) -> tuple[float, float]:
        """Return the smallest and largest value of a float32 input."""
        return ((0.0 - self.mean) / self.std, (255.0 - self.mean) / self.std)
