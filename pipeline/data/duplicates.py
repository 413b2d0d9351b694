"""Find images that are the same, or nearly, and keep the same ones together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
import numpy.typing as npt

from pipeline.contract.dataset import Finding, ImageRecord, Split
from pipeline.data.hamming import Flags, Hashes, distances, have_near
from pipeline.data.intake import EXAMPLES, Item, Problem
from pipeline.data.scan import Scan

NEAR_BITS = 4


def contradictions(items: Sequence[Item], scans: Mapping[str, Scan]) -> tuple[Problem, ...]:
    """Return every copy of a file that appears under different labels, as a problem."""
    bad = tuple(
        item.path
        for same in _by_content(items, scans)
        if len({item.label for item in same}) > 1
        for item in same
    )
    if not bad:
        return ()
    message = "have the same content as an image of another class"
    return (Problem("contradictory_label", message, tuple(sorted(bad))),)


def merge_groups(
    items: Sequence[Item], scans: Mapping[str, Scan]
) -> tuple[tuple[Item, ...], tuple[Finding, ...]]:
    """Put files of the same content into one group, so that no split can divide them.

    Groups that share a file become one, under the name that sorts first.

    Returns:
        The items in their order, and a finding if there are copies.
    """
    parent = {item.group: item.group for item in items}

    def find(group: str) -> str:
        while parent[group] != group:
            parent[group] = parent[parent[group]]
            group = parent[group]
        return group

    copies = [same for same in _by_content(items, scans) if len(same) > 1]
    for same in copies:
        for item in same[1:]:
            first, second = sorted((find(same[0].group), find(item.group)))
            parent[second] = first
    merged = tuple(replace(item, group=find(item.group)) for item in items)
    if not copies:
        return merged, ()
    finding = Finding(
        kind="exact_duplicate",
        message="images have the same content as another one; copies were put in one group, so "
        "that none is in two splits",
        count=sum(len(same) for same in copies),
        examples=tuple(" = ".join(item.path for item in same[:3]) for same in copies[:EXAMPLES]),
    )
    return merged, (finding,)


def near_duplicates(
    images: Sequence[ImageRecord], scans: Mapping[str, Scan]
) -> tuple[Finding, ...]:
    """Report images that look like one in another split.

    Two images are near duplicates when their 64-bit perceptual hashes differ in at most 4 bits
    (Zauner 2010, Implementation and Benchmarking of Perceptual Image Hash Functions).
    """
    which = np.array([list(Split).index(image.split) for image in images], np.int8)
    hashes = np.array([int(scans[image.path].phash, 16) for image in images], np.uint64)
    near = np.zeros(len(images), np.bool_)
    for split in np.unique(which):
        inside = which == split
        near[inside] = have_near(hashes[inside], hashes[~inside], bits=NEAR_BITS)
    if not near.any():
        return ()
    return (
        Finding(
            kind="near_duplicate",
            message="images look like one in another split (perceptual hashes differ in at most "
            f"{NEAR_BITS} of 64 bits); if they show the same lesion, give it one group",
            count=int(near.sum()),
            examples=tuple(
                f"{images[a].path} ({images[a].split}) ~ {images[b].path} ({images[b].split})"
                for a, b in islice(_first_pairs(hashes, which, near), EXAMPLES)
            ),
        ),
    )


def _first_pairs(
    hashes: Hashes, which: npt.NDArray[np.int8], near: Flags
) -> Iterator[tuple[int, int]]:
    """Yield the first pairs of near duplicates, in order, of the images known to have one."""
    for one in np.flatnonzero(near).tolist():
        # Nearly every one of the first begins a pair: the search ends after a few rows.
        later = slice(one + 1, None)
        close = near[later] & (which[later] != which[one])
        close &= distances(hashes[one], hashes[later]) <= NEAR_BITS
        for other in np.flatnonzero(close)[:EXAMPLES].tolist():
            yield one, one + 1 + other


def _by_content(items: Sequence[Item], scans: Mapping[str, Scan]) -> list[list[Item]]:
    found: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        found[scans[item.path].sha256].append(item)
    return list(found.values())
