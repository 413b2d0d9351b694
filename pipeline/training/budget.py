"""Choose the longest schedule that fits a number of minutes, from speeds measured before."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.contract.base import Frozen
from pipeline.errors import BadInput
from pipeline.training.request import Settings

FEWEST_VIEWS = 2
# More fine-tunings than these change an average no more.
MAX_MEMBERS = 8
# What a machine does besides: a schedule must fit with a tenth to spare.
MARGIN = 1.1
_SHORTER_EPOCHS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96)


class Work(Frozen):
    """Count what is trained on: images by use, batches of an epoch, possible mirrored views."""

    train_images: int
    validation_images: int
    images: int
    steps: int
    possible_views: int


class Speed(Frozen):
    """State what a piece of work took on this machine, in seconds, measured on real batches.

    `start_s` is the first step and validation of a phase, which build its graphs; `step_s` and
    `head_step_s` are later steps of the longest phase and of the head's; `image_s` is the whole
    network's answer to an image, `validation_image_s` that of the layers that are trained.
    `spent_s` went by before.
    """

    start_s: float
    step_s: float
    head_step_s: float
    image_s: float
    validation_image_s: float
    spent_s: float


class Schedule(Frozen):
    """Record what a budget came to: the settings, the minutes they should take, and why."""

    budget_minutes: float
    expected_minutes: float
    settings: Settings
    speed: Speed

    def summary(self) -> str:
        """Return the schedule in a line, for the progress."""
        chosen = self.settings
        members = f", {chosen.members} fine-tunings averaged" if chosen.members > 1 else ""
        return (
            f"{chosen.epochs} epochs{members}: about {self.expected_minutes:.1f} of "
            f"{self.budget_minutes:g} minutes, at {self.speed.step_s:.2f} s a step"
        )


def views(settings: Settings, work: Work) -> int:
    """Return in how many mirrored views the training images are cached."""
    wanted = settings.cached_images // work.train_images
    return min(work.possible_views, max(FEWEST_VIEWS, wanted))


def expected_s(settings: Settings, speed: Speed, work: Work) -> float:
    """Return the seconds a training takes from its start to its published model."""
    epoch_s = work.steps * speed.step_s + work.validation_images * speed.validation_image_s
    phase_s = speed.start_s + settings.epochs * epoch_s
    # At the end the model answers every image once.
    total = speed.spent_s + settings.members * phase_s + work.images * speed.image_s
    if settings.strategy != "transfer":
        return total
    shown = views(settings, work)
    if settings.distil_epochs:
        answers = settings.distil_sets * shown * work.train_images
        total += answers * speed.validation_image_s
        total += speed.start_s + settings.distil_epochs * epoch_s
    seen = shown * work.train_images + work.validation_images
    head_s = settings.head_epochs * work.steps * speed.head_step_s
    return total + seen * speed.image_s + head_s


def choose(budget_minutes: float, settings: Settings, speed: Speed, work: Work) -> Schedule:
    """Return the longest schedule that fits.

    Raises:
        BadInput: not even the shortest does; says how many minutes it needs.
    """
    fitting: Schedule | None = None
    shortest_s = 0.0
    for candidate in schedules(settings, work):
        needed_s = MARGIN * expected_s(candidate, speed, work)
        shortest_s = shortest_s or needed_s
        if needed_s <= 60.0 * budget_minutes:
            fitting = Schedule(
                budget_minutes=budget_minutes,
                expected_minutes=round(needed_s / MARGIN / 60.0, 2),
                settings=candidate,
                speed=speed,
            )
    if fitting is None:
        raise BadInput(
            "not even the shortest training fits the budget",
            where="--budget",
            expected=f"at least {shortest_s / 60.0:.1f} minutes on this machine",
            got=f"{budget_minutes:g} minutes",
            next_step="allow more minutes, or take a smaller --size-px or --width",
        )
    return fitting


def schedules(settings: Settings, work: Work) -> Iterator[Settings]:
    """Yield a recipe's schedules from the shortest to the longest.

    Fewer epochs than the recipe's come first, with no more views than epochs; where the recipe
    fine-tunes cached features, more fine-tunings to average come last.
    """
    if settings.strategy != "transfer":
        for epochs in range(1, settings.epochs + 1):
            yield settings.model_copy(update={"epochs": epochs})
        return
    for epochs in (*(n for n in _SHORTER_EPOCHS if n < settings.epochs), settings.epochs):
        shown = min(views(settings, work), max(FEWEST_VIEWS, epochs))
        shorter = settings.model_copy(
            update={
                "epochs": epochs,
                "members": 1,
                "cached_images": shown * work.train_images,
                "distil_epochs": 0,
            }
        )
        yield shorter
    if settings.distil_epochs:
        yield settings.model_copy(update={"members": 1})
    for members in range(2, max(MAX_MEMBERS, settings.members) + 1):
        yield settings.model_copy(update={"members": members})
