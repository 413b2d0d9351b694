"""Runs the tools, keeps what they say in a step's log, and knows where each comes from."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from checks.project import BUILD, Failed, Missing

# Each tool, and the Debian or Ubuntu package that has it.
PACKAGES = {
    "java": "openjdk-17-jdk-headless",
    "javac": "openjdk-17-jdk-headless",
    "keytool": "openjdk-17-jdk-headless",
    "gcc": "gcc libc6-dev",
    "readelf": "binutils",
    "aapt2": "aapt",
    "zipalign": "zipalign",
    "apksigner": "apksigner",
    "qemu-aarch64-static": "qemu-user-static",
    "aarch64-linux-gnu-gcc": (
        "gcc-aarch64-linux-gnu libc6-dev-arm64-cross binutils-aarch64-linux-gnu"
    ),
}
OLDEST_JDK = 17
# Far more than any tool takes; a tool that waits for something is ended.
LONGEST_S = 1200


def packages() -> list[str]:
    """Return every package that any step needs, sorted."""
    return sorted({package for line in PACKAGES.values() for package in line.split()})


@cache
def need(*tools: str) -> None:
    """Stop before anything is built if a tool is not installed.

    Raises:
        Missing: A tool is not there, or the JDK is too old.
    """
    absent = [tool for tool in tools if shutil.which(tool) is None]
    if absent:
        wanted = sorted({package for tool in absent for package in PACKAGES[tool].split()})
        raise Missing(f"{', '.join(absent)} missing: apt-get install {' '.join(wanted)}")
    if "javac" in tools:
        said = subprocess.run(["javac", "-version"], capture_output=True, text=True, check=True)
        version = (said.stdout + said.stderr).split()[-1]
        if int(version.split(".")[0]) < OLDEST_JDK:
            raise Missing(
                f"javac is {version}, JDK {OLDEST_JDK} or newer is needed: "
                f"apt-get install {PACKAGES['javac']}"
            )


@dataclass(frozen=True)
class Step:
    """What a step works with: the model to check with, and its own log."""

    name: str
    bundle: Path

    @property
    def log(self) -> Path:
        """Where everything the step's tools say is kept."""
        return BUILD / "logs" / f"{self.name}.log"

    def note(self, text: str) -> None:
        """Add a line to the log."""
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"{text}\n")

    def run(
        self,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        accept: Sequence[int] = (0,),
    ) -> tuple[int, str]:
        """Run a tool to its end; return its exit code and what it said on both streams.

        Raises:
            Failed: The exit code is not among those accepted.
        """
        words = [str(word) for word in command]
        self.note(f"$ {shlex.join(words)}")
        start = self.log.stat().st_size
        # Straight to the log, so that one can look on, and nothing is lost with an interrupt.
        with self.log.open("ab") as log:
            try:
                done = subprocess.run(
                    words,
                    env={**os.environ, **(env or {})},
                    cwd=cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    timeout=LONGEST_S,
                    check=False,
                )
            except subprocess.TimeoutExpired as error:
                raise Failed(f"{Path(words[0]).name} did not end in {LONGEST_S} s") from error
        said = self.log.read_bytes()[start:].decode(errors="replace")
        if done.returncode not in accept:
            raise Failed(f"{Path(words[0]).name} ended with exit code {done.returncode}")
        return done.returncode, said
