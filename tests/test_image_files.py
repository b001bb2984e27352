"""Files, folders and the store: every file is accounted for, and one bad file costs only itself."""

from __future__ import annotations

import gc
import os
import random
import threading
import tracemalloc
from pathlib import Path

import pytest

from prolip_core import config, image_files
from prolip_core.errors import (
    DatasetError,
    EmptyImageError,
    ImageTooLargeError,
    NotAnImageError,
    UnreadableFileError,
)
from tests import bad_input_cases, image_factory

PAGE = Path(__file__).parents[1] / "docs" / "bad-input.md"


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def photo(path: Path, seed: int = 0) -> Path:
    return write(path, image_factory.jpeg(seed))


@pytest.mark.parametrize("case", bad_input_cases.CASES, ids=lambda case: case.what)
def test_bad_input_is_told_as_documented(case: bad_input_cases.BadInput, tmp_path: Path) -> None:
    if case.what == bad_input_cases.NO_RIGHT and not hasattr(os, "geteuid"):
        pytest.skip("this system has no rights of the Unix kind")
    assert bad_input_cases.row(case, tmp_path) in PAGE.read_text("utf-8").splitlines()


def test_page_lists_every_case_once_and_no_other() -> None:
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows[1:]] == [case.what for case in bad_input_cases.CASES]
    assert PAGE.read_text("utf-8").startswith(bad_input_cases.HEADER)
    assert len(bad_input_cases.CASES) >= 25


@pytest.mark.parametrize("case", bad_input_cases.CASES, ids=lambda case: case.what)
def test_every_message_has_a_remedy(case: bad_input_cases.BadInput, tmp_path: Path) -> None:
    texts = bad_input_cases.row(case, tmp_path).strip("| ").split(" | ")
    assert len(texts) == 4 and all(text.endswith((".", "jpg.")) for text in texts[2:])


def test_file_just_at_the_limit_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = photo(tmp_path / "a.jpg")
    size = path.stat().st_size
    monkeypatch.setattr(config, "MAX_IMAGE_BYTES", size)
    assert len(image_files.read_file(path)) == size
    monkeypatch.setattr(config, "MAX_IMAGE_BYTES", size - 1)
    with pytest.raises(ImageTooLargeError):
        image_files.read_file(path)


def test_file_of_ten_gigabytes_is_refused_without_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "huge.jpg"
    with path.open("wb") as file:
        file.truncate(10 * 2**30)
    tracemalloc.start()
    try:
        with pytest.raises(ImageTooLargeError, match=r"10240\.0 MB"):
            image_files.read_file(path)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_named_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(UnreadableFileError, match="ordinary file"):
        image_files.read_file(tmp_path / "pipe.jpg")


def test_import_accounts_for_every_file_in_natural_order(tmp_path: Path) -> None:
    files = [
        photo(tmp_path / "photo10.jpg", 10),
        photo(tmp_path / "Photo2.jpg", 2),
        photo(tmp_path / "sub" / "photo1.jpg", 1),
        photo(tmp_path / "photo3.jpg", 2),
        write(tmp_path / "notes.txt", b"Monday"),
        write(tmp_path / "empty.jpg", b""),
        tmp_path / "gone.jpg",
        *(photo(tmp_path / name) for name in (".DS_Store", "Thumbs.db", "desktop.ini", "._photo2.jpg", ".hidden.jpg")),
        photo(tmp_path / "__MACOSX" / "photo2.jpg"),
        photo(tmp_path / ".trash" / "photo2.jpg"),
    ]
    random.Random(0).shuffle(files)
    progress: list[tuple[int, int]] = []
    threads: set[int] = set()

    def on_progress(done: int, total: int) -> None:
        progress.append((done, total))
        threads.add(threading.get_ident())

    result, paths = image_files.import_files(files, on_progress=on_progress, display_root=tmp_path)
    assert [record.filename for record in result.accepted] == ["Photo2.jpg", "photo10.jpg", "sub/photo1.jpg"]
    assert [(file.filename, type(file.error)) for file in result.rejected] == [
        ("empty.jpg", EmptyImageError),
        ("gone.jpg", UnreadableFileError),
        ("notes.txt", NotAnImageError),
    ]
    assert [(file.filename, file.first_filename) for file in result.duplicates] == [("photo3.jpg", "Photo2.jpg")]
    assert result.duplicates[0].image_id == result.accepted[0].image_id
    assert progress == [(done, 7) for done in range(1, 8)] and threads == {threading.get_ident()}
    assert {paths[record.image_id] for record in result.accepted} == {
        tmp_path / "Photo2.jpg",
        tmp_path / "photo10.jpg",
        tmp_path / "sub" / "photo1.jpg",
    }
    assert all(file.remedy for file in result.rejected)


