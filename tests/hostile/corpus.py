"""List every case: a command line, and how one good thing that it reads is spoilt before.

What each must come to, the exit code and the first line of the message, is in `expected.csv`;
`python -m tests.hostile.corpus` writes that file anew (`--missing`: only its new lines), to be read
before it is committed.
"""

from __future__ import annotations

import csv
import inspect
import itertools
import os
import queue
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

from tests.hostile import spoil
from tests.hostile.world import Place

_WORKERS = 3
EXPECTED = Path(__file__).with_name("expected.csv")


def _nothing(place: Place) -> None:
    pass


@dataclass(frozen=True)
class Case:
    """Hold one command line in the folder of its own, with what it needs of the world.

    A word `{name}` stands for a part of the world, copied there. `arrange` spoils it.
    """

    name: str
    words: tuple[str, ...]
    arrange: Callable[[Place], None] = _nothing
    env: Mapping[str, str] = field(default_factory=dict)
    stdout: str | None = None
    stderr: str | None = None
    encoding: str = "utf-8"
    file_limit_bytes: int | None = None


_PARITY = ("parity", "--reference", "{recordings}/a.json", "--candidate", "{recordings}/b.json")
_EXPORT = ("export", "--quantize", "float16", "--run-dir", "{run}")
_KERAS = (*_EXPORT, "--model", "{good.keras}", "--normalization", "tf")
_PREPARE = ("data", "prepare", "{images}", "--run-dir", "new")
_INSTALL = ("android", "install", "{bundle}", "--project", "{project}")
_REPORT = ("report", "--run-dir", "{run}")

