"""Cost and benefit of letting the model answer, and how many photos a check needs: pure arithmetic on measured photos.

What is not known exactly is a `Span`: its ends come from the ends of 95 % intervals (Wilson) of what was measured. Where several
shares were measured, all combinations of their ends are tried and the lowest and highest outcome are kept, so the span is rather
too wide than too narrow. Money has no unit here; shares are fractions.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from prolip_core import metrics
from prolip_core.types import Prediction

MAX_VALUE = 1e9
"""A typed number over this is taken as this."""

ALARM_RISK, POWER = 0.05, 0.8
"""Of a drift check: a false alarm in one of twenty months without any change, a real drop noticed in four of five."""

MAX_CHECK_PHOTOS = 3000


@dataclass(frozen=True)
class Inputs:
    """What the user knows about the work; the defaults are an empty form. bad_share: of all parts, how many are of the classes
    in `bad_classes` (names). person_wrong: how often a person is wrong today, a fraction."""

    currency: str = "¥"
    parts_per_day: float = 0
    days_per_year: float = 240
    check_seconds: float = 0
    minute_cost: float = 0
    person_wrong: float = 0
    wrong_cost: float = 0
    bad_classes: tuple[str, ...] = ()
    bad_share: float = 0.05
    miss_cost: float = 0
    alarm_cost: float = 0
    photos_to_take: float = 0
    seconds_per_photo: float = 30
    setup_hours: float = 0

    @property
    def is_filled(self) -> bool:
        """Whether there is enough for a yearly effect."""
        return min(self.parts_per_day, self.days_per_year, self.check_seconds, self.minute_cost) > 0

    @property
    def parts_per_year(self) -> float:
        return self.parts_per_day * self.days_per_year

    @property
    def check_cost(self) -> float:
        """Of one part looked at by a person, without what mistakes cost."""
        return self.check_seconds / 60 * self.minute_cost

    @property
    def once(self) -> float:
        """Taking the photos and setting everything up, at the cost of a manual minute."""
        return (self.photos_to_take * self.seconds_per_photo / 60 + self.setup_hours * 60) * self.minute_cost


@dataclass(frozen=True)
class Span:
    """A likely value with its range, low ≤ likely ≤ high."""

    low: float
    likely: float
    high: float


@dataclass(frozen=True)
class Tally:
    """Measured photos, by what would have happened to them. `with_rule`: some answers may have gone to a person; without a rule
    everything is answered alone. bad: photos of the classes that need action; missed: answered alone as a class that does not;
    false_alarms: the contrary. `wrong`: answered alone and wrongly, whatever the classes. all_to_a_person: by the rule itself, so
    that this is no estimate."""

    with_rule: bool
    count: int
    answered: int
    wrong: int
    bad: int
    bad_answered: int
    missed: int
    good: int
    good_answered: int
    false_alarms: int
    all_to_a_person: bool = False


@dataclass(frozen=True)
class Effect:
    """A year with the model against a year without. `wrong`: parts answered alone and wrongly; where classes need action, those
    missed or stopped wrongly. `effect`: what is saved (below 0: lost), without what has to be paid once;
    `break_even_days`: working days until that is earned, None where the likely effect is no gain, `high` infinite where its lower
    end is none; `break_even_accuracy`: right answers among those given alone at which a year costs the same; None if mistakes
    cost nothing."""

    today: float
    after: Span
    effect: Span
    once: float
    alone: Span
    wrong: Span
    break_even_days: Span | None
    break_even_accuracy: float | None


@dataclass(frozen=True)
class DriftCheck:
    """Check `photos` a month by hand; fewer than `least_right` right answers are an alarm."""

    drop: float
    photos: int
    least_right: int


def as_dict(inputs: Inputs) -> dict[str, Any]:
    """Ready for JSON."""
    return {**asdict(inputs), "bad_classes": list(inputs.bad_classes)}


def from_dict(kept: Mapping[str, Any]) -> Inputs:
    """What was kept, also by another version: unknown entries are dropped, what is no number in range falls back to the form's
    own value."""
    empty = Inputs()
    values: dict[str, Any] = {}
    for field in fields(Inputs):
        value = kept.get(field.name)
        if field.name == "currency":
            values[field.name] = str(value)[:8] if value else empty.currency
        elif field.name == "bad_classes":
            values[field.name] = tuple(map(str, value)) if isinstance(value, list | tuple) else ()
        elif isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
            limit = 1.0 if field.name in ("person_wrong", "bad_share") else MAX_VALUE
            values[field.name] = min(float(value), limit)
        else:
            values[field.name] = getattr(empty, field.name)
    return Inputs(**values)


def tally(
    answers: Sequence[Prediction],
    bad: Collection[int],
    sure_N: Sequence[bool] | None,
    all_to_a_person: bool = False,
) -> Tally:
    """Counts what would have happened to the measured photos. bad: positions of classes; sure_N: which are answered alone, None
    for all; all_to_a_person: the rule lets none stand alone. Raises ValueError for different lengths."""
    alone_N = [True] * len(answers) if sure_N is None else sure_N
    pairs = list(zip(answers, alone_N, strict=True))
    of_bad = [(one, alone) for one, alone in pairs if one.label in bad]
    of_good = [(one, alone) for one, alone in pairs if one.label not in bad]
    return Tally(
        with_rule=sure_N is not None,
        count=len(pairs),
        answered=sum(alone for _, alone in pairs),
        wrong=sum(alone and one.predicted != one.label for one, alone in pairs),
        bad=len(of_bad),
        bad_answered=sum(alone for _, alone in of_bad),
        missed=sum(alone and one.predicted not in bad for one, alone in of_bad),
        good=len(of_good),
        good_answered=sum(alone for _, alone in of_good),
        false_alarms=sum(alone and one.predicted in bad for one, alone in of_good),
        all_to_a_person=all_to_a_person,
    )


def tells_bad_from_good(inputs: Inputs, counts: Tally) -> bool:
    """Whether misses and false alarms can be told apart: some classes need action, others do not, and both were measured."""
    return bool(inputs.bad_classes) and counts.bad > 0 and counts.good > 0


def yearly(inputs: Inputs, counts: Tally) -> Effect:
    """The year. Needs counts.count ≥ 1."""
    bad_share = inputs.bad_share if tells_bad_from_good(inputs, counts) else None
    if bad_share is None:
        alone, wrong, mistakes = _one_kind(inputs, counts)
        cost_of_a_mistake = inputs.wrong_cost
    else:
        alone, wrong, mistakes = _two_kinds(inputs, counts, bad_share)
        cost_of_a_mistake = bad_share * inputs.miss_cost + (1 - bad_share) * inputs.alarm_cost
    if counts.all_to_a_person:
        alone = wrong = mistakes = Span(0, 0, 0)
    by_person = inputs.check_cost + inputs.person_wrong * cost_of_a_mistake
    # Linear in the share alone and in the cost of mistakes: the extremes are at the corners.
    corners = [(1 - share) * by_person + cost for share, cost in itertools.product(_ends(alone), _ends(mistakes))]
    likely = (1 - alone.likely) * by_person + mistakes.likely
    parts = inputs.parts_per_year
    today = parts * by_person
    after = Span(parts * min(corners), parts * likely, parts * max(corners))
    effect = Span(today - after.high, today - after.likely, today - after.low)
    return Effect(
        today=today,
        after=after,
        effect=effect,
        once=inputs.once,
        alone=_times(parts, alone),
        wrong=_times(parts, wrong),
        break_even_days=_days(inputs, effect),
        break_even_accuracy=_break_even_accuracy(alone.likely, by_person, cost_of_a_mistake),
    )


def drift_check(accuracy: float, drop: float) -> DriftCheck | None:
    """The fewest photos a month with which a fall of the accuracy by `drop` is noticed with a probability of POWER, while without
    any fall a false alarm has at most ALARM_RISK: exact one-sided binomial test. None where MAX_CHECK_PHOTOS do not do, or the
    accuracy cannot fall so far. accuracy: 0 … 1, exclusive."""
    import numpy as np
    from scipy.stats import binom

    if not 0 < accuracy - drop < accuracy < 1:
        return None
    photos_K = np.arange(5, MAX_CHECK_PHOTOS + 1)
    least_K = binom.ppf(
        ALARM_RISK, photos_K, accuracy
    )  # P(right < least) < ALARM_RISK, by the definition of a quantile
    noticed_K = binom.cdf(least_K - 1, photos_K, accuracy - drop)
    enough = np.flatnonzero(noticed_K >= POWER)
    if not len(enough):
        return None
    first = enough[0]
    return DriftCheck(drop, int(photos_K[first]), int(least_K[first]))


def photos_for(accuracy: float, wanted: float, limit: int = 20_000) -> int | None:
    """The fewest test photos with which an accuracy as good as this one would lie above `wanted` with its whole 95 % interval;
    None where it is not above it, or `limit` photos do not do."""
    if accuracy <= wanted:
        return None
    for count in range(5, limit):
        if lower_end(int(accuracy * count), count) >= wanted:
            return count
    return None


def lower_end(correct: int, count: int) -> float:
    """The lower end of Wilson's 95 % interval, in closed form: `metrics.wilson_interval` takes too long to search with."""
    z = 1.959963984540054
    share, extra = correct / count, z * z / count
    half = z * ((share * (1 - share) + extra / 4) / count) ** 0.5
    return float((share + extra / 2 - half) / (1 + extra))


