"""Zip files: every file in them is told apart, none leads out, none fills the memory."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from collections.abc import Mapping

import pytest

from prolip_core import archives, config
from prolip_core.errors import ArchiveError, ImageTooLargeError, UnreadableFileError

LOCAL, CENTRAL = b"PK\x03\x04", b"PK\x01\x02"


def packed(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def with_raw_names(*names: bytes) -> bytes:
    """A zip whose names are these very bytes, without the mark that says UTF-8."""
    stand_ins = [f"{index:X}".rjust(len(name), "Z") for index, name in enumerate(names)]
    data = packed(dict.fromkeys(stand_ins, b"photo"))
    for stand_in, name in zip(stand_ins, names, strict=True):
        data = data.replace(stand_in.encode(), name)
    return data


def patched(data: bytes, offsets: Mapping[bytes, int], code: str, value: int) -> bytes:
    """The zip with one field of its first local and its first central header changed."""
    changed = bytearray(data)
    for signature, offset in offsets.items():
        struct.pack_into(code, changed, changed.index(signature) + offset, value)
    return bytes(changed)


def names(data: bytes) -> list[str]:
    return [member.name for member in archives.members(data, "photos.zip")]


def refusals(data: bytes) -> dict[str, str]:
    return {one.name: str(one.error) for one in archives.members(data, "photos.zip") if one.error is not None}


def test_files_come_out_with_their_folders() -> None:
    files = {"bolt/1.jpg": b"one", "nut/大きい/2.jpg": b"two" * 1000, "3.jpg": b""}
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        found = list(archives.members(packed(files, method), "photos.zip"))
        assert {one.name: one.data for one in found} == files
        assert not any(one.error for one in found)


@pytest.mark.parametrize("encoding", ["utf-8", "cp932"])
def test_japanese_names_without_a_mark_are_read(encoding: str) -> None:
    meant = ["ボルト/表面.jpg", "ソケット/能力.jpg"]  # 表 ソ 能 hold a backslash in cp932
    assert names(with_raw_names(*(name.encode(encoding) for name in meant))) == meant


def test_all_names_of_a_zip_decide_its_encoding_together() -> None:
    half_width = "ﾂｱ.jpg"
    assert half_width.encode("cp932").decode("utf-8") == "±.jpg"  # alone it would pass for this
    assert names(with_raw_names("良品.jpg".encode("cp932"), half_width.encode("cp932"))) == ["良品.jpg", half_width]


def test_names_that_nobody_can_read_lose_no_photo() -> None:
    data = with_raw_names(b"\xff\xfe\x81.jpg", b"ok.jpg")
    assert len(names(data)) == 2 and "ok.jpg" in names(data)


def test_backslashes_part_folders() -> None:
    assert names(with_raw_names(b"bolt\\", b"bolt\\1.jpg")) == ["bolt/1.jpg"]


@pytest.mark.parametrize("bad", ["../a.jpg", "x/../../a.jpg", "/etc/a.jpg", "C:/a.jpg", "c:\\a.jpg", "..\\a.jpg"])
def test_names_that_lead_out_are_refused_alone(bad: str) -> None:
    data = with_raw_names(bad.encode(), b"good.jpg")
    found = {one.name: one for one in archives.members(data, "photos.zip")}
    told = found.pop(bad.replace("\\", "/"))
    assert isinstance(told.error, UnreadableFileError) and "leads out" in str(told.error) and told.data == b""
    assert found["good.jpg"].data == b"photo" and found["good.jpg"].error is None


def test_what_systems_leave_is_passed_over_in_silence() -> None:
    files = ["bolt/1.jpg", "__MACOSX/bolt/._1.jpg", ".DS_Store", "bolt/Thumbs.db", "bolt/.hidden.jpg", "empty/"]
    data = packed(dict.fromkeys(files, b"x"))
    assert names(data) == ["bolt/1.jpg"]
    assert archives.count(data) == 1


def test_a_password_is_told() -> None:
    data = patched(packed({"a.jpg": b"x", "b.jpg": b"y"}), {LOCAL: 6, CENTRAL: 8}, "<H", 1)
    assert refusals(data) == {
        "a.jpg": "a.jpg is locked with a password. Pack the photos again without a password.",
    }
    assert names(data) == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize("inner", ["more.zip", "x/MORE.7Z", "more.tar.gz"])
def test_archives_inside_are_named_and_not_opened(inner: str) -> None:
    found = refusals(packed({inner: packed({"a.jpg": b"x"}), "b.jpg": b"y"}))
    assert list(found) == [inner] and "archive inside the zip" in found[inner]


def test_one_damaged_file_costs_only_itself() -> None:
    data = packed({"a.jpg": b"first" * 10, "b.jpg": b"second" * 10}, zipfile.ZIP_STORED)
    found = {one.name: one for one in archives.members(data.replace(b"first", b"farst", 1), "photos.zip")}
    assert "damaged" in str(found["a.jpg"].error) and found["a.jpg"].data == b""
    assert found["b.jpg"].data == b"second" * 10


def test_a_zip_that_is_cut_short_is_told() -> None:
    data = packed({"a.jpg": b"x" * 100})
    for broken in (data[: len(data) // 2], data[:4], data[:-30]):
        with pytest.raises(ArchiveError, match=r"photos\.zip.*damaged or cut short"):
            list(archives.members(broken, "photos.zip"))
        assert archives.is_zip(broken) and archives.count(broken) == 1


def test_the_limit_of_files_counts_photos_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_MEMBERS", 2)
    from_a_mac = ["1.jpg", "2.jpg", "__MACOSX/._1.jpg", "__MACOSX/._2.jpg", "folder/"]
    assert names(packed(dict.fromkeys(from_a_mac, b"x"))) == ["1.jpg", "2.jpg"]
    with pytest.raises(ArchiveError, match="holds 3 files; the limit is 2"):
        list(archives.members(packed(dict.fromkeys("abc", b"x")), "photos.zip"))


def test_a_list_of_countless_files_is_not_even_read(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = CENTRAL + bytes(24) + struct.pack("<H", 1) + bytes(16) + b"a"
    count = 30_000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(entry) * count, 64, 0)
    data = LOCAL + bytes(60) + entry * count + end
    monkeypatch.setattr(zipfile, "ZipFile", None)
    assert archives.is_zip(data) and archives.count(data) == 1
    with pytest.raises(ArchiveError, match="holds 30000 files"):
        list(archives.members(data, "photos.zip"))


def test_a_zip_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"a.jpg": b"x" * 600, "b.jpg": b"x" * 600}
    monkeypatch.setattr(archives, "MAX_TOTAL_BYTES", 1_200)
    assert names(packed(files)) == ["a.jpg", "b.jpg"]
    monkeypatch.setattr(archives, "MAX_TOTAL_BYTES", 1_199)
    with pytest.raises(ArchiveError, match="unpacks to more than"):
        list(archives.members(packed(files), "photos.zip"))


def test_one_file_that_is_too_large_does_not_count_for_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "MAX_IMAGE_BYTES", 1_000)
    monkeypatch.setattr(archives, "MAX_TOTAL_BYTES", 1_500)
    found = {
        one.name: one for one in archives.members(packed({"film.mp4": bytes(9_000), "a.jpg": b"x" * 1_000}), "p.zip")
    }
    assert isinstance(found["film.mp4"].error, ImageTooLargeError) and found["film.mp4"].data == b""
    assert len(found["a.jpg"].data) == 1_000


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_size_that_was_understated_fills_no_memory(method: int) -> None:
    bomb = patched(packed({"a.jpg": bytes(40 * 2**20)}, method), {LOCAL: 22, CENTRAL: 24}, "<I", 1_000)
    tracemalloc.start()
    try:
        assert "damaged or packed in an unusual way" in refusals(bomb)["a.jpg"]
        assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
    finally:
        tracemalloc.stop()


def test_what_is_a_zip_is_told_by_the_content() -> None:
    assert archives.is_zip(packed({"a.jpg": b"x"})) and archives.is_zip(packed({}))
    assert not archives.is_zip(b"") and not archives.is_zip(b"\xff\xd8\xff\xe0 PK\x03\x04")
    word = {"[Content_Types].xml": b"<x/>", "word/media/image1.png": b"x"}
    assert not archives.is_zip(packed(word))
    assert archives.is_zip(packed({"report.docx": packed(word), "a.jpg": b"x"}, zipfile.ZIP_STORED))


def test_the_count_is_that_of_what_comes_out() -> None:
    data = packed({"x/": b"", "a.jpg": b"x", "x/b.jpg": b"x", "inner.zip": b"x"})
    assert archives.count(data) == len(names(data)) == 3