# What a command reads or writes, by a name; the file or folder of the case that is spoilt.
_TARGETS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("inspect file", ("inspect", "{model.tflite}"), "model.tflite"),
    ("inspect bundle", ("inspect", "{bundle}"), "bundle/manifest.json"),
    ("predict model", ("predict", "{model.tflite}", "{photo.jpg}"), "model.tflite"),
    ("predict keras", ("predict", "{good.keras}", "{photo.jpg}"), "good.keras"),
    ("record model", ("record", "{model.tflite}", "--run-dir", "{run}"), "model.tflite"),
    ("record bundle", ("record", "{bundle}", "--run-dir", "{run}"), "bundle"),
    ("record dataset", ("record", "{model.tflite}", "--run-dir", "{run}"), "run/data/dataset.json"),
    ("parity file", ("parity", "{model.tflite}", "--run-dir", "{run}"), "model.tflite"),
    (
        "parity keras",
        ("parity", "{model.tflite}", "--model", "{good.keras}", "--run-dir", "{run}"),
        "good.keras",
    ),
    ("parity reference", _PARITY, "recordings/a.json"),
    ("parity candidate", _PARITY, "recordings/b.json"),
    ("parity arrays", _PARITY, "recordings/b.npz"),
    (
        "parity goldens",
        ("parity", "--reference", "{bundle}", "--candidate", "{recordings}/b.json"),
        "bundle/goldens/goldens.json",
    ),
    ("parity junit", (*_PARITY, "--junit", "out.xml"), "out.xml"),
    ("parity markdown", (*_PARITY, "--markdown", "out.md"), "out.md"),
    ("debug file", ("debug", "{int8.tflite}", "--run-dir", "{run}"), "int8.tflite"),
    ("export model", _KERAS, "good.keras"),
    (
        "export recipe",
        ("export", "--recipe", "{bundle}/recipe.json", "--run-dir", "{run}"),
        "bundle/recipe.json",
    ),
    ("export labels", (*_EXPORT, "--labels", "{labels.txt}"), "labels.txt"),
    ("export golden", (*_KERAS, "--golden", "{photo.jpg}"), "photo.jpg"),
    (
        "export unlabelled",
        (
            "export",
            "--quantize",
            "float16",
            "--model",
            "{good.keras}",
            "--run-dir",
            "new",
            "--labels",
            "RED,GREEN,BLUE",
            "--unlabelled",
            "{photos}",
        ),
        "photos",
    ),
    ("export dataset", (*_EXPORT, "--model", "{good.keras}"), "run/data/dataset.json"),
    ("export junit", (*_KERAS, "--junit", "out.xml", "--threshold", "x"), "out.xml"),
    ("run config", ("run", "{pipeline.toml}", "--source", "nowhere"), "pipeline.toml"),
    ("run source", ("run", "{pipeline.toml}", "--source", "{photos}"), "photos"),
    ("run weights", ("run", "{pipeline.toml}", "--weights", "w.h5"), "w.h5"),
    ("train weights", ("train", "--weights", "w.h5", "--run-dir", "{run}"), "w.h5"),
    (
        "train dataset",
        ("train", "--weights", "none", "--size-px", "33", "--run-dir", "{run}"),
        "run/data/dataset.json",
    ),
    ("train image", ("train", "--weights", "none", "--run-dir", "{run}"), "dataset/RED-0.jpg"),
    ("prepare source", ("data", "prepare", "{photos}", "--run-dir", "new"), "photos"),
    ("prepare image", _PREPARE, "images/A/0.jpg"),
    ("prepare class", _PREPARE, "images/A"),
    ("prepare groups", _PREPARE, "images/groups.csv"),
    ("prepare table", (*_PREPARE, "--isic-table", "t.csv", "--layout", "ham10000"), "t.csv"),
    (
        "prepare truth",
        ("data", "prepare", "{isic}", "--run-dir", "new"),
        "isic/ISIC_2019_Training_GroundTruth.csv",
    ),
    (
        "prepare metadata",
        ("data", "prepare", "{isic}", "--run-dir", "new"),
        "isic/ISIC_2019_Training_Metadata.csv",
    ),
    ("prepare scan", _PREPARE, "new/data/scan.jsonl"),
    ("prepare manifest", _PREPARE, "new/data/dataset.json"),
    ("install bundle", _INSTALL, "bundle"),
    ("install manifest", _INSTALL, "bundle/manifest.json"),
    ("install verdict", _INSTALL, "bundle/verdict.json"),
    ("install model", _INSTALL, "bundle/model.tflite"),
    ("install labels", _INSTALL, "bundle/labels.txt"),
    ("install goldens", _INSTALL, "bundle/goldens/goldens.json"),
    ("install project", _INSTALL, "project"),
    ("install catalogue", _INSTALL, "project/gradle/libs.versions.toml"),
    (
        "synthesize folder",
        ("data", "synthesize", "out", "--per-class", "4", "--size-px", "32"),
        "out",
    ),
    ("report run", _REPORT, "run"),
    ("report dataset", _REPORT, "run/data/dataset.json"),
    ("report history", _REPORT, "run/training-state/history.csv"),
    ("report model", _REPORT, "run/train/manifest.json"),
    ("report figures", _REPORT, "run/train/metrics.json"),
    ("report recording", _REPORT, "run/recordings/a.json"),
    ("report bundle", _REPORT, "run/bundles/int8-uint8/manifest.json"),
    ("report page", _REPORT, "run/report/index.html"),
)


_DATA = ("--data", "{images}")
_DIAGNOSE = ("diagnose", "--reference", "{model.tflite}", "--candidate", "{recordings}/b.json")
_EVALUATE = ("evaluate", "{model.tflite}", "--data")
# The same for what proves again and measures, each spoilt in a few ways, since LiteRT is asked.
_PROOFS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("verify bundle", ("verify", "{bundle}"), "bundle"),
    ("verify manifest", ("verify", "{bundle}"), "bundle/manifest.json"),
    ("verify measured", ("verify", "{bundle}"), "bundle/measured.json"),
    ("verify labels", ("verify", "{bundle}"), "bundle/labels.txt"),
    (
        "verify key",
        ("verify", "{bundle}", "--public-key", "key.pem", "--require-signature"),
        "key.pem",
    ),
    ("verify junit", ("verify", "{bundle}", "--junit", "out.xml"), "out.xml"),
    ("evaluate model", (*_EVALUATE, "{photos}"), "model.tflite"),
    ("evaluate data", (*_EVALUATE, "{photos}"), "photos"),
    ("evaluate csv", (*_EVALUATE, "nowhere", "--csv", "out.csv"), "out.csv"),
    ("evaluate html", (*_EVALUATE, "nowhere", "--html", "out.html"), "out.html"),
    ("diagnose reference", (*_DIAGNOSE, *_DATA), "model.tflite"),
    ("diagnose candidate", (*_DIAGNOSE, *_DATA), "recordings/b.json"),
    ("trace bundle", ("trace", "{bundle}", "--run-dir", "{run}"), "bundle/manifest.json"),
    ("sign bundle", ("sign", "{bundle}", "--key", "key.pem"), "bundle/manifest.json"),
    ("parity data", ("parity", "{bundle}", "--data", "{photos}"), "photos"),
    ("report page with images", (*_REPORT, "--images"), "run/report/index.html"),
)
_PROOF_SPOILS = (spoil.missing, spoil.folder, spoil.pipe, spoil.full_device)


