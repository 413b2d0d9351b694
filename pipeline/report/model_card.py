"""Render the model card of a bundle: Markdown with the front matter that Hugging Face reads.

Its form: https://huggingface.co/docs/hub/model-cards.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment

from pipeline.contract.bundle import MODEL_FILE, SBOM_FILE
from pipeline.contract.choices import Quantize
from pipeline.contract.manifest import BundleManifest, TensorInfo
from pipeline.contract.verdict import Verdict
from pipeline.report.decision_words import chosen_facts
from pipeline.report.markdown import escape_markdown
from pipeline.report.page import templates
from pipeline.report.sentences import note
from pipeline.report.verdict_figures import figures_of
from pipeline.report.wording import NOTHING, amount, headline

# The names that Hugging Face knows: https://huggingface.co/docs/hub/repositories-licenses.
_LICENSES = """
afl-3.0 agpl-3.0 apache-2.0 artistic-2.0 bsd-2-clause bsd-3-clause bsl-1.0 cc-by-2.0 cc-by-2.5 cc-
by-3.0 cc-by-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-
sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cc-by-nd-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc0-1.0 gpl-2.0
gpl-3.0 isc lgpl-2.1 lgpl-3.0 mit mpl-2.0 odbl openrail unknown unlicense
"""
_KNOWN_LICENSES = frozenset(_LICENSES.split())


@dataclass(frozen=True)
class CardFigure:
    """Hold one share, 0 to 1, of `images` images, with its 95% interval [low, high].

    `metric` is the name that a table of results sorts by: accuracy, recall. `reference` is the
    same share of the Keras model, None where it has none.
    """

    metric: str
    name: str
    images: int
    share: float
    interval: tuple[float, float] | None
    reference: float | None


def render_model_card(
    manifest: BundleManifest, verdict: Verdict, figures: tuple[CardFigure, ...]
) -> str:
    """Return the card as Markdown that ends with a newline; equal arguments give equal bytes.

    A latency is not in it: it is of the machine that judged, and the verdict has it.

    Args:
        manifest: the bundle's.
        verdict: its proof.
        figures: what was measured of the file, in the order to be shown.

    Raises:
        BadInput: the verdict's figures have another form.
    """
    facts = figures_of(verdict)
    about, labels = manifest.about, manifest.labels
    return (
        _environment()
        .get_template("model_card.md.j2")
        .render(
            front=_front_matter(manifest, figures),
            about=about,
            manifest=manifest,
            model=manifest.files[MODEL_FILE],
            tensors=[_tensor(one) for one in (*manifest.inputs, *manifest.outputs)],
            classes=[
                (name, labels.full_names.get(name, name), name in labels.critical)
                for name in labels.names
            ],
            figures=figures,
            split=facts.split,
            headline=headline(verdict),
            notes=[note(one) for one in facts.notes],
            steps=[str(step) for step in manifest.recipe.steps or ()],
            chosen=chosen_facts(manifest.chosen),
            quantized=manifest.recipe.quantize is Quantize.int8,
            sbom=SBOM_FILE,
        )
    )


def _front_matter(manifest: BundleManifest, figures: tuple[CardFigure, ...]) -> str:
    """Return the front matter as YAML, keys in a fixed order."""
    about, recipe = manifest.about, manifest.recipe
    value: dict[str, Any] = {
        **_license(about.license or manifest.license),
        "library_name": "tflite",
        "pipeline_tag": "image-classification",
        "tags": ["tflite", "litert", "image-classification", str(recipe.quantize)],
    }
    if figures:
        value["metrics"] = list(dict.fromkeys(one.metric for one in figures))
        value["model-index"] = [{"name": about.name, "results": [_results(manifest, figures)]}]
    return "\n".join(_yaml(value))


def _license(stated: str) -> dict[str, str]:
    known = "-".join(stated.lower().split())
    if known in _KNOWN_LICENSES:
        return {"license": known}
    return {"license": "other", "license_name": stated} if stated else {"license": "unknown"}


def _results(manifest: BundleManifest, figures: tuple[CardFigure, ...]) -> dict[str, Any]:
    digest = manifest.parents.get("dataset", "unknown")
    return {
        "task": {"type": "image-classification"},
        "dataset": {"name": f"dataset {digest[:12]}", "type": digest},
        "metrics": [
            {"type": one.metric, "name": one.name, "value": round(one.share, 6)} for one in figures
        ],
    }


def _yaml(value: Mapping[str, Any], indent: str = "") -> list[str]:
    """Return a mapping as lines of YAML: nested by indentation, texts quoted."""
    lines = []
    for key, one in value.items():
        if isinstance(one, Mapping):
            lines += [f"{indent}{key}:", *_yaml(one, indent + "  ")]
        elif isinstance(one, list):
            lines.append(f"{indent}{key}:")
            for member in one:
                first, *rest = (
                    _yaml(member, indent + "  ")
                    if isinstance(member, Mapping)
                    else [f"{indent}  {_scalar(member)}"]
                )
                lines += [f"{indent}- {first[len(indent) + 2 :]}", *rest]
        else:
            lines.append(f"{indent}{key}: {_scalar(one)}")
    return lines


def _scalar(value: Any) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    if re.fullmatch("[a-z][a-z0-9.-]*[a-z0-9]", value) and value not in _YAML_WORDS:
        return value
    # JSON is YAML but for what YAML calls not printable.
    return re.sub(
        "[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]",
        lambda found: f"\\u{ord(found[0]):04x}",
        json.dumps(value, ensure_ascii=False),
    )


_YAML_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null"})


def _tensor(one: TensorInfo) -> str:
    shape = "\N{MULTIPLICATION SIGN}".join(map(str, one.shape))
    affine = (
        f", {one.scale:.9g} \N{MULTIPLICATION SIGN} (stored - {one.zero_point})"
        if one.scale is not None
        else ""
    )
    return f"`{one.name}`: {one.dtype}, {shape}{affine}"


def _interval(interval: tuple[float, float] | None) -> str:
    if interval is None:
        return NOTHING
    low, high = (amount(end, "share") for end in interval)
    return f"{low} to {high}"


@cache
def _environment() -> Environment:
    # Markdown, not HTML: what a user wrote is escaped as Markdown, by the filter `md`.
    environment = templates(autoescape=False)
    environment.filters |= {"md": escape_markdown, "amount": amount, "interval": _interval}
    return environment
