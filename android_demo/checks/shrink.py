"""Shrinks the app with R8, as a release build does, and tests what is left."""

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

from checks import fetch
from checks.android_tests import run_on, test_classes
from checks.app import android_jar, app_class_path, as_jar, resources
from checks.java8 import java8_jar
from checks.kotlin import tflite_folder
from checks.project import BUILD, CHECKS, ROOT, Failed, versions
from checks.shell import Step, need

OWN_RULES = ROOT / "app/proguard-rules.pro"
FOLDER = BUILD / "r8"
# R8 takes its own rules from a library first, and others only where there are none.
R8_RULES = re.compile(r"META-INF/com\.android\.tools/r8[^/]*/[^/]+")
OTHER_RULES = re.compile(r"META-INF/proguard/[^/]+")


def shrink(step: Step) -> list[str]:
    """Shrink the app to class files, and run its tests on Android 14 again.

    Raises:
        Failed: R8 misses a class, or a test fails on what R8 left.
    """
    app = app_class_path(step)
    tests = test_classes(step, app)
    program = _program(app)
    kept = _kept_for_tests(step, program, tests)
    target = FOLDER / "shrunk.jar"
    run_r8(step, program, target, [*rules(step, program), kept], ["--classfile"])
    before = sum(path.stat().st_size for path in program)
    after = target.stat().st_size
    return [f"{before / 1e6:.1f} MB to {after / 1e6:.1f} MB", run_on(step, 34, tests, [target])]


def to_dex(step: Step, target: Path) -> Path:
    """Shrink the app to the ZIP of dex files and resources that its APK gets.

    Raises:
        Failed: R8 misses a class.
    """
    program = _program(app_class_path(step))
    options = ["--release", "--min-api", versions()["min-sdk"]]
    return run_r8(step, program, target, rules(step, program), options)


def run_r8(
    step: Step,
    program: Sequence[Path],
    target: Path,
    configuration: Sequence[Path],
    options: list[str],
) -> Path:
    """Run R8 on a closed world: the program, and Android 14 with Java 8 below it.

    Raises:
        Failed: A class is missing, or a rule is refused.
    """
    need("java")
    step.run(
        [
            "java", "-Xmx2g", "-cp", fetch.files("r8")[0], "com.android.tools.r8.R8", *options,
            "--lib", java8_jar(step), "--lib", android_jar(), "--output", target,
            *(word for rule in configuration for word in ("--pg-conf", rule)), *program,
        ]
    )  # fmt: skip
    return target


def rules(step: Step, program: Sequence[Path]) -> list[Path]:
    """Return all rules of a release build: Gradle's, the app's, the resources', the libraries'.

    Raises:
        Failed: The app's own rules silence warnings.
    """
    if re.search(r"^\s*-(dontwarn|ignorewarnings)", OWN_RULES.read_text(), re.MULTILINE):
        raise Failed(f"{OWN_RULES.name} silences warnings of missing classes")
    found = [CHECKS / "agp.pro", OWN_RULES, resources(step) / "keep.pro"]
    found.append(tflite_folder() / "proguard.txt")
    target = FOLDER / "libraries.pro"
    target.write_text("".join(_rules_within(jar) for jar in program))
    return [*found, target]


def _rules_within(jar: Path) -> str:
    with zipfile.ZipFile(jar) as archive:
        names = archive.namelist()
        chosen = [name for name in names if R8_RULES.fullmatch(name)]
        chosen = chosen or [name for name in names if OTHER_RULES.fullmatch(name)]
        texts = [f"# {jar.name}: {name}\n{archive.read(name).decode()}\n" for name in chosen]
    return "".join(texts)


def _program(app: Sequence[Path]) -> list[Path]:
    FOLDER.mkdir(parents=True, exist_ok=True)
    # Two folders are both called classes.
    return [
        path if path.is_file() else as_jar(path, FOLDER / f"{path.parent.name}-{path.name}.jar")
        for path in app
    ]


def _kept_for_tests(step: Step, program: Sequence[Path], tests: Path) -> Path:
    """Return rules that keep what the tests call: R8 does not see them, and would inline it."""
    target = FOLDER / "kept-for-tests.pro"
    libraries = [java8_jar(step), android_jar(), *fetch.jars("robolectric")]
    step.run(
        [
            "java", "-Xmx2g", "-cp", fetch.files("r8")[0],
            "com.android.tools.r8.tracereferences.TraceReferences", "--keep-rules",
            *(word for jar in libraries for word in ("--lib", jar)),
            *(word for jar in program for word in ("--target", jar)),
            "--source", as_jar(tests, FOLDER / "tests.jar"), "--output", target,
        ]
    )  # fmt: skip
    return target
