"""Find the model to export: the run's own, or one brought from elsewhere."""

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
from pipeline.contract.choices import RuntimeName, Split
from pipeline.contract.dataset import DatasetManifest
from pipeline.contract.image import ImageContract, image_of_model
from pipeline.contract.labels import ISIC_2019, Labels
from pipeline.contract.malignancy import proposed_critical
from pipeline.contract.manifest import BundleManifest, ModelManifest
from pipeline.contract.normalization import Normalization, shared_normalization
from pipeline.contract.run import RunDir
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
class KerasSource:
    """Hold a Keras model with what must be known of it, and the dataset it is proven on.

    `normalization` is what the model itself takes; `normalization_stated` is False where it was
    read from the model. `adaptations` name what the exported file does that the model does not.
    """

    path: Path
    sha256: str
    image: ImageContract
    labels: Labels
    dataset: DatasetManifest
    license: str = "unknown"
    normalization: Normalization = field(default_factory=Normalization)
    normalization_stated: bool = True
    logits: bool = False
    facts: ModelFacts | None = None
    adaptations: tuple[Adaptation, ...] = ()

    def record_request(
        self,
        split: Split,
        *,
        threads: int = 1,
        probe_normalizations: tuple[Normalization, ...] = (),
    ) -> RecordRequest:
        """Return the question what Keras answers on a split."""
        return RecordRequest(
            runtime=RuntimeName.keras,
            model=self.path,
            model_sha256=self.sha256,
            image=self.image,
            labels=self.labels,
            dataset=self.dataset,
            split=split,
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


_NOTHING_STATED = StatedModel()


def keras_source(
    run: RunDir, model: Path | None, stated: StatedModel = _NOTHING_STATED
) -> KerasSource:
    """Find the run's trained model, or take `model` with the run's dataset.

    A model with a `manifest.json` beside it brings its own image contract and labels, and its
    file must be the one the manifest names. For one without, what the user states counts, then
    what can be read from the model: its input size, a normalization it is known by, and the
    dataset's labels.

    Raises:
        BadInput: there is no model or dataset, the file was changed, carries code, or is not an
            image classifier; or something about it is neither stated nor to be read.
    """
    path = run.model if model is None else model
    if not run.dataset.exists():
        raise BadInput(
            "this run has no dataset to prove a model on",
            where=str(run.dataset),
            next_step=f"pipeline data prepare SRC --run-dir {run.root}; for photographs without "
            "labels, export with --unlabelled DIR",
        )
    dataset = DatasetManifest.load(run.dataset)
    if not path.exists():
        raise BadInput(
            "there is no Keras model here",
            where=str(path),
            next_step=f"pipeline train --run-dir {run.root}, or give --model FILE.keras",
        )
    facts = inspect_model(path)
    manifest = manifest_beside(path)
    if manifest is not None:
        return _with_manifest(path, manifest, facts, dataset, stated)
    labels = _labels(stated, dataset, str(path))
    height_px, width_px = image_size(facts, stated.size, str(path))
    change = output_change(facts, classes=len(labels), logits=stated.logits, where=str(path))
    normalization = stated.normalization or _proposed(facts, str(path))
    return KerasSource(
        path=path,
        sha256=model_sha256(path),
        image=_image(height_px, width_px, normalization, str(path)),
        labels=labels,
        dataset=dataset,
        license=dataset.license,
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
    dataset: DatasetManifest,
    stated: StatedModel,
) -> KerasSource:
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
    return KerasSource(
        path=path,
        sha256=manifest.files[path.name].sha256,
        image=image,
        labels=labels.with_critical(stated.critical, where="--critical"),
        dataset=dataset,
        license=dataset.license,
        normalization=normalization,
        facts=facts,
        adaptations=adaptations(facts, change),
    )


def recorded_model(manifest: BundleManifest | None, image: ImageContract) -> StatedModel:
    """Return what an exported file says of its Keras model; without a manifest, `image` alone."""
    if manifest is None:
        return StatedModel(normalization=Normalization.of_image(image))
    return StatedModel(
        labels=manifest.labels.names,
        normalization=manifest.normalization,
        logits=manifest.logits,
        size=(manifest.image.height_px, manifest.image.width_px),
    )


def check_parent(
    manifest: BundleManifest, source: KerasSource, bundle: Path, run: RunDir, *, next_step: str
) -> None:
    """Compare the model a bundle was made from with the one at hand.

    Raises:
        BadInput: it is another one; `next_step` says how to give the right one.
    """
    parent = manifest.parents.get("model")
    if parent != source.sha256:
        raise BadInput(
            "this bundle was made from another model",
            where=str(bundle),
            expected=f"model {source.sha256} of {run.root}",
            got=f"model {parent or 'unknown'}",
            next_step=next_step,
        )


def _labels(stated: StatedModel, dataset: DatasetManifest, where: str) -> Labels:
    """Return the model's labels; the dataset may lack some of them, and may have no others."""
    if stated.labels is None:
        return dataset.labels.with_critical(stated.critical, where="--critical")
    unknown = [name for name in dataset.labels.names if name not in stated.labels]
    if unknown:
        raise BadInput(
            "the dataset has classes that are not among the model's labels",
            where=where,
            expected=", ".join(stated.labels),
            got=", ".join(unknown),
            next_step="name the labels as the dataset's folders or table name them: "
            f"{', '.join(dataset.labels.names)}",
        )
    labels = labels_named(stated.labels, dataset.labels)
    return labels.with_critical(stated.critical, where="--critical")


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
