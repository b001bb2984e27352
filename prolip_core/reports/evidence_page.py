"""What was found out besides: finished studies of the same photos, in a sentence or two each, and what was not looked at."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from prolip_core import groups, metrics, wording
from prolip_core.i18n import Translator, note_of
from prolip_core.reports.business_pages import threshold_notes
from prolip_core.reports.content import Bullets, Page, Table
from prolip_core.reports.source import Source, rule_of
from prolip_core.studies.condition_words import PROLIP, SECOND_TEST, STRESS, TEST_TIME, TITLES, TRANSFER, amount_text
from prolip_core.studies.names import CERTAINTY, CURVE, LOOK, METHODS, NEW_CLASSES

_log = logging.getLogger(__name__)

PARTS = 1000
SHOWN = 3
Result = Mapping[str, Any]


def _lines(say: Translator, words: Callable[[Translator, Result], Sequence[str]], result: Result) -> list[str]:
    """Nothing for a study whose result is other than ours are (out of a file): the report does without it."""
    try:
        return list(words(say, result))
    except (LookupError, TypeError, ValueError, AttributeError):
        _log.exception("a study is left out of the report")
        return []


def evidence_page(say: Translator, source: Source) -> Page:
    _, _n = say.text, say.plural
    answered: list[tuple[str, str]] = []
    open_questions: list[str] = []
    for kind, title, words in _questions(say):
        record = source.studies.get(kind)
        if kind == CERTAINTY and source.sure_N is not None:
            # Whatever a study suggests: the cost and the screens go by the rule of the run.
            answered += [(title if not place else "", line) for place, line in enumerate(_by_the_rule(say, source))]
        elif record is None:
            open_questions.append(title)
        else:
            lines = _lines(say, words, record.result)
            if not lines:
                open_questions.append(title)
            answered += [(title if not place else "", line) for place, line in enumerate(lines)]
    fair = _("Is it fair to all groups?")
    if source.groups:
        for place, report in enumerate(source.groups):
            sentences = groups.notes(report, report.prolip)
            answered.append(
                (fair if not place else "", f"{wording.short(report.tag, 30)}: {wording.note(say, sentences[0])}")
            )
    else:
        open_questions.append(fair)
    blocks: list[Table | Bullets] = []
    if answered:
        blocks.append(Table((_("Question"), _("Finding")), tuple(answered), (0.27, 0.73), (False, False)))
    if open_questions:
        blocks.append(Bullets(tuple(open_questions), "plain", _("Not looked at yet")))
    n_answered = len(_questions(say)) + 1 - len(open_questions)
    title = (
        _n("{count} further question was looked at", "{count} further questions were looked at", n_answered)
        if n_answered
        else _("No further question was looked at yet")
    )
    return Page("evidence", _("Further evidence"), title, tuple(blocks))


Words = Callable[[Translator, Result], list[str]]


def _questions(say: Translator) -> tuple[tuple[str, str, Words], ...]:
    """Kind of the study, its question, its findings in sentences."""
    _ = say.text
    return (
        (CURVE, _("Will more photos help?"), _advice),
        (CERTAINTY, _("When should it ask a person?"), _certainty),
        (METHODS, _("Would another method do better?"), _methods),
        (STRESS, _("Does it hold in worse photos?"), _stress),
        (SECOND_TEST, _("Does it hold on another day or camera?"), _advice),
        (LOOK, _("Does it look at the product?"), _look),
        (NEW_CLASSES, _("Can a class be added by name alone?"), _advice),
        (TRANSFER, _("Does a training from elsewhere do it too?"), _advice),
        (TEST_TIME, _("Does a step on every single photo help?"), _advice),
    )


def _advice(say: Translator, result: Result) -> list[str]:
    return [wording.note(say, note_of(parts)) for parts in result["advice_parts"]][:SHOWN]


def _certainty(say: Translator, result: Result) -> list[str]:
    _ = say.text
    one, total = result["suggested"], result["query_count"]
    if one["threshold"] is None:
        return [
            _(
                "At no setting are at most {limit} of the answers wrong: everything should go to a person.",
                limit=say.percent(result["limit"]),
            )
        ]
    return [_of_1000(say, one["answered"], one["wrong"], total, one["threshold"])]


def _by_the_rule(say: Translator, source: Source) -> list[str]:
    """The same for the rule that the run itself carries."""
    _ = say.text
    rule, sure_N, answers = rule_of(source.run), source.sure_N or (), source.compared.second_predictions
    if rule is None or rule.threshold is None or rule.all_to_a_person:
        return [_("By its rule every part goes to a person.")]
    wrong = sum(sure and one.predicted != one.label for one, sure in zip(answers, sure_N, strict=True))
    return [_of_1000(say, sum(sure_N), wrong, len(answers), rule.threshold), *threshold_notes(say, source)]


def _of_1000(say: Translator, answered: int, wrong: int, total: int, threshold: float) -> str:
    """Counts of measured photos as parts of a thousand, with the range of the wrong ones among all."""
    _ = say.text
    low, high = metrics.wilson_interval(wrong, total)
    return _(
        "Of {parts} parts it would answer {answered} alone (at least {threshold} sure), {wrong} of them wrongly (likely "
        "{low}–{high}), and send {to_person} to a person.",
        threshold=say.percent(threshold, 1),
        parts=say.number(PARTS),
        answered=say.number(round(PARTS * answered / total)),
        wrong=say.number(round(PARTS * wrong / total)),
        low=say.number(round(PARTS * low)),
        high=say.number(round(PARTS * high)),
        to_person=say.number(round(PARTS * (total - answered) / total)),
    )


def _methods(say: Translator, result: Result) -> list[str]:
    """The best method beside the reference, whatever comes of it."""
    _ = say.text
    reference = next((one for one in result["methods"] if one["key"] == result["reference"]), None)
    others = [one for one in result["methods"] if one["key"] != result["reference"]]
    if reference is None or not others:
        return []
    best = max(others, key=lambda one: float(one["accuracy"]))
    return [
        _(
            "The best of {count} other methods, {name}, was right on {best} of the {photos} test photos (likely {low}–{high}), "
            "ProLIP on {own} (likely {own_low}–{own_high}; mean over random draws: {draws}).",
            count=say.number(len(others)),
            name=best["title"],
            photos=say.number(result["query_count"]),
            best=say.percent(best["accuracy"], 1),
            low=say.percent(best["photo_interval"][0]),
            high=say.percent(best["photo_interval"][1]),
            own=say.percent(reference["accuracy"], 1),
            own_low=say.percent(reference["photo_interval"][0]),
            own_high=say.percent(reference["photo_interval"][1]),
            draws=say.number(result["draws"]),
        )
    ]


def _stress(say: Translator, result: Result) -> list[str]:
    _ = say.text
    broken = sorted(
        (curve["breaks_at"], curve["kind"], curve["points"][curve["breaks_at"] - 1]["amount"])
        for curve in result["stress_curves"]
        if curve["method"] == PROLIP and curve["breaks_at"] is not None
    )
    if not broken:
        return [_("No distortion breaks it up to severity 5, as far as these photos can tell.")]
    return [
        _(
            "{what}: breaks at severity {severity} of 5 ({amount})",
            what=say.note(TITLES[kind]),
            severity=say.number(severity),
            amount=say.note(amount_text(kind, amount)),
        )
        for severity, kind, amount in broken
    ][:SHOWN]


def _look(say: Translator, result: Result) -> list[str]:
    _ = say.text
    warned = [one for one in result["classes"] if one["verdict"] == "rim"]
    if warned:
        return [
            f"{wording.short(one['class'], 30)}: {wording.note(say, note_of(one['verdict_parts']))}" for one in warned
        ][:SHOWN]
    if not result["classes"]:
        return [wording.note(say, note_of(result["deletion"][PROLIP]["trust_parts"]))]
    return [
        _(
            "For none of {count} classes is there a sign that it is recognised by the rim of its photos.",
            count=say.number(len(result["classes"])),
        )
    ]
