"""Find out what a Keras model brought from elsewhere takes and answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pipeline.classifier.facts import ModelFacts
from pipeline.classifier.inspect import inspect_model
from pipeline.classifier.requirements import (
    Adaptation,
    adaptations,
    image_size,
    output_change,
)
from pipeline.classifier.spec import ClassifierSpec, model_sha256
from pipeline.contract.calibration import Calibration
from pipeline.contract.choices import RuntimeName
from pipeline.contract.image import ImageContract, image_of_model
from pipeline.contract.images import ImageSet
from pipeline.contract.labels import ISIC_2019, Labels
from pipeline.contract.malignancy import proposed_critical
from pipeline.contract.manifest import ModelManifest
from pipeline.contract.normalization import Normalization, shared_normalization
from pipeline.errors import BadInput
from pipeline.runtimes.ask import RecordRequest


@dataclass(frozen=True)
class StatedModel:
    """Hold what a user states of a model; None (or False) where nothing is stated.

    `labels` are in the order of the model's outputs. `critical` names labels. `normalization` is
    what the model itself takes. `logits` says that it answers logits. `size` is height and width
    in pixels, for a model that takes any.
    """

    labels: tuple[str, ...] | None = None
    critical: tuple[str, ...] | None = None
    normalization: Normalization | None = None
    logits: bool = False
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class KerasModel:
    """Hold a Keras model with what must be known of it to ask it.

    `normalization` is what the model itself takes; `normalization_stated` is False where it was
    read from the model. `adaptations` name what the exported file does that the model does not.
    `calibration` says how its probabilities were calibrated, None where nothing says so.
    """

    path: Path
    sha256: str
    image: ImageContract
    labels: Labels
    normalization: Normalization = field(default_factory=Normalization)
    normalization_stated: bool = True
    logits: bool = False
    facts: ModelFacts | None = None
    adaptations: tuple[Adaptation, ...] = ()
    calibration: Calibration | None = None

    def record_request(
        self,
        images: ImageSet,
        *,
        threads: int = 1,
        probe_normalizations: tuple[Normalization, ...] = (),
    ) -> RecordRequest:
        """Return the question what Keras answers to these images."""
        return RecordRequest(
            runtime=RuntimeName.keras,
            model=self.path,
            model_sha256=self.sha256,
            image=self.image,
            labels=self.labels,
            images=images,
            threads=threads,
            normalization=self.normalization,
            logits=self.logits,
            probe_normalizations=probe_normalizations,
        )

    def classifier_spec(self) -> ClassifierSpec:
        """Return how a child process is to open the model."""
        return ClassifierSpec(
            path=self.path,
            sha256=self.sha256,
            image=self.image,
            normalization=self.normalization,
            classes=len(self.labels),
            logits=self.logits,
        )


NOTHING_STATED = StatedModel()


def keras_model(
    path: Path, stated: StatedModel = NOTHING_STATED, *, known: Labels | None = None
) -> KerasModel:
    """Find out what a Keras model takes and answers.

    A model with a `manifest.json` beside it brings its own image contract and labels, and its
    file must be the one the manifest names. For one without, what the user states counts, then
    what can be read from the model: its input size and a normalization it is known by.

    Args:
        path: a file or a SavedModel folder.
        stated: what the user states of it.
        known: the labels of the images it is asked about, which are its own where none are stated.

    Raises:
        BadInput: there is no model, the file was changed, carries code, or is not an image
            classifier; or something about it is neither stated nor to be read.
    """
    if not path.exists():
        raise BadInput("there is no Keras model here", where=str(path))
    facts = inspect_model(path)
    manifest = manifest_beside(path)
    if manifest is not None:
        return _with_manifest(path, manifest, facts, stated)
    labels = _labels(stated, known, str(path))
    height_px, width_px = image_size(facts, stated.size, str(path))
    change = output_change(facts, classes=len(labels), logits=stated.logits, where=str(path))
    normalization = stated.normalization or _proposed(facts, str(path))
    return KerasModel(
        path=path,
        sha256=model_sha256(path),
        image=_image(height_px, width_px, normalization, str(path)),
        labels=labels,
        normalization=normalization,
        normalization_stated=stated.normalization is not None,
        logits=stated.logits,
        facts=facts,
        adaptations=adaptations(facts, change),
    )


def manifest_beside(path: Path) -> ModelManifest | None:
    """Return the manifest that lies beside a model and names it; None where there is none."""
    beside = path.parent / "manifest.json"
    if not beside.exists():
        return None
    manifest = ModelManifest.load(beside)
    return manifest if path.name in manifest.files else None


def _with_manifest(
    path: Path,
    manifest: ModelManifest,
    facts: ModelFacts,
    stated: StatedModel,
) -> KerasModel:
    manifest.check_files(path.parent)
    image, labels = manifest.image, manifest.labels
    normalization = Normalization.of_image(image)
    for option, asked, own in (
        ("--labels", stated.labels, labels.names),
        ("--normalization", stated.normalization, normalization),
        ("--size", stated.size, (image.height_px, image.width_px)),
        ("--logits", stated.logits or None, False),
    ):
        if asked is not None and asked != own:
            raise BadInput(
                f"the model's own manifest says something else than {option}",
                where=str(path.parent / "manifest.json"),
                next_step=f"leave {option} out, or copy the model to a folder of its own, where "
                "what you state counts",
            )
    change = output_change(facts, classes=len(labels), logits=False, where=str(path))
    return KerasModel(
        path=path,
        sha256=manifest.files[path.name].sha256,
        image=image,
        labels=labels.with_critical(stated.critical, where="--critical"),
        normalization=normalization,
        facts=facts,
        adaptations=adaptations(facts, change),
        calibration=manifest.calibration,
    )


def _labels(stated: StatedModel, known: Labels | None, where: str) -> Labels:
    """Return the model's labels; the images may lack some of them, and may have no others."""
    if stated.labels is None and known is None:
        raise BadInput(
            "a Keras model does not say which classes it answers",
            where=where,
            expected="the labels in the order of the model's outputs",
            next_step="add --labels FILE or --labels A,B,C",
        )
    if stated.labels is None and known is not None:
        return known.with_critical(stated.critical, where="--critical")
    names = stated.labels or ()
    unknown = [name for name in known.names if name not in names] if known is not None else []
    if unknown and known is not None:
        raise BadInput(
            "the dataset has classes that are not among the model's labels",
            where=where,
            expected=", ".join(names),
            got=", ".join(unknown),
            next_step="name the labels as the dataset's folders or table name them: "
            f"{', '.join(known.names)}",
        )
    return labels_named(names, known).with_critical(stated.critical, where="--critical")


