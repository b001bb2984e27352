"""Tables of tags: every row is used or told with reason and remedy, whatever spreadsheet wrote it."""

from __future__ import annotations

import pytest

from prolip_core import tag_table, tags
from prolip_core.errors import DatasetError
from prolip_core.tag_table import Known, TagTable

PHOTOS = (
    Known("b1", "1.jpg", ("Bolt",), "train"),
    Known("b1t", "1.jpg", ("Bolt",), "test"),
    Known("n1", "1.jpg", ("ナット", "nut"), "train"),
    Known("n2", "写真_2.jpg", ("ナット", "nut"), "train"),
    Known("t1", "twin.jpg", ("Bolt",), "train"),
    Known("t2", "twin.jpg", ("Bolt",), "train"),
    Known("f", "=1+1.jpg", ("Bolt",), "train"),
)


def read(text: str, encoding: str = "utf-8") -> TagTable[str]:
    return tag_table.read(text.encode(encoding), PHOTOS)


def told(table: TagTable[str]) -> list[tuple[int, str]]:
    assert all(row.reason and row.remedy and row.remedy.text for row in table.not_used)
    return [(row.line, row.reason.text if row.reason else "") for row in table.not_used]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp932"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_what_any_spreadsheet_writes_is_read(encoding: str, separator: str, line_end: str) -> None:
    rows = [("ファイル名", "ライン", "撮影者"), ("写真_2.jpg", "第1", "佐藤, 花子"), ("", "", "")]
    text = line_end.join(separator.join(f'"{cell}"' if "," in cell else cell for cell in row) for row in rows)
    table = read(text, encoding)
    assert table.names == ("ライン", "撮影者")
    assert table.used == {"n2": {"ライン": "第1", "撮影者": "佐藤, 花子"}}
    assert table.not_used == ()


@pytest.mark.parametrize(
    ("file", "key"),
    [
        ("写真_2.JPG", "n2"),
        ("nut/1.jpg", "n1"),
        ("ナット/1.jpg", "n1"),
        ("C:\\photos\\NUT\\1.jpg", "n1"),
        ("test/Bolt/1.jpg", "b1t"),
        ("テスト/Bolt/1.jpg", "b1t"),
        ("/data/train/bolt/1.jpg", "b1"),
        ("train/nut/1.jpg", "n1"),
        ("test/nut/1.jpg", "n1"),  # used for training by now: no other photo can be meant
        ("'=1+1.jpg", "f"),  # as the template writes it
    ],
)
def test_a_photo_is_found_by_its_name_or_path(file: str, key: str) -> None:
    assert read(f"file,line\n{file},A\n").used == {key: {"line": "A"}}


def test_where_a_name_is_shared_the_use_that_is_meant_decides_unless_the_path_does() -> None:
    text = "file,line\nbolt/1.jpg,A\ntrain/bolt/1.jpg,B\nnut/1.jpg,C\n1.jpg,D\n"
    table = tag_table.read(text.encode(), PHOTOS, meant="test")
    assert table.used == {"b1t": {"line": "A"}, "b1": {"line": "B"}, "n1": {"line": "C"}}
    assert [row.line for row in table.not_used] == [5]  # the only test photo of this name, but in which class?


def test_the_column_of_the_photos_may_stand_anywhere_and_may_be_called_anything_if_it_is_the_first() -> None:
    assert read("line,File,camera\nA,写真_2.jpg,x\n").used == {"n2": {"line": "A", "camera": "x"}}
    assert read("which,line\n写真_2.jpg,A\n").used == {"n2": {"line": "A"}}


def test_lines_are_counted_as_in_the_file() -> None:
    table = read("\n\nfile;line\n\n写真_2.jpg;A\n;;\ngone.jpg;A\n")
    assert [row.line for row in table.rows] == [5, 7] and table.used == {"n2": {"line": "A"}}


