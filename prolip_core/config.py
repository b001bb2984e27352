"""Limits, folders and defaults that more than one part needs."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from prolip_core.errors import StorageError

MAX_IMAGE_BYTES = 60 * 1024 * 1024
"""A photo over this size is refused: 60 MiB holds a 100-megapixel JPEG or a 20-megapixel uncompressed TIFF."""

MAX_IMAGE_PIXELS = 120_000_000
"""A photo with more pixels is refused before it is decoded; 100-megapixel phone photos pass."""

MIN_IMAGE_SIDE_PX = 16
"""A photo with a shorter side than this shows nothing that a model could read."""

UNDO_PERIOD_S = 600
"""So long can a deletion be taken back; then the data is removed from the disk."""

EXPORT_KEPT_S = 3600
"""So long a project that was saved as a file waits to be fetched."""

MAX_NAME_CHARACTERS = 120
"""Of a project or a run."""


def data_folder() -> Path:
    """The one folder that holds everything the product keeps: `PROLIP_HOME`, or a folder of the user's own.

    Raises StorageError if it cannot be made.
    """
    folder = Path(os.environ.get("PROLIP_HOME") or platformdirs.user_data_path("prolip-studio", appauthor=False))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            "The data folder {folder} cannot be made: {cause}.",
            remedy="Set PROLIP_HOME to a folder that you may write to.",
            folder=folder,
            cause=error.strerror or error,
        ) from error
    return folder


def database_url() -> str:
    """Where projects are kept: `PROLIP_DATABASE_URL` (any SQLAlchemy URL), or an SQLite file in the data folder."""
    return os.environ.get("PROLIP_DATABASE_URL") or f"sqlite:///{data_folder() / 'prolip.db'}"


def photo_folder() -> Path:
    """The photos, each once, under the hash of its content."""
    return data_folder() / "photos"


def thumbnail_folder() -> Path:
    """Small copies of the photos."""
    return data_folder() / "thumbnails"


def run_folder() -> Path:
    """One folder for every finished run of a project."""
    return data_folder() / "runs"


def export_folder() -> Path:
    """Projects saved as files, one folder for every project, until they are fetched."""
    return data_folder() / "exports"


def import_folder() -> Path:
    """Project files that are being opened."""
    return data_folder() / "imports"


def hand_over_folder() -> Path:
    """Hand-over files, in one folder for every run that has one."""
    return data_folder() / "hand-over"


def worker_folder() -> Path:
    """Locks and logs of the worker processes."""
    return data_folder() / "workers"


def cache_folder() -> Path:
    """Where computed features are kept; deleting it costs time and nothing else."""
    return data_folder() / "cache"


def checkpoint_folder() -> Path:
    """Where a user puts weights files that cannot be downloaded."""
    return data_folder() / "checkpoints"