def _spoilt(target: str, how: spoil.Spoil) -> Callable[[Place], None]:
    def arrange(place: Place) -> None:
        _ = place[target.partition("/")[0]]
        how(place.root / target)

    return arrange


def _files() -> Iterator[Case]:
    for (name, words, target), how in itertools.product(_TARGETS, spoil.ALL):
        if (name, how) == ("export golden", spoil.nul):
            # Still a JPEG, only with another pixel: the export goes on, for a minute.
            continue
        yield Case(f"{name}: {how.__name__}", words, _spoilt(target, how))
    for (name, words, target), how in itertools.product(_PROOFS, _PROOF_SPOILS):
        yield Case(f"{name}: {how.__name__}", words, _spoilt(target, how))


# Each is a whole pipeline.toml, or what makes one of a good one wrong.
_TEXTS: dict[str, str] = {
    "runtime in words": '[export]\nmin_runtime = "banana"',
    "runtime too long": f'[export]\nmin_runtime = "{"9" * 5000}"',
    "runtime a number": "[export]\nmin_runtime = 2.16",
    "threshold beyond 1": "[export]\nthresholds = {MEL = 7.0}",
    "threshold of no class": "[export]\nthresholds = {ZZZ = 0.5}",
    "threshold in words": '[export]\nthresholds = {MEL = "high"}',
    "unsure beyond 1": "[export]\nunsure_below = 7.0",
    "unsure true": "[export]\nunsure_below = true",
    "seed true": "seed = true",
    "seed negative": "seed = -1",
    "seed a fraction": "seed = 1.5",
    "seed in words": 'seed = "3"',
    "seed too large": "seed = 99999999999",
    "size negative": "[train]\nsize_px = -3",
    "size odd": '[train]\nsize_px = 33\nweights = "none"',
    "size too large": "[train]\nsize_px = 100000",
    "size not a number": "[train]\nsize_px = nan",
    "size as height": "[train]\nheight_px = 224",
    "width too large": "[train]\nwidth = 9.0",
    "width true": "[train]\nwidth = true",
    "width without weights": "[train]\nwidth = 0.33",
    "width not a number": "[train]\nwidth = nan",
    "epochs none": "[train]\nepochs = 0",
    "epochs too many": "[train]\nepochs = 1000000000",
    "batch none": "[train]\nbatch_size = 0",
    "weights missing": '[train]\nweights = "nope.h5"',
    "weights empty": '[train]\nweights = ""',
    "weights of another kind": '[train]\nweights = "pipeline.toml"',
    "backbone unknown": '[train]\nbackbone = "vgg"',
    "recipe unknown": '[train]\nrecipe = "best"',
    "source missing": '[data]\nsource = "nowhere"',
    "source empty": '[data]\nsource = ""',
    "source with NUL": '[data]\nsource = "a\\u0000b"',
    "source a list": '[data]\nsource = ["a"]',
    "two fractions": "[data]\nfractions = [0.5, 0.5]",
    "fractions beyond 1": "[data]\nfractions = [2, -1, 0]",
    "fractions sum to 1.5": "[data]\nfractions = [0.5, 0.5, 0.5]",
    "fractions not numbers": "[data]\nfractions = [nan, 0.5, 0.5]",
    "layout unknown": '[data]\nlayout = "x"',
    "on_bad unknown": '[data]\non_bad = "x"',
    "too few a class": "[data]\nper_class = 1",
    "too many a class": "[data]\nper_class = 100000000",
    "critical a word": '[data]\ncritical = "MEL"',
    "quantize nothing": "[export]\nquantize = []",
    "quantize twice": '[export]\nquantize = ["int8", "int8"]',
    "quantize a word": '[export]\nquantize = "int8"',
    "quantize unknown": '[export]\nquantize = ["int5"]',
    "io without int8": '[export]\nio = "int8"\nquantize = ["float16"]',
    "repair without int8": '[export]\nrepair = "max"\nquantize = ["float16"]',
    "no representative": "[export]\nrepresentative_count = 0",
    "too many representative": "[export]\nrepresentative_count = 1000000",
    "tolerance beyond 1": "[parity]\ntolerance = 2",
    "tolerance not a number": "[parity]\ntolerance = nan",
    "no image decides": "[parity]\nmin_images = 0",
    "images true": "[parity]\nmin_images = true",
    "section unknown": "[nonsense]\na = 1",
    "name misspelt": "trian = 1",
    "run_dir empty": 'run_dir = ""',
    "run_dir a number": "run_dir = 3",
    "run_dir too long": f'run_dir = "{"a" * 300}"',
    "run_dir a file": 'run_dir = "pipeline.toml"',
    "not TOML": "x = [[[[",
    "table not closed": "[train\n",
    "nested deeply": f"a = {'[' * 5000}{']' * 5000}",
    "key twice": "seed = 1\nseed = 2",
}


