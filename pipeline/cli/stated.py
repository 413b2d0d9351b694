"""Offer the options by which a user states what a model of their own is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.contract.normalization_name import NormalizationName

if TYPE_CHECKING:
    from pipeline.contract.normalization import Normalization
    from pipeline.workflow.keras_model import StatedModel

LabelsOption = Annotated[
    str | None,
    typer.Option(
        "--labels",
        metavar="FILE|A,B,C",
        help="Labels in the order of the model's outputs, where the dataset's are not in it.",
    ),
]
CriticalOption = Annotated[
    list[str] | None,
    typer.Option(
        "--critical",
        metavar="LABEL",
        help="Gate this class's recall on its own; repeatable. Known malignancies by default.",
    ),
]
NormalizationOption = Annotated[
    NormalizationName | None,
    typer.Option(
        "--normalization",
        help="What the model takes: -1 to 1 (tf), 0 to 1 (unit), 0 to 255 (raw), torch or caffe; "
        "read from the model where it says.",
    ),
]
MeanOption = Annotated[
    str | None, typer.Option("--mean", help="Or its mean, in pixel values: one number or three.")
]
StdOption = Annotated[
    str | None, typer.Option("--std", help="And its standard deviation: one number or three.")
]
ChannelsOption = Annotated[
    str | None, typer.Option("--channels", metavar="RGB|BGR", help="Order of the channels.")
]
LogitsOption = Annotated[
    bool, typer.Option("--logits", help="The model answers logits: add a softmax.")
]
SizeOption = Annotated[
    str | None,
    typer.Option("--size", metavar="HxW", help="Input size, for a model that takes any."),
]


def stated_model(
    *,
    labels: str | None,
    critical: list[str] | None,
    normalization: NormalizationName | None,
    mean: str | None,
    std: str | None,
    channels: str | None,
    logits: bool,
    size: str | None,
) -> StatedModel:
    """Read what the options state of a model.

    Raises:
        BadInput: an option cannot be read, or two of them say different things.
    """
    from pipeline.contract.label_file import read_labels
    from pipeline.workflow.keras_model import StatedModel

    return StatedModel(
        labels=None if labels is None else read_labels(labels),
        critical=None if critical is None else tuple(critical),
        normalization=_normalization(normalization, mean, std, channels),
        logits=logits,
        size=None if size is None else _size(size),
    )


def _normalization(
    name: NormalizationName | None, mean: str | None, std: str | None, channels: str | None
) -> Normalization | None:
    from pipeline.contract.normalization import Normalization
    from pipeline.errors import BadInput

    if channels not in (None, "RGB", "BGR"):
        raise BadInput("--channels is not known", expected="RGB or BGR", got=str(channels))
    numbers = (mean, std, channels)
    if name is not None:
        if mean is not None or std is not None:
            raise BadInput(
                "--normalization and --mean or --std say the same thing twice",
                expected="--normalization NAME, or --mean and --std; --channels with either",
                got=f"--normalization {name} with --mean or --std",
            )
        named = Normalization.named(name)
        return named if channels in (None, named.channels) else named.swapped()
    if all(value is None for value in numbers):
        return None
    if mean is None or std is None:
        raise BadInput(
            "--mean and --std come together",
            expected="for example --mean 123.68,116.78,103.94 --std 58.4,57.1,57.4",
            got=", ".join(
                f"--{name} {value}"
                for name, value in zip(("mean", "std", "channels"), numbers, strict=True)
                if value is not None
            ),
        )
    values = {"channels": channels or "RGB", "mean": _three("--mean", mean)}
    return Normalization.model_validate({**values, "std": _three("--std", std)})


def _three(option: str, text: str) -> tuple[float, float, float]:
    from pipeline.errors import BadInput

    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise BadInput(f"{option} takes one number or three", got=text) from error
    if len(numbers) not in (1, 3):
        raise BadInput(f"{option} takes one number or three", got=text)
    first, *rest = numbers
    second, third = rest or (first, first)
    return first, second, third


def _size(text: str) -> tuple[int, int]:
    from pipeline.errors import BadInput

    try:
        height, width = (int(part) for part in text.lower().split("x"))
    except ValueError as error:
        raise BadInput(
            "--size takes height and width", expected="for example 224x224", got=text
        ) from error
    return height, width
