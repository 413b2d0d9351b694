"""Refuse a training that cannot work before anything is read or written."""

from __future__ import annotations

from pathlib import Path

from pipeline.contract.dataset import DatasetManifest, Split
from pipeline.contract.files import MAX_WEIGHTS_BYTES, open_regular
from pipeline.errors import BadInput, reason_of
from pipeline.training.backbones import backbone
from pipeline.training.backbones.interface import Backbone
from pipeline.training.request import TrainRequest

_HDF5 = b"\x89HDF\r\n\x1a\n"
_WEIGHTS = '"imagenet", "none", or the path of an .h5 file'


def check_request(request: TrainRequest) -> None:
    """Refuse what the backbone cannot take, and a weights file that is not there.

    Raises:
        BadInput: names what the request says and what the backbone wants.
    """
    network = backbone(request.backbone)
    _check_size(request, network)
    _check_width(request, network)
    if request.weights != "none":
        _check_pretrained(request, network)


def check_images(dataset: DatasetManifest) -> None:
    """Refuse a dataset that cannot be trained on, or whose files are not those it lists.

    Raises:
        BadInput: no image has a label, a split or a class has no images, or images are missing or
            changed in size.
    """
    if dataset.unlabelled:
        raise BadInput(
            "photographs without labels train nothing",
            where=dataset.root,
            next_step="run `pipeline data prepare SRC` on images with labels",
        )
    for split in (Split.train, Split.validation):
        if not dataset.of(split):
            raise BadInput(f"the {split} split has no images", where=dataset.root)
    seen = {image.label for image in dataset.of(Split.train)}
    unseen = [name for name in dataset.labels.names if name not in seen]
    if unseen:
        raise BadInput("a class has no training image", where=dataset.root, got=", ".join(unseen))
    missing, changed = [], []
    for image in dataset.images:
        path = dataset.file(image)
        if not path.is_file():
            missing.append(image.path)
        elif path.stat().st_size != image.size_bytes:
            changed.append(image.path)
    for names, what in (
        (missing, "of the dataset not there any more"),
        (changed, "changed since the dataset was prepared"),
    ):
        if names:
            raise BadInput(
                f"{len(names)} image{'' if len(names) == 1 else 's'} {what}",
                where=dataset.root,
                got=", ".join(names[:5]),
                next_step="run `pipeline data prepare` again",
            )


def _check_size(request: TrainRequest, network: Backbone) -> None:
    height_px, width_px = request.image.height_px, request.image.width_px
    if not network.fits(height_px, width_px):
        size = f"{height_px}" if height_px == width_px else f"{height_px}x{width_px}"
        raise BadInput(
            f"{network.title} does not take images of this size",
            expected=f"at least {network.min_size_px} px"
            if network.size_multiple_px == 1
            else f"a multiple of {network.size_multiple_px} px",
            got=f"{size} px",
            next_step="choose another size_px",
        )


def _check_width(request: TrainRequest, network: Backbone) -> None:
    if not network.takes(request.width):
        raise BadInput(
            f"{network.title} has no such width",
            expected=f"one of {', '.join(map(str, network.imagenet_widths))}",
            got=f"width {request.width:g}",
            next_step="leave the width out, or choose another backbone",
        )


def _check_pretrained(request: TrainRequest, network: Backbone) -> None:
    file = request.weights_file
    if file is None and request.width not in network.imagenet_widths:
        raise BadInput(
            f"Keras has no ImageNet weights of {network.title} for this width",
            expected=f"one of {', '.join(map(str, network.imagenet_widths))}",
            got=f"width {request.width:g}",
            next_step="take one of these widths, or weights none or of a file",
        )
    if file is not None:
        _check_weights_file(file)
    image = request.image
    if (image.mean, image.std) != (network.mean, network.std):
        raise BadInput(
            f"pretrained weights of {network.title} want another normalization",
            expected=f"mean {network.mean:g} and std {network.std:g}",
            got=f"mean {image.mean:g} and std {image.std:g}",
        )
    if network.trunk_output is None and request.settings().strategy == "transfer":
        raise BadInput(
            f"the recipe default cannot start {network.title} from pretrained weights",
            expected="a backbone whose first layers can be frozen and cached",
            next_step="take the recipe seed, or weights none",
        )


def _check_weights_file(file: Path) -> None:
    try:
        with open_regular(file, max_bytes=MAX_WEIGHTS_BYTES) as stream:
            start = stream.read(len(_HDF5))
    except FileNotFoundError as error:
        raise BadInput(
            "the weights file is not there", where=str(file), expected=_WEIGHTS
        ) from error
    except OSError as error:
        raise BadInput(
            "cannot read the weights file",
            where=str(file),
            expected=_WEIGHTS,
            got=reason_of(error),
        ) from error
    if start != _HDF5:
        raise BadInput(
            "this is no file of Keras weights",
            where=str(file),
            expected=_WEIGHTS,
            got=f"a file that begins with {start!r}" if start else "an empty file",
        )
