"""What a table keeps of a photo's bytes, in one place for all tables that do: `project_rows.MEASURED` names these columns."""

from __future__ import annotations

from typing import Any

from prolip_core.storage.schema import PhotoTable, TriedPhotoTable
from prolip_core.types import CheckedPhoto, ImageRecord, Quality


def values(photo: CheckedPhoto) -> dict[str, Any]:
    """Column → value."""
    record, quality = photo.record, photo.quality
    return {
        "format": record.format,
        "width_px": record.width_px,
        "height_px": record.height_px,
        "size_bytes": record.size_bytes,
        "phash": f"{record.phash:x}",
        "sharpness": quality.sharpness,
        "brightness": quality.brightness,
        "contrast": quality.contrast,
    }


def checked(row: PhotoTable | TriedPhotoTable) -> CheckedPhoto:
    """The photo as it was checked when the row was made."""
    return CheckedPhoto(
        ImageRecord(
            row.image_id, row.filename, row.format, row.width_px, row.height_px, row.size_bytes, int(row.phash, 16)
        ),
        Quality(row.sharpness, row.brightness, row.contrast),
    )
