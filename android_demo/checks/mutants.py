"""Breaks core on purpose, one way at a time: the bundle's goldens must notice each.

A mutant is a text of a file of core that is found exactly once, and what it is replaced by.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from checks.app import require_bundle
from checks.kotlin import compile_kotlin, core_classes, core_libraries, host_class_path
from checks.model_steps import self_test
from checks.project import BUILD, CORE_SOURCES, Failed, kotlin_files
from checks.shell import Step


@dataclass(frozen=True)
class Mutant:
    """One fault: in `file`, `text` becomes `fault`; `inputs` are the input types that show it."""

    name: str
    file: str
    text: str
    fault: str
    inputs: tuple[str, ...] = ("float32", "uint8", "int8")


ROUNDED = "Math.rint(lerp(top, bottom, rows.weight[y]).toDouble()).toInt()"
# Averages the box of photo pixels under each target pixel, as an antialiased resize does.
BOX = """
        val heightIn = source.heightPx
        val widthIn = source.widthPx
        if (orientation == Orientation.UPRIGHT && heightIn > heightPx && widthIn > widthPx) {
            val all = List(heightIn) { y -> IntArray(widthIn).also { source.readRow(y, it) } }
            return ByteArray(heightPx * widthPx * CHANNELS) { i ->
                val x = i / CHANNELS % widthPx
                val y = i / CHANNELS / widthPx
                val rowsOf = y * heightIn / heightPx until (y + 1) * heightIn / heightPx
                val columnsOf = x * widthIn / widthPx until (x + 1) * widthIn / widthPx
                val box = rowsOf.flatMap { row -> columnsOf.map { all[row][it] } }
                val pixels = box.map { it shr CHANNEL_SHIFTS[i % CHANNELS] and 0xff }
                Math.rint(pixels.average()).toInt().toByte()
            }
        }
"""
MUTANTS = (
    Mutant("channels are BGR", "Resize.kt", "intArrayOf(16, 8, 0)", "intArrayOf(0, 8, 16)"),
    Mutant(
        "orientation is ignored",
        "Orientation.kt",
        "return entries.firstOrNull { it.exif == stated } ?: UPRIGHT",
        "return entries.first { it.exif == 1 || it.exif == stated }",
    ),
    Mutant(
        "turned left is turned right",
        "Orientation.kt",
        "TURNED_LEFT(6, true, true, false)",
        "TURNED_LEFT(6, true, false, true)",
    ),
    Mutant(
        "mirroring is forgotten",
        "Orientation.kt",
        "TRANSVERSED(7, true, true, true)",
        "TRANSVERSED(7, true, false, true)",
    ),
    Mutant(
        "the resize is antialiased",
        "Resize.kt",
        "        val swaps = orientation.swapsAxes\n        val rows",
        f"{BOX}        val swaps = orientation.swapsAxes\n        val rows",
    ),
    Mutant(
        "rounding is half up",
        "Resize.kt",
        ROUNDED,
        ROUNDED.replace("Math.rint(", "Math.floor(0.5 + "),
    ),
    Mutant(
        "pixels are truncated", "Resize.kt", ROUNDED, "lerp(top, bottom, rows.weight[y]).toInt()"
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
        "rows are blended the wrong way round",
        "Resize.kt",
        "lerp(top, bottom, rows.weight[y])",
        "lerp(bottom, top, rows.weight[y])",
    ),
    Mutant(
        "the mean is not subtracted",
        "ImageSpec.kt",
        "(value.toInt().and(0xff).toFloat() - mean) / std",
        "value.toInt().and(0xff).toFloat() / std",
        # A uint8 input takes the pixels as they are.
        inputs=("float32", "int8"),
    ),
    Mutant(
        "the answers are in another order",
        "Classifier.kt",
        "probabilities = description.output.dequantize(output)",
        "probabilities = description.output.dequantize(output).reversedArray()",
    ),
)


def mutants(step: Step) -> list[str]:
    """Run the goldens on each mutant; every one must fail them.

    Raises:
        Failed: The goldens fail core as it is, a mutant passes them or crashes, or a mutant's text
            is not in its file exactly once.
    """
    path = host_class_path(step)
    core = core_classes(step)
    code, said = self_test(step, path)
    if code != 0:
        raise Failed(f"core as it is does not pass: {said.strip().splitlines()[-1]}")
    dtype = _input_type(require_bundle(step))
    found, survivors = [], []
    for number, mutant in enumerate(MUTANTS):
        if dtype not in mutant.inputs:
            found.append(f"{mutant.name}: cannot show with a {dtype} input")
            continue
        broken = _compile(step, mutant, core, BUILD / "mutants" / str(number))
        code, said = self_test(step, [broken, *path])
        noticed = [line for line in said.splitlines() if line.startswith("FAIL ")]
        if "Exception in thread" in said:
            raise Failed(f'mutant "{mutant.name}" crashes, so it says nothing of the goldens')
        if code == 1 and noticed:
            found.append(f"{mutant.name}: {len(noticed)} of the goldens notice")
        else:
            survivors.append(mutant.name)
    if survivors:
        raise Failed(f"the goldens do not notice: {'; '.join(survivors)}")
    return found


def _input_type(bundle: Path) -> str:
    manifest = json.loads((bundle / "manifest.json").read_text())
    return str(manifest["inputs"][0]["dtype"])


def _compile(step: Step, mutant: Mutant, core: Path, folder: Path) -> Path:
    """Compile the one file with its fault against core as it is; return its classes."""
    originals = [path for path in kotlin_files(CORE_SOURCES) if path.name == mutant.file]
    text = "".join(path.read_text() for path in originals)
    found = text.count(mutant.text)
    if len(originals) != 1 or found != 1:
        raise Failed(f'mutant "{mutant.name}": {mutant.file} has its text {found} times, not once')
    source = folder / mutant.file
    folder.mkdir(parents=True, exist_ok=True)
    source.write_text(text.replace(mutant.text, mutant.fault))
    # A fault may leave a name unused: that is a warning, and no matter here.
    return compile_kotlin(
        step, folder / "classes", [source], [core, *core_libraries()],
        module="core", friends=[core], strict=False,
    )  # fmt: skip
