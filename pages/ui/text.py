"""Words on the screen: every one goes through `_` or `_n`, every piece of user text inside Markdown through `safe`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pages.ui import session
from prolip_core import i18n, wording
from prolip_core.errors import ProLIPError
from prolip_core.storage.records import Job, RefusedFile
from prolip_core.types import Note
from prolip_core.wording import SHOWN_CHARACTERS, short

__all__ = ["SHOWN_CHARACTERS", "short"]

NAMES, NAMES_CHARACTERS = "names", 1000
"""The value of a sentence that is a list of names, parted by commas, and how much of it is shown; of each name as usual."""

_SPECIAL = re.compile(r"([!-/:-@\[-`{-~])")
_ADDRESS = re.compile(r"(https?|www|@)", re.IGNORECASE)


def translator() -> i18n.Translator:
    return i18n.translator(session.language())


def _(message: str, **values: object) -> str:
    """The message in the user's language, its {placeholders} filled."""
    return translator().text(message, **values)


def _n(one: str, many: str, count: int, **values: object) -> str:
    """Like `_`, in the form that fits the number; {count} is filled with it."""
    return translator().plural(one, many, count, **values)


def note(sentence: Note) -> str:
    """A sentence of the engine in the user's language; user text in it is made safe for Markdown."""
    return translator().note(_safe_note(sentence))


def error(problem: ProLIPError, *, is_markdown: bool = True) -> tuple[str, str]:
    """Reason and remedy in the user's language, safe for where they are shown."""
    reason, remedy = translator().error(problem)
    show = safe if is_markdown else short
    return show(reason, 1000), show(remedy, 1000)


def job_error(job: Job) -> tuple[str, str]:
    """Reason and remedy of a job that failed, as the worker wrote them down, in the user's language and safe for Markdown."""
    return kept_error(job.error or {})


def kept_error(problem: Mapping[str, Any]) -> tuple[str, str]:
    """The same for what `jobs.error_as_dict` gave."""
    found = ProLIPError(
        str(problem.get("message", "")), remedy=str(problem.get("remedy", "")), **dict(problem.get("values", {}))
    )
    return error(found)


def refused(one: RefusedFile, *, is_markdown: bool = True) -> tuple[str, str]:
    """Reason and remedy of a file that was not taken, as the database keeps it."""
    values = {**dict(one.values), "filename": one.filename}
    return error(ProLIPError(one.message, remedy=one.remedy, **values), is_markdown=is_markdown)


def model(name: str, title: str = "") -> str:
    """What a model is called: as the catalogue has it, else by `title`, else by its name. Not Markdown."""
    return wording.model(translator(), name, title)


def device(title: str) -> str:
    """What a training ran on, from what the engine calls it. Not Markdown."""
    return wording.device(translator(), title)


def safe(text: str, limit: int = SHOWN_CHARACTERS) -> str:
    """User text as data for Markdown: cut to `limit`, on one line, every punctuation mark escaped, so that no link, picture,
    emphasis, formula, colour, icon or HTML comes of it; changes of direction are taken out. An invisible joiner keeps addresses
    from becoming links, which happens after the escapes are read."""
    return _SPECIAL.sub(r"\\\1", _ADDRESS.sub("\\1\u2060", short(text, limit)))


def date(moment: datetime) -> str:
    return translator().date(moment)


def percent(fraction: float, decimals: int = 0) -> str:
    return translator().percent(fraction, decimals)


def number(value: float) -> str:
    return translator().number(value)


def right_of(correct: int, count: int, low: float, high: float) -> str:
    """An accuracy the way it is always shown: with its count and its likely range."""
    return wording.right_of(translator(), correct, count, low, high)


def right_in_short(correct: int, count: int, low: float, high: float) -> str:
    """The same for a cell whose column says that it is about right answers."""
    return wording.right_in_short(translator(), correct, count, low, high)


def share_of(count: int, total: int, low: float, high: float) -> str:
    """A share of photos that is no accuracy, with its likely range."""
    return wording.share_of(translator(), count, total, low, high)


def _safe_note(sentence: Note) -> Note:
    return Note(sentence.message, {key: _value(key, value) for key, value in sentence.values.items()})


def _value(key: str, value: object) -> object:
    if isinstance(value, Note):
        return _safe_note(value)
    if key == NAMES and isinstance(value, str):
        return safe(", ".join(short(name) for name in value.split(", ")), NAMES_CHARACTERS)
    return safe(value) if isinstance(value, str) else value
