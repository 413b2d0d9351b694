"""The search for near hashes against comparing every pair."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.contract.dataset import Split
from pipeline.data.duplicates import NEAR_BITS, near_duplicates
from pipeline.data.hamming import Flags, Hashes, distances, have_near
from tests.data.test_checks import a_record, a_scan

_FLIPS = st.lists(st.integers(0, 63), max_size=7, unique=True)
# Clusters of hashes a few bits apart, so that pairs on both sides of every limit are drawn.
_CLUSTERED = st.lists(
    st.tuples(st.sampled_from([0, 2**64 - 1, 0x0123456789ABCDEF]), _FLIPS).map(
        lambda drawn: drawn[0] ^ sum(1 << bit for bit in drawn[1])
    ),
    max_size=30,
).map(lambda values: np.array(values, np.uint64))


def every_pair(hashes: Hashes, others: Hashes, bits: int) -> Flags:
    return (np.bitwise_count(hashes[:, None] ^ others[None, :]) <= bits).any(axis=1)


@given(_CLUSTERED, _CLUSTERED, st.integers(0, 6))
@settings(max_examples=100, deadline=None)
def test_it_finds_what_comparing_every_pair_finds(
    hashes: Hashes, others: Hashes, bits: int
) -> None:
    assert have_near(hashes, others, bits=bits).tolist() == (
        every_pair(hashes, others, bits).tolist()
    )


@pytest.mark.parametrize("bits", range(NEAR_BITS + 1))
def test_a_pair_is_found_wherever_its_bits_differ(bits: int) -> None:
    random = np.random.default_rng(bits)
    hashes = random.integers(0, 2**64, 500, dtype=np.uint64)
    for extra in (0, 1):
        flips = [random.choice(64, bits + extra, replace=False) for _ in hashes]
        others = hashes ^ np.array([sum(1 << int(b) for b in f) for f in flips], np.uint64)
        for one, other in zip(hashes, others, strict=True):
            near = have_near(np.array([one]), np.array([other]), bits=bits)
            assert near.tolist() == [extra == 0]


def test_distances_count_the_bits_that_differ() -> None:
    found = distances(np.uint64(0b1010), np.array([0b1010, 0b0101, 2**63], np.uint64))
    assert found.tolist() == [0, 4, 3]


@given(
    st.lists(
        st.tuples(st.sampled_from(list(Split)), st.integers(0, 40), _FLIPS), min_size=1, max_size=40
    )
)
@settings(max_examples=60, deadline=None)
def test_the_finding_counts_and_names_as_comparing_every_pair_does(
    drawn: list[tuple[Split, int, list[int]]],
) -> None:
    records = [a_record(f"{n:02d}", split) for n, (split, _, _) in enumerate(drawn)]
    hashes = [(base % 3) * 0xFF00FF ^ sum(1 << b for b in flips) for _, base, flips in drawn]
    scans = {r.path: a_scan(phash=h) for r, h in zip(records, hashes, strict=True)}
    pairs = [
        (a, b)
        for a in range(len(records))
        for b in range(a + 1, len(records))
        if records[a].split is not records[b].split
        and (hashes[a] ^ hashes[b]).bit_count() <= NEAR_BITS
    ]
    findings = near_duplicates(records, scans)
    assert len(findings) == bool(pairs)
    for finding in findings:
        assert finding.count == len({one for pair in pairs for one in pair})
        assert finding.examples == tuple(
            f"{records[a].path} ({records[a].split}) ~ {records[b].path} ({records[b].split})"
            for a, b in pairs[:5]
        )


@pytest.mark.parametrize("kind", ["equal", "far apart in one bucket"])
def test_a_crowd_in_one_bucket_takes_no_more_memory(kind: str) -> None:
    count = 40_000
    if kind == "equal":
        hashes = np.zeros(count, np.uint64)
        others = np.full(count, 0b11111, np.uint64)
    else:
        # They agree in two blocks and are near in none.
        random = np.random.default_rng(0)
        loose = np.uint64(sum(1 << bit for bit in range(64) if bit % (NEAR_BITS + 2) > 1))
        drawn = random.integers(0, 2**64, 2 * 4_000, dtype=np.uint64) & loose
        hashes, others = drawn[:4_000], drawn[4_000:]
    tracemalloc.start()
    near = have_near(hashes, others, bits=NEAR_BITS)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not near.any()
    assert peak_bytes < 64 * 2**20