def _texts() -> Iterator[Case]:
    for name, text in _TEXTS.items():

        def arrange(place: Place, text: str = text) -> None:
            (place.root / "pipeline.toml").write_text(text, encoding="utf-8")

        yield Case(f"pipeline.toml: {name}", ("run", "pipeline.toml"), arrange)


_NUMBERS = (int, float, int | None, float | None)
_VALUES = ("banana", "", "-7", "99999999999999999999", "nan", "0x10", "1,5")
# Good arguments, so that nothing but the option's value is wrong.
_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "data prepare": ("{photos}", "--run-dir", "new"),
    "data synthesize": ("new",),
    "train": ("--run-dir", "new"),
    "export": ("--quantize", "int8", "--run-dir", "new"),
    "parity": _PARITY[1:],
    "record": ("{model.tflite}", "--run-dir", "new"),
    "android install": ("{bundle}", "--project", "{project}"),
    "inspect": ("{model.tflite}",),
    "debug": ("{int8.tflite}", "--run-dir", "new"),
    "predict": ("{model.tflite}", "{photo.jpg}"),
    "report": ("--run-dir", "new"),
    "verify": ("nowhere",),
    "sign": ("nowhere", "--key", "key.pem"),
    "evaluate": ("nowhere.tflite", "--data", "nowhere"),
    "diagnose": (*_DIAGNOSE[1:], "--data", "nowhere"),
    "trace": ("nowhere", "--run-dir", "new"),
    "run": ("{pipeline.toml}", "--source", "nowhere"),
    "demo": ("--run-dir", "new"),
}


def commands() -> Iterator[tuple[str, Any]]:
    """Yield every command of the CLI by its words."""
    import typer

    from pipeline.cli.app import app

    pending = [("", typer.main.get_command(app))]
    while pending:
        name, command = pending.pop(0)
        if hasattr(command, "commands"):
            pending += [(f"{name} {n}".strip(), c) for n, c in command.commands.items()]
        else:
            yield name, command


def _options() -> Iterator[Case]:
    for name, command in commands():
        words, arguments = tuple(name.split()), _ARGUMENTS[name]
        taken_by = get_type_hints(inspect.unwrap(command.callback))
        yield Case(f"{name}: unknown option", (*words, *arguments, "--no-such-option"))
        yield Case(f"{name}: one argument too many", (*words, *arguments, *["surplus.x"] * 3))
        yield Case(f"{name}: empty argument", (*words, *arguments, ""))
        for option in command.params:
            flag = option.opts[-1]
            if not flag.startswith("--") or flag in ("--json", "--help"):
                continue
            if option.is_flag:
                yield Case(f"{name}: {flag}=value", (*words, *arguments, f"{flag}=maybe"))
                continue
            yield Case(f"{name}: {flag} without value", (*words, *arguments, "--json", flag))
            yield Case(f"{name}: {flag} empty", (*words, *arguments, flag, ""))
            if taken_by.get(option.name) in _NUMBERS:
                for value in _VALUES:
                    if value:
                        yield Case(
                            f"{name}: {flag} {value}", (*words, *arguments, f"{flag}={value}")
                        )
    yield Case("no such command", ("nonsense",))
    yield Case("no command of a group", ("data",))


