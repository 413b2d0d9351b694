"""Say what to train: the request, and the settings a recipe makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, assert_never

from pydantic import AfterValidator, Field, model_validator

from pipeline.contract.base import Frozen, Number, WholeNumber
from pipeline.contract.image import ImageContract
from pipeline.training.backbones import DEFAULT, NAMES
from pipeline.training.choices import TrainRecipe

Strategy = Literal["seed", "transfer", "scratch"]
Keep = Literal["best", "last"]


def _known_backbone(name: str) -> str:
    if name not in NAMES:
        raise ValueError(f"there is no backbone {name!r}, only {', '.join(NAMES)}")
    return name


BackboneName = Annotated[str, AfterValidator(_known_backbone)]
Width = Annotated[Number, Field(gt=0.0, le=2.0)]
# TensorFlow's random generators take no more.
MAX_SEED = 2**31 - 1
Minutes = Annotated[Number, Field(gt=0.0, le=1_000_000.0)]
Count = Annotated[WholeNumber, Field(ge=1, le=100_000)]


class Settings(Frozen):
    """Hold every number of one training, with nothing left open.

    `strategy` is what the recipe comes to: "seed"; or for the default recipe "transfer" (head on
    cached features, then the top blocks) with pretrained weights and "scratch" without.
    Rates are those of Adam (AdamW where `weight_decay` is not 0); class weights are
    (images / (classes * images of the class)) ** `class_weight_power`; training stops early when
    the validation balanced accuracy stays under its best for `patience` epochs.
    """

    strategy: Strategy
    batch_size: int
    epochs: int
    learning_rate: float
    head_epochs: int = 0
    head_learning_rate: float = 0.0
    patience: int
    schedule: Literal["constant", "warmup-cosine"]
    weight_decay: float = 0.0
    dropout: float = 0.0
    label_smoothing: float = 0.0
    class_weight_power: float = 0.0
    # Validation and the kept checkpoint use the exponential average of the weights.
    average_decay: float = 0.0
    # Of the fine-tuning: which epoch's weights count, how many trainings from one head are
    # averaged, and the parameter of mixup's beta distribution, 0 for none.
    keep: Keep = "best"
    members: int = 1
    mixup: float = 0.0
    # After it: how long the weights learn the mean of their answers to all views, and from how
    # many sets of mixed pairs; 0 epochs for not at all.
    distil_epochs: int = 0
    distil_learning_rate: float = 1e-4
    distil_sets: int = 4
    # How many images' features to cache: the more images, the fewer mirrored views of each.
    cached_images: int = 0


_SETTINGS: dict[Strategy, Settings] = {
    # The plain recipe, number by number; Adam's rate never changes.
    "seed": Settings(
        strategy="seed",
        batch_size=32,
        epochs=128,
        learning_rate=1e-5,
        patience=128,
        schedule="constant",
    ),
    "transfer": Settings(
        strategy="transfer",
        batch_size=32,
        epochs=12,
        learning_rate=2e-4,
        head_epochs=20,
        head_learning_rate=1e-3,
        patience=6,
        schedule="warmup-cosine",
        weight_decay=1e-3,
        dropout=0.3,
        label_smoothing=0.1,
        class_weight_power=0.5,
        average_decay=0.99,
        cached_images=12_000,
    ),
    "scratch": Settings(
        strategy="scratch",
        batch_size=32,
        epochs=20,
        learning_rate=2e-3,
        patience=10,
        schedule="warmup-cosine",
        weight_decay=1e-4,
        dropout=0.2,
        label_smoothing=0.1,
        class_weight_power=0.5,
    ),
}


class TrainRequest(Frozen):
    """Ask for a model. None takes the recipe's own value.

    `backbone` names one of `pipeline.training.backbones`, `width` multiplies its channels, and
    `weights` is "imagenet" (Keras downloads them), "none", or the path of an `.h5` file of the
    backbone without its top. `epochs` counts the longest phase: all of the training, or the
    fine-tuning where the weights are pretrained and the recipe is the default one; there
    `head_epochs` counts the phase before it. `budget_minutes` chooses the longest schedule that
    fits; `settings` are then those it is chosen from. `calibrate` scales the trained model's
    logits, so that its confidence is its accuracy on the validation split.
    """

    image: ImageContract = ImageContract()
    backbone: BackboneName = DEFAULT
    width: Width = 1.0
    weights: str = Field(default="imagenet", min_length=1)
    recipe: TrainRecipe = TrainRecipe.default
    seed: WholeNumber = Field(default=0, ge=0, le=MAX_SEED)
    batch_size: Count | None = None
    epochs: Count | None = None
    head_epochs: Count | None = None
    learning_rate: float | None = Field(default=None, gt=0.0)
    budget_minutes: Minutes | None = None
    calibrate: bool = True

    @property
    def weights_file(self) -> Path | None:
        """Return the weights file asked for, None for "imagenet" and "none"."""
        return None if self.weights in ("imagenet", "none") else Path(self.weights)

    @property
    def weights_name(self) -> str:
        """Return what a manifest calls the weights: never a path of this machine."""
        return self.weights if self.weights_file is None else self.weights_file.name

    def settings(self) -> Settings:
        """Resolve the recipe and the overrides."""
        chosen = _SETTINGS[self._strategy()]
        overrides = {
            name: value
            for name in ("batch_size", "epochs", "head_epochs", "learning_rate")
            if (value := getattr(self, name)) is not None
        }
        return chosen.model_copy(update=overrides)

    def _strategy(self) -> Strategy:
        match self.recipe:
            case TrainRecipe.seed:
                return "seed"
            case TrainRecipe.default:
                return "scratch" if self.weights == "none" else "transfer"
            case _:
                assert_never(self.recipe)

    @model_validator(mode="after")
    def _one_length(self) -> TrainRequest:
        if self.budget_minutes is not None and self.epochs is not None:
            raise ValueError("a budget chooses the epochs: give budget_minutes or epochs, not both")
        return self

    @model_validator(mode="after")
    def _head_epochs_count(self) -> TrainRequest:
        if self.head_epochs is not None and self._strategy() != "transfer":
            raise ValueError("head_epochs needs pretrained weights and the recipe default")
        return self
