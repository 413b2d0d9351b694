"""Answer with LiteRT's reference kernels: slow, portable C++, and no delegate."""

from __future__ import annotations

from pipeline.child import LITERT
from pipeline.contract.choices import RuntimeName
from pipeline.runtimes.child_runtime import ChildRuntime
from pipeline.runtimes.interface import InferenceRequest, Threads
from pipeline.runtimes.litert import LiteRt


def _open(request: InferenceRequest) -> LiteRt:
    from ai_edge_litert.interpreter import OpResolverType

    resolver = OpResolverType.BUILTIN_REF
    return LiteRt(request.model, request.image, experimental_op_resolver_type=resolver)


RUNTIME = ChildRuntime(
    name=RuntimeName.litert_reference,
    title="LiteRT's reference kernels",
    packages=("ai-edge-litert",),
    threads=Threads.one,
    open=_open,
    process=LITERT,
)