def labels_named(names: tuple[str, ...], dataset: Labels | None = None) -> Labels:
    """Return stated labels with what is known of them: from the dataset's, and by their names."""
    known, critical = dict(ISIC_2019.full_names), set(proposed_critical(names))
    if dataset is not None:
        known |= dataset.full_names
        critical |= set(dataset.critical)
    return Labels(
        names=names,
        critical=tuple(name for name in names if name in critical),
        full_names={name: known[name] for name in names if name in known},
    )


def _proposed(facts: ModelFacts, where: str) -> Normalization:
    if facts.proposed_normalization is None:
        raise BadInput(
            "what range of pixels the model was trained with cannot be read from its file",
            where=where,
            expected="a scaling layer in front, a network of keras.applications, or your word",
            next_step="add the one used in training: --normalization tf (-1 to 1), unit (0 to 1), "
            "raw (0 to 255), torch or caffe, or --mean and --std",
        )
    return Normalization.named(facts.proposed_normalization)


def _image(
    height_px: int, width_px: int, normalization: Normalization, where: str
) -> ImageContract:
    """Return the contract: the size, and one mean and std near the model's own.

    The exporter puts what the model takes beyond that into the graph.
    """
    fed = shared_normalization(normalization)
    return image_of_model(height_px, width_px, fed.mean, fed.std, where=where)
