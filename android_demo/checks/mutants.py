"""Breaks core on purpose, one way at a time: the bundle's goldens must notice each.

A mutant is a text of a file of core that is found exactly once, and what it is replaced by.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from checks.kotlin import compile_kotlin, core_classes, core_libraries, host_class_path
from checks.model_steps import self_test
from checks.project import BUILD, CORE_SOURCES, Failed, kotlin_files
from checks.shell import Step


@dataclass(frozen=True)
class Mutant:
    """One fault: in `file`, `text` becomes `fault`."""

    name: str
    file: str
    text: str
    fault: str


MUTANTS = (
    Mutant(
        "channels are BGR",
        "Resize.kt",
        "intArrayOf(16, 8, 0)",
        "intArrayOf(0, 8, 16)",
    ),
    Mutant(
        "orientation is ignored",
        "Orientation.kt",
        "return entries.firstOrNull { it.exif == stated } ?: UPRIGHT",
        "return entries.first { it.exif == 1 || it.exif == stated }",
    ),
    Mutant(
        "mirrored is taken for turned around",
        "Orientation.kt",
        "MIRRORED(2, false, false, true)",
        "MIRRORED(2, false, true, false)",
    ),
    Mutant(
        "turned left is turned right",
        "Orientation.kt",
        "TURNED_LEFT(6, true, true, false)",
        "TURNED_LEFT(6, true, false, true)",
    ),
    Mutant(
        "rounding is half up",
        "Resize.kt",
        "Math.rint(lerp(top, bottom, rows.weight[y]).toDouble()).toInt()",
        "Math.floor(lerp(top, bottom, rows.weight[y]).toDouble() + 0.5).toInt()",
    ),
    Mutant(
        "levels are truncated",
        "Resize.kt",
        "Math.rint(lerp(top, bottom, rows.weight[y]).toDouble()).toInt()",
        "lerp(top, bottom, rows.weight[y]).toInt()",
    ),
    Mutant(
        "corners are aligned, not centres",
        "Resize.kt",
        "(i.toFloat() + 0.5f) * scale - 0.5f",
        "i.toFloat() * scale",
    ),
    Mutant(
        "the nearest pixel is taken",
        "Resize.kt",
        "weight[i] = source - below",
        "weight[i] = Math.rint((source - below).toDouble()).toFloat()",
    ),
    Mutant(
        "the two taps are averaged, as antialiasing would",
        "Resize.kt",
        "weight[i] = source - below",
        "weight[i] = if (scale > 1f) 0.5f else source - below",
    ),
    Mutant(
        "rows and columns are scaled alike",
        "Resize.kt",
        "val columns = Taps(widthPx, if (swaps) source.heightPx else source.widthPx)",
        "val columns = Taps(widthPx, if (swaps) source.widthPx else source.heightPx)",
    ),
    Mutant(
        "the mean is not subtracted",
        "ImageSpec.kt",
        "(level.toInt().and(0xff).toFloat() - mean) / std",
        "level.toInt().and(0xff).toFloat() / std",
    ),
)


def mutants(step: Step) -> list[str]:
    """Run the goldens on each mutant; every one must fail them.

    Raises:
        Failed: The goldens fail core as it is, a mutant passes them, or a mutant's text is not in
            its file exactly once.
    """
    path = host_class_path(step)
    core = core_classes(step)
    code, said = self_test(step, path)
    if code != 0:
        raise Failed(f"core as it is does not pass: {said.strip().splitlines()[-1]}")
    told = []
    survivors = []
    for number, mutant in enumerate(MUTANTS):
        broken = _compile(step, mutant, BUILD / "mutants" / str(number))
        code, said = self_test(step, [broken if entry == core else entry for entry in path])
        noticed = [line for line in said.splitlines() if line.startswith("FAIL")]
        # A crash exits with 1 as well, but names no golden.
        if code == 1 and noticed:
            told.append(f"{mutant.name}: {len(noticed)} goldens differ")
        else:
            survivors.append(mutant.name)
    if survivors:
        raise Failed(f"the goldens do not notice: {'; '.join(survivors)}")
    return told


def _compile(step: Step, mutant: Mutant, folder: Path) -> Path:
    sources = folder / "sources"
    if sources.exists():
        shutil.rmtree(sources)
    shutil.copytree(CORE_SOURCES, sources)
    files = [path for path in sources.rglob("*.kt") if path.name == mutant.file]
    found = sum(path.read_text().count(mutant.text) for path in files)
    if len(files) != 1 or found != 1:
        raise Failed(f"mutant \"{mutant.name}\": {mutant.file} has its text {found} times, not once")
    files[0].write_text(files[0].read_text().replace(mutant.text, mutant.fault))
    # A fault may leave a name unused: that is a warning, and beside the point.
    return compile_kotlin(
        step, folder / "classes", kotlin_files(sources), core_libraries(),
        module="core", strict=False,
    )  # fmt: skip
