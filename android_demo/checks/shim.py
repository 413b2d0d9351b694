"""Builds what lets Android's native library, as it is in the AAR, run on Linux with glibc."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from checks import made
from checks.kotlin import tflite_folder
from checks.project import BUILD, CHECKS, Failed
from checks.shell import Step, need

NATIVE = CHECKS / "native"
LIBRARY = "libtensorflowlite_jni.so"
# bionic has one version for all symbols of its first 64-bit release.
VERSION_SCRIPT = "LIBC { global: *; };\n"
ARM64_SHIM = BUILD / "arm64/shim"
ARM64_ENGINE = BUILD / "arm64/engine"
STRICT = ("-O2", "-Wall", "-Wextra", "-Werror")


@dataclass(frozen=True)
class Processor:
    """A processor whose library is run here: Android's name for it, and its compiler."""

    abi: str
    compiler: str


X86_64 = Processor("x86_64", "gcc")
ARM64 = Processor("arm64-v8a", "aarch64-linux-gnu-gcc")


def library_folder(processor: Processor) -> Path:
    """Return the folder of the AAR's library for a processor."""
    return tflite_folder() / "jni" / processor.abi


def native_sources() -> list[Path]:
    """Return the C sources."""
    return sorted(NATIVE.glob("*.c"))


def build_shim(step: Step, processor: Processor, target: Path) -> Path:
    """Build libc.so, libm.so, libdl.so and liblog.so for LD_LIBRARY_PATH.

    Raises:
        Missing: The compiler is not installed.
        Failed: The library asks for a symbol that neither glibc nor native/bionic.c has.
    """
    need(processor.compiler, "readelf")
    library = library_folder(processor) / LIBRARY

    def make(folder: Path) -> None:
        scratch = BUILD / "shim" / processor.abi
        scratch.mkdir(parents=True, exist_ok=True)
        (scratch / "forwards.h").write_text(_forwards(library))
        versions = scratch / "versions.txt"
        versions.write_text(VERSION_SCRIPT)
        shared = [processor.compiler, *STRICT, "-fPIC", "-shared"]
        version = f"-Wl,--version-script,{versions}"
        # -z defs: a symbol that glibc does not have is found now, not when it is called.
        step.run(
            [*shared, "-I", scratch, "-o", folder / "libc.so", NATIVE / "bionic.c",
             "-Wl,-soname,libc.so", version, "-Wl,-z,defs", "-lm"]
        )  # fmt: skip
        # All symbols are found in libc.so; these two only have to be there, with the version.
        for name in ("libm.so", "libdl.so"):
            soname = f"-Wl,-soname,{name}"
            step.run([*shared, "-o", folder / name, "-x", "c", "/dev/null", soname, version])
        step.run([*shared, "-o", folder / "liblog.so", NATIVE / "log.c", "-Wl,-soname,liblog.so"])

    return made.folder(target, _shim_key(processor), make)


def x86_64_shim(step: Step) -> Path:
    """Build the shim for this machine's JVM."""
    return build_shim(step, X86_64, BUILD / "host/shim")


def arm64_engine(step: Step) -> list[str]:
    """Build the process engine for arm64-v8a; return its command, before model and threads.

    Raises:
        Missing: The compiler or the emulator is not installed.
    """
    need(ARM64.compiler, "qemu-aarch64-static")
    build_shim(step, ARM64, ARM64_SHIM)
    source = NATIVE / "engine.c"

    def make(folder: Path) -> None:
        step.run([ARM64.compiler, *STRICT, "-o", folder / "engine", source])

    made.folder(ARM64_ENGINE, made.digest([source]), make)
    return _engine_command()


def built_arm64_engine() -> list[str] | None:
    """Return the engine's command if it is built from the sources as they are."""
    shim_current = made.is_current(ARM64_SHIM, _shim_key(ARM64))
    engine_current = made.is_current(ARM64_ENGINE, made.digest([NATIVE / "engine.c"]))
    return _engine_command() if shim_current and engine_current else None


def _shim_key(processor: Processor) -> str:
    library = library_folder(processor) / LIBRARY
    return made.digest([NATIVE / "bionic.c", NATIVE / "log.c", library], VERSION_SCRIPT)


def _engine_command() -> list[str]:
    emulator = ["qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu"]
    # The shim is the engine's alone: the emulator has its own libraries.
    emulator += ["-E", f"LD_LIBRARY_PATH={ARM64_SHIM}"]
    return [*emulator, str(ARM64_ENGINE / "engine"), str(library_folder(ARM64) / LIBRARY)]


def _forwards(library: Path) -> str:
    """Return a FORWARD line for each symbol that native/bionic.c does not define itself."""
    own = set(re.findall(r"^EXPORT\(\w+, (\w+)\)", (NATIVE / "bionic.c").read_text(), re.MULTILINE))
    listing = subprocess.run(
        ["readelf", "-W", "--dyn-syms", library], capture_output=True, text=True, check=True
    ).stdout
    wanted = set(re.findall(r" UND (\w+)@LIBC\b", listing))
    if other := set(re.findall(r" UND \w+@(\w+)", listing)) - {"LIBC"}:
        raise Failed(f"{library.name} asks for symbols of version {', '.join(sorted(other))}")
    if not wanted:
        raise Failed(f"{library} asks for no symbol of bionic's libc")
    return "".join(f"FORWARD({name})\n" for name in sorted(wanted - own))
