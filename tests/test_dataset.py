"""Folders of photos and class lists, good and bad, as people really hand them in."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from prolip_core import dataset
from prolip_core.errors import DatasetError, PromptError
from prolip_core.types import ClassSpec, Progress
from tests import fakes, image_factory

FOLDERS = ["part2", "part10", "Part1"]
NATURAL = ["Part1", "part2", "part10"]


def _names(photos: dataset.PhotoSet) -> list[str]:
    return [spec.display_name for spec in photos.classes]


def _labels_by_folder(photos: dataset.PhotoSet) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for image in (*photos.support, *photos.query):
        found.setdefault(image.record.filename.split("/")[0], set()).add(image.label)
    return found


@pytest.fixture
def train(tmp_path: Path) -> Path:
    return fakes.write_photos(tmp_path / "train", {name: range(2) for name in FOLDERS})


@pytest.fixture
def class_list(tmp_path: Path) -> Path:
    return tmp_path / "classes.csv"


def test_classes_stand_in_natural_order_without_a_list(train: Path) -> None:
    photos = dataset.read_folders(train)
    assert _names(photos) == NATURAL
    assert _labels_by_folder(photos) == {name: {label} for label, name in enumerate(NATURAL)}
    assert [len(photos.support), len(photos.query), photos.rejected, photos.duplicates] == [6, 0, (), ()]


def test_an_underscore_in_a_folder_name_is_read_as_a_space(tmp_path: Path) -> None:
    root = fakes.write_photos(tmp_path / "train", {"steel_bolt": [0], "nut": [0]})
    photos = dataset.read_folders(root)
    assert [(spec.display_name, spec.prompt_names) for spec in photos.classes] == [
        ("nut", ("nut",)),
        ("steel_bolt", ("steel bolt",)),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
def test_the_list_gives_order_and_names_in_every_encoding_of_a_japanese_office(
    train: Path, class_list: Path, encoding: str
) -> None:
    text = "class,display_name,prompt_names\r\npart10,傷あり①,scratched part|scratch\r\npart2,良品,good part\r\nPart1,,\r\n"
    class_list.write_bytes(text.encode(encoding))
    photos = dataset.read_folders(train, classes_csv=class_list)
    assert [(spec.display_name, spec.prompt_names) for spec in photos.classes] == [
        ("傷あり①", ("scratched part", "scratch")),
        ("良品", ("good part",)),
        ("Part1", ("Part1",)),
    ]
    assert _labels_by_folder(photos) == {"part10": {0}, "part2": {1}, "Part1": {2}}


def test_a_list_may_have_the_column_class_alone_and_lines_without_anything(train: Path, class_list: Path) -> None:
    class_list.write_text("class\npart10\n\n  \nPart1 \npart2\n", encoding="utf-8")
    assert _names(dataset.read_folders(train, classes_csv=class_list)) == ["part10", "Part1", "part2"]


def test_a_name_that_a_mac_writes_in_two_characters_finds_its_folder(tmp_path: Path, class_list: Path) -> None:
    """が is one character in most places, か plus a mark on a Mac's disk."""
    root = fakes.write_photos(tmp_path / "train", {"\u304b\u3099": [0], "nut": [0]})
    class_list.write_text("class\n\u304c\nnut\n", encoding="utf-8")
    photos = dataset.read_folders(root, fakes.write_photos(tmp_path / "test", {"\u304c": [1]}), class_list)
    assert _names(photos) == ["\u304c", "nut"]
    assert [image.label for image in photos.query] == [0]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"name,display_name\npart2,x\n", "has no column"),
        (b"", "has no column"),
        ("class,display_name\n".encode("utf-16"), "does not name the folder"),
        (b"class\npart2\npart10\n", "does not name the folder “Part1”"),
        (b"class\n", "does not name the folder “Part1”"),
        (b"class\npart2\npart10\nPart1\npart2\n", "names “part2” twice"),
        (b"class\npart2\npart10\nPart1\npart3\n", "names “part3”, but there is no such folder"),
        (image_factory.encode(image_factory.photo(), "PNG"), "is not a text file"),
        (b"class\n" + b"x" * 200_000 + b"\n", "cannot be read as a table"),
    ],
)
def test_a_list_that_cannot_be_used_says_why(train: Path, class_list: Path, content: bytes, expected: str) -> None:
    class_list.write_bytes(content)
    with pytest.raises(DatasetError, match=expected) as caught:
        dataset.read_folders(train, classes_csv=class_list)
    assert str(class_list) in caught.value.reason_text
    assert caught.value.remedy_text