_ODD_NAMES = {
    "escape": b"\x1b[31mred.jpg",
    "markup": b"[green]x[bold].jpg",
    "closing markup": b"[\\x].jpg",
    "line end": b"a\nb.jpg",
    "bell": b"a\x07b.jpg",
    "right to left": "a\u202eb.jpg".encode(),
    "emoji code": b":warning:.jpg",
    "not UTF-8": b"a\xff.jpg",
    "long": b"x" * 250 + b".jpg",
    "minus": b"-x.jpg",
    "spaces": b"  .jpg",
}


def _names() -> Iterator[Case]:
    for name, raw in _ODD_NAMES.items():
        word = os.fsdecode(raw)

        def bad_image(place: Place, raw: bytes = raw) -> None:
            folder = os.fsencode(place["images"] / "A")
            Path(os.fsdecode(folder + b"/" + raw)).write_bytes(b"no image")

        def bad_class(place: Place, raw: bytes = raw) -> None:
            folder = Path(os.fsdecode(os.fsencode(place["images"]) + b"/" + raw))
            (place["images"] / "A").rename(folder)

        yield Case(f"bad image called {name}", _PREPARE, bad_image)
        yield Case(f"class called {name}", _PREPARE, bad_class)
        for command in ("inspect", "debug", "record", "parity"):
            yield Case(f"{command} no file called {name}", (command, "--", f"{word}.tflite"))
        yield Case(f"config called {name}", ("run", "--", word))
        yield Case(f"image called {name}", ("predict", "{model.tflite}", "--", word))


def _machine() -> Iterator[Case]:
    for encoding in ("latin-1", "ascii", "utf-8"):
        yield Case(f"inspect in {encoding}", ("inspect", "{model.tflite}"), encoding=encoding)
        yield Case(f"parity in {encoding}", _PARITY, encoding=encoding)
        yield Case(f"refusal in {encoding}", ("inspect", "é\u202e.tflite"), encoding=encoding)
    for words in (
        _PARITY,
        ("inspect", "{model.tflite}"),
        ("--help",),
        ("nonsense",),
        ("inspect", "nowhere"),
        _PREPARE,
        _REPORT,
    ):
        for target in ("/dev/full", "closed", "/dev/null"):
            yield Case(f"{words[0]} {words[-1]}: output {target}", words, stdout=target)
            yield Case(f"{words[0]} {words[-1]}: errors {target}", words, stderr=target)
    for limit in (200, 1000):
        for words in (
            _PREPARE,
            (*_PARITY, "--junit", "out.xml"),
            ("record", "{model.tflite}", "--run-dir", "{run}"),
            ("predict", "{model.tflite}", "{photo.jpg}"),
            _REPORT,
            ("data", "synthesize", "out", "--per-class", "4", "--size-px", "32"),
        ):
            yield Case(
                f"{' '.join(words[:2])} {len(words)}: {limit} bytes a file",
                words,
                file_limit_bytes=limit,
            )
    for name in (
        "",
        ".",
        "images",
        "/dev/null",
        "/dev/full",
        "/dev/stdout",
        "a" * 300,
        "/proc/x/y",
        "model.tflite/x",
    ):
        for flag in ("--junit", "--markdown"):
            yield Case(
                f"parity {flag} {name[:20]!r}",
                (*_PARITY, f"{flag}={name}"),
                lambda place: (place["images"], place["model.tflite"], None)[2],
            )
    for name in ("/dev/full", "folder", "a" * 300):
        yield Case(
            f"summary {name[:20]}",
            _PARITY,
            lambda place: (place.root / "folder").mkdir(),
            env={"GITHUB_STEP_SUMMARY": name},
        )
    for name in ("/proc/x", "a" * 300, "model.tflite/x", "model.tflite", "/dev/null", "\x1b[31m\n"):
        for words in (("report",), ("data", "prepare", "{images}"), ("record", "{model.tflite}")):
            yield Case(
                f"{words[0]} --run-dir {name[:20]!r}",
                (*words, "--run-dir", name),
                lambda place: (place["model.tflite"], None)[1],
            )


