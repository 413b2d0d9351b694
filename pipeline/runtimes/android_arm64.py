"""Answer with the Android library for arm64-v8a, the processor of phones, under emulation."""

from __future__ import annotations

from pipeline.contract.choices import RuntimeName
from pipeline.runtimes.android_host import AndroidRuntime
from pipeline.runtimes.interface import Threads

RUNTIME = AndroidRuntime(
    name=RuntimeName.android_arm64,
    title="the Android library for arm64-v8a, emulated",
    threads=Threads.asked,
    emulated=True,
)
