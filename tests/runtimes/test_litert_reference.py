"""The reference kernels: the same answers as XNNPACK's, from other code."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.child import ask_child
from pipeline.contract.base import Frozen
from pipeline.contract.choices import RuntimeName
from pipeline.progress import Report
from pipeline.runtimes.interface import InferenceRequest
from pipeline.runtimes.registry import describe
from tests.export.samples import samples
from tests.runtimes.test_clients import answers, inference


class Nodes(Frozen):
    litert: tuple[str, ...]
    reference: tuple[str, ...]


def nodes_child(request: InferenceRequest, report: Report) -> Nodes:
    from pipeline.runtimes.litert import RUNTIME as LITERT
    from pipeline.runtimes.litert_reference import RUNTIME as REFERENCE

    def names(described) -> tuple[str, ...]:
        interpreter = described.open(request)._interpreter
        return tuple(node["op_name"] for node in interpreter._get_ops_details())

    return Nodes(litert=names(LITERT), reference=names(REFERENCE))


@pytest.mark.parametrize(("name", "apart"), [("float32", 1e-5), ("int8-uint8", 1.1 / 256)])
def test_reference_kernels_answer_as_xnnpack_does(name: str, apart: float) -> None:
    litert = answers(RuntimeName.litert, samples().described[name], timed_inferences=2)
    reference = answers(RuntimeName.litert_reference, samples().described[name], timed_inferences=2)
    np.testing.assert_allclose(reference.probabilities, litert.probabilities, atol=apart)
    assert reference.latencies_ms.shape == (2,)


def test_no_delegate_runs_and_one_thread() -> None:
    request = inference(RuntimeName.litert_reference, samples().described["float32"], [])
    nodes = ask_child(f"{__name__}:nodes_child", request, Nodes)
    assert "DELEGATE" in nodes.litert
    assert "DELEGATE" not in nodes.reference
    assert describe(RuntimeName.litert_reference).threads_used(1) == 1