def test_hidden_folder_above_the_photos_does_not_count(tmp_path: Path) -> None:
    root = tmp_path / ".cache"
    files = [photo(root / "a.jpg")]
    assert image_files.import_files(files, display_root=root)[0].accepted
    assert image_files.import_files(files)[0].accepted


def test_progress_callback_can_stop_the_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [photo(tmp_path / f"{seed}.jpg", seed) for seed in range(40)]
    read: list[Path] = []
    read_file = image_files.read_file

    def counting(path: Path, filename: str | None = None) -> bytes:
        read.append(path)
        return read_file(path, filename)

    def stop(done: int, total: int) -> None:
        raise InterruptedError(done, total)

    monkeypatch.setattr(image_files, "read_file", counting)
    with pytest.raises(InterruptedError):
        image_files.import_files(files, workers=2, on_progress=stop)
    assert len(read) <= 4


@pytest.mark.parametrize("accepted", [True, False])
def test_memory_stays_flat(tmp_path: Path, accepted: bool) -> None:
    """60 files of 2 MB: neither the accepted ones nor the tracebacks of the refused ones may keep their bytes."""
    padding = bytes(2 * 2**20)
    files = []
    for seed in range(60):
        data = image_factory.jpeg(seed)
        data = data if accepted else image_factory.cut(data)
        files.append(write(tmp_path / f"{seed}.jpg", data + (padding if accepted else b"\x55" * len(padding))))
    tracemalloc.start()
    try:
        result, _ = image_files.import_files(files)
        gc.collect()
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(result.accepted if accepted else result.rejected) == 60
    assert kept < 5 * 2**20 and peak < 40 * 2**20


def test_name_that_is_no_utf_8_can_be_shown(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/foto_\xe9.jpg"))
    try:
        photo(path)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    name = image_files.import_files([path])[0].accepted[0].filename
    assert name == "foto_\N{REPLACEMENT CHARACTER}.jpg" and name.encode("utf-8")


def test_folder_source_reads_again_and_finds_changes(tmp_path: Path) -> None:
    path = photo(tmp_path / "a.jpg", 1)
    data = path.read_bytes()
    result, paths = image_files.import_files([path])
    source = image_files.FolderSource(paths)
    assert source.read(result.accepted[0].image_id) == data
    path.write_bytes(data + b"x")
    with pytest.raises(UnreadableFileError, match="was changed"):
        source.read(result.accepted[0].image_id)
    path.unlink()
    with pytest.raises(UnreadableFileError, match="not there"):
        source.read(result.accepted[0].image_id)


def test_class_folders_walks_and_ignores(tmp_path: Path) -> None:
    root = tmp_path / "photos"
    for name in ("class10/b2.jpg", "class10/B10.jpg", "class10/deep/er/c.jpg", "class2/a.jpg", ".git/x.jpg"):
        photo(root / name)
    write(root / "labels.csv", b"a,b")
    write(root / "class2" / ".DS_Store", b"x")
    photo(root / "\u30ab\u3099\u30b9\u30b1\u30c3\u30c8" / "1.jpg")  # a Mac's two-character form of ガ
    found = image_files.class_folders(root)
    assert [name for name, _ in found] == ["class2", "class10", "\u30ac\u30b9\u30b1\u30c3\u30c8"]
    relative = [path.relative_to(root / "class10").as_posix() for path in found[1][1]]
    assert relative == ["b2.jpg", "B10.jpg", "deep/er/c.jpg"]
    assert [path.name for path in found[0][1]] == ["a.jpg"]


def test_links_that_lead_in_a_circle_end(tmp_path: Path) -> None:
    photo(tmp_path / "good" / "a.jpg")
    photo(tmp_path / "bad" / "b.jpg")
    (tmp_path / "good" / "again").symlink_to(tmp_path / "good", target_is_directory=True)
    (tmp_path / "good" / "up").symlink_to(tmp_path, target_is_directory=True)
    found = dict(image_files.class_folders(tmp_path))
    assert [path.name for path in found["bad"]] == ["b.jpg"]
    assert sorted(path.name for path in found["good"]) == ["a.jpg", "b.jpg"]


def test_all_empty_classes_are_told_at_once(tmp_path: Path) -> None:
    photo(tmp_path / "good" / "a.jpg")
    for name in ("dent", "scratch"):
        write(tmp_path / name / ".DS_Store", b"x")
    with pytest.raises(DatasetError, match="dent, scratch"):
        image_files.class_folders(tmp_path)
