"""Find the description of a mistake.

`Mistake` is the list: each member is described by one entry of `reading`, `feeding` or
`answering`.
"""

from __future__ import annotations

from functools import cache
from typing import TypeAlias, assert_never

from pipeline.contract.choices import Mistake
from pipeline.contract.manifest import TensorInfo
from pipeline.imaging.decode import Pixels
from pipeline.mistakes import answering, feeding, reading
from pipeline.mistakes.interface import (
    Answered,
    AnswerMistake,
    Fed,
    FeedingMistake,
    Float32,
    Picture,
    ReadingMistake,
    Stored,
)

Described: TypeAlias = ReadingMistake | FeedingMistake | AnswerMistake


@cache
def _described() -> dict[Mistake, Described]:
    every: tuple[Described, ...] = (*reading.MISTAKES, *feeding.MISTAKES, *answering.MISTAKES)
    found = {one.name: one for one in every}
    if len(found) != len(every) or set(found) != set(Mistake):
        raise TypeError("each mistake needs one entry in reading, feeding or answering")
    return found


def describe(name: Mistake) -> Described:
    """Return what a mistake says about itself."""
    return _described()[name]


def input_variants(name: Mistake, fed: Fed) -> tuple[str, ...]:
    """Return the variants of a mistake that change what such a file is fed; empty for others."""
    mistake = describe(name)
    match mistake:
        case ReadingMistake():
            return tuple(mistake.variants)
        case FeedingMistake():
            return tuple(mistake.variants) if can_be_made(name, fed, fed.tensor) else ()
        case AnswerMistake():
            return ()
        case _:
            assert_never(mistake)


def can_be_made(name: Mistake, fed: Fed, output: TensorInfo) -> bool:
    """Tell whether a mistake is possible with a file of such an input and output."""
    mistake = describe(name)
    match mistake:
        case ReadingMistake():
            return True
        case FeedingMistake():
            return mistake.applies is None or mistake.applies(fed)
        case AnswerMistake():
            return mistake.applies is None or mistake.applies(output)
        case _:
            assert_never(mistake)


def wrong_tensor(name: Mistake, variant: str, picture: Picture, pixels: Pixels, fed: Fed) -> Stored:
    """Return what the file is fed where a runtime makes a mistake on the way in.

    Args:
        name: a mistake that has input variants.
        variant: one of them.
        picture: the decoded image.
        pixels: the contract's pixels of it.
        fed: the contract, and the file's input type.
    """
    mistake = describe(name)
    match mistake:
        case ReadingMistake():
            return feeding.right_tensor(mistake.variants[variant](picture, fed.image), fed)
        case FeedingMistake():
            return mistake.variants[variant](pixels, fed)
        case AnswerMistake():
            raise ValueError(f"{name} changes no input")
        case _:
            assert_never(mistake)


def wrong_answers(name: Mistake, answered: Answered) -> dict[str, Float32]:
    """Return what each variant of a mistake on the way out makes of the right answers."""
    mistake = describe(name)
    match mistake:
        case ReadingMistake() | FeedingMistake():
            return {}
        case AnswerMistake():
            made = {variant: make(answered) for variant, make in mistake.variants.items()}
            return {variant: rows for variant, rows in made.items() if rows is not None}
        case _:
            assert_never(mistake)
