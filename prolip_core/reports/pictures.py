"""Photos as small JPEG files, for a report."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path

from prolip_core import images
from prolip_core.errors import ImageError, StorageError
from prolip_core.image_files import photos_at, read_file

SIDE_PX = 420


def small_copy(data: bytes, filename: str = "") -> bytes:
    """Upright, its longer side at most SIDE_PX. Raises ImageError."""
    image = images.decode(data, filename, min_side_px=SIDE_PX)
    image.thumbnail((SIDE_PX, SIDE_PX))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def from_store(read: Callable[[str], bytes]) -> Callable[[str], bytes | None]:
    """A report's way to photos in a store; what is gone or damaged is left out."""

    def photo(image_id: str) -> bytes | None:
        try:
            return small_copy(read(image_id))
        except (ImageError, StorageError):
            return None

    return photo


def from_folder(folder: Path) -> Callable[[str], bytes | None]:
    """A report's way to photos below a folder, found by their bytes. Raises DatasetError if there is none."""
    paths: dict[str, Path] = {}
    for path in photos_at(folder):
        try:
            paths.setdefault(hashlib.sha256(read_file(path)).hexdigest(), path)
        except ImageError:
            continue  # what cannot be read was no photo of the run

    def photo(image_id: str) -> bytes | None:
        try:
            return small_copy(read_file(paths[image_id])) if image_id in paths else None
        except ImageError:
            return None

    return photo
