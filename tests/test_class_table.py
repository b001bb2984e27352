"""Rows of text → classes, or a complaint about the row."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from prolip_core import class_table
from prolip_core.class_table import Draft
from prolip_core.storage.records import ClassRow


def test_a_row_becomes_a_class_with_all_its_names() -> None:
    checked = class_table.check([Draft(7, " ボルト ", "metal bolt", "hex bolt、 screw; , hex bolt")])
    assert not checked.problems
    assert checked.rows == (ClassRow(7, "ボルト", ("metal bolt", "hex bolt", "screw")),)


def test_a_saved_class_comes_back_as_it_was_from_the_table() -> None:
    row = ClassRow(3, "Nut", ("metal nut", "hex nut"))
    assert class_table.check([class_table.draft(row)]).rows == (row,)


def test_every_problem_names_its_row_as_shown_and_blank_new_rows_count_but_do_not_matter() -> None:
    checked = class_table.check(
        [Draft(1, "Nut"), Draft(None, ""), Draft(None, "", "bolt"), Draft(None, "Nut"), Draft(2, "", "", "")]
    )
    assert [problem.row for problem in checked.problems] == [3, 4, 5]
    assert checked.problems[1].reason.values == {"name": "Nut", "first": 1}
    assert "row 1" in checked.problems[1].reason.text
    assert all("{" not in problem.remedy.text for problem in checked.problems)


def test_a_name_of_ten_thousand_characters_and_too_many_classes_are_refused() -> None:
    assert [p.row for p in class_table.check([Draft(None, "x" * 10_000)]).problems] == [1]
    many = [Draft(None, f"class {number}") for number in range(class_table.MAX_CLASSES + 1)]
    assert len(class_table.check(many).problems) == 1
    assert not class_table.check(many[:-1]).problems


def test_an_added_row_keeps_its_class_when_it_is_renamed_or_one_before_it_is_deleted() -> None:
    begun = ClassRow(1, "Nut", ("nut",))
    saved = (begun, ClassRow(5, "Bolt", ("bolt",)), ClassRow(6, "Gear", ("gear",)))
    old = Draft(1, "Nut", "nut")
    renamed = class_table.with_ids([old, Draft(None, "Bolt"), Draft(None, "Wheel")], saved, {1})
    assert [one.id for one in renamed] == [1, 5, 6]
    one_deleted = class_table.with_ids([old, Draft(None, "Gear")], saved, {1})
    assert [one.id for one in one_deleted] == [1, 6]
    one_more = class_table.with_ids([old, Draft(None, "Bolt"), Draft(None, "Gear"), Draft(None, "Cog")], saved, {1})
    assert [one.id for one in one_more] == [1, 5, 6, None]


def test_pasted_lines_may_come_from_a_spreadsheet_or_be_parted_by_commas() -> None:
    text = 'ボルト\tmetal bolt\thex bolt, screw\r\n\r\nNut, metal nut, hex nut, lock nut\nGear\n"Cog"\tcog\n、、\n'
    assert class_table.parse(text) == (
        Draft(None, "ボルト", "metal bolt", "hex bolt, screw"),
        Draft(None, "Nut", "metal nut", "hex nut, lock nut"),
        Draft(None, "Gear", "", ""),
        Draft(None, "Cog", "cog", ""),
    )


@given(st.text(alphabet='ab\t,\n"、 ', max_size=60))
def test_any_pasted_text_gives_rows_with_something_in_them(text: str) -> None:
    drafts = class_table.parse(text)
    assert all(not one.is_blank and one.id is None for one in drafts)
    assert len(drafts) <= len(text.splitlines())


def test_classes_that_are_there_already_are_passed_over_also_within_the_text() -> None:
    drafts = class_table.parse("Nut\nBolt\nBolt\n , no name")
    new, known = class_table.without_known(drafts, [ClassRow(1, "Nut", ("nut",))])
    assert [one.name for one in new] == ["Bolt", ""]
    assert known == ("Nut", "Bolt")


def test_moving_a_class_stops_at_the_ends() -> None:
    rows = tuple(ClassRow(number, str(number), (str(number),)) for number in (1, 2, 3))

    def order(class_id: int, by: int) -> list[int | None]:
        return [row.id for row in class_table.moved(rows, class_id, by)]

    assert order(2, -1) == [2, 1, 3]
    assert order(2, 1) == [1, 3, 2]
    assert order(1, -1) == order(3, 1) == order(9, 1) == [1, 2, 3]


def test_the_edits_of_a_table_widget_are_applied_as_it_shows_them() -> None:
    begun = [Draft(1, "Nut", "nut"), Draft(2, "Bolt", "bolt"), Draft(3, "Gear", "gear", "cog")]
    changes = {
        "edited_rows": {"0": {"name": " Ring "}, 2: {"synonyms": None}, 9: {"name": "no such row"}},
        "deleted_rows": [1],
        "added_rows": [{"name": "Pin"}, {}],
    }
    assert class_table.edited(begun, changes) == (
        Draft(1, "Ring", "nut"),
        Draft(3, "Gear", "gear"),
        Draft(None, "Pin"),
        Draft(None, ""),
    )
    assert class_table.edited(begun, {}) == tuple(begun)