def _tables() -> Iterator[Case]:
    header = "image,MEL,NV,BCC,AK,BKL,DF,VASC,SCC"
    texts = {
        "semicolons": header.replace(",", ";") + "\nx;1;0;0;0;0;0;0;0\n",
        "tabs": header.replace(",", "\t") + "\n",
        "a column missing": "image,MEL\nx,1\n",
        "a column twice": f"{header},MEL\n",
        "an unknown column": f"{header},FOO\n",
        "a row too short": f"{header}\nx,1\n",
        "a row too long": f"{header}\nx,1,0,0,0,0,0,0,0,0,0\n",
        "an image twice": f"{header}\nx,1,0,0,0,0,0,0,0\nx,0,1,0,0,0,0,0,0\n",
        "no rows": f"{header}\n",
        "a quote not closed": f'{header}\n"x,1,0\n',
        "numbers in words": f"{header}\nISIC_0,yes,0,0,0,0,0,0,0\n",
        "two classes": f"{header}\nISIC_0,1,1,0,0,0,0,0,0\n",
        "a field of a megabyte": f"{header}\n{'x' * 1_000_000},1,0,0,0,0,0,0,0\n",
        "not there": f"{header}\nnowhere,1,0,0,0,0,0,0,0\n",
        "a path": f"{header}\n../../etc/passwd,1,0,0,0,0,0,0,0\n",
    }
    for name, text in texts.items():

        def truth(place: Place, text: str = text) -> None:
            file = place["isic"] / "ISIC_2019_Training_GroundTruth.csv"
            file.write_text(text, encoding="utf-8")

        yield Case(
            f"ground truth: {name}", ("data", "prepare", "{isic}", "--run-dir", "new"), truth
        )
    groups = {
        "semicolons": "image;group\nA/0.jpg;1\n",
        "empty group": "image,group\nA/0.jpg,\n",
        "two groups": "image,group\nA/0.jpg,1\nA/0.jpg,2\n",
        "not there": "image,group\nA/nowhere.jpg,1\n",
        "one group of all": "image,group\n"
        + "".join(f"{c}/{i}.jpg,1\n" for c in "AB" for i in range(20)),
    }
    for name, text in groups.items():

        def grouped(place: Place, text: str = text) -> None:
            (place["images"] / "groups.csv").write_text(text, encoding="utf-8")

        yield Case(f"groups.csv: {name}", _PREPARE, grouped)
    labels = {
        "JSON nested deeply": "[" * 100_000,
        "JSON of numbers": "[1, 2]",
        "one label": "RED\n",
        "a label twice": "RED\nRED\nBLUE\n",
        "markup": "[red]A\nB\n",
        "a NUL": "A\0\nB\n",
    }
    for name, text in labels.items():

        def labelled(place: Place, text: str = text) -> None:
            (place.root / "labels.txt").write_text(text, encoding="utf-8")

        yield Case(f"labels: {name}", (*_EXPORT, "--labels", "labels.txt"), labelled)


def _input(config: dict[str, Any]) -> dict[str, Any]:
    layers = config["config"]["layers"]
    found: dict[str, Any] = next(one for one in layers if one["class_name"] == "InputLayer")
    return found["config"]


_CONFIGS: dict[str, Callable[[dict[str, Any]], None]] = {
    "batch_shape a number": lambda config: _input(config).update(batch_shape=5),
    "batch_shape in words": lambda config: _input(config).update(batch_shape=[None, "a", 32, 3]),
    "batch_shape negative": lambda config: _input(config).update(batch_shape=[None, -3, 32, 3]),
    "batch_shape huge": lambda config: _input(config).update(batch_shape=[None, 10**12, 32, 3]),
    "batch_shape of one channel": lambda config: _input(config).update(
        batch_shape=[None, 32, 32, 1]
    ),
    "layers a number": lambda config: config["config"].update(layers=7),
    "no layers": lambda config: config["config"].update(layers=[]),
    "units negative": lambda config: config["config"]["layers"][-1]["config"].update(units=-3),
    "a Lambda": lambda config: config["config"]["layers"][-1].update(class_name="Lambda"),
    "a class of another module": lambda config: config["config"]["layers"][-1].update(
        module="os", class_name="System"
    ),
    "a class by a path": lambda config: config["config"]["layers"][-1].update(class_name="../x"),
    "no config": lambda config: config.pop("config"),
    "nested deeply": lambda config: config.update(extra=_nested(5000)),
}


