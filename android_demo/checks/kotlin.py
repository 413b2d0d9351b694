"""Compiles the project's Kotlin and runs it, each part once as long as its sources are the same."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from checks import fetch, made
from checks.project import (
    APP_SOURCES,
    BUILD,
    CHECKS,
    CORE_SOURCES,
    CORE_TESTS,
    kotlin_files,
    versions,
)
from checks.shell import Step, need

# Short-lived compilers: the second compilation level and a parallel collector cost more than they
# give on two cores.
JVM = ("java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx1500m")
ENGINE = APP_SOURCES / "pipeline/demo/InterpreterEngine.kt"
HOST_MAIN = "pipeline.host.HostKt"


def class_path(paths: Sequence[Path]) -> str:
    """Join a class path."""
    return os.pathsep.join(str(path) for path in paths)


def compile_kotlin(
    step: Step,
    target: Path,
    sources: Sequence[Path],
    libraries: Sequence[Path],
    *,
    module: str,
    friends: Sequence[Path] = (),
    strict: bool = True,
) -> Path:
    """Compile sources to class files as Gradle does: for Java 8, warnings are errors.

    Friends are class folders whose internal declarations are visible, as a module's are to its
    tests. Without strict, warnings pass.

    Raises:
        Failed: The compiler refuses the sources.
        Missing: There is no JDK, or a download failed.
    """
    need("java", "javac")
    fetch.require(f"org.jetbrains.kotlin:kotlin-compiler-embeddable:{versions()['kotlin']}@jar")
    options = ["-Xjdk-release=8", "-no-stdlib", "-no-reflect", "-module-name", module]
    options += ["-Werror"] if strict else []
    options += [f"-Xfriend-paths={','.join(map(str, friends))}"] if friends else []
    compiler = fetch.jars("kotlin-compiler")
    java = Path(shutil.which("java") or "java").resolve()

    def make(classes: Path) -> None:
        step.run(
            [
                *JVM, *_class_sharing(java, compiler),
                "-cp", class_path(compiler), "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler",
                *options, "-cp", class_path(libraries), "-d", classes, *sources,
            ]
        )  # fmt: skip

    key = made.digest([*sources, *libraries, *compiler], *options)
    return made.folder(target, key, make)


def _class_sharing(java: Path, compiler: Sequence[Path]) -> list[str]:
    """Return options that load the compiler's classes from an archive, which the first run writes.

    An archive takes half of a short compilation's time away. The JVM passes over one that is not
    its own, so the name depends on the JVM.
    """
    key = made.digest(compiler, java, java.stat().st_mtime_ns)
    archive = BUILD / f"kotlin-compiler-{key[:12]}.jsa"
    if archive.is_file():
        return [f"-XX:SharedArchiveFile={archive}"]
    # The classes that it leaves out would fill the log.
    return [f"-XX:ArchiveClassesAtExit={archive}", "-Xlog:disable"]


def core_libraries() -> list[Path]:
    """Return what core needs at run time."""
    v = versions()
    fetch.require(f"org.jetbrains.kotlin:kotlin-stdlib:{v['kotlin']}@jar")
    fetch.require(f"org.tensorflow:tensorflow-lite-metadata:{v['tflite-metadata']}@jar")
    fetch.require(f"com.drewnoakes:metadata-extractor:{v['metadata-extractor']}@jar")
    fetch.require(f"org.jetbrains.kotlinx:kotlinx-serialization-json-jvm:{v['serialization']}@jar")
    return fetch.jars("core")


def tflite_folder() -> Path:
    """Return the unpacked AAR with the runtime's native libraries."""
    fetch.require(f"org.tensorflow:tensorflow-lite:{versions()['tflite-checked']}@aar")
    return fetch.unpacked("tflite", "tensorflow-lite")


def core_classes(step: Step) -> Path:
    """Compile core."""
    sources = kotlin_files(CORE_SOURCES)
    return compile_kotlin(step, BUILD / "core/classes", sources, core_libraries(), module="core")


def core_test_classes(step: Step) -> list[Path]:
    """Compile core's tests; return the class path to run them with, except JUnit's console."""
    classes = core_classes(step)
    libraries = [classes, *core_libraries(), *fetch.jars("core-tests")]
    tests = compile_kotlin(
        step, BUILD / "core/test-classes", kotlin_files(CORE_TESTS), libraries,
        module="core_test", friends=[classes],
    )  # fmt: skip
    return [tests, *libraries]


def host_sources() -> list[Path]:
    """Return the Kotlin that the host program has besides core."""
    return [ENGINE, *kotlin_files(CHECKS / "host")]


def host_class_path(step: Step) -> list[Path]:
    """Compile the host program, the app's core on a JVM; return its class path."""
    tflite_folder()
    libraries = [core_classes(step), *core_libraries(), *fetch.jars("tflite")]
    classes = compile_kotlin(step, BUILD / "host/classes", host_sources(), libraries, module="host")
    return [classes, *libraries]
