"""What a benchmark says of the machine that its figures are from."""

from __future__ import annotations

import platform

from benchmarks.export_time import processor


def test_the_processor_is_named_with_avx_512_or_without() -> None:
    facts = "processor\t: 0\nmodel name\t: A chip\nflags\t\t: fpu avx2 {}\n"
    assert processor(facts.format("avx512f avx512bw")) == "A chip, with AVX-512"
    assert processor(facts.format("avx512_none")) == "A chip, without AVX-512"
    # Other systems have no such file.
    own = platform.processor() or platform.machine()
    assert processor("") == f"{own}, AVX-512 unknown"