def test_every_row_is_told_as_used_or_not() -> None:
    table = read(
        "file,line,shift\n"
        "nut/1.jpg,A,\n"  # 2: an empty cell says nothing
        "gone.jpg,A,1\n"
        "1.jpg,A,1\n"
        "bolt/twin.jpg,A,1\n"
        "bolt/写真_2.jpg,A,1\n"
        "写真_2.jpg,,\n"
        ",A,1\n"
        "ナット/1.jpg,B,2\n"
        f"写真_2.jpg,{'x' * 61},1\n"
        "写真_2.jpg,A,1,left over\n".replace(",left over", "")
        + "写真_2.jpg\n"
    )
    assert table.used == {"n1": {"line": "A"}, "n2": {"line": "A", "shift": "1"}}
    assert told(table) == [
        (3, "There is no photo of this name."),
        (4, "3 photos have this name."),
        (5, "2 photos have this name."),
        (6, "There is a photo of this name, but in another class: ナット."),
        (7, "All of its tags are empty."),
        (8, "The line names no photo."),
        (9, "Line 2 is about this photo already."),
        (10, "“line” has 61 characters; the limit is 60."),
        (12, "All of its tags are empty."),
    ]
    assert [row.line for row in table.rows] == list(range(2, 13))


def test_wide_and_narrow_forms_and_spaces_are_one() -> None:
    table = read("ｆｉｌｅ,Ｌｉｎｅ \nnut/1.jpg, Ａ  ﾗｲﾝ\u202e\n")
    assert table.used == {"n1": {"Line": "A ライン"}}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("file,line\n", "is empty"),
        ("file\n1.jpg\n", "one column only"),
        ("file,,\n1.jpg,,\n", "one column only"),
        ("file,line, line \n1.jpg,A,B\n", "two columns “line”"),
        ("file,,line\n1.jpg,x,B\n", "Column 2 of the table of tags has no name"),
        ("file,line\n1.jpg,A,left over\n", "Column 3 of the table of tags has no name"),
        (f"file,{'x' * 41}\n1.jpg,A\n", "has 41 characters; the limit of a tag is 40"),
        ("file," + ",".join(f"t{n}" for n in range(21)) + "\n1.jpg,A\n", "21 tags; the limit is 20"),
        ('file,line\n"' + "x" * 200_000 + '",A\n', "cannot be read"),
    ],
)
def test_a_table_that_cannot_be_used_is_told(text: str, reason: str) -> None:
    with pytest.raises(DatasetError) as told:
        read(text)
    assert reason in told.value.reason_text and told.value.remedy_text


def test_bytes_that_are_no_text_and_too_many_lines_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for data in (b"PK\x03\x04 a workbook \x00,\n", b"file,line\n\x81 ,A\n", b"\xff\xfe\x00"):
        with pytest.raises(DatasetError, match="not a text file"):
            tag_table.read(data, PHOTOS)
    monkeypatch.setattr(tag_table, "MAX_ROWS", 2)
    with pytest.raises(DatasetError, match="3 lines; the limit is 2"):
        read("file,line\n1.jpg,A\n1.jpg,A\n")


def test_the_template_names_every_photo_so_that_it_is_found_again() -> None:
    some = [photo for photo in PHOTOS if photo.filename != "twin.jpg"]
    data = tag_table.template(some, ["line", "=shift"], {"n1": {"line": "A"}, "f": {"=shift": "@2"}}, "File")
    assert data.startswith(b"\xef\xbb\xbf")
    lines = data.decode("utf-8-sig").splitlines()
    assert lines == [
        "File,line,'=shift",
        "train/Bolt/1.jpg,,",
        "test/Bolt/1.jpg,,",
        "ナット/1.jpg,A,",
        "写真_2.jpg,,",
        "'=1+1.jpg,,'@2",
    ]
    filled = "\r\n".join([lines[0], *(line.replace(",,", ",x,") for line in lines[1:])])
    table = tag_table.read(filled.encode(), PHOTOS)
    assert set(table.used) == {photo.key for photo in some}
    assert table.names == ("line", "=shift") and table.used["f"] == {"line": "x", "=shift": "@2"}


@pytest.mark.parametrize("check", [tags.check_name, tags.check_value])
def test_a_tag_by_hand_is_cleaned_or_told(check: object) -> None:
    assert callable(check)
    assert check(" Ａ\u3000\x00line\n2 ") == "A line 2"
    for bad in ("", " \u3000", "\x00", "x" * 61):
        with pytest.raises(DatasetError) as told:
            check(bad)
        assert told.value.remedy_text
