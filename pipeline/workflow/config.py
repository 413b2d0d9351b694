"""Read `pipeline.toml`: one file that says what a whole run does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from pipeline.contract.base import Frozen, Number, PathText, WholeNumber, first_problem
from pipeline.contract.choices import DEFAULT_RUNTIME, Io, Quantize, Repair
from pipeline.contract.decision import Probability
from pipeline.contract.files import resolved
from pipeline.contract.image import MAX_SIZE_PX, MIN_SIZE_PX, ImageContract
from pipeline.contract.recipe import Recipe, recipes_of
from pipeline.contract.text_file import read_toml
from pipeline.data.choices import OnBad
from pipeline.data.layouts import AUTO, CHOICES
from pipeline.errors import BadInput, reason_of
from pipeline.parity.thresholds import Thresholds
from pipeline.tflite.runtime_versions import check_version
from pipeline.training.backbones import DEFAULT, backbone
from pipeline.training.choices import TrainRecipe
from pipeline.training.request import MAX_SEED, BackboneName, Count, Minutes, TrainRequest, Width


def _known_runtime(version: str) -> str:
    try:
        check_version(version)
    except BadInput as error:
        raise ValueError(f"{error.what}; {error.expected} is one") from error
    return version


def _known_layout(name: str) -> str:
    if name not in CHOICES:
        raise ValueError(f"there is no layout {name!r}, only {', '.join(CHOICES)}")
    return name


_LIMITS = Thresholds()
_EXAMPLE = "see the example in the README, section Stages"

Share = Annotated[Number, Field(ge=0.0, le=1.0)]
RuntimeVersion = Annotated[str, AfterValidator(_known_runtime)]
LayoutName = Annotated[str, AfterValidator(_known_layout)]


class DataConfig(Frozen):
    """Say where the images are; no `source` means the synthetic default."""

    source: PathText | None = None
    layout: LayoutName = AUTO
    fractions: tuple[Share, Share, Share] = (0.7, 0.15, 0.15)
    on_bad: OnBad = OnBad.fail
    critical: tuple[str, ...] | None = Field(
        default=None, description="None: those named as known malignancies"
    )
    isic_table: PathText | None = None
    license: str = "unknown"
    per_class: WholeNumber = Field(
        default=160, ge=4, le=10_000, description="synthetic images a class"
    )


class TrainConfig(Frozen):
    """Say how to train; None takes the recipe's own value."""

    backbone: BackboneName = DEFAULT
    recipe: TrainRecipe = TrainRecipe.default
    weights: PathText = "imagenet"
    size_px: WholeNumber = Field(default=256, ge=MIN_SIZE_PX, le=MAX_SIZE_PX)
    width: Width = 1.0
    batch_size: Count | None = None
    epochs: Count | None = None
    budget_minutes: Minutes | None = None
    calibrate: bool = Field(default=True, description="whether to scale by a temperature")

    @classmethod
    def of(cls, **options: object) -> Self:
        """Check options by the names a person gave them.

        Raises:
            BadInput: one is out of range.
        """
        try:
            return cls.model_validate(options)
        except ValidationError as error:
            raise BadInput("cannot train with these options", got=first_problem(error)) from error

    def request(self, seed: int) -> TrainRequest:
        """Return what the training stage is asked for, normalized as the backbone wants it.

        Raises:
            BadInput: the seed is out of range.
        """
        network = backbone(self.backbone)
        image = ImageContract(
            height_px=self.size_px, width_px=self.size_px, mean=network.mean, std=network.std
        )
        try:
            return TrainRequest(image=image, seed=seed, **self.model_dump(exclude={"size_px"}))
        except ValidationError as error:
            raise BadInput("cannot train with these options", got=first_problem(error)) from error


