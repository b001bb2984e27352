"""The catalogues hold every text of the product, in both languages, and nothing else."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from prolip_core import i18n
from prolip_core.errors import StorageError
from prolip_core.i18n import translator
from prolip_core.locale import update
from prolip_core.types import Note

SAME_IN_BOTH = {"ProLIP Studio"}
"""Names."""


def fields(text: str) -> set[str]:
    return set(re.findall(r"(?<!\{)\{(\w+)", text))


@pytest.mark.parametrize("language", list(i18n.LANGUAGES))
def test_no_text_is_missing_and_none_is_left_over(language: str) -> None:
    catalogue = update.read(language)
    there = {message.id if isinstance(message.id, str) else tuple(message.id) for message in catalogue if message.id}
    wanted = set(update.extract())
    assert not wanted - there, "run python -m prolip_core.locale.update and translate"
    assert not there - wanted, "run python -m prolip_core.locale.update"
    empty = [m.id for m in catalogue if m.id and not (m.string if isinstance(m.string, str) else all(m.string or [""]))]
    assert not empty
    assert not [message.id for message in catalogue if message.fuzzy]


@pytest.mark.parametrize("language", list(i18n.LANGUAGES))
def test_the_files_are_what_the_update_writes(language: str) -> None:
    assert i18n.catalogue_path(language).read_bytes() == update.updated(language)


def test_every_placeholder_is_kept() -> None:
    wrong = []
    for message in update.read("ja"):
        ids = [message.id] if isinstance(message.id, str) else list(message.id)
        strings = [message.string] if isinstance(message.string, str) else list(message.string or ())
        wrong += [ids[-1] for string in strings if fields(string) != fields(ids[-1])]
    assert not wrong


def test_japanese_is_japanese() -> None:
    japanese = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
    plain = [
        message.id
        for message in update.read("ja")
        if message.id and isinstance(message.string, str) and not japanese.search(message.string)
    ]
    # What is left must be numbers, punctuation, or a name.
    assert not [
        text
        for text in plain
        if re.search(r"[A-Za-z]{2}", re.sub(r"\{\w+\}", "", str(text))) and text not in SAME_IN_BOTH
    ]


def test_the_extraction_finds_what_it_should() -> None:
    source = """
x = _("one" " and two")
y = _n("{count} photo", "{count} photos", n)
z = N_("marked")
raise errors.StorageError("reason {name}", remedy="remedy", name=1)
note = Note("a note", {"x": 1})
other("not this")
_(variable)
"""
    assert list(update.texts_of(source)) == [
        "one and two",
        ("{count} photo", "{count} photos"),
        "marked",
        "reason {name}",
        "remedy",
        "a note",
    ]


def test_errors_and_nested_notes_are_told_in_the_users_language() -> None:
    error = StorageError("The name is empty.", remedy="Write a name.")
    assert translator("ja").error(error) == ("名前が空です。", "名前を書いてください。")
    assert translator("en").error(error) == ("The name is empty.", "Write a name.")
    range_note = Note(
        "The {name} is {value}; it must be between {low} and {high}.",
        {"name": Note("learning rate"), "value": 99, "low": 0, "high": 10},
    )
    assert translator("ja").note(range_note) == "学習率が 99 です。0 から 10 の間にしてください。"
    parts = {
        "message": range_note.message,
        "values": {**range_note.values, "name": {"message": "learning rate", "values": {}}},
    }
    assert i18n.note_of(parts) == range_note


def test_numbers_decide_the_form() -> None:
    one, many = "{count} class", "{count} classes"
    assert [translator("en").plural(one, many, n) for n in (0, 1, 2000)] == ["0 classes", "1 class", "2,000 classes"]
    assert translator("ja").plural(one, many, 1) == "種類 1"


def test_user_text_may_hold_braces_and_a_missing_translation_stays_english() -> None:
    assert translator("ja").text("Renamed to {name}.", name="{x} {{}} {0}") == "名前を「{x} {{}} {0}」に変えました。"
    assert translator("ja").text("not in any catalogue {a}", a=1) == "not in any catalogue 1"


def test_dates_times_and_shares() -> None:
    moment = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    assert "2026" in translator("en").date(moment) and "Nov" in translator("en").date(moment)
    assert translator("ja").day(moment) == "2026/11/23"
    assert translator("ja").duration(8) == "8 秒" and translator("en").duration(600) == "10 minutes"
    assert [translator("en").percent(x) for x in (0, 0.001, 0.5, 0.999, 1)] == ["0%", "1%", "50%", "99%", "100%"]
    assert translator("en").percent(0.1234, 1) == "12.3%"


@pytest.mark.parametrize(
    ("locale", "language"), [("ja-JP", "ja"), ("ja", "ja"), ("en-US", "en"), ("fr", "en"), (None, "en"), ("", "en")]
)
def test_the_browser_chooses_the_language(locale: str | None, language: str) -> None:
    assert i18n.choose(locale) == language
