"""Show what an int8 search tried: a row and a bar for each file it measured."""

from __future__ import annotations

from pipeline.contract.choices import Step
from pipeline.contract.manifest import BundleManifest
from pipeline.contract.search import SearchRecord as Ladder
from pipeline.contract.search import Trial as Rung
from pipeline.report.markup import Markup, element, join, table
from pipeline.report.plots import svg
from pipeline.report.wording import NOTHING, amount

COLUMNS = (
    "step",
    "agreement",
    "mean difference",
    "balanced accuracy",
    "critical recall",
    "size",
    "latency p50",
    "",
)


def ladder_section(manifest: BundleManifest) -> Markup:
    """Return the search as a sentence, a drawing and a table; nothing where none was made."""
    ladder = manifest.search
    if not ladder.trials:
        return Markup("")
    asked = (
        f"Each step comes on top of those before it and was measured against the float model on "
        f"{len(ladder.repair_sha256)} training images that calibrate nothing, and as many blends "
        f"of them. A file holds at {amount(ladder.min_agreement, 'share')} agreement, at most "
        f"{amount(ladder.max_mean_difference, 'probability')} mean difference and no lost recall. "
        f"Latency is of one thread of the machine that searched, and rough. Calibrated on "
        f"{len(manifest.representative_sha256)} images; XNNPACK runs {manifest.delegated_nodes} of "
        f"{manifest.nodes} nodes."
    )
    return join(
        (
            element("h3", "How int8 was repaired"),
            element("p", asked),
            _bars(ladder),
            table("Files tried, in order", COLUMNS, ladder_rows(ladder)),
        )
    )


def ladder_rows(ladder: Ladder) -> list[tuple[str, ...]]:
    """Return the cells of each rung, in the order of `COLUMNS`."""
    first = ladder.trials[0] if ladder.trials else None
    return [
        (
            step_words(rung),
            amount(rung.agreement, "share"),
            amount(rung.mean_difference, "probability"),
            f"{amount(rung.balanced_accuracy, 'share')} of "
            f"{amount(ladder.float_balanced_accuracy, 'share')}",
            _recall(rung, ladder),
            amount(float(rung.size_bytes), "bytes"),
            _latency(rung, first),
            _state(rung),
        )
        for rung in ladder.trials
    ]


def step_words(rung: Rung) -> str:
    """Return the last step of a rung in words, as `+ bias correction`."""
    if not rung.steps:
        return "plain int8"
    if rung.steps[-1] is Step.mixed_precision:
        count = len(rung.float16_layers)
        return f"+ {count} layer{'' if count == 1 else 's'} in float16"
    return f"+ {str(rung.steps[-1]).replace('-', ' ')}"


def _recall(rung: Rung, ladder: Ladder) -> str:
    parts = [
        f"{name} {amount(share, 'share')} of "
        f"{amount(ladder.float_critical_recall.get(name), 'share')}"
        for name, share in rung.critical_recall.items()
    ]
    return ", ".join(parts) or NOTHING


def _latency(rung: Rung, first: Rung | None) -> str:
    text = amount(rung.latency_ms_p50, "ms")
    if first is None or first is rung or first.latency_ms_p50 == 0:
        return text
    return f"{text}, {rung.latency_ms_p50 / first.latency_ms_p50:.2f} of plain"


def _state(rung: Rung) -> str:
    words = ["holds" if rung.meets_target else "does not hold"]
    if rung.chosen:
        words.append("chosen")
    return ", ".join(words)


def _bars(ladder: Ladder) -> Markup:
    left, width, row, top = 160, 330, 28, 12
    low = min(0.8, *(rung.agreement for rung in ladder.trials))
    bottom = top + row * len(ladder.trials)

    def place(share: float) -> float:
        return left + width * (share - low) / (1 - low) if low < 1 else left

    parts: list[Markup] = []
    for i, rung in enumerate(ladder.trials):
        y = top + row * i
        parts += _bar(rung, left, y, place(rung.agreement))
    if ladder.min_agreement is not None:
        line = f"M{place(ladder.min_agreement):.1f} {top}V{bottom}"
        parts.append(element("path", class_="diagonal", d=line))
        parts.append(
            element(
                "text",
                f"asked {amount(ladder.min_agreement, 'share')}",
                x=place(ladder.min_agreement),
                y=bottom + 16,
                class_="tick",
                text_anchor="middle",
            )
        )
    words = "; ".join(f"{step_words(r)} {amount(r.agreement, 'share')}" for r in ladder.trials)
    return svg(left + width + 70, bottom + 24, f"Agreement with the float model: {words}.", parts)


def _bar(rung: Rung, left: int, y: int, right: float) -> list[Markup]:
    return [
        element(
            "text",
            step_words(rung),
            x=left - 10,
            y=y + 15,
            class_="label strong" if rung.chosen else "label",
            text_anchor="end",
        ),
        element(
            "rect",
            class_=f"{'candidate' if rung.meets_target else 'reference'} bar",
            x=left,
            y=y + 3,
            width=max(1.0, right - left),
            height=16,
        ),
        element("text", amount(rung.agreement, "share"), x=right + 6, y=y + 15, class_="value"),
    ]
