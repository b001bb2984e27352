"""Photos and their small copies on disk, under the hash of the photo's bytes."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path

from prolip_core.errors import StorageError

UNFINISHED = ".new-"
"""Names of files that are being written begin with this; a process that was killed leaves them behind."""

_IMAGE_ID = re.compile(r"[0-9a-f]{64}")


class ContentStore:
    """Photos on disk under the SHA-256 of their bytes: `ab/cd/abcd…`. Safe for threads and processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, image_id: str) -> Path:
        """Where the photo lies or would lie. Raises StorageError if `image_id` is not 64 hexadecimal digits."""
        if not _IMAGE_ID.fullmatch(image_id):
            raise StorageError("{image_id!r} is not the id of a photo.", image_id=image_id)
        return self._folder / image_id[:2] / image_id[2:4] / image_id

    def put(self, data: bytes) -> str:
        """Keep the bytes and give their id; bytes that are there already are not written again.

        Raises StorageError if the disk is full or may not be written.
        """
        image_id = hashlib.sha256(data).hexdigest()
        path = self.path(image_id)
        try:
            if path.is_file() and path.stat().st_size == len(data) and self.hold(image_id):
                return image_id
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_then_rename(path, data)
        except OSError as error:
            raise StorageError(
                "The photo cannot be kept in {folder}: {cause}.",
                remedy="Make room on the disk, or set PROLIP_HOME to a folder that you may write to.",
                folder=self._folder,
                cause=error.strerror or type(error).__name__,
            ) from error
        return image_id

    def hold(self, image_id: str) -> bool:
        """Marks the photo as wanted, so that whoever removes old photos leaves it alone for now; whether it is there."""
        try:
            os.utime(self.path(image_id))
        except OSError:
            return False
        return True

    def read(self, image_id: str) -> bytes:
        """Raises StorageError if the photo is not there or its bytes have changed on disk."""
        path = self.path(image_id)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise StorageError(
                "The photo {image_id} cannot be read from the store: {cause}.",
                remedy="Add the photo again.",
                image_id=image_id[:12],
                cause=error.strerror or type(error).__name__,
            ) from error
        if hashlib.sha256(data).hexdigest() != image_id:
            raise StorageError(
                "The photo {image_id} was damaged on the disk.", remedy="Add the photo again.", image_id=image_id[:12]
            )
        return data

    def delete(self, image_id: str) -> None:
        """Nothing happens if the photo is not there. Raises StorageError if it may not be deleted."""
        try:
            self.path(image_id).unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(
                "The photo {image_id} cannot be deleted: {cause}.",
                remedy="Close other programs that use the data folder and try again.",
                image_id=image_id[:12],
                cause=error.strerror or type(error).__name__,
            ) from error

    def __contains__(self, image_id: object) -> bool:
        return isinstance(image_id, str) and bool(_IMAGE_ID.fullmatch(image_id)) and self.path(image_id).is_file()


class ThumbnailStore:
    """Small copies (WebP) beside the photos, made once: `ab/cd/abcd….webp`, named after the photo."""

    def __init__(self, folder: Path) -> None:
        self._photos = ContentStore(folder)

    def path(self, image_id: str) -> Path:
        """Where the small copy lies or would lie. Raises StorageError if `image_id` is not 64 hexadecimal digits."""
        return self._photos.path(image_id).with_suffix(".webp")

    def put(self, image_id: str, data: bytes) -> None:
        """Raises StorageError if the disk is full or may not be written."""
        path = self.path(image_id)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_then_rename(path, data)
        except OSError as error:
            raise StorageError(
                "The photo cannot be kept in {folder}: {cause}.",
                remedy="Make room on the disk, or set PROLIP_HOME to a folder that you may write to.",
                folder=path.parent,
                cause=error.strerror or type(error).__name__,
            ) from error


def _write_then_rename(path: Path, data: bytes) -> None:
    """Nobody ever sees half a photo under its real name; of two writers at once the later one wins with the same
    bytes.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=UNFINISHED)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)