class ExportConfig(Frozen):
    """Say which files to make, in order."""

    quantize: tuple[Quantize, ...] = Field(default=(Quantize.int8, Quantize.float16), min_length=1)
    io: Io | None = Field(default=None, description="of int8; None means uint8")
    representative_count: WholeNumber = Field(default=200, ge=1, le=100_000)
    repair: Repair = Repair.auto
    min_runtime: RuntimeVersion = DEFAULT_RUNTIME
    unsure_below: Probability | None = None
    thresholds: dict[str, Probability] = Field(default_factory=dict)
    sensitivity: dict[str, Probability] = Field(default_factory=dict)
    unsure_risk: Probability | None = None
    unsure_coverage: Probability | None = None
    reference: bool = Field(default=True, description="whether bundles carry Keras's answers")

    @model_validator(mode="after")
    def _all_used(self) -> Self:
        if len(set(self.quantize)) != len(self.quantize):
            raise ValueError("quantize names one twice")
        if Quantize.int8 not in self.quantize:
            for name, value in (("io", self.io), ("repair", self.repair)):
                if value not in (None, Io.float32, Repair.auto):
                    raise ValueError(f"{name} would do nothing without int8 in quantize")
        return self

    def recipes(self, seed: int) -> tuple[Recipe, ...]:
        """Return one recipe for each quantization."""
        int8 = Quantize.int8 in self.quantize
        return recipes_of(
            self.quantize,
            # Without int8 they are the defaults, by name.
            io=self.io if int8 else None,
            repair=self.repair if int8 else None,
            representative_count=self.representative_count,
            seed=seed,
        )


class ParityConfig(Frozen):
    """Say how far a file may be from Keras, in the words of the options; see `Thresholds`."""

    tolerance: Share = _LIMITS.accuracy_tolerance
    min_agreement: Share = _LIMITS.min_top1_agreement
    balanced_tolerance: Share = _LIMITS.balanced_accuracy_tolerance
    critical_tolerance: Share = _LIMITS.critical_recall_tolerance
    max_mean_difference: Share = _LIMITS.max_mean_probability_difference
    min_images: Count = _LIMITS.min_images
    min_critical_images: Count = _LIMITS.min_critical_images
    min_reference_accuracy: Share | None = _LIMITS.min_reference_accuracy
    accept_weak_reference: bool = _LIMITS.accept_weak_reference
    strict: bool = _LIMITS.strict
    accept_fragile: bool = _LIMITS.accept_fragile

    def thresholds(self) -> Thresholds:
        """Return the limits of the gates."""
        return Thresholds(
            accuracy_tolerance=self.tolerance,
            min_top1_agreement=self.min_agreement,
            balanced_accuracy_tolerance=self.balanced_tolerance,
            critical_recall_tolerance=self.critical_tolerance,
            max_mean_probability_difference=self.max_mean_difference,
            min_images=self.min_images,
            min_critical_images=self.min_critical_images,
            min_reference_accuracy=self.min_reference_accuracy,
            accept_weak_reference=self.accept_weak_reference,
            strict=self.strict,
            accept_fragile=self.accept_fragile,
        )


class RunConfig(Frozen):
    """Hold a whole run; `run_dir` and `data.source` are relative to the file's folder."""

    run_dir: PathText = "artifacts/run"
    seed: WholeNumber = Field(default=0, ge=0, le=MAX_SEED)
    data: DataConfig = DataConfig()
    train: TrainConfig = TrainConfig()
    export: ExportConfig = ExportConfig()
    parity: ParityConfig = ParityConfig()

    @classmethod
    def from_toml(cls, path: Path) -> Self:
        """Read a run from a TOML file, with its paths made absolute.

        Raises:
            BadInput: the file is missing, not TOML, or names something unknown.
        """
        try:
            values = read_toml(path, "run's configuration", next_step=_EXAMPLE)
        except OSError as error:
            raise BadInput(
                "cannot read the run's configuration",
                where=str(path),
                got=reason_of(error),
                next_step="give the path of a TOML file, as pipeline.toml",
            ) from error
        try:
            config = cls.model_validate(values)
        except ValidationError as error:
            raise BadInput(
                "the run's configuration is not valid",
                where=str(path),
                got=first_problem(error),
                next_step=_EXAMPLE,
            ) from error
        return config.relative_to(resolved(path).parent)

    def relative_to(self, folder: Path) -> Self:
        """Return this configuration with its relative paths taken from `folder`."""

        def absolute(value: str | None) -> str | None:
            return None if value is None else str(folder / value)

        weights = self.train.weights
        if weights not in ("imagenet", "none"):
            weights = str(folder / weights)
        return self.model_copy(
            update={
                "run_dir": str(folder / self.run_dir),
                "data": self.data.model_copy(
                    update={
                        "source": absolute(self.data.source),
                        "isic_table": absolute(self.data.isic_table),
                    }
                ),
                "train": self.train.model_copy(update={"weights": weights}),
            }
        )
