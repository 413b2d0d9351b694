"""Runs the app's own tests, with Android itself on a JVM and the real native library."""

import re
from collections.abc import Sequence
from pathlib import Path

from checks import fetch
from checks.app import android_jar, app_class_path, assets, merged_manifest, package
from checks.kotlin import class_path, compile_kotlin
from checks.project import BUILD, CHECKS, Failed, gradle_value, kotlin_files
from checks.shell import Step, need
from checks.shim import X86_64, library_folder, x86_64_shim

TESTS = CHECKS / "robolectric"
# Robolectric reaches into the JDK: these are the packages it opens.
OPENED = ("java.io", "java.lang", "java.util", "java.net", "java.nio", "sun.nio.ch")


def test_classes(step: Step, app: Sequence[Path]) -> Path:
    """Compile the tests against the compiled app, whose first folder they belong to."""
    return compile_kotlin(
        step, BUILD / "robolectric/classes", kotlin_files(TESTS),
        [*app, *fetch.jars("robolectric"), android_jar()],
        module="app_test", friends=[app[0]],
    )  # fmt: skip


def run_on(step: Step, sdk: int, tests: Path, app: Sequence[Path]) -> str:
    """Run every test on one level of Android, in a JVM of its own; return what it came to.

    Raises:
        Failed: A test failed, or none ran.
        Missing: There is no bundle, or a download failed.
    """
    need("java")
    work = BUILD / "robolectric" / f"{step.name}-{sdk}"
    system = fetch.files(f"sdk-{sdk}")[0]
    screens = BUILD / "screens" / str(sdk)
    for folder in (work / "tmp", screens):
        folder.mkdir(parents=True, exist_ok=True)
    bundle = assets(step) / "model"
    _write_config(work, package(step))
    command = [
        "java", "-Xmx2g",
        *(f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in OPENED),
        f"-Dsdk={sdk}", f"-Dmodel.dir={bundle}", f"-Dscreens={screens}",
        "-Drobolectric.offline=true", f"-Drobolectric.dependency.dir={system.parent}",
        f"-Djava.library.path={library_folder(X86_64)}", f"-Djava.io.tmpdir={work / 'tmp'}",
        # android-all last: it holds copies of classes that others bring.
        "-cp", class_path([work, tests, *app, *fetch.jars("robolectric"), android_jar()]),
        "org.junit.runner.JUnitCore", *_test_names(),
    ]  # fmt: skip
    # Through the environment, not System.load: Robolectric has a class loader of its own.
    code, said = step.run(
        command, env={"LD_LIBRARY_PATH": str(x86_64_shim(step))}, cwd=work, accept=(0, 1)
    )
    return f"Android API {sdk}: {_count(code, said)} tests"


def robolectric(step: Step) -> list[str]:
    """Run the app's tests on Android 14 and 15."""
    app = app_class_path(step)
    tests = test_classes(step, app)
    return [run_on(step, sdk, tests, app) for sdk in (34, 35)]


def _test_names() -> list[str]:
    names = []
    for path in kotlin_files(TESTS):
        text = path.read_text()
        if "@Test" in text:
            package_name = re.findall(r"^package ([\w.]+)", text, re.MULTILINE)[0]
            names += [
                f"{package_name}.{name}" for name in re.findall(r"^class (\w+)", text, re.MULTILINE)
            ]
    return names


def _count(code: int, said: str) -> int:
    failed = re.search(r"^Tests run: (\d+),  Failures: (\d+)", said, re.MULTILINE)
    if failed:
        raise Failed(f"{failed[2]} of {failed[1]} tests failed: {', '.join(_failures(said))}")
    passed = re.search(r"^OK \((\d+) tests?\)", said, re.MULTILINE)
    if code != 0 or passed is None:
        raise Failed("the tests did not come to an end")
    if int(passed[1]) == 0:
        raise Failed("no test ran")
    return int(passed[1])


def _failures(said: str) -> list[str]:
    return re.findall(r"^\d+\) (\S+?)\(", said, re.MULTILINE)


def _write_config(work: Path, apk: Path) -> None:
    target = work / "com/android/tools/test_config.properties"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(
        f"android_resource_apk={apk}\n"
        f"android_merged_manifest={merged_manifest()}\n"
        f"android_merged_assets={BUILD / 'app/assets'}\n"
        f"android_custom_package={gradle_value('namespace')}\n"
    )
