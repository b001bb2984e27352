"""What the numbers mean for a decision: is it enough, and what to do next. Nothing is recommended that no number speaks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from prolip_core import business, comparison, wording
from prolip_core.i18n import Translator, note_of
from prolip_core.reports.source import Source
from prolip_core.studies.names import CURVE

Outcome = Literal["enough", "open", "not enough"]
FEW_TEST_PHOTOS = 30
"""Below this, even a run without a mistake leaves a range of more than ten points."""

FEW_PER_CLASS = 5
SHOWN_PAIRS = 3


@dataclass(frozen=True)
class Advice:
    """`first`: the next step in a sentence; `reasons`: why, and what else to do."""

    outcome: Outcome
    first: str
    reasons: tuple[str, ...]


def outcome(source: Source) -> Outcome:
    """Where the range of ProLIP's accuracy lies against what is wanted."""
    low, high = source.compared.second.accuracy_interval
    if low >= source.choices.wanted:
        return "enough"
    return "open" if high >= source.choices.wanted else "not enough"


def answer(say: Translator, source: Source) -> str:
    """The answer in one sentence, with its count and its range."""
    _ = say.text
    found = source.compared.second
    low, high = found.accuracy_interval
    values = {
        "correct": say.number(found.correct),
        "count": say.number(found.count),
        "low": say.percent(low),
        "high": say.percent(high),
        "wanted": say.percent(source.choices.wanted, decimals_of(source.choices.wanted)),
    }
    return {
        "enough": _(
            "Yes: {correct} of {count} photos were recognised (likely {low}–{high}), and at least {wanted} were wanted.",
            **values,
        ),
        "open": _(
            "Perhaps: {correct} of {count} photos were recognised (likely {low}–{high}). Whether it reaches the wanted {wanted} "
            "cannot be told yet.",
            **values,
        ),
        "not enough": _(
            "Not yet: {correct} of {count} photos were recognised (likely {low}–{high}), and {wanted} were wanted.",
            **values,
        ),
    }[outcome(source)]


def decimals_of(share: float) -> int:
    """As many as it takes to show a share in tenths of a per cent as it was typed."""
    return 0 if abs(100 * share - round(100 * share)) < 1e-6 else 1


def advice(say: Translator, source: Source) -> Advice:
    found = outcome(source)
    first = {"enough": _enough, "open": _open, "not enough": _not_enough}[found](say, source)
    reasons = [*_of_the_curve(say, source), *_of_the_pairs(say, source), *_of_the_photos(say, source)]
    return Advice(found, first, tuple(dict.fromkeys(one for one in reasons if one != first)))


def _enough(say: Translator, source: Source) -> str:
    _ = say.text
    if source.run.summary.evaluation != "test":
        return _("Next: set photos aside for testing, taken on another day, and measure once more before it is used.")
    return _("Next: let it run beside today's way of working for a month, and compare both every week.")


def _open(say: Translator, source: Source) -> str:
    _ = say.text
    found = source.compared.second
    needed = business.photos_for(found.accuracy, source.choices.wanted)
    if source.run.summary.evaluation != "test":
        if needed is None:
            return _("Next: set photos aside for testing, taken on another day, and measure once more.")
        return _(
            "Next: set photos aside for testing, taken on another day, and measure once more. If it stays as good as this, about "
            "{needed} test photos would show that it reaches what is wanted.",
            needed=say.number(needed),
        )
    if needed is not None and needed > found.count:
        return _(
            "Next: measure on more photos. If it stays as good as this, about {needed} test photos would show that it reaches "
            "what is wanted; there are {count}.",
            needed=say.number(needed),
            count=say.number(found.count),
        )
    return _("Next: take more photos to learn from, of the classes that are confused, and train again.")


def _not_enough(say: Translator, source: Source) -> str:
    _ = say.text
    curve = source.studies.get(CURVE)
    if curve is not None and curve.result.get("advice") == "flat":
        return _(
            "Next: change how the photos are taken, or the names of the classes; more photos alone will hardly help."
        )
    return _("Next: take more photos to learn from, of the classes that are confused, and train again.")


def _of_the_curve(say: Translator, source: Source) -> list[str]:
    curve = source.studies.get(CURVE)
    try:
        return [] if curve is None else [wording.note(say, note_of(parts)) for parts in curve.result["advice_parts"]]
    except (LookupError, TypeError, ValueError, AttributeError):  # out of a file, other than ours are
        return []


def _of_the_pairs(say: Translator, source: Source) -> list[str]:
    """Which classes are taken for which most often."""
    _ = say.text
    pairs = comparison.most_confused(source.compared.second, SHOWN_PAIRS)
    if not pairs:
        return []
    names = source.compared.class_names
    listed = [
        _(
            "{true} taken for {answer}: {count}",
            true=wording.short(names[pair.true], 30),
            answer=wording.short(names[pair.answer], 30),
            count=say.number(pair.count),
        )
        for pair in pairs
    ]
    separator = "、" if say.language == "ja" else "; "
    return [_("Most often confused: {pairs}. Photos that show the difference help most.", pairs=separator.join(listed))]


def _of_the_photos(say: Translator, source: Source) -> list[str]:
    _ = say.text
    if source.run.summary.evaluation != "test":
        return [_("Separate test photos would make the numbers more certain: these photos also taught.")]
    if source.compared.second.count < FEW_TEST_PHOTOS:
        return [
            _(
                "Only {count} test photos: with {least} or more the range becomes much narrower.",
                count=say.number(source.compared.second.count),
                least=say.number(10 * FEW_TEST_PHOTOS),
            )
        ]
    return []
