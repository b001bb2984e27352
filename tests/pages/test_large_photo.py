"""The large copy of a photo, and what may be asked for."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image

from pages.ui import photo_large
from prolip_core import config, images, storage
from prolip_core.content_store import ContentStore
from prolip_core.storage import Database
from prolip_core.storage.records import Photo
from prolip_core.types import CheckedPhoto, Quality
from tests import image_factory
from tests.pages.conftest import make_project


def kept(db: Database, image_format: str, size: tuple[int, int], **options: Any) -> Photo:
    """A photo of a project, its bytes in the store."""
    project = make_project(db, classes=("Nut",))
    data = image_factory.encode(image_factory.photo(3, *size), image_format, **options)
    ContentStore(config.photo_folder()).put(data)
    class_id = storage.classes.list_(db, project.id)[0].id
    assert class_id is not None
    checked = CheckedPhoto(images.check(data, f"a.{image_format}"), Quality(1.0, 1.0, 1.0))
    return storage.photos.add(db, project.id, class_id, "train", [checked]).added[0]


@pytest.mark.parametrize(
    ("image_format", "size", "turned", "expected"),
    [
        ("JPEG", (4000, 3000), False, (1600, 1200)),
        ("JPEG", (3300, 1500), True, (727, 1600)),
        ("JPEG", (320, 240), True, (240, 320)),
        ("HEIC", (1000, 2000), False, (800, 1600)),
        ("TIFF", (2000, 40), False, (1600, 32)),
        ("PNG", (1600, 1600), False, (1600, 1600)),
    ],
)
def test_the_large_copy_is_an_upright_jpeg_of_the_right_size(
    db: Database, image_format: str, size: tuple[int, int], turned: bool, expected: tuple[int, int]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = kept(db, image_format, size, **({"exif": exif} if turned else {}))
    copy = Image.open(io.BytesIO(photo_large.large_copy(photo.record)))
    assert (copy.format, copy.size) == ("JPEG", expected)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"at": 1, "photos": [[1, "a"], [2, "b"]]}, ([(1, "a"), (2, "b")], 1)),
        ({"at": 9, "photos": [[1, "a"], ["x", "b"], [3], None, [4, 5]]}, ([(1, "a")], 0)),
        ({"photos": "ab"}, ([], 0)),
        (None, ([], 0)),
        ([1], ([], 0)),
    ],
)
def test_what_the_browser_asks_for_may_be_anything(asked: object, expected: tuple[object, int]) -> None:
    assert photo_large._read(asked) == expected
