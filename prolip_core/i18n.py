"""Words in the user's language: gettext catalogues, dates and numbers.

The English sentence is the key of its translation. Catalogues are read per call with the user's language and never installed for
the whole process, since users of one server read different languages. `python -m prolip_core.locale.update` brings the catalogues
up to date with the source.
"""

from __future__ import annotations

import contextlib
import functools
import gettext
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from babel import dates, numbers
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from prolip_core.errors import ProLIPError
from prolip_core.types import Note

LANGUAGES: Mapping[str, str] = {"ja": "日本語", "en": "English"}
DEFAULT = "en"
FOLDER = Path(__file__).parent / "locale"
DOMAIN = "prolip"


def N_(message: str) -> str:  # noqa: N802 - the name that gettext users know
    """Marks a text for translation where it is written; it is translated where it is shown."""
    return message


def choose(locale: str | None) -> str:
    """The language for a browser's locale ("ja-JP" → "ja"); English where there is none."""
    language = (locale or "").replace("_", "-").split("-")[0].lower()
    return language if language in LANGUAGES else DEFAULT


@functools.cache
def translator(language: str) -> Translator:
    """The translator of a language; unknown ones get English."""
    return Translator(language if language in LANGUAGES else DEFAULT)


@functools.cache
def known_messages() -> frozenset[str]:
    """Every message of the product: what stands in a file as one and is none of these was written by somebody else."""
    with catalogue_path(DEFAULT).open("rb") as file:
        ids = [entry.id for entry in read_po(file, locale=DEFAULT) if entry.id]
    return frozenset(text for id_ in ids for text in ([id_] if isinstance(id_, str) else id_))


def catalogue_path(language: str) -> Path:
    return FOLDER / language / "LC_MESSAGES" / f"{DOMAIN}.po"


@functools.cache
def _catalogue(language: str) -> gettext.NullTranslations:
    """Compiled in memory: no compiled file can be forgotten or be older than its source."""
    compiled = io.BytesIO()
    with catalogue_path(language).open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


@dataclass(frozen=True)
class Translator:
    """Everything that depends on the language. What has no translation stays English."""

    language: str

    def text(self, message: str, /, **values: object) -> str:
        """The message with its {placeholders} filled; a value may have any name."""
        return _fill(_catalogue(self.language).gettext(message) if message else "", message, self._told(values))

    def plural(self, one: str, many: str, count: int, /, **values: object) -> str:
        """The form that fits `count`; {count} is filled with it."""
        translated = _catalogue(self.language).ngettext(one, many, count)
        return _fill(translated, many, self._told({"count": self.number(count), **values}))

    def note(self, note: Note) -> str:
        """A sentence of the engine; notes among its values are translated too."""
        return self.text(note.message, **note.values)

    def error(self, error: ProLIPError) -> tuple[str, str]:
        """Reason and remedy."""
        return self.text(error.message, **error.values), self.text(error.remedy, **error.values)

    def date(self, moment: datetime) -> str:
        """Day and time of an aware moment, in the time zone of this computer."""
        local = moment.astimezone()
        return f"{self.day(moment)} {dates.format_time(local, 'HH:mm', locale=self.language)}"

    def day(self, moment: datetime) -> str:
        """The day of an aware moment, in the time zone of this computer."""
        return dates.format_date(moment.astimezone(), "medium", locale=self.language)

    def number(self, value: float) -> str:
        return numbers.format_decimal(value, locale=self.language)

    def percent(self, fraction: float, decimals: int = 0) -> str:
        """A fraction between 0 and 1 as per cent. Never rounded to 0 % or 100 % unless it is exactly that."""
        # Half up, as on paper and in a spreadsheet: 1 of 8 is 13 %. Far digits are dropped first: 0.145 is a little less inside.
        exact = Decimal(repr(round(float(fraction) * 100, 9)))
        shown = float(exact.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP))
        step = 10**-decimals
        if 0 < fraction < 1:
            shown = min(max(shown, step), 100 - step)
        return f"{numbers.format_decimal(shown, locale=self.language, decimal_quantization=False)}%"

    def duration(self, seconds: float) -> str:
        """A rough time: "8 seconds", "2 minutes"."""
        # From 90 seconds on in minutes: Babel's own threshold would call 55 seconds a minute.
        whole = timedelta(seconds=max(1, round(seconds)))
        if seconds < 90:
            return dates.format_timedelta(whole, granularity="second", threshold=1.5, locale=self.language)
        return dates.format_timedelta(whole, granularity="minute", threshold=1.5, locale=self.language)

    def _told(self, values: Mapping[str, Any]) -> dict[str, object]:
        return {name: self._told_value(value) for name, value in values.items()}

    def _told_value(self, value: object) -> object:
        if isinstance(value, Mapping) and "message" in value:
            value = note_of(value)  # as the database keeps a note
        return self.note(value) if isinstance(value, Note) else value


def note_of(parts: Mapping[str, Any]) -> Note:
    """The note behind what `runs.as_dict` wrote: {"message", "values"}, values being such parts again or plain."""
    values = {
        name: note_of(value) if isinstance(value, Mapping) and "message" in value else value
        for name, value in parts.get("values", {}).items()
    }
    return Note(str(parts.get("message", "")), values)


def _fill(translated: str, original: str, values: Mapping[str, object]) -> str:
    # A template with a wrong placeholder (a test finds those) must not take the screen away: it is shown as it is.
    for template in (translated, original):
        with contextlib.suppress(AttributeError, IndexError, KeyError, TypeError, ValueError):
            return template.format(**values)
    return original
