"""Divide groups of images into train, validation and test."""

from __future__ import annotations

import math
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from pipeline.contract.dataset import Finding, ImageRecord, Split
from pipeline.contract.hashing import sha256_bytes
from pipeline.data.intake import EXAMPLES, Item
from pipeline.data.scan import Scan
from pipeline.errors import BadInput

FOLDS = 20
# Of photographs without labels half calibrate (train), half prove (validation).
HALVES = (0.5, 0.5, 0.0)


def split_groups(
    items: Sequence[Item],
    classes: Sequence[str],
    *,
    seed: int,
    fractions: tuple[float, float, float],
) -> tuple[dict[str, Split], tuple[Finding, ...]]:
    """Assign every group to one split, each class spread as evenly as its groups allow.

    The groups go into 20 folds (fewer if there are fewer groups) by scikit-learn's
    StratifiedGroupKFold, and the folds to the splits. Then groups are moved, smallest first,
    until every class has one in train and one in validation. The order of `items` does not
    matter.

    Args:
        items: the images.
        classes: the class names, each of which must have at least two groups.
        seed: shuffles the groups.
        fractions: shares of train, validation and test; multiples of 0.05 that sum to 1, train
            and validation more than 0.

    Returns:
        The split of each group, and what a person should know of it.

    Raises:
        BadInput: the fractions, a class with fewer than two groups, or groups of several classes
            that no split can serve.
    """
    shares = split_shares(fractions)
    groups_of = _groups_of(items)
    small = {name: len(groups_of[name]) for name in classes if len(groups_of[name]) < 2}
    if small:
        raise BadInput(
            f"{len(small)} classes have fewer than 2 groups to divide between train and validation",
            expected="at least 2 groups (lesions) in every class",
            got=", ".join(f"{name} has {count}" for name, count in list(small.items())[:EXAMPLES]),
            next_step="add images of other lesions, or leave the class out of the source",
        )
    split_of = _stratify(items, shares, seed)
    moved = _cover(split_of, groups_of, classes, _sizes(items))
    return split_of, _findings(split_of, groups_of, classes, moved, fractions)


def halve_groups(
    items: Sequence[Item], scans: Mapping[str, Scan], *, seed: int
) -> dict[str, Split]:
    """Assign half of the groups of images without labels to train, the others to validation.

    The choice depends on the seed and on the images' content, not on their order or names; of an
    odd number validation gets one more.

    Raises:
        BadInput: there are fewer than two groups.
    """
    content: dict[str, str] = {}
    for item in items:
        sha256 = scans[item.path].sha256
        content[item.group] = min(sha256, content.get(item.group, sha256))
    if len(content) < 2:
        raise BadInput(
            "there are too few different photographs to calibrate with some and prove with others",
            expected="at least 2 of different content",
            got=f"{len(content)}",
        )
    drawn = sorted(content, key=lambda one: sha256_bytes(f"{seed}:{content[one]}".encode("ascii")))
    training = len(drawn) // 2
    return {
        group: Split.train if place < training else Split.validation
        for place, group in enumerate(drawn)
    }


def split_shares(fractions: tuple[float, float, float]) -> dict[Split, int]:
    """Return how many of the 20 folds each split gets.

    Raises:
        BadInput: the fractions are no multiples of 0.05 that sum to 1, or leave train or
            validation empty.
    """
    folds = [round(f * FOLDS) if math.isfinite(f) else -1 for f in fractions]
    fits = all(abs(f * FOLDS - n) < 1e-6 for f, n in zip(fractions, folds, strict=True))
    if not fits or sum(folds) != FOLDS or min(folds) < 0 or 0 in folds[:2]:
        raise BadInput(
            "the shares of train, validation and test do not fit",
            expected="multiples of 0.05 that sum to 1, train and validation more than 0",
            got=", ".join(f"{f:g}" for f in fractions),
        )
    return dict(zip(Split, folds, strict=True))


def refuse_shared_groups(images: Iterable[ImageRecord]) -> None:
    """Make sure that no group is in two splits.

    Raises:
        BadInput: some are; gives their number and the first five.
    """
    splits: dict[str, set[Split]] = defaultdict(set)
    for image in images:
        splits[image.group].add(image.split)
    shared = sorted(group for group, found in splits.items() if len(found) > 1)
    if shared:
        raise BadInput(
            f"{len(shared)} groups are in two splits",
            expected="every group (lesion) in one split",
            got=", ".join(shared[:EXAMPLES]),
        )


