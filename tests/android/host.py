"""Run what `android_demo/check --only host` built: the app's core on this machine's JVM."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from pipeline.runtimes.android_host import AndroidHost

PROJECT = Path(__file__).resolve().parents[2] / "android_demo"
LONGEST_S = 120


def run_java(host: AndroidHost, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a main class with its arguments, or options before it, to its end."""
    return subprocess.run(
        [
            host.java,
            "-cp",
            os.pathsep.join(host.class_path),
            f"-Djava.library.path={host.library_path}",
            *words,
        ],
        env={**os.environ, "LD_LIBRARY_PATH": host.shim},
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )


def self_test(host: AndroidHost, bundle: Path, recording: Path) -> subprocess.CompletedProcess[str]:
    """Run the goldens of a bundle; `recording` is what the phone would share."""
    # A crash of the library is described there, not in the folder one stands in.
    crash = f"-XX:ErrorFile={recording.with_suffix('.crash.log')}"
    return run_java(host, crash, host.main, "selftest", bundle, recording)
