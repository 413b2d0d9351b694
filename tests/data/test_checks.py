"""Duplicates, near duplicates, contradictions and what gives a class away."""

from __future__ import annotations

import numpy as np

from pipeline.contract.dataset import ImageRecord, Split
from pipeline.data.duplicates import contradictions, merge_groups, near_duplicates
from pipeline.data.intake import Item
from pipeline.data.scan import Scan
from pipeline.data.shortcut_features import shortcut_features


def a_scan(content: int = 0, phash: int = 0, width_px: int = 10, kind: str = "JPEG") -> Scan:
    return Scan(
        width_px=width_px,
        height_px=10,
        size_bytes=1,
        sha256=f"{content:064x}",
        phash=f"{phash:016x}",
        format=kind,
    )


def a_record(path: str, split: Split) -> ImageRecord:
    return ImageRecord(
        path=path,
        label="a",
        group=path,
        split=split,
        width_px=1,
        height_px=1,
        size_bytes=1,
        sha256="0" * 64,
    )


def test_groups_that_share_a_file_become_one_through_a_chain() -> None:
    items = [
        Item("1", "x", "g1", ""),
        Item("2", "x", "g2", ""),
        Item("3", "x", "g2", ""),
        Item("4", "x", "g3", ""),
        Item("5", "x", "g4", ""),
    ]
    scans = dict(zip("12345", map(a_scan, (10, 10, 20, 20, 30)), strict=True))
    merged, (finding,) = merge_groups(items, scans)
    assert [item.group for item in merged] == ["g1", "g1", "g1", "g1", "g4"]
    assert (finding.kind, finding.count) == ("exact_duplicate", 4)
    assert finding.examples == ("1 = 2", "3 = 4")


def test_no_copies_no_finding() -> None:
    items = [Item("1", "x", "g1", ""), Item("2", "x", "g2", "")]
    merged, findings = merge_groups(items, {"1": a_scan(1), "2": a_scan(2)})
    assert list(merged) == items
    assert not findings


def test_every_copy_under_two_labels_is_a_problem() -> None:
    items = [Item("1", "x", "g1", ""), Item("2", "y", "g2", ""), Item("3", "x", "g3", "")]
    scans = {"1": a_scan(7), "2": a_scan(7), "3": a_scan(8)}
    (problem,) = contradictions(items, scans)
    assert problem.images == ("1", "2")
    assert not contradictions(items[1:], scans)


def test_near_duplicates_differ_in_at_most_four_bits_and_are_in_two_splits() -> None:
    base = 0x0123456789ABCDEF
    records = [
        a_record("train", Split.train),
        a_record("train-copy", Split.train),
        a_record("four-bits", Split.test),
        a_record("five-bits", Split.test),
        a_record("far", Split.validation),
    ]
    hashes = (base, base, base ^ 0b1111, base ^ (0b11111 << 32), base ^ 0xFFFFFFFF)
    scans = {r.path: a_scan(phash=h) for r, h in zip(records, hashes, strict=True)}
    (finding,) = near_duplicates(records, scans)
    assert finding.count == 3
    assert finding.examples == (
        "train (train) ~ four-bits (test)",
        "train-copy (train) ~ four-bits (test)",
    )


def test_near_duplicates_agree_with_comparing_every_pair() -> None:
    rng = np.random.default_rng(0)
    splits = list(Split)
    records = [a_record(f"{n}", splits[int(rng.integers(3))]) for n in range(1100)]
    hashes = [int(h) for h in rng.integers(0, 2**12, len(records))]
    scans = {r.path: a_scan(phash=h) for r, h in zip(records, hashes, strict=True)}
    expected = {
        a.path
        for a, one in zip(records, hashes, strict=True)
        if any(
            (one ^ other).bit_count() <= 4 and a.split is not b.split
            for b, other in zip(records, hashes, strict=True)
        )
    }
    (finding,) = near_duplicates(records, scans)
    assert finding.count == len(expected)


def test_a_resolution_of_one_class_alone_is_reported() -> None:
    items = [Item(f"{n}", "mel" if n < 10 else "nv", f"{n}", "") for n in range(40)]
    scans = {i.path: a_scan(width_px=99 if i.label == "mel" else 10 + int(i.path)) for i in items}
    (finding,) = shortcut_features(items, scans)
    assert finding.kind == "shortcut_resolution"
    assert "'99x10' is that of 10 of 10 images of mel and 0 of 30 others" in finding.message


def test_exactly_ninety_percent_is_no_shortcut() -> None:
    items = [Item(f"{n}", "mel" if n < 10 else "nv", f"{n}", "") for n in range(40)]
    scans = {i.path: a_scan(width_px=99 if int(i.path) < 9 else 10 + int(i.path)) for i in items}
    assert not shortcut_features(items, scans)


def test_a_value_that_ten_percent_of_the_others_have_is_no_shortcut() -> None:
    items = [Item(f"{n}", "mel" if n < 10 else "nv", f"{n}", "") for n in range(40)]
    scans = {i.path: a_scan(width_px=99 if int(i.path) < 13 else 100 + int(i.path)) for i in items}
    assert not shortcut_features(items, scans)


def test_a_format_and_a_source_give_classes_away() -> None:
    items = [Item(f"{n}", "ab"[n % 2], f"{n}", ("x", "y")[n % 2]) for n in range(20)]
    scans = {i.path: a_scan(kind="PNG" if i.label == "a" else "JPEG") for i in items}
    kinds = sorted(f.kind for f in shortcut_features(items, scans))
    assert kinds == ["shortcut_format"] * 2 + ["shortcut_source"] * 2