def _one_kind(inputs: Inputs, counts: Tally) -> tuple[Span, Span, Span]:
    """Share answered alone, share answered wrongly, cost of mistakes per part, where every mistake costs the same."""
    alone = _share(counts.answered, counts.count) if counts.with_rule else Span(1, 1, 1)
    wrong = _share(counts.wrong, counts.count)
    return alone, wrong, _times(inputs.wrong_cost, wrong)


def _two_kinds(inputs: Inputs, counts: Tally, bad_share: float) -> tuple[Span, Span, Span]:
    """The same for misses and false alarms; each is seen on photos of its own classes and weighted by how often these come."""
    missed, alarms = _share(counts.missed, counts.bad), _share(counts.false_alarms, counts.good)
    wrong = _add(_times(bad_share, missed), _times(1 - bad_share, alarms))
    mistakes = _add(_times(bad_share * inputs.miss_cost, missed), _times((1 - bad_share) * inputs.alarm_cost, alarms))
    if not counts.with_rule:
        return Span(1, 1, 1), wrong, mistakes
    alone = _add(
        _times(bad_share, _share(counts.bad_answered, counts.bad)),
        _times(1 - bad_share, _share(counts.good_answered, counts.good)),
    )
    return alone, wrong, mistakes


def _share(part: int, whole: int) -> Span:
    low, high = metrics.wilson_interval(part, whole)
    return Span(low, part / whole, high)


def _times(factor: float, span: Span) -> Span:
    return Span(factor * span.low, factor * span.likely, factor * span.high)


def _add(first: Span, second: Span) -> Span:
    return Span(first.low + second.low, first.likely + second.likely, first.high + second.high)


def _ends(span: Span) -> tuple[float, float]:
    return span.low, span.high


def _days(inputs: Inputs, effect: Span) -> Span | None:
    """Working days; the lowest effect takes longest."""
    if effect.likely <= 0 or not inputs.once:
        return None if effect.likely <= 0 else Span(0, 0, 0)
    days = inputs.once * inputs.days_per_year
    return Span(days / effect.high, days / effect.likely, days / effect.low if effect.low > 0 else float("inf"))


def _break_even_accuracy(alone: float, by_person: float, cost_of_a_mistake: float) -> float | None:
    if cost_of_a_mistake <= 0 or alone <= 0:
        return None
    return max(0.0, 1 - by_person / cost_of_a_mistake)