def _fold_splits(shares: dict[Split, int], folds: int) -> Iterator[Split]:
    # Each fold goes to the split that is furthest behind its share, so that a class of few
    # groups, which fills few folds, still reaches all three.
    given = dict.fromkeys(Split, 0)
    for index in range(1, folds + 1):
        behind = {split: index * shares[split] - FOLDS * given[split] for split in Split}
        chosen = max(Split, key=lambda split: behind[split])
        given[chosen] += 1
        yield chosen


def _stratify(items: Sequence[Item], shares: dict[Split, int], seed: int) -> dict[str, Split]:
    # scikit-learn takes a second to import; only a split needs it.
    from sklearn.model_selection import StratifiedGroupKFold

    ordered = sorted((item.group, _label(item)) for item in items)
    names, groups = np.unique([group for group, _ in ordered], return_inverse=True)
    _, labels = np.unique([label for _, label in ordered], return_inverse=True)
    # It takes no more folds than there are groups, and none if no class has as many images as
    # there are folds; counting every image several times changes no proportion.
    count = min(FOLDS, len(names))
    repeats = math.ceil(count / int(np.bincount(labels).max()))
    groups, labels = np.tile(groups, repeats), np.tile(labels, repeats)
    folds = StratifiedGroupKFold(n_splits=count, shuffle=True, random_state=seed)
    fold_splits = tuple(_fold_splits(shares, count))
    split_of: dict[str, Split] = {}
    with warnings.catch_warnings():
        # Classes of fewer than 20 images are expected; `_cover` sees to them.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        for fold, (_, inside) in enumerate(folds.split(np.zeros(len(labels)), labels, groups)):
            for index in np.unique(groups[inside]):
                split_of[str(names[index])] = fold_splits[fold]
    return split_of


def _cover(
    split_of: dict[str, Split],
    groups_of: dict[str, set[str]],
    classes: Sequence[str],
    sizes: Counter[str],
) -> list[str]:
    moved = []
    for name in classes:
        for needed, other in (
            (Split.train, Split.validation),
            (Split.validation, Split.train),
        ):
            if any(split_of[group] is needed for group in groups_of[name]):
                continue
            for donor in (Split.test, other):
                spare = [
                    group
                    for group in groups_of[name]
                    if split_of[group] is donor
                    and (donor is Split.test or _can_leave(group, split_of, groups_of))
                ]
                if spare:
                    chosen = min(spare, key=lambda group: (sizes[group], group))
                    split_of[chosen] = needed
                    moved.append(chosen)
                    break
            else:
                raise BadInput(
                    f"no split has the class {name} in both train and validation",
                    got="its groups also hold the last images of other classes",
                    next_step="check the groups: they tie images of several classes together",
                )
    return moved


def _can_leave(group: str, split_of: dict[str, Split], groups_of: dict[str, set[str]]) -> bool:
    return all(
        any(other != group and split_of[other] is split_of[group] for other in members)
        for members in groups_of.values()
        if group in members
    )


def _groups_of(items: Sequence[Item]) -> dict[str, set[str]]:
    groups: dict[str, set[str]] = defaultdict(set)
    for item in items:
        groups[_label(item)].add(item.group)
    return groups


def _label(item: Item) -> str:
    if item.label is None:
        raise ValueError(f"{item.path} has no label to spread evenly")
    return item.label


def _sizes(items: Sequence[Item]) -> Counter[str]:
    return Counter(item.group for item in items)


def _findings(
    split_of: dict[str, Split],
    groups_of: dict[str, set[str]],
    classes: Sequence[str],
    moved: Sequence[str],
    fractions: tuple[float, float, float],
) -> tuple[Finding, ...]:
    findings = []
    if moved:
        findings.append(
            Finding(
                kind="group_moved",
                message="groups were moved so that every class is in train and in validation",
                count=len(moved),
                examples=tuple(moved[:EXAMPLES]),
            )
        )
    tested = fractions[2] > 0
    absent = [c for c in classes if all(split_of[g] is not Split.test for g in groups_of[c])]
    if absent and tested:
        findings.append(
            Finding(
                kind="class_not_tested",
                message=f"classes have no image in the test split: {', '.join(absent)}",
                count=len(absent),
                examples=tuple(absent[:EXAMPLES]),
            )
        )
    mixed = sorted(g for g in split_of if sum(g in members for members in groups_of.values()) > 1)
    if mixed:
        findings.append(
            Finding(
                kind="group_of_several_classes",
                message="groups hold images of several classes; check their labels",
                count=len(mixed),
                examples=tuple(mixed[:EXAMPLES]),
            )
        )
    return tuple(findings)
