"""What it costs and brings in a year, and the way from this pilot to daily use."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from prolip_core import business, wording
from prolip_core.business import Effect, Inputs, Span, Tally
from prolip_core.i18n import Translator
from prolip_core.reports import advice
from prolip_core.reports.content import Card, Cards, Page, RangeRow, Ranges, Split, Table, Text, Tone
from prolip_core.reports.source import Source, rule_of, was_chosen_on_the_measured

DROPS = (0.05, 0.1, 0.2)
"""Falls of the accuracy that the check of every month is planned for."""

DECIDE_DAYS, IMPROVE_DAYS = 60, 30
"""From the day of the report until the decision, and how much later where it has to become better first."""

SHOWN_DIGITS = 3


@dataclass(frozen=True)
class Figures:
    """The same on the screen and in the report: the year with its counts."""

    inputs: Inputs
    counts: Tally
    effect: Effect


def figures(source: Source) -> Figures | None:
    """None where too little was filled in."""
    if not source.inputs.is_filled:
        return None
    counts = tally_of(source)
    return Figures(source.inputs, counts, business.yearly(source.inputs, counts))


def tally_of(source: Source) -> Tally:
    bad = {k for k, one in enumerate(source.compared.class_names) if one in source.inputs.bad_classes}
    rule = None if source.sure_N is None else rule_of(source.run)
    all_to_a_person = rule is not None and rule.all_to_a_person
    return business.tally(source.compared.second_predictions, bad, source.sure_N, all_to_a_person)


def money(say: Translator, currency: str, value: float) -> str:
    """With three digits that count: more would look as if they were known."""
    rounded = _rounded(value)
    sign = "−" if rounded < 0 else ""
    return f"{sign}{wording.short(currency, 8)}{say.number(abs(rounded))}"


def _rounded(value: float) -> float:
    if not value:
        return 0
    decimals = SHOWN_DIGITS - 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, max(0, decimals) if abs(value) < 1 else min(decimals, 0))
    return int(rounded) if rounded == int(rounded) else rounded


def effect_sentence(say: Translator, found: Figures) -> str:
    """The yearly effect in a sentence, with its range."""
    _ = say.text
    if found.counts.all_to_a_person:
        return _("By its rule every part goes to a person: nothing is saved")
    effect, currency = found.effect.effect, found.inputs.currency
    low, high = money(say, currency, effect.low), money(say, currency, effect.high)
    if effect.low > 0:
        return _("A year with it is likely to save {low} to {high}", low=low, high=high)
    if effect.high < 0:
        return _("A year with it is likely to cost more than it saves: {low} to {high}", low=low, high=high)
    return _("Whether it pays cannot be told yet: {low} to {high} a year", low=low, high=high)


def cost_cards(say: Translator, found: Figures) -> Cards:
    _ = say.text
    effect, currency = found.effect, found.inputs.currency
    yearly = effect.effect
    days = effect.break_even_days
    return Cards(
        (
            Card(
                _("Yearly effect"),
                money(say, currency, yearly.likely),
                _(
                    "likely {low} to {high}",
                    low=money(say, currency, yearly.low),
                    high=money(say, currency, yearly.high),
                ),
                "good" if yearly.low > 0 else "bad" if yearly.high < 0 else "plain",
            ),
            Card(_("Earned back after"), _days(say, days), _days_range(say, days), "plain"),
            Card(
                _("Pays from"),
                "–" if effect.break_even_accuracy is None else say.percent(effect.break_even_accuracy, 1),
                _("nothing is answered alone")
                if found.counts.all_to_a_person
                else _("right answers among those given alone")
                if effect.break_even_accuracy is not None
                else _("no cost of mistakes was given"),
                "plain",
            ),
        )
    )


def _days(say: Translator, days: Span | None) -> str:
    _, _n = say.text, say.plural
    if days is None:
        return _("never")
    return _n("{count} working day", "{count} working days", math.ceil(days.likely))


def _days_range(say: Translator, days: Span | None) -> str:
    _ = say.text
    if days is None:
        return _("the likely effect is no gain")
    if not days.high:
        return _("nothing has to be paid once")
    low = say.number(math.ceil(days.low))
    if math.isinf(days.high):
        return _("likely {low} days or more, perhaps never", low=low)
    return _("likely {low} to {high} days", low=low, high=say.number(math.ceil(days.high)))


def effect_ranges(say: Translator, found: Figures) -> Ranges:
    """Today, with it, and the difference on one axis of money."""
    _ = say.text
    effect, currency = found.effect, found.inputs.currency
    today = Span(effect.today, effect.today, effect.today)
    spans: tuple[tuple[str, Span, Tone], ...] = (
        (_("A year as today"), today, "before"),
        (_("A year with the model"), effect.after, "after"),
        (_("Yearly effect"), effect.effect, "good" if effect.effect.likely > 0 else "bad"),
    )
    rows = tuple(
        RangeRow(
            label,
            money(say, currency, span.likely),
            _("likely {low} to {high}", low=money(say, currency, span.low), high=money(say, currency, span.high))
            if span.low != span.high
            else "",
            span.likely,
            span.low,
            span.high,
            tone,
        )
        for label, span, tone in spans
    )
    return Ranges(_("Cost of a year (bar: likely range, 95 %)"), rows, _ticks(say, currency, rows))


def _ticks(say: Translator, currency: str, rows: Sequence[RangeRow]) -> tuple[tuple[float, str], ...]:
    """A few round amounts from below the lowest to above the highest."""
    low, high = min(0.0, *(row.low for row in rows)), max(0.0, *(row.high for row in rows))
    rough = max((high - low) / 4, 1e-9)
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough)
    first, last = math.floor(low / step), math.ceil(high / step)
    return tuple((k * step, money(say, currency, k * step)) for k in range(first, max(last, first + 1) + 1))


def cost_pages(say: Translator, source: Source) -> tuple[Page, ...]:
    _ = say.text
    found = figures(source)
    if found is None:
        return ()
    kicker = _("Cost and benefit")
    parts = Text(" ".join((parts_sentence(say, found), *threshold_notes(say, source))), "body")
    return (
        Page("cost", kicker, effect_sentence(say, found), (cost_cards(say, found), effect_ranges(say, found), parts)),
        Page(
            "assumptions",
            kicker,
            _("All that was assumed for the cost and the benefit"),
            (
                Table((_("Assumption"), _("Value")), assumptions(say, found), (0.62, 0.38), (False, True)),
                Text(
                    _(
                        "The range comes from the 95 % intervals of what was measured on the photos, all ends combined. What was "
                        "typed in is taken as exact."
                    )
                    + " "
                    + " ".join(taken_for_granted(say, found)),
                    "small",
                ),
            ),
        ),
    )


def parts_sentence(say: Translator, found: Figures) -> str:
    """How many parts of a year are answered alone, and how many wrongly; a class taken for another of its own side is no mistake
    where only the sides cost something."""
    _ = say.text
    effect, counts = found.effect, found.counts
    values = {
        "parts": _parts(say, found.inputs.parts_per_year),
        "alone": _parts(say, effect.alone.likely),
        "alone_low": _parts(say, effect.alone.low),
        "alone_high": _parts(say, effect.alone.high),
        "wrong": _parts(say, effect.wrong.likely),
        "wrong_low": _parts(say, effect.wrong.low),
        "wrong_high": _parts(say, effect.wrong.high),
    }
    if counts.all_to_a_person:
        return _("By its rule a person looks at all {parts} parts of a year, as today.", **values)
    if business.tells_bad_from_good(found.inputs, counts):
        if not counts.with_rule:
            return _(
                "All {parts} parts of a year are answered alone, {wrong} of them missed or stopped wrongly ({wrong_low} to "
                "{wrong_high}).",
                **values,
            )
        return _(
            "Of {parts} parts a year, {alone} are answered alone ({alone_low} to {alone_high}), {wrong} of them missed or "
            "stopped wrongly ({wrong_low} to {wrong_high}).",
            **values,
        )
    if not counts.with_rule:
        return _(
            "All {parts} parts of a year are answered alone, {wrong} of them wrongly ({wrong_low} to {wrong_high}).",
            **values,
        )
    return _(
        "Of {parts} parts a year, {alone} are answered alone ({alone_low} to {alone_high}), {wrong} of them wrongly ({wrong_low} "
        "to {wrong_high}).",
        **values,
    )


def threshold_notes(say: Translator, source: Source) -> list[str]:
    """What to know about the counts of answers that stand alone; empty where nothing speaks against them."""
    _ = say.text
    if not was_chosen_on_the_measured(source):
        return []
    return [_("The threshold was chosen on these same photos, so the counts of answers given alone look too good.")]


def _parts(say: Translator, value: float) -> str:
    return say.number(_rounded(value)) if value >= 1 else say.number(round(value, 2))


def assumptions(say: Translator, found: Figures) -> tuple[tuple[str, str], ...]:
    """Everything that the yearly effect depends on, what was typed and what was measured."""
    _ = say.text
    inputs, counts = found.inputs, found.counts
    unit = inputs.currency

    def amount(value: float) -> str:
        """As it was typed, with all of its digits."""
        return f"{wording.short(unit, 8)}{say.number(value)}"

    rows = [
        (_("Parts a day"), say.number(inputs.parts_per_day)),
        (_("Working days a year"), say.number(inputs.days_per_year)),
        (_("Seconds a person takes for one part"), say.number(inputs.check_seconds)),
        (_("Cost of a manual minute"), amount(inputs.minute_cost)),
        (_("How often a person is wrong"), say.percent(inputs.person_wrong, 1)),
    ]
    if business.tells_bad_from_good(inputs, counts):
        rows += [
            (_("Classes that need action"), wording.short(", ".join(inputs.bad_classes), 120)),
            (_("Share of parts that need action"), say.percent(inputs.bad_share, 1)),
            (_("Cost of a miss"), amount(inputs.miss_cost)),
            (_("Cost of a false alarm"), amount(inputs.alarm_cost)),
            (_("Of the measured photos, missed without a person"), _of(say, counts.missed, counts.bad)),
            (_("Of the measured photos, stopped wrongly without a person"), _of(say, counts.false_alarms, counts.good)),
        ]
    else:
        rows += [
            (_("Cost of a wrong answer"), amount(inputs.wrong_cost)),
            (_("Of the measured photos, answered alone and wrongly"), _of(say, counts.wrong, counts.count)),
        ]
    rows += [
        *_alone_rows(say, found),
        (_("Photos to take"), say.number(inputs.photos_to_take)),
        (_("Seconds for one photo"), say.number(inputs.seconds_per_photo)),
        (_("Hours to set up"), say.number(inputs.setup_hours)),
        (_("To be paid once"), money(say, unit, found.effect.once)),
    ]
    return tuple(rows)


def taken_for_granted(say: Translator, found: Figures) -> list[str]:
    """What the year supposes besides, in sentences."""
    _ = say.text
    if business.tells_bad_from_good(found.inputs, found.counts):
        lines = [
            _(
                "Within the classes that need action, and within the others, the mixture is taken to be that of the photos."
            ),
            _("“Pays from” supposes that both kinds of parts are answered wrongly equally often."),
        ]
    else:
        lines = [_("The mixture of classes is taken to be that of the photos.")]
    return [
        *lines,
        _("A part that goes to a person is taken to cost no more time than the average one."),
        _("What it costs to run the model (computer, electricity, upkeep) is not counted."),
    ]


def _alone_rows(say: Translator, found: Figures) -> list[tuple[str, str]]:
    """The shares that the year was computed with."""
    _ = say.text
    counts = found.counts
    if counts.all_to_a_person:
        return [(_("Answered alone"), _("nothing, everything goes to a person"))]
    if not counts.with_rule:
        return [(_("Answered alone"), _("everything, nothing goes to a person"))]
    if business.tells_bad_from_good(found.inputs, counts):
        return [
            (_("Answered alone, of photos that need action"), _of(say, counts.bad_answered, counts.bad)),
            (_("Answered alone, of the other photos"), _of(say, counts.good_answered, counts.good)),
        ]
    return [(_("Answered alone"), _of(say, counts.answered, counts.count))]


def _of(say: Translator, part: int, whole: int) -> str:
    _ = say.text
    return _("{count} of {total}", count=say.number(part), total=say.number(whole))


def production_page(say: Translator, source: Source) -> Page:
    """Steps with roles and dates, and how many photos a month it takes to notice that it gets worse."""
    _ = say.text
    steps: tuple[tuple[str, str, str, int], ...] = (
        (_("Measure on photos of another day"), _("quality engineer"), _("the share of right answers, again"), 14),
        (_("Run beside today's way of working"), _("line manager"), _("every disagreement, week by week"), 45),
        (_("Decide: use, improve, or stop"), _("plant manager"), _("this report and the trial"), DECIDE_DAYS),
        (_("Use it; unsure cases go to a person"), _("line manager"), _("photos for the monthly check"), 75),
        (_("First review"), _("quality engineer"), _("the check below; new products and suppliers"), 165),
    )
    later = 0
    if advice.outcome(source) != "enough":
        later = IMPROVE_DAYS
        first = (_("Improve it"), _("quality engineer"), _("the next step of this report"), 0)
        steps = (first, *steps)
    rows = tuple((say.day(_later(source.moment, later + days)), what, who, check) for what, who, check, days in steps)
    way = Table(
        (_("By"), _("Step"), _("Who"), _("What is checked")),
        rows,
        (0.19, 0.31, 0.19, 0.31),
        (False, False, False, False),
    )
    return Page(
        "production",
        _("From pilot to daily use"),
        _("Decide by {date}, then check every month", date=say.day(_later(source.moment, later + DECIDE_DAYS))),
        (Split(way, drift_table(say, source), 0.62), Text(drift_note(say, source), "small")),
    )


def _later(moment: datetime, days: int) -> datetime:
    return moment + timedelta(days=days)


def drift_table(say: Translator, source: Source) -> Table:
    _ = say.text
    rows = []
    for drop in DROPS:
        found = business.drift_check(expected_accuracy(source), drop)
        rows.append(
            (
                _("{points} points", points=say.number(round(100 * drop))),
                "–" if found is None else say.number(found.photos),
                "–" if found is None else say.number(found.least_right),
            )
        )
    head = (_("Drop"), _("Photos a month"), _("Alarm below"))
    return Table(head, tuple(rows), (0.32, 0.36, 0.32), (False, True, True), _("Monthly check against a drop"))


def expected_accuracy(source: Source) -> float:
    """The measured accuracy, drawn a little to the middle as few photos demand (Agresti and Coull 1998): never 0 or 1."""
    found = source.compared.second
    return (found.correct + 2) / (found.count + 4)


def drift_note(say: Translator, source: Source) -> str:
    _ = say.text
    found = source.compared.second
    return _(
        "Monthly check: a person looks at so many photos, drawn at random. “Alarm below” is the number of right answers. If it "
        "is really right in {share}, a drop is noticed with {power}, and without one there is a false alarm in at most {risk} of "
        "the months (exact binomial test). Measured: {measured}; where the truth lies lower, false alarms come more often.",
        power=say.percent(business.POWER),
        risk=say.percent(business.ALARM_RISK),
        share=say.percent(expected_accuracy(source), 1),
        measured=wording.right_of(say, found.correct, found.count, *found.accuracy_interval),
    )
