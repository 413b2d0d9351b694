"""Find 64-bit hashes that differ in few bits, without comparing every pair."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]
_Places = npt.NDArray[np.int64]

_HASH_BITS = 64
# How many blocks of bits a table sorts by: with two, 400,000 hashes leave a dozen candidates each.
_AGREEING = 2
# Candidates compared at once, 8 bytes each: the memory of a search that many equal keys make long.
_MOST_CANDIDATES = 1 << 20


def have_near(hashes: Hashes, others: Hashes, *, bits: int) -> Flags:
    """Tell of each hash whether one of the others differs from it in at most `bits` bits.

    Of `bits + 2` blocks that divide the 64 bits, a pair that differs in at most `bits` agrees
    wholly in two (the pigeonhole principle). So for every two blocks the others are sorted by
    the bits of these, and only those with the same are compared: exactly the answer of
    comparing every pair, at a cost that grows as sorting does while such buckets stay small
    (Manku, Jain and Das Sarma 2007, Detecting Near-Duplicates for Web Crawling). A hash that
    found one is asked no more, and equal ones are asked once, so that many copies of one image
    cost nothing. The memory is a few arrays as long as the input.

    Args:
        hashes: uint64 (n,).
        others: uint64 (m,).
        bits: from 0 to 62.

    Returns:
        bool (n,).
    """
    asked, which = np.unique(hashes, return_inverse=True)
    known = np.unique(others)
    found = np.isin(asked, known, assume_unique=True)
    if len(known):
        for mask in _masks(bits):
            waiting = np.flatnonzero(~found)
            found[waiting] = _near_in_table(asked[waiting], known, mask, bits)
    near: Flags = found[which]
    return near


def distances(one: np.uint64, others: Hashes) -> npt.NDArray[np.uint8]:
    """Return in how many bits each of the others, uint64 (n,), differs from one hash."""
    bits: npt.NDArray[np.uint8] = np.bitwise_count(one ^ others)
    return bits


def _masks(bits: int) -> Iterator[np.uint64]:
    """Yield the bits of every two of the blocks.

    Neighbouring bits of a perceptual hash are alike; dealing them out in turn makes the blocks
    alike instead, and their buckets even.
    """
    blocks = bits + _AGREEING
    dealt = [sum(1 << bit for bit in range(first, _HASH_BITS, blocks)) for first in range(blocks)]
    for chosen in combinations(dealt, _AGREEING):
        yield np.uint64(sum(chosen))


def _near_in_table(asked: Hashes, known: Hashes, mask: np.uint64, bits: int) -> Flags:
    keys = known & mask
    order = np.argsort(keys)
    keys, known = keys[order], known[order]
    found = np.zeros(len(asked), np.bool_)
    start = np.searchsorted(keys, asked & mask, "left")
    end = np.searchsorted(keys, asked & mask, "right")
    width = 1
    while True:
        # What found one, or saw its whole bucket, leaves the search.
        rows: _Places = np.flatnonzero(~found & (start < end))
        if not len(rows):
            return found
        width = max(1, min(2 * width, _MOST_CANDIDATES // len(rows)))
        for part in np.array_split(rows, -(-len(rows) // _MOST_CANDIDATES)):
            places = start[part, None] + np.arange(width)
            # Past its bucket a row meets the last one again, which changes nothing.
            np.minimum(places, end[part, None] - 1, out=places)
            close = np.bitwise_count(known[places] ^ asked[part, None]) <= bits
            found[part] = close.any(axis=1)
        start[rows] += width