def _nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def _models() -> Iterator[Case]:
    for name, change in _CONFIGS.items():

        def configured(place: Place, change: Callable[[dict[str, Any]], None] = change) -> None:
            spoil.edit_config(place["good.keras"], change)

        yield Case(f"keras: {name}", _KERAS, configured)
    yield Case("keras: zip bomb", _KERAS, lambda place: spoil.zip_bomb(place["good.keras"]))
    yield Case(
        "keras: a path outside", _KERAS, lambda place: spoil.add_member(place["good.keras"], "../x")
    )
    for scale in (0.0, float("nan")):

        def scaled(place: Place, scale: float = scale) -> None:
            spoil.set_scale(place["int8.tflite"], scale)

        for command in (
            ("inspect", "{int8.tflite}"),
            ("predict", "{int8.tflite}", "{photo.jpg}"),
            ("record", "{int8.tflite}", "--run-dir", "{run}"),
            ("parity", "{int8.tflite}", "--run-dir", "{run}"),
            ("debug", "{int8.tflite}", "--run-dir", "{run}"),
        ):
            yield Case(f"{command[0]}: int8 with the scale {scale:g}", command, scaled)
    yield Case(
        "parity: arrays that claim terabytes",
        _PARITY,
        lambda place: spoil.claim_terabytes(place["recordings"] / "b.json"),
    )


def _clutter() -> Iterator[Case]:
    def left(place: Place) -> None:
        folder = place["images"] / "__MACOSX"
        folder.mkdir()
        (folder / "._0.jpg").write_bytes(b"x")
        for name in (".DS_Store", "Thumbs.db"):
            (place["images"] / name).write_bytes(b"x")
            (place["images"] / "A" / name).write_bytes(b"x")

    def moved(place: Place) -> None:
        _ = place["run"]
        (place.root / "dataset").rename(place.root / "elsewhere")

    yield Case("clutter of a desktop", _PREPARE, left)
    yield Case("dataset moved", ("record", "{model.tflite}", "--run-dir", "{run}"), moved)
    yield Case("dataset moved, train", ("train", "--weights", "none", "--run-dir", "{run}"), moved)


def cases() -> list[Case]:
    """Return every case; names are unique."""
    found = [
        *_files(),
        *_texts(),
        *_options(),
        *_names(),
        *_machine(),
        *_tables(),
        *_clutter(),
        *_models(),
    ]
    names = [case.name for case in found]
    twice = {name for name in names if names.count(name) > 1}
    assert not twice, twice
    return found


def _known() -> dict[str, tuple[str, str]]:
    with EXPECTED.open(encoding="utf-8", newline="") as stream:
        return {row["case"]: (row["code"], row["what"]) for row in csv.DictReader(stream)}


def _write_expected() -> None:
    from tests.hostile.run_case import Outcome, run_case
    from tests.hostile.warm import Warm
    from tests.hostile.world import make_world

    with tempfile.TemporaryDirectory(prefix="pipeline-hostile-") as name:
        folder = Path(name)
        world = Path(os.environ.get("PIPELINE_HOSTILE_WORLD", folder / "world"))
        if not world.exists():
            make_world(world)
        workers: queue.SimpleQueue[Warm] = queue.SimpleQueue()
        for _ in range(_WORKERS):
            workers.put(Warm())

        def run(numbered: tuple[int, Case]) -> Outcome:
            number, case = numbered
            warm, root = workers.get(), folder / f"case-{number}"
            outcome = run_case(case, warm, world, root)
            workers.put(warm)
            shutil.rmtree(root)
            for problem in outcome.problems:
                print(f"{case.name}: {problem}", file=sys.stderr, flush=True)
            return outcome

        known = _known() if "--missing" in sys.argv else {}
        found = [case for case in cases() if case.name not in known]
        with ThreadPoolExecutor(_WORKERS) as pool:
            outcomes = list(pool.map(run, enumerate(found)))
    made = {c.name: (str(o.code), o.what) for c, o in zip(found, outcomes, strict=True)}
    rows = [(case.name, *{**known, **made}[case.name]) for case in cases()]
    slowest = sorted(zip(outcomes, found, strict=True), key=lambda pair: -pair[0].seconds)
    for one, case in slowest[:10]:
        print(f"{one.seconds:.1f} s: {case.name}", file=sys.stderr)
    with EXPECTED.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([("case", "code", "what"), *rows])


if __name__ == "__main__":
    _write_expected()
