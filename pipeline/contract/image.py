"""Say what one image is before a model sees it: the only home of 256 and 127.5."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationError

from pipeline.contract.base import Frozen, first_problem
from pipeline.contract.hashing import sha256_json
from pipeline.errors import BadInput

# Of one side of a model's input; which sizes in between a network takes is the network's to say.
MIN_SIZE_PX = 8
MAX_SIZE_PX = 4096


class ImageContract(Frozen):
    """Fix how a photograph becomes a model input, on the host and on the device.

    The steps, in order: decode to 8-bit RGB; apply the EXIF orientation; take the whole frame;
    resize to `height_px` x `width_px` bilinearly in float32 with half-pixel centres and no
    antialiasing, as the device kernels do; round half to even to uint8 pixels; and for a float
    input compute (pixel - mean) / std per channel. A uint8 input takes the pixels as they are.
    `pipeline.imaging` is the reference implementation of these words.

    Units: `height_px`, `width_px` and `max_image_px` are pixels; `mean` and `std` are in units of a
    uint8 sample, 0 to 255, one value for all three channels. An image of more than `max_image_px`
    pixels is refused as a decompression bomb before it is decoded, on the host and on the device;
    up to it an image of any size gives the same input, since the resize needs only two rows and
    two columns of it for each of the input's: a device decodes a large one in bands.

    An embedded colour profile is ignored: the samples are taken as they are stored.
    """

    height_px: int = Field(default=256, ge=MIN_SIZE_PX, le=MAX_SIZE_PX)
    width_px: int = Field(default=256, ge=MIN_SIZE_PX, le=MAX_SIZE_PX)
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

    def pixels_digest(self) -> str:
        """Return the SHA-256 of what decides the resized pixels: everything but mean and std.

        Two models that normalize differently are compared on the same pixels.
        """
        return sha256_json(self.model_dump(mode="json", exclude={"mean", "std"}))

    @property
    def input_shape(self) -> tuple[int, int, int, int]:
        """Return the model input shape (1, height, width, channels)."""
        return (1, self.height_px, self.width_px, self.channels)

    @property
    def float_range(self) -> tuple[float, float]:
        """Return the smallest and largest value of a float32 input."""
        return ((0.0 - self.mean) / self.std, (255.0 - self.mean) / self.std)


def image_of_model(
    height_px: int, width_px: int, mean: float, std: float, *, where: str
) -> ImageContract:
    """Return the contract of a model's input, by what the model or its file says of it.

    Raises:
        BadInput: no contract has such a size, mean or std; `where` names the model.
    """
    try:
        return ImageContract(height_px=height_px, width_px=width_px, mean=mean, std=std)
    except ValidationError as error:
        raise BadInput(
            "the model's input does not fit the image contract",
            where=where,
            got=first_problem(error),
        ) from error
