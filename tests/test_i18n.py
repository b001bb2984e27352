"""The catalogues hold every text of the product, in both languages, and nothing else."""

from __future__ import annotations

import ast
import re
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from prolip_core import errors, i18n
from prolip_core.errors import ConfigError, ProLIPError, StorageError
from prolip_core.i18n import translator
from prolip_core.locale import update
from prolip_core.types import Note
from tests import bad_input_cases

SAME_IN_BOTH = {"ProLIP Studio", "ProLIP", "{size} MB", "{size} KB"}
"""Names and units."""
ERRORS = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, ProLIPError)}
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")


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
    plain = []
    for message in update.read("ja"):
        ids = [message.id] if isinstance(message.id, str) else list(message.id)
        strings = [message.string] if isinstance(message.string, str) else list(message.string or ())
        plain += [ids[-1] for string in strings if ids[-1] and not JAPANESE.search(string)]
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
REMEDY = "a remedy" " by name"
raise FitError(REMEDY, remedy=REMEDY)
refusal = _Refusal(b"not this", errors.ImageError, "a refusal", REMEDY)
other("not this")
_(variable)
_n("not this", variable, n)
"""
    assert list(update.texts_of(source)) == [
        "one and two",
        ("{count} photo", "{count} photos"),
        "marked",
        "reason {name}",
        "remedy",
        "a note",
        "a remedy by name",
        "a remedy by name",
        "a refusal",
        "a remedy by name",
    ]


def test_an_update_keeps_translations_and_doubts_and_drops_what_is_unused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(i18n, "FOLDER", tmp_path)
    path = i18n.catalogue_path("ja")
    path.parent.mkdir(parents=True)
    path.write_text(
        'msgid "unused"\nmsgstr "捨てる"\n\n'
        '#, fuzzy\nmsgid "doubted"\nmsgstr "迷う"\n\n'
        'msgid "kept"\nmsgstr "残す"\n\n'
        'msgid "now counted"\nmsgstr "数えない"\n',
        encoding="utf-8",
    )
    found: dict[update.TextKey, list[str]] = {
        "new": ["b.py"],
        "kept": ["b.py", "a.py"],
        "doubted": ["a.py"],
        ("now counted", "now counted {count}"): ["a.py"],
    }
    monkeypatch.setattr(update, "extract", lambda: found)
    update.main()
    told = {message.id: (message.string, message.fuzzy) for message in update.read("ja") if message.id}
    assert told == {
        "new": ("", False),
        "kept": ("残す", False),
        "doubted": ("迷う", True),
        ("now counted", "now counted {count}"): (("",), False),
    }
    english = {message.id: message.string for message in update.read("en") if message.id}
    assert english["new"] == "new" and list(english) == list(found)


def test_a_text_that_is_used_by_name_is_a_constant_that_the_update_can_read() -> None:
    unread = []
    for path in update.sources():
        source = path.read_text(encoding="utf-8")
        marked = set(re.findall(r"^(\w+) = (?:N_\(|\(?\s*[\"'])", source, re.MULTILINE))
        for call in ast.walk(ast.parse(source)):
            name = getattr(call.func, "id", "") if isinstance(call, ast.Call) else ""
            if not isinstance(call, ast.Call) or name not in {"_", "N_", "Note", *ERRORS}:
                continue
            texts = call.args[:1] + [one.value for one in call.keywords if name in ERRORS and one.arg == "remedy"]
            unread += [f"{path.name}: {one.id}" for one in texts if isinstance(one, ast.Name) and one.id not in marked]
    assert not unread


@pytest.mark.parametrize("case", bad_input_cases.CASES, ids=lambda case: case.what)
def test_every_refusal_of_a_file_or_folder_is_told_in_japanese(case: bad_input_cases.BadInput, tmp_path: Path) -> None:
    with pytest.raises(ProLIPError) as caught:
        case.use(tmp_path)
    reason, remedy = translator("ja").error(caught.value)
    assert reason != caught.value.reason_text and JAPANESE.search(reason)
    assert remedy != caught.value.remedy_text and JAPANESE.search(remedy)


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
    # As the error of a job comes back from the database.
    kept = ConfigError(range_note.message, **parts["values"])  # type: ignore[arg-type]
    assert translator("ja").error(kept)[0] == "学習率が 99 です。0 から 10 の間にしてください。"


@pytest.mark.parametrize("broken", ["{a.b}", "{missing}", "{a:d}", "{", "{0}", "{a!x}", "{a[b]}"])
def test_a_broken_template_is_shown_as_it_is(broken: str) -> None:
    assert translator("ja").text(broken, a="x") == broken
    assert translator("en").plural(broken, broken, 2, a="x") == broken


def test_a_broken_translation_gives_way_to_english(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(i18n, "FOLDER", tmp_path)
    path = i18n.catalogue_path("ja")
    path.parent.mkdir(parents=True)
    path.write_text('msgid "{count} found"\nmsgstr "{nummer} 件"\n', encoding="utf-8")
    i18n._catalogue.cache_clear()
    try:
        assert translator("ja").text("{count} found", count=3) == "3 found"
    finally:
        i18n._catalogue.cache_clear()


def test_a_value_may_have_any_name() -> None:
    assert translator("en").text("{message} {self}", message="a", self="b") == "a b"
    assert translator("en").plural("{one}", "{count} {one} {many}", 2, one="a", many="b") == "2 a b"


def test_an_unknown_language_is_english() -> None:
    assert translator("xx").text("The name is empty.") == "The name is empty."


def test_numbers_decide_the_form() -> None:
    one, many = "{count} class", "{count} classes"
    assert [translator("en").plural(one, many, n) for n in (0, 1, 2000)] == ["0 classes", "1 class", "2,000 classes"]
    assert translator("ja").plural(one, many, 1) == "1 種類"


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
    assert [translator("en").percent(n / 40) for n in (5, 29, 21)] == [
        "13%",
        "73%",
        "53%",
    ]  # half up, as a spreadsheet does
    assert translator("en").percent(0.145) == "15%"
    assert translator("en").percent(np.float64(0.5)) == "50%"


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the time zone of a process can be set on Unix only")
def test_a_moment_is_told_in_the_time_zone_of_the_computer(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = datetime(2026, 11, 23, 15, 30, tzinfo=UTC)
    try:
        monkeypatch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        assert translator("ja").date(moment) == "2026/11/24 00:30"
        assert translator("en").date(moment) == "Nov 24, 2026 00:30"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("locale", "language"), [("ja-JP", "ja"), ("ja", "ja"), ("en-US", "en"), ("fr", "en"), (None, "en"), ("", "en")]
)
def test_the_browser_chooses_the_language(locale: str | None, language: str) -> None:
    assert i18n.choose(locale) == language
