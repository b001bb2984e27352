"""Photos on disk under the hash of their content."""

from __future__ import annotations

import hashlib
import os
from multiprocessing import get_context
from pathlib import Path

import pytest

from prolip_core import content_store, images
from prolip_core.errors import StorageError
from tests import image_factory


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_store_keeps_reads_and_deletes(tmp_path: Path) -> None:
    store = content_store.ContentStore(tmp_path / "store")
    data = image_factory.jpeg(1)
    image_id = store.put(data)
    assert image_id == images.check(data, "a.jpg").image_id
    assert store.read(image_id) == data and image_id in store
    expected = tmp_path / "store" / image_id[:2] / image_id[2:4] / image_id
    assert store.path(image_id) == expected
    assert list(expected.parent.iterdir()) == [expected]  # nothing temporary is left
    store.delete(image_id)
    store.delete(image_id)
    assert image_id not in store
    with pytest.raises(StorageError):
        store.read(image_id)


def test_a_photo_that_is_there_already_is_not_written_again_but_looks_new(tmp_path: Path) -> None:
    store = content_store.ContentStore(tmp_path)
    path = store.path(store.put(b"data"))
    os.utime(path, (1, 1))
    inode = path.stat().st_ino
    store.put(b"data")
    assert path.stat().st_ino == inode
    assert path.stat().st_mtime > 1  # or the removal of old photos could take it away again


def test_store_finds_and_heals_damage(tmp_path: Path) -> None:
    store = content_store.ContentStore(tmp_path)
    image_id = store.put(b"0123456789")
    store.path(image_id).write_bytes(b"012345678X")
    with pytest.raises(StorageError, match="damaged"):
        store.read(image_id)
    store.path(image_id).write_bytes(b"0123")  # a power cut while an older version wrote it
    store.put(b"0123456789")
    assert store.read(image_id) == b"0123456789"


@pytest.mark.parametrize("image_id", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "\n"])
def test_store_takes_only_ids(tmp_path: Path, image_id: str) -> None:
    store = content_store.ContentStore(tmp_path)
    assert image_id not in store
    with pytest.raises(StorageError, match="not the id"):
        store.path(image_id)


def test_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    store = content_store.ContentStore(write(tmp_path / "file", b"in the way"))
    with pytest.raises(StorageError, match="cannot be kept"):
        store.put(b"data")


def test_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    store = content_store.ContentStore(tmp_path)
    in_the_way = store.path(hashlib.sha256(b"data").hexdigest())
    (in_the_way / "folder").mkdir(parents=True)
    with pytest.raises(StorageError, match="cannot be kept"):
        store.put(b"data")
    assert list(in_the_way.parent.iterdir()) == [in_the_way]


def _put_many(folder: str, size: int) -> list[str]:
    store = content_store.ContentStore(Path(folder))
    return [store.put(bytes([seed]) * size) for seed in range(40)]


def test_two_processes_write_the_same_photos_at_once(tmp_path: Path) -> None:
    with get_context("spawn").Pool(2) as pool:
        first, second = pool.starmap(_put_many, [(str(tmp_path), 200_000)] * 2, chunksize=1)
    store = content_store.ContentStore(tmp_path)
    assert first == second
    assert [store.read(image_id) for image_id in first] == [bytes([seed]) * 200_000 for seed in range(40)]
    assert sum(path.is_file() for path in tmp_path.rglob("*")) == 40


def test_thumbnails_lie_beside_each_other_under_the_photos_id(tmp_path: Path) -> None:
    store = content_store.ThumbnailStore(tmp_path)
    store.put("ab" * 32, b"small")
    assert store.path("ab" * 32) == tmp_path / "ab" / "ab" / ("ab" * 32 + ".webp")
    assert store.path("ab" * 32).read_bytes() == b"small"
    with pytest.raises(StorageError, match="not the id"):
        store.path("../x")
