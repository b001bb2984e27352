"""Features on disk, one small file per photo and view, safe when several processes use it at once.

The folder's name is a hash over everything that changes a value besides the photo itself (rule: a cache key names everything
that changes the value); the file's name is the photo's own hash and the view. Files appear under their final name only when
complete. Deleting the folder costs time and nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import uuid
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from prolip_core.errors import StorageError

FORMAT_VERSION = 1
CHECKSUM_BYTES = 4


def key_of(settings: Mapping[str, object]) -> str:
    """A hash of named settings; any change of a name or a value gives another one."""
    text = json.dumps({"format": FORMAT_VERSION, **settings}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class FeatureCache:
    """Feature rows (P,) float32 under `folder/features/<key>/`: little-endian numbers, then their CRC-32."""

    def __init__(self, folder: Path, settings: Mapping[str, object]) -> None:
        self.folder = folder / "features" / key_of(settings)

    def get(self, image_id: str, view: int, width: int) -> torch.Tensor | None:
        """The row, or None if it is not there; a file that is damaged or cannot be read counts as not there."""
        try:
            data = self._path(image_id, view).read_bytes()
        except OSError:
            return None
        # A power cut can leave a short or empty file behind even after a rename, and disks lose bits.
        numbers, checksum = data[:-CHECKSUM_BYTES], data[-CHECKSUM_BYTES:]
        if len(numbers) != 4 * width or checksum != _checksum(numbers):
            return None
        return torch.from_numpy(np.frombuffer(numbers, dtype="<f4").astype(np.float32))

    def put(self, image_id: str, view: int, row: torch.Tensor) -> None:
        """Raises StorageError if the disk is full or the folder is not writable."""
        path = self._path(image_id, view)
        temporary = path.with_name(f"{path.name}.{os.getpid()}-{uuid.uuid4().hex}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            numbers = row.numpy().astype("<f4").tobytes()
            temporary.write_bytes(numbers + _checksum(numbers))
            temporary.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise StorageError(
                "The computed features cannot be kept in {folder}: {cause}.",
                remedy="Free some disk space, or set PROLIP_HOME to a folder that you may write to.",
                folder=self.folder,
                cause=error.strerror or error,
            ) from error

    def _path(self, image_id: str, view: int) -> Path:
        return self.folder / image_id[:2] / f"{image_id}-{view}.f4"


def _checksum(numbers: bytes) -> bytes:
    return zlib.crc32(numbers).to_bytes(CHECKSUM_BYTES, "little")
