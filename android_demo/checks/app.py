"""Builds the app without Gradle: resources, R.java, class files, and its package of assets."""

import re
import shutil
import zipfile
from pathlib import Path

from checks import fetch, made
from checks.kotlin import compile_kotlin, core_classes, core_libraries, tflite_folder
from checks.project import (
    APP,
    APP_SOURCES,
    BUILD,
    ROOT,
    Failed,
    Missing,
    gradle_value,
    kotlin_files,
    versions,
)
from checks.shell import Step, need

MANIFEST = APP / "AndroidManifest.xml"
# Debian's aapt2 is older than Android 11, which brought this element.
TOO_NEW = "unexpected element <queries> found in <manifest>."


def android_jar() -> Path:
    """Return Android 14 as a class library that aapt2 reads too."""
    return fetch.files("android")[0]


def merged_manifest() -> Path:
    """Write the manifest as Gradle would merge it: the package's name comes from the namespace.

    Raises:
        Failed: The manifest names a package itself.
    """
    text = MANIFEST.read_text()
    if re.search(r"<manifest[^>]*\spackage=", text):
        raise Failed("AndroidManifest.xml names a package; Gradle takes it from the namespace")
    package = gradle_value("namespace")
    if gradle_value("applicationId") != package:
        raise Failed("the applicationId is not the namespace, as the checks need it to be")
    target = BUILD / "app/AndroidManifest.xml"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text.replace("<manifest", f'<manifest package="{package}"', 1))
    return target


def resources(step: Step) -> Path:
    """Compile and link the resources: a folder with java/, keep.pro and resources.apk.

    Raises:
        Failed: aapt2 refuses a resource or the manifest.
    """
    need("aapt2", "javac")
    manifest = merged_manifest()
    files = sorted(path for path in (APP / "res").rglob("*") if path.is_file())

    def make(folder: Path) -> None:
        step.run(["aapt2", "compile", "--dir", APP / "res", "-o", folder / "compiled.zip"])
        link(step, manifest, folder / "compiled.zip", folder / "resources.apk", [
            "--java", folder / "java", "--proguard", folder / "keep.pro",
        ])  # fmt: skip

    return made.folder(BUILD / "app/resources", made.digest([*files, manifest], _stated()), make)


def package(step: Step) -> Path:
    """Link the package with its assets, the checked bundle among them; return the APK.

    Raises:
        Missing: There is no bundle.
    """
    compiled = resources(step) / "compiled.zip"
    target = BUILD / "app/packaged.apk"
    link(step, merged_manifest(), compiled, target, ["-A", assets(step)])
    return target


def link(
    step: Step, manifest: Path, compiled: Path, target: Path, options: list[str | Path]
) -> None:
    """Link compiled resources into an APK, as Gradle would.

    Raises:
        Failed: aapt2 refuses them.
    """
    _, said = step.run(
        [
            "aapt2", "link", "--warn-manifest-validation", "-o", target, "-I", android_jar(),
            "--manifest", manifest, "-0", ".tflite",
            "--min-sdk-version", versions()["min-sdk"],
            "--target-sdk-version", versions()["target-sdk"],
            "--version-code", gradle_value("versionCode"),
            "--version-name", gradle_value("versionName"),
            *options, compiled,
        ]
    )  # fmt: skip
    warnings = [line for line in said.splitlines() if " warn: " in line]
    if other := [line for line in warnings if not line.endswith(TOO_NEW)]:
        raise Failed(f"aapt2 warns: {'; '.join(other)}")


def assets(step: Step) -> Path:
    """Lay out the app's assets with the checked bundle as its model; return the folder.

    Raises:
        Missing: There is no bundle.
    """
    bundle = require_bundle(step)
    target = BUILD / "app/assets"
    if target.exists():
        shutil.rmtree(target)
    if (APP / "assets").is_dir():
        shutil.copytree(APP / "assets", target, ignore=shutil.ignore_patterns("model"))
    # Whole, as Gradle packs it: the app counts the files.
    shutil.copytree(bundle, target / "model")
    return target


def require_bundle(step: Step) -> Path:
    """Return the bundle to check with.

    Raises:
        Missing: There is no model in the folder.
    """
    if not any(step.bundle.glob("*.tflite")):
        raise Missing(
            f'no model in {step.bundle}: run "pipeline android install BUNDLE", or give --bundle'
        )
    return step.bundle


def r_classes(step: Step) -> Path:
    """Compile R.java."""
    sources = sorted((resources(step) / "java").rglob("*.java"))

    def make(folder: Path) -> None:
        # Java 8 is what minSdk knows; that it is old is no news.
        step.run(["javac", "-Xlint:-options", "-Werror", "--release", "8", "-d", folder, *sources])

    return made.folder(BUILD / "app/r-classes", made.digest(sources), make)


def app_class_path(step: Step) -> list[Path]:
    """Compile the app against Android 14; return it and what it needs, without Android itself."""
    tflite_folder()
    libraries = [r_classes(step), core_classes(step), *core_libraries(), *fetch.jars("tflite")]
    classes = compile_kotlin(
        step, BUILD / "app/classes", kotlin_files(APP_SOURCES), [*libraries, android_jar()],
        module="app",
    )  # fmt: skip
    return [classes, *libraries]


def as_jar(folder: Path, target: Path) -> Path:
    """Write class files as a JAR, in the order of their names."""
    with zipfile.ZipFile(target, "w") as jar:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                jar.write(path, path.relative_to(folder).as_posix())
    return target


def _stated() -> str:
    gradle = (ROOT / "app/build.gradle.kts").read_text()
    return f"{gradle}{versions()}"
