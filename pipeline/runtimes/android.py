"""Answer with the Android library behind the app's own code, on this machine's JVM."""

from __future__ import annotations

from pipeline.contract.choices import RuntimeName
from pipeline.runtimes.android_host import AndroidRuntime
from pipeline.runtimes.interface import Threads

RUNTIME = AndroidRuntime(
    name=RuntimeName.android,
    title="the Android library on a JVM",
    threads=Threads.asked,
)
