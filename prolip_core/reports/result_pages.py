"""The pages about the result: the answer, before against after, what is confused, class by class, examples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from prolip_core import comparison, metrics, wording
from prolip_core.i18n import Translator
from prolip_core.metrics import Evaluation
from prolip_core.reports import advice
from prolip_core.reports.content import (
    Bar,
    Bars,
    Bullets,
    Card,
    Cards,
    Matrix,
    Page,
    Photo,
    Photos,
    RangeRow,
    Ranges,
    Split,
    Table,
    Text,
    Tone,
)
from prolip_core.reports.source import Source
from prolip_core.types import Prediction

CLASSES_A_PAGE = 10
MATRIX_CLASSES = 14
EXAMPLES = 4
NAME_CHARACTERS = 36


def percent_ticks(say: Translator) -> tuple[tuple[float, str], ...]:
    return tuple((share, say.percent(share)) for share in (0.0, 0.25, 0.5, 0.75, 1.0))


def name(source: Source, label: int, limit: int = NAME_CHARACTERS) -> str:
    return wording.short(source.compared.class_names[label], limit)


def answer_page(say: Translator, source: Source) -> Page:
    """The whole report on one page."""
    _ = say.text
    compared = source.compared
    cards = Cards(
        (
            _card(say, _("Before (zero-shot)"), compared.first, "before"),
            _card(say, _("After (ProLIP)"), compared.second, "after"),
            Card(
                _("Difference"),
                _("{points} points", points=wording.points(compared)),
                f"{wording.flips(say, compared)} {wording.luck(say, compared)}",
                "good" if compared.points > 0 else "plain",
            ),
        )
    )
    return Page(
        "answer",
        _("The answer"),
        advice.answer(say, source),
        (
            Text(_("The question: are a few photos of each class enough to tell our products apart?"), "lead"),
            cards,
            Text(advice.advice(say, source).first, "lead"),
            Text(plain_measured_on(say, source), "small"),
        ),
    )


def plain_measured_on(say: Translator, source: Source) -> str:
    return wording.measured_on(say, source.run.summary.evaluation, source.compared.second.count).replace("**", "")


def _card(say: Translator, label: str, found: Evaluation, tone: Tone) -> Card:
    _ = say.text
    low, high = found.accuracy_interval
    return Card(
        label,
        say.percent(found.accuracy),
        _("{correct} of {count} right", correct=say.number(found.correct), count=say.number(found.count))
        + " · "
        + _("likely {low}–{high}", low=say.percent(low), high=say.percent(high)),
        tone,
    )


def comparison_page(say: Translator, source: Source) -> Page:
    """Before against after, on the same photos."""
    _ = say.text
    compared = source.compared
    rows = tuple(
        RangeRow(
            label,
            say.percent(found.accuracy),
            wording.right_of(say, found.correct, found.count, *found.accuracy_interval),
            found.accuracy,
            *found.accuracy_interval,
            tone,
        )
        for label, found, tone in _methods(say, compared)
    )
    if compared.luck == "same":
        title = wording.luck(say, compared)
    elif compared.luck == "possible":
        title = _("A difference of {points} points, which could well be luck", points=wording.points(compared))
    elif compared.points > 0:
        title = _("The training made it better by {points} points", points=wording.points(compared).lstrip("+"))
    else:
        title = _("The training made it worse by {points} points", points=wording.points(compared).lstrip("-"))
    words = [
        wording.flips(say, compared),
        wording.luck(say, compared),
        _(
            "Tested on the photos that changed: if both were equally good, a difference like this or a larger one would come "
            "about with a probability of p = {p} (exact McNemar test).",
            p=f"{compared.p:.2g}",
        ),
        _(
            "Zero-shot: the model as it is, which has only read the names of the classes. ProLIP: one part of it was trained on "
            "your photos."
        ),
    ]
    ranges = Ranges(_("How often it was right (bar: likely range, 95 %)"), rows, percent_ticks(say))
    blocks = (ranges, Bullets(tuple(words)), Text(plain_measured_on(say, source), "small"))
    return Page("comparison", _("Before and after"), title, blocks)


def _methods(say: Translator, compared: comparison.Comparison) -> tuple[tuple[str, Evaluation, Tone], ...]:
    _ = say.text
    return (
        (_("Before (zero-shot)"), compared.first, "before"),
        (_("After (ProLIP)"), compared.second, "after"),
    )


def matrix_page(say: Translator, source: Source) -> Page:
    """What is taken for what after the training."""
    _ = say.text
    found = source.compared.second
    pairs = comparison.most_confused(found, 6)
    if not pairs:
        title = _("Nothing was confused")
    else:
        title = _(
            "Most often confused: {true} taken for {answer} ({count})",
            true=name(source, pairs[0].true, 24),
            answer=name(source, pairs[0].answer, 24),
            count=say.number(pairs[0].count),
        )
    matrix, note = matrix_of(say, source, found)
    lines = [
        _(
            "{true} taken for {answer}: {count}",
            true=name(source, one.true, 24),
            answer=name(source, one.answer, 24),
            count=say.number(one.count),
        )
        for one in pairs
    ] or [_("Every measured photo was recognised.")]
    how = Text(_("A row is a true class, a column an answer. On the diagonal are the right answers.") + note, "small")
    return Page(
        "matrix",
        _("What is confused with what"),
        title,
        (Split(matrix, Bullets(tuple(lines), "bad" if pairs else "good", _("Most often confused")), 0.64), how),
    )


def matrix_of(say: Translator, source: Source, found: Evaluation) -> tuple[Matrix, str]:
    """The matrix, and what has to be said about it. With many classes, those with the fewest mistakes are gathered."""
    _, _n = say.text, say.plural
    counts_CC = np.asarray(found.confusion.counts_CC)
    names = [wording.short(one, 20) for one in source.compared.class_names]
    note = ""
    if len(names) > MATRIX_CLASSES:
        mistakes_C = counts_CC.sum(axis=0) + counts_CC.sum(axis=1) - 2 * np.diag(counts_CC)
        kept = sorted(np.argsort(-mistakes_C, kind="stable")[: MATRIX_CLASSES - 1])
        rest = [k for k in range(len(names)) if k not in kept]
        groups = [[k] for k in kept] + [rest]
        counts_CC = np.array([[counts_CC[np.ix_(row, column)].sum() for column in groups] for row in groups])
        names = [names[k] for k in kept] + [_("others")]
        note = " " + _n(
            "The last row and column gather the {count} class with the fewest mistakes.",
            "The last row and column gather the {count} classes with the fewest mistakes.",
            len(rest),
        )
    counts = tuple(tuple(int(one) for one in row) for row in counts_CC)
    cells = tuple(tuple(say.number(one) if one else "" for one in row) for row in counts)
    title = _("Confusion matrix: {who}", who=_("After (ProLIP)"))
    numbers = tuple(say.number(place + 1) for place in range(len(names)))
    return Matrix(title, _("Truth"), _("Answer"), tuple(names), numbers, counts, cells, bool(note)), note


def class_pages(say: Translator, source: Source) -> tuple[Page, ...]:
    """The weakest class first, a dozen a page."""
    _ = say.text
    found = source.compared.second
    measured = [k for k, one in enumerate(found.per_class) if one.count]
    unknown = [k for k, one in enumerate(found.per_class) if not one.count]
    order = sorted(measured, key=lambda k: (found.per_class[k].recall or 0.0, k)) + unknown
    weakest = order[0]
    right, count = int(found.confusion.counts_CC[weakest, weakest]), found.per_class[weakest].count
    if right == count:
        title = _("Every class was recognised every time")
    else:
        title = _(
            "The weakest class is {name}: {correct} of {count}",
            name=name(source, weakest, 30),
            correct=say.number(right),
            count=say.number(count),
        )
    note = Text(
        _(
            "Found: of the photos of this class, how many were recognised (recall). Trustworthy: of the answers with this "
            "class, how many were right (precision)."
        )
        + " "
        + _("In brackets the likely range (95 %)."),
        "small",
    )
    chunks = [order[start : start + CLASSES_A_PAGE] for start in range(0, len(order), CLASSES_A_PAGE)]
    return tuple(
        Page(
            "classes" if not place else f"classes_{place + 1}",
            _("Class by class"),
            title if not place else _("Class by class, continued"),
            (Split(_bars(say, source, chunk), _class_table(say, source, chunk), 0.33), note),
        )
        for place, chunk in enumerate(chunks)
    )


def _bars(say: Translator, source: Source, labels: Sequence[int]) -> Bars:
    _ = say.text
    compared = source.compared
    bars = tuple(
        Bar(name(source, k, 18), compared.first.per_class[k].recall, compared.second.per_class[k].recall)
        for k in labels
    )
    title = _("Share of the class that was recognised")
    return Bars(title, _("Before"), _("After"), bars, percent_ticks(say))


def _class_table(say: Translator, source: Source, labels: Sequence[int]) -> Table:
    _ = say.text
    before, after = source.compared.first, source.compared.second
    rows = tuple(
        (
            name(source, k),
            _found(say, before, k),
            _found(say, after, k),
            _trusted(say, after, k),
        )
        for k in labels
    )
    head = (
        _("Class"),
        _("{who}: found", who=_("Before")),
        _("{who}: found", who=_("After")),
        _("{who}: trustworthy", who=_("After")),
    )
    return Table(head, rows, (0.22, 0.26, 0.26, 0.26), (False, True, True, True))


def _found(say: Translator, method: Evaluation, k: int) -> str:
    count = method.per_class[k].count
    if not count:
        return "–"
    right = int(method.confusion.counts_CC[k, k])
    return wording.right_in_short(say, right, count, *metrics.wilson_interval(right, count))


def _trusted(say: Translator, method: Evaluation, k: int) -> str:
    """Of the answers with this class, how many were right."""
    count = int(method.confusion.counts_CC[:, k].sum())
    if not count:
        return "–"
    right = int(method.confusion.counts_CC[k, k])
    return wording.right_in_short(say, right, count, *metrics.wilson_interval(right, count))


def photo_page(say: Translator, source: Source) -> Page:
    """Examples after the training: wrong ones first the surest, right ones of as many classes as possible."""
    _, _n = say.text, say.plural
    answers = source.compared.second_predictions
    wrong = sorted((one for one in answers if one.predicted != one.label), key=lambda one: -one.confidence)[:EXAMPLES]
    right: dict[int, Prediction] = {}
    for one in sorted(answers, key=lambda one: -one.confidence):
        if one.predicted == one.label:
            right.setdefault(one.label, one)
    n_wrong = sum(one.predicted != one.label for one in answers)
    title = (
        _n("{count} photo is still answered wrongly", "{count} photos are still answered wrongly", n_wrong)
        if n_wrong
        else _("Every measured photo was recognised.").rstrip(".。")
    )
    blocks = [
        Photos(heading, tuple(_photo(say, source, one) for one in found))
        for heading, found in (
            (_("Wrong, the surest first"), wrong),
            (_("Right, one of a class each"), list(right.values())[:EXAMPLES]),
        )
        if found
    ]
    return Page("photos", _("Examples"), title, tuple(blocks))


def _photo(say: Translator, source: Source, one: Prediction) -> Photo:
    _ = say.text
    lines = (
        _("Truth: {name}", name=name(source, one.label, 30)),
        _("Answer: {name} ({share} sure)", name=name(source, one.predicted, 30), share=say.percent(one.confidence)),
    )
    return Photo(source.photo(one.image_id), lines, one.predicted == one.label, _("The photo is not at hand."))