@pytest.mark.parametrize(
    "content",
    [
        "class;display_name;prompt_names\nFOLDER;良品;good|fine\n",
        "\n\nclass,display_name,prompt_names\nFOLDER,良品,good|fine\n",
        "Class, Display_Name ,PROMPT_NAMES\r\nFOLDER,良品,good|fine\r\n",
        "class\tdisplay_name\tprompt_names\nFOLDER\t良品\tgood|fine\n",
    ],
    ids=["semicolons", "empty lines first", "capitals and spaces", "tabs"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp932"])
def test_a_list_is_read_as_spreadsheets_write_it(class_list: Path, content: str, encoding: str) -> None:
    class_list.write_bytes(content.replace("FOLDER", "a").encode(encoding))
    assert dataset.read_classes(class_list, ["a"]) == {"a": ClassSpec("良品", ("good", "fine"))}


def test_a_list_that_is_not_there_or_is_a_folder(train: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(DatasetError, match="There is no class list"):
            dataset.read_folders(train, classes_csv=path)


def test_a_name_of_endless_length_is_refused(train: Path, class_list: Path) -> None:
    class_list.write_text(f"class,display_name\npart2,{'長' * 201}\npart10,\nPart1,\n", encoding="utf-8")
    with pytest.raises(PromptError, match="201 characters, the limit is 200"):
        dataset.read_folders(train, classes_csv=class_list)


def test_one_bad_file_costs_nothing_but_itself(train: Path) -> None:
    (train / "part2" / "broken.jpg").write_bytes(image_factory.cut(image_factory.jpeg()))
    (train / "part10" / "note.txt").write_text("Monday's photos", encoding="utf-8")
    (train / "part10" / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    photos = dataset.read_folders(train)
    assert [file.filename for file in photos.rejected] == ["part2/broken.jpg", "part10/note.txt"]
    assert all(file.reason and file.remedy for file in photos.rejected)
    assert len(photos.support) == 6


def test_a_class_without_one_usable_photo_is_named(train: Path) -> None:
    for path in (train / "part10").iterdir():
        path.write_bytes(b"")
    with pytest.raises(DatasetError, match=r'No photo of class "part10" can be used \(files refused: 2\)'):
        dataset.read_folders(train)


def test_a_photo_in_two_classes_is_refused_in_both_and_says_where_else(train: Path) -> None:
    shutil.copy(train / "part2" / "0.jpg", train / "part10" / "copy.jpg")
    photos = dataset.read_folders(train)
    assert {file.filename for file in photos.rejected} == {"part2/0.jpg", "part10/copy.jpg"}
    assert all("another class (part2, part10)" in file.reason for file in photos.rejected)
    assert {image.record.filename for image in photos.support} == {
        "Part1/0.jpg",
        "Part1/1.jpg",
        "part2/1.jpg",
        "part10/0.jpg",
        "part10/1.jpg",
    }


def test_a_class_with_nothing_but_photos_of_other_classes_is_named(train: Path) -> None:
    shutil.rmtree(train / "part10")
    shutil.copytree(train / "part2", train / "part10")
    with pytest.raises(DatasetError, match="Every photo of the class “part2” is also in another class"):
        dataset.read_folders(train)


def test_the_same_photo_twice_in_a_class_counts_once(train: Path) -> None:
    shutil.copy(train / "part2" / "0.jpg", train / "part2" / "0 (copy).jpg")
    photos = dataset.read_folders(train)
    (twice,) = photos.duplicates
    assert {twice.filename, twice.first_filename} == {"part2/0.jpg", "part2/0 (copy).jpg"}
    assert len(photos.support) == 6
    assert photos.rejected == ()


def test_support_and_query_come_from_their_own_folder_and_can_be_read_again(train: Path, tmp_path: Path) -> None:
    test = fakes.write_photos(tmp_path / "test", {name: range(10, 13) for name in FOLDERS})
    photos = dataset.read_folders(train, test)
    taught, asked = ({image.image_id for image in side} for side in (photos.support, photos.query))
    assert (len(taught), len(asked), len(taught & asked)) == (6, 9, 0)
    for side, root in ((photos.support, train), (photos.query, test)):
        for image in side:
            assert photos.source.read(image.image_id) == (root / image.record.filename).read_bytes()


def test_a_photo_in_two_classes_of_the_test_folder_measures_nothing(train: Path, tmp_path: Path) -> None:
    test = fakes.write_photos(tmp_path / "test", {"part2": [10, 11], "part10": [10]})
    shutil.copy(test / "part2" / "10.jpg", test / "part10" / "same.jpg")
    photos = dataset.read_folders(train, test)
    assert [image.record.filename for image in photos.query] == ["part2/11.jpg", "part10/10.jpg"]
    assert [file.filename for file in photos.rejected] == ["part2/10.jpg", "part10/same.jpg"]


def test_the_test_folder_may_hold_one_class_alone_and_empty_ones(train: Path, tmp_path: Path) -> None:
    test = fakes.write_photos(tmp_path / "test", {"part10": [10], "part2": [], "not known": []})
    photos = dataset.read_folders(train, test)
    assert [image.label for image in photos.query] == [NATURAL.index("part10")]
    assert _names(photos) == NATURAL


def test_the_training_folder_may_not_hold_one_class_alone(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="only one class"):
        dataset.read_folders(fakes.write_photos(tmp_path / "train", {"bolt": [0, 1]}))


def test_a_class_that_only_the_test_folder_has_is_named(train: Path, tmp_path: Path) -> None:
    test = fakes.write_photos(tmp_path / "test", {"part2": [10], "part3": [10]})
    with pytest.raises(DatasetError, match="class “part3”, which the training folder has not") as caught:
        dataset.read_folders(train, test)
    assert "Part1, part2, part10" in caught.value.remedy_text


@pytest.mark.parametrize("files", [{}, {"part2/a.jpg": b""}])
def test_a_test_folder_without_one_usable_photo_is_an_error(
    train: Path, tmp_path: Path, files: dict[str, bytes]
) -> None:
    test = fakes.write_photos(tmp_path / "test", {"part2": []})
    for name, data in files.items():
        (test / name).write_bytes(data)
    with pytest.raises(DatasetError, match="No photo of the test folder"):
        dataset.read_folders(train, test)


def test_progress_counts_every_file_of_both_folders_once(train: Path, tmp_path: Path) -> None:
    (train / "part2" / "broken.jpg").write_bytes(b"")
    test = fakes.write_photos(tmp_path / "test", {"part2": [10], "part10": [10]})
    seen: list[Progress] = []
    dataset.read_folders(train, test, on_progress=seen.append)
    assert [(one.stage, one.done, one.total) for one in seen] == [("import", done, 9) for done in range(1, 10)]


@pytest.mark.skipif(os.name == "nt", reason="names on Windows are always Unicode")
def test_a_folder_name_that_is_no_unicode_becomes_a_name_that_can_be_written_down(tmp_path: Path) -> None:
    """An archive from an old Japanese Windows, unpacked on Linux, leaves names in Shift-JIS."""
    root = fakes.write_photos(tmp_path / "train", {"nut": [0]})
    shutil.copytree(root / "nut", root / os.fsdecode("ねじ".encode("cp932")))
    fakes.write_photos(root, {"nut": [1]})
    (root / "nut" / "0.jpg").unlink()
    names = _names(dataset.read_folders(root))
    assert len(names) == 2
    "".join(names).encode("utf-8")
