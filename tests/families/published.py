"""Export every family's own `.keras` file through the command line, as its owner would.

`python -m tests.families.published [--folder FOLDER]` exports the networks that
`tests.families.table` trained in FOLDER, float16 and int8, and writes the second table of
`docs/families.md`. What FOLDER holds already is not made again.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from pipeline.contract.base import Frozen
from pipeline.contract.recipe import Quantize
from pipeline.data.synthesize import synthesize
from tests.families.catalog import FAMILIES, Family
from tests.families.pictures import CLASSES, SIZE_PX
from tests.families.table import DOCUMENT, replace_table

KINDS = (Quantize.float16, Quantize.int8)
# Other lesions than those the networks were trained on; a class needs 20 in its validation part.
_PER_CLASS, _SEED = 160, 11
# Published, failed, refused, inconclusive: what a model comes to; others are the machine's.
_ANSWERS = (0, 1, 2, 4)
_HEADER = (
    "| family | stated | Keras | float16 | agreement | int8 | agreement | mean difference | "
    "accuracy | size |\n|---|---|--:|---|--:|---|--:|--:|--:|--:|\n"
)


class Published(Frozen):
    """Hold what one export came to.

    Shares are 0 to 1 on the validation part; None where the gate was not reached. `broken` names
    the checks that did not pass.
    """

    family: str
    quantize: Quantize
    exit_code: int
    outcome: str
    broken: tuple[str, ...] = ()
    keras_accuracy: float | None = None
    accuracy: float | None = None
    agreement: float | None = None
    mean_difference: float | None = None
    size_bytes: int | None = None
    message: str = ""
    seconds: float

    @property
    def published(self) -> bool:
        """Tell whether a bundle stands in the run."""
        return self.exit_code == 0


def images_of(folder: Path) -> Path:
    """Return a folder of labelled pictures of the networks' classes, drawn if it is not there."""
    out = folder / "export-pictures"
    if not out.is_dir():
        drawn = synthesize(
            folder / "export-drawn", per_class=_PER_CLASS, size_px=SIZE_PX, seed=_SEED
        )
        partly = out.with_name(f"{out.name}.part")
        for name in CLASSES:
            shutil.copytree(drawn / name, partly / name, dirs_exist_ok=True)
        partly.rename(out)
    return out


def published(family: Family, quantize: Quantize, folder: Path) -> Published:
    """Return what `pipeline export --model` came to, asked now unless `folder` holds it."""
    kept = folder / f"{family.name}.export-{quantize}.json"
    if kept.is_file():
        return Published.load(kept)
    run = folder / "export-run"
    if not (run / "data" / "dataset.json").is_file():
        _call("data", "prepare", str(images_of(folder)), "--run-dir", str(run))
    start = time.monotonic()
    code, answer = _call(
        *("export", "--model", str(folder / f"{family.name}.keras"), "--quantize", str(quantize)),
        *("--normalization", str(family.normalization), "--labels", ",".join(CLASSES)),
        *("--run-dir", str(run)),
    )
    if code not in _ANSWERS:
        raise RuntimeError(f"{family.name} as {quantize}: {answer.get('error')}")
    found = _read(family, quantize, code, answer, time.monotonic() - start)
    found.save(kept)
    return found


def _call(*words: str) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *words, "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


def _read(
    family: Family, quantize: Quantize, code: int, answer: dict[str, Any], seconds: float
) -> Published:
    head = {
        "family": family.name,
        "quantize": quantize,
        "exit_code": code,
        "seconds": round(seconds, 1),
    }
    if not answer.get("exports"):
        return Published(outcome="refused", message=str(answer.get("error")), **head)
    export = answer["exports"][0]
    verdict = export["verdict"]
    checks = {check["name"]: check for check in verdict["checks"]}
    accuracy = verdict["figures"].get("accuracy", {})
    model = Path(export["folder"]) / "model.tflite"
    return Published(
        outcome=verdict["outcome"],
        broken=tuple(name for name, one in checks.items() if one["outcome"] != "pass"),
        keras_accuracy=accuracy.get("reference", {}).get("share"),
        accuracy=accuracy.get("candidate", {}).get("share"),
        agreement=checks.get("top1_agreement", {}).get("value"),
        mean_difference=checks.get("mean_probability_difference", {}).get("value"),
        size_bytes=model.stat().st_size,
        **head,
    )


def published_table(rows: list[Published]) -> str:
    """Return the exports as a Markdown table, a line for each family."""
    lines = []
    for family in FAMILIES:
        mine = {row.quantize: row for row in rows if row.family == family.name}
        if len(mine) == len(KINDS):
            cells = _cells(family, mine[Quantize.float16], mine[Quantize.int8])
            lines.append(f"| {' | '.join(cells)} |\n")
    return _HEADER + "".join(lines)


def _cells(family: Family, float16: Published, int8: Published) -> list[str]:
    return [
        family.name,
        str(family.normalization),
        _share(float16.keras_accuracy),
        _outcome(float16),
        _share(float16.agreement),
        _outcome(int8),
        _share(int8.agreement),
        "" if int8.mean_difference is None else f"{int8.mean_difference:.4f}",
        _share(int8.accuracy),
        "" if int8.size_bytes is None else f"{int8.size_bytes / 1e6:.1f} MB",
    ]


def _outcome(row: Published) -> str:
    if row.published:
        return "published"
    return f"{row.outcome}: {', '.join(row.broken) or row.message}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def main() -> None:
    """Export every family and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("artifacts/families"))
    folder = parser.parse_args().folder
    rows = []
    for family in FAMILIES:
        for quantize in KINDS:
            rows.append(published(family, quantize, folder))
            print(rows[-1].model_dump_json(), flush=True)
    replace_table(DOCUMENT, "published", published_table(rows))


if __name__ == "__main__":
    main()
