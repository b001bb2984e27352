"""Dropped files, folders and zips: every file is told of, and what passes is in the store."""

from __future__ import annotations

import io
import unicodedata
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from PIL import Image

from prolip_core import archives, class_table, uploads
from prolip_core.content_store import ContentStore, ThumbnailStore
from prolip_core.errors import NotAnImageError, StorageError
from prolip_core.storage.records import ClassRow
from prolip_core.types import ClassSpec
from prolip_core.uploads import Progress, UploadFile
from tests import image_factory


@pytest.fixture
def stores(tmp_path: Path) -> tuple[ContentStore, ThumbnailStore]:
    return ContentStore(tmp_path / "photos"), ThumbnailStore(tmp_path / "thumbnails")


def checked(files: Sequence[UploadFile], stores: tuple[ContentStore, ThumbnailStore]) -> list[Progress]:
    return list(uploads.check(files, *stores))


def places(found: Sequence[Progress]) -> list[tuple[str, str | None, str | None]]:
    return [(one.photo.photo.record.filename, one.photo.folder, one.photo.role) for one in found if one.photo]


def zipped(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_photos_are_kept_with_their_small_copies(stores: tuple[ContentStore, ThumbnailStore]) -> None:
    photos, thumbnails = stores
    files = [UploadFile(f"bolt/{seed}.jpg", image_factory.jpeg(seed, 640, 480)) for seed in range(9)]
    found = checked(files, stores)
    assert [(one.done, one.total) for one in found] == [(done, 9) for done in range(1, 10)]
    for file, one in zip(files, found, strict=True):  # in the order given, though two threads work
        assert one.photo is not None and one.rejected is None
        record = one.photo.photo.record
        assert photos.read(record.image_id) == file.data
        assert (record.width_px, record.height_px) == (640, 480)
        with Image.open(thumbnails.path(record.image_id)) as small:
            assert (small.format, small.size) == ("WEBP", (240, 180))
    qualities = {one.photo.photo.quality.brightness for one in found if one.photo}
    assert len(qualities) == 9  # measured on each, not on one


def test_a_zip_gives_the_same_as_its_files(stores: tuple[ContentStore, ThumbnailStore]) -> None:
    files = {"root/train/bolt/1.jpg": image_factory.jpeg(1), "root/test/nut/2.jpg": image_factory.jpeg(2)}
    loose = checked([UploadFile(name, data) for name, data in files.items()], stores)
    in_zip = checked([UploadFile("photos.zip", zipped(files))], stores)
    assert places(in_zip) == places(loose) == [("1.jpg", "bolt", "train"), ("2.jpg", "nut", "test")]
    assert [one.total for one in in_zip] == [2, 2]


def test_what_is_refused_is_named_and_costs_no_other(stores: tuple[ContentStore, ThumbnailStore]) -> None:
    good = image_factory.jpeg(1)
    inner = {"bolt/notes.txt": b"text", "bolt/cut.jpg": image_factory.cut(good), "bolt/ok.jpg": good}
    files = [
        UploadFile("film.mp4", b"no"),
        UploadFile("a.zip", zipped(inner)),
        UploadFile("b.zip", b"PK\x03\x04rubbish"),
    ]
    found = checked([*files, UploadFile("last.jpg", image_factory.jpeg(2))], stores)
    rejected = {one.rejected.filename: one.rejected for one in found if one.rejected}
    assert list(rejected) == ["film.mp4", "bolt/notes.txt", "bolt/cut.jpg", "b.zip"]
    assert [name for name, _, _ in places(found)] == ["ok.jpg", "last.jpg"]
    assert found[-1].done == found[-1].total == 6
    assert rejected["b.zip"].reason == "The zip file “b.zip” is damaged or cut short." and rejected["b.zip"].remedy
    for one in rejected.values():
        assert one.error.__traceback__ is None  # or the bytes of the file would stay in memory with the report


@pytest.mark.parametrize("members", [{}, {"__MACOSX/._a.jpg": b"x", ".DS_Store": b"x"}])
def test_a_zip_without_photos_is_told(
    stores: tuple[ContentStore, ThumbnailStore], members: Mapping[str, bytes]
) -> None:
    (found,) = checked([UploadFile("empty.zip", zipped(members))], stores)
    assert found.rejected is not None and found.rejected.reason == "There is no photo in empty.zip."
    assert (found.done, found.total) == (1, 1)


def test_an_office_document_is_not_unpacked(stores: tuple[ContentStore, ThumbnailStore]) -> None:
    data = zipped({"[Content_Types].xml": b"<x/>", "word/media/image1.jpg": image_factory.jpeg(1)})
    (found,) = checked([UploadFile("report.docx", data)], stores)
    assert found.rejected is not None and isinstance(found.rejected.error, NotAnImageError)


def test_hidden_files_are_neither_told_nor_counted(stores: tuple[ContentStore, ThumbnailStore]) -> None:
    names = [".DS_Store", "bolt/Thumbs.db", "__MACOSX/bolt/._1.jpg"]
    hidden = [UploadFile(name, b"x") for name in names]
    in_zip = UploadFile("a.zip", zipped({**dict.fromkeys(names, b"x"), "1.jpg": image_factory.jpeg(1)}))
    (found,) = checked([*hidden, in_zip], stores)
    assert (found.done, found.total) == (1, 1) and found.photo is not None
    assert checked(hidden, stores) == []


def test_names_of_a_mac_are_the_same_names(stores: tuple[ContentStore, ThumbnailStore]) -> None:
    two_characters = unicodedata.normalize("NFD", "ボルト/が.jpg")
    bad = unicodedata.normalize("NFD", "ボルト/ぐ.txt")
    found = checked([UploadFile(two_characters, image_factory.jpeg(1)), UploadFile(bad, b"x")], stores)
    assert places(found) == [("が.jpg", "ボルト", None)]
    assert found[1].rejected is not None and found[1].rejected.filename == "ボルト/ぐ.txt"


def test_few_photos_of_a_large_zip_are_in_memory(
    stores: tuple[ContentStore, ThumbnailStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken_out = 0

    def members(data: bytes, filename: str) -> Iterator[archives.Member]:
        nonlocal taken_out
        for seed in range(40):
            taken_out += 1
            yield archives.Member(f"{seed}.jpg", image_factory.jpeg(seed))

    monkeypatch.setattr(archives, "members", members)
    for told, _ in enumerate(uploads.check([UploadFile("a.zip", zipped({"x": b""}))], *stores, workers=2), start=1):
        assert taken_out <= told + 2 * 2
    assert taken_out == told == 40


def test_a_store_that_cannot_be_written_stops_the_import(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"in the way")
    with pytest.raises(StorageError, match="cannot be kept"):
        checked(
            [UploadFile("1.jpg", image_factory.jpeg(1))],
            (ContentStore(tmp_path / "file"), ThumbnailStore(tmp_path / "t")),
        )


@pytest.mark.parametrize(
    ("name", "folder", "role"),
    [
        ("1.jpg", None, None),
        ("/1.jpg", None, None),
        ("./1.jpg", None, None),
        ("bolt/1.jpg", "bolt", None),
        ("x/y/bolt/1.jpg", "bolt", None),
        ("root/train/bolt/1.jpg", "bolt", "train"),
        ("root/test/bolt/2.jpg", "bolt", "test"),
        ("Validation/bolt/2.jpg", "bolt", "test"),
        ("学習/ボルト/1.jpg", "ボルト", "train"),
        ("テスト/ボルト/1.jpg", "ボルト", "test"),
        (unicodedata.normalize("NFD", "テスト用/ボルト/1.jpg"), "ボルト", "test"),
        ("test/1.jpg", None, "test"),
        ("bolt/test/1.jpg", None, "test"),  # whether "bolt" is a class or the name of all, nobody can tell
        ("train/test/bolt/1.jpg", "bolt", "test"),
        ("latest/bolt/1.jpg", "bolt", None),
    ],
)
def test_folders_tell_class_and_use(name: str, folder: str | None, role: str | None) -> None:
    assert uploads.place_of(name) == (folder, role)


CLASSES = (
    ClassSpec("六角ボルト", ("hex bolt", "ring")),
    ClassSpec("Ring", ("washer", "flat washer")),
    ClassSpec("ﾅｯﾄ", ("nut",)),
    ClassSpec("Straße", ("street",)),
)


@pytest.mark.parametrize(
    ("folder", "found"),
    [
        ("六角ボルト", 0),
        ("hex_bolt", 0),
        ("HEX  Bolt", 0),
        ("hex　bolt", 0),  # a full-width space
        ("ｈｅｘ＿ｂｏｌｔ", 0),
        ("ring", 1),  # its own name, though it is also a name for the model of the class before
        ("flat_washer", 1),
        ("ナット", 2),
        ("STRASSE", 3),
        ("bolt", None),
        ("", None),
    ],
)
def test_a_folder_finds_its_class(folder: str, found: int | None) -> None:
    assert uploads.match_class(folder, CLASSES) == found


def test_folders_become_classes_as_far_as_a_class_can_be_called_that() -> None:
    rows = [ClassRow(7, "Nut", ("hex nut",))]
    found = uploads.homes(["bolt", "hex_nut", "x" * 300, "gear", "bolt"], rows)
    assert [row.display_name for row in found.rows] == ["Nut", "bolt", "gear"]
    assert found.of_folder == {"bolt": 1, "hex_nut": 0, "gear": 2}
    assert list(found.refused) == ["x" * 300]


def test_folders_beyond_the_limit_of_classes_are_refused() -> None:
    rows = [ClassRow(n, f"class {n}", ()) for n in range(class_table.MAX_CLASSES - 1)]
    found = uploads.homes(["a", "b", "class 3"], rows)
    assert len(found.rows) == class_table.MAX_CLASSES
    assert set(found.of_folder) == {"a", "class 3"}
    assert "200" in found.refused["b"].reason_text
