"""What the screens and the report say in the very same words: accuracies, differences, names. Nothing here is Markdown but the
bold numbers of `measured_on`."""

from __future__ import annotations

import re

from prolip_core import catalogue
from prolip_core.comparison import Comparison
from prolip_core.i18n import Translator
from prolip_core.storage.records import RunSummary
from prolip_core.types import Note

SHOWN_CHARACTERS = 60

_PROCESSOR = re.compile(r"CPU, (\d+) threads? \((\w+)\)")
_STEERING = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def short(text: str, limit: int = SHOWN_CHARACTERS) -> str:
    """User text for places that do not read Markdown: on one line, cut to `limit` characters."""
    line = " ".join(_STEERING.sub(" ", text).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def note(say: Translator, sentence: Note) -> str:
    """A sentence of the engine with the user's text in it cut to size, each name of a list by itself."""
    return say.note(_short_note(sentence))


def _short_note(sentence: Note) -> Note:
    return Note(sentence.message, {key: _short_value(value) for key, value in sentence.values.items()})


def _short_value(value: object) -> object:
    if isinstance(value, Note):
        return _short_note(value)
    if isinstance(value, str):
        return short(", ".join(short(one, 40) for one in value.split(", ")), 240)
    return value


def right_of(say: Translator, correct: int, count: int, low: float, high: float) -> str:
    """An accuracy the way it is always shown: with its count and its likely range."""
    _ = say.text
    return _(
        "{correct} of {count} right (likely {low}–{high})",
        correct=say.number(correct),
        count=say.number(count),
        low=say.percent(low),
        high=say.percent(high),
    )


def share_of(say: Translator, count: int, total: int, low: float, high: float) -> str:
    """A share of photos that is no accuracy, with its likely range."""
    _ = say.text
    return _(
        "{count} of {total} (likely {low}–{high})",
        count=say.number(count),
        total=say.number(total),
        low=say.percent(low),
        high=say.percent(high),
    )


def right_in_short(say: Translator, correct: int, count: int, low: float, high: float) -> str:
    """The same for a cell whose column says that it is about right answers."""
    _ = say.text
    return _(
        "{correct} of {count} ({low}–{high})",
        correct=say.number(correct),
        count=say.number(count),
        low=say.percent(low),
        high=say.percent(high),
    )


def measured_on(say: Translator, evaluation: str, count: int) -> str:
    """On which photos a run was measured; Markdown, its number bold."""
    _n = say.plural
    if evaluation == "test":
        return _n(
            "Measured on **{count}** test photo that nothing was learnt or chosen from.",
            "Measured on **{count}** test photos that nothing was learnt or chosen from.",
            count,
        )
    return _n(
        "Measured by cross-validation: your **{count}** photo was answered by a training that had not seen it.",
        "Measured by cross-validation: each of your **{count}** photos was answered by a training that had not seen it or a "
        "near-copy of it.",
        count,
    )


def luck(say: Translator, compared: Comparison) -> str:
    """What the paired test says in plain words."""
    _ = say.text
    words = {
        "same": _("No difference: the same photos are right."),
        "very unlikely": _("This is very unlikely to be luck."),
        "unlikely": _("This is unlikely to be luck."),
        "possible": _("This could well be luck: more test photos would tell."),
    }
    return words[compared.luck]


def flips(say: Translator, compared: Comparison) -> str:
    _ = say.text
    return _(
        "Photos put right: {right}, put wrong: {wrong}.",
        right=say.number(len(compared.put_right)),
        wrong=say.number(len(compared.put_wrong)),
    )


def points(compared: Comparison) -> str:
    """The difference in percentage points, with its sign."""
    return f"{compared.points:+.1f}"


def model(say: Translator, name: str, title: str = "") -> str:
    """What a model is called: as the catalogue has it, else by `title`, else by its name."""
    _ = say.text
    known = next((one for one in catalogue.CATALOGUE if one.name == name), None)
    return _(known.title) if known is not None else title or name


def device(say: Translator, title: str) -> str:
    """What a training ran on, from what the engine calls it."""
    _n = say.plural
    found = _PROCESSOR.fullmatch(title)
    if found is None:
        return title  # a graphics card has its maker's name in every language
    return _n("CPU, {count} thread ({kind})", "CPU, {count} threads ({kind})", int(found[1]), kind=found[2])


def run_name(say: Translator, run: RunSummary) -> str:
    """What a result is called; with its number, since two may have the same name."""
    _ = say.text
    count = say.number(run.number)
    return f"{short(run.name, 40)} ({count})" if run.name else _("Result {number}", number=count)
