"""Steps that work on core and the bundle alone: core's tests, the host program, the self-test."""

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path

from checks import fetch
from checks.app import require_bundle
from checks.kotlin import (
    HOST_MAIN,
    class_path,
    core_classes,
    core_libraries,
    core_test_classes,
    host_class_path,
    host_sources,
)
from checks.project import BUILD, CORE_SOURCES, ROOT, Failed, kotlin_files, versions
from checks.shell import Step
from checks.shim import (
    X86_64,
    arm64_engine,
    built_arm64_engine,
    library_folder,
    native_sources,
    x86_64_shim,
)

# What the library says when it takes the kernels that phones take.
XNNPACK = "Created TensorFlow Lite XNNPACK delegate"
HOST_JSON = BUILD / "host/host.json"


def core(step: Step) -> list[str]:
    """Compile core and run its unit tests.

    Raises:
        Failed: A test failed, or none ran.
    """
    fetch.require(
        "org.junit.platform:junit-platform-console-standalone:"
        f"{versions()['junit'].replace('5.', '1.', 1)}@jar"
    )
    path = core_test_classes(step)
    code, said = step.run(
        [
            "java", "-cp", class_path(path), "org.junit.platform.console.ConsoleLauncher",
            "execute", "--scan-class-path", path[0], "--disable-banner", "--disable-ansi-colors",
            "--details=tree",
        ],
        # Gradle runs a module's tests in the module's folder.
        cwd=ROOT / "core",
        accept=(0, 1, 2),
    )  # fmt: skip
    ran = re.search(r"(\d+) tests successful", said)
    failed = re.search(r"(\d+) tests failed", said)
    if failed and int(failed[1]):
        raise Failed(f"{failed[1]} tests failed")
    if code != 0 or ran is None or int(ran[1]) == 0:
        raise Failed("no test ran" if ran else "the tests did not come to an end")
    return [f"{ran[1]} tests"]


def host(step: Step) -> list[str]:
    """Build the host program and the shim, and write host.json."""
    _write_host(step, built_arm64_engine())
    return [str(HOST_JSON)]


def arm64(step: Step) -> list[str]:
    """Build the engine for arm64-v8a and add it to host.json."""
    engine = arm64_engine(step)
    _write_host(step, engine)
    return [str(HOST_JSON)]


def model(step: Step) -> list[str]:
    """Check the bundle as Gradle does, then run its goldens with the real library.

    Raises:
        Failed: The bundle is refused, a golden differs, or there is none.
    """
    bundle = require_bundle(step)
    path = [core_classes(step), *core_libraries()]
    code, said = step.run(
        [
            "java", "-cp", class_path(path), "pipeline.core.CheckModelKt",
            bundle, versions()["tflite-checked"],
        ],
        accept=(0, 1),
    )  # fmt: skip
    if code != 0:
        raise Failed(_last(said))
    code, answers = self_test(step, host_class_path(step))
    if XNNPACK not in answers:
        raise Failed("the library created no XNNPACK delegate, as it does on phones")
    if code != 0:
        raise Failed(_last(answers) if code == 1 else f"nothing was proven: {_last(answers)}")
    return [_last(said), *answers.strip().splitlines()[-2:]]


def self_test(step: Step, path: Sequence[Path]) -> tuple[int, str]:
    """Run the bundle's goldens; return the exit code and what was said."""
    return step.run(
        [
            "java", "-cp", class_path(path), f"-Djava.library.path={library_folder(X86_64)}",
            HOST_MAIN, "selftest", require_bundle(step),
        ],
        env={"LD_LIBRARY_PATH": str(x86_64_shim(step))},
        accept=(0, 1, 4),
    )  # fmt: skip


def _write_host(step: Step, engine: list[str] | None) -> None:
    path = host_class_path(step)
    shim = x86_64_shim(step)
    sources = [
        *kotlin_files(CORE_SOURCES), *host_sources(), *native_sources(), fetch.PINS,
    ]  # fmt: skip
    content = {
        "java": "java",
        "class_path": [str(entry) for entry in path],
        "library_path": str(library_folder(X86_64)),
        "shim": str(shim),
        "main": HOST_MAIN,
        "runtime_version": versions()["tflite-checked"],
        "sources": {
            source.relative_to(ROOT).as_posix(): hashlib.sha256(source.read_bytes()).hexdigest()
            for source in sources
        },
        "arm64": None if engine is None else {"engine": engine},
    }
    temporary = HOST_JSON.with_suffix(".new")
    temporary.write_text(json.dumps(content, indent=1) + "\n")
    temporary.rename(HOST_JSON)


def _last(said: str) -> str:
    lines = said.strip().splitlines()
    return lines[-1] if lines else "nothing was said"
