"""Take the pictures of the images that flipped, for a report that asks for them."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import replace

from PIL import Image

from pipeline.contract.dataset import DatasetManifest, ImageRecord
from pipeline.contract.image import ImageContract
from pipeline.errors import BadInput
from pipeline.imaging.decode import decode_file
from pipeline.report.run_report import BundleResult, Picture, Unreadable

_LONGER_SIDE_PX = 224
_JPEG_QUALITY = 82


def with_pictures(
    bundle: BundleResult, dataset: DatasetManifest | None, unreadable: list[Unreadable]
) -> BundleResult:
    """Return a bundle with a picture of each flip that its verdict lists.

    An image that is not in the dataset, or that cannot be read, is added to `unreadable`.
    """
    flips = bundle.figures.flips
    known = {} if dataset is None else {image.sha256: image for image in dataset.images}
    pictures: dict[str, Picture] = {}
    for flip in () if flips is None else flips.examples:
        try:
            pictures[flip.image_id] = _picture(flip.image_id, known, dataset)
        except BadInput as error:
            unreadable.append(Unreadable(error.where or flip.image_id, error.what, error.got))
    return replace(bundle, pictures=pictures)


def _picture(
    image_id: str, known: Mapping[str, ImageRecord], dataset: DatasetManifest | None
) -> Picture:
    image = known.get(image_id)
    if dataset is None or image is None:
        raise BadInput("the run's dataset has no such image", where=f"image {image_id[:12]}")
    pixels = decode_file(dataset.file(image), ImageContract(), image.sha256)
    # Encoded anew: no place, no camera and no comment of the photograph travels with the page.
    small, encoded = Image.fromarray(pixels), io.BytesIO()
    small.thumbnail((_LONGER_SIDE_PX, _LONGER_SIDE_PX))
    small.save(encoded, "JPEG", quality=_JPEG_QUALITY)
    data = base64.b64encode(encoded.getvalue()).decode("ascii")
    return Picture(image.path, f"data:image/jpeg;base64,{data}")
