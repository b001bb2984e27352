"""What a project file is made of: the names of its parts, its limits, its table of contents."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from prolip_core import archives, config
from prolip_core.storage.project_rows import TABLES

SUFFIX = ".prolip"
FORMAT = "prolip-project"
VERSION = 1
"""Raised when an old reader would misread the file; what a reader does not know is refused by it anyway."""

MANIFEST = archives.PROJECT_MANIFEST
RUN_FILES = ("projector.safetensors", "predictions.csv", "confusion_zero_shot.csv", "confusion_prolip.csv")
"""Of a run's folder, besides result.json, which is written anew from the run's row."""

MAX_PHOTOS = archives.MAX_MEMBERS
MAX_PHOTO_BYTES = archives.MAX_TOTAL_BYTES
"""Of all photos together: what one zip of photos may unpack to."""

MAX_RUNS = 2_000
MAX_MANIFEST_BYTES = 64 * 2**20
MAX_TABLE_BYTES = 2 * 2**30
MAX_ROW_BYTES = 64 * 2**20
"""One line of a table; a run over 5,000 photos and 200 classes has some 40 MB."""

MAX_PROJECTOR_BYTES = 512 * 2**20
MAX_CSV_BYTES = 64 * 2**20
MAX_ROWS = 1_000_000
MAX_TOTAL_BYTES = MAX_PHOTO_BYTES + 16 * 2**30
"""Of all parts together, unpacked: an import must not fill a disk, whatever each part may have."""

_PHOTO = re.compile(r"photos/([0-9a-f]{64})")
_RUN_FILE = re.compile(rf"runs/([1-9][0-9]{{0,8}})/({'|'.join(map(re.escape, RUN_FILES))})")


@dataclass(frozen=True)
class Part:
    """One file inside: its size unpacked, and the SHA-256 of its bytes."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Contents:
    """The manifest. `fingerprint`: of the project's data (`storage.photos.fingerprint`); `name`: of the project, for a person."""

    product_version: str
    created: str
    name: str
    fingerprint: str
    parts: Mapping[str, Part]


def table_part(table: str) -> str:
    return f"tables/{table}.jsonl"


TABLE_OF_PART: Mapping[str, str] = {table_part(one.name): one.name for one in TABLES}


def photo_part(image_id: str) -> str:
    return f"photos/{image_id}"


def run_part(number: int, file: str) -> str:
    return f"runs/{number}/{file}"


def photo_of(part: str) -> str | None:
    """The id of the photo that this part is, None if it is none."""
    found = _PHOTO.fullmatch(part)
    return found[1] if found else None


def is_stored(part: str) -> bool:
    """Whether the part stands in the file as it is: photos and projectors hardly shrink, only zeros would."""
    return photo_of(part) is not None or part.endswith(".safetensors")


def run_file_of(part: str) -> tuple[int, str] | None:
    """Number of the run and name of the file that this part is, None if it is none."""
    found = _RUN_FILE.fullmatch(part)
    return (int(found[1]), found[2]) if found else None


def limit_bytes(part: str) -> int | None:
    """How large this part may be, None if no project file has such a part. The limit of a photo is that of every photo."""
    if part == MANIFEST:
        return MAX_MANIFEST_BYTES
    if part in TABLE_OF_PART:
        return MAX_TABLE_BYTES
    if photo_of(part) is not None:
        return config.MAX_IMAGE_BYTES
    if run_file_of(part) is not None:
        return MAX_CSV_BYTES if part.endswith(".csv") else MAX_PROJECTOR_BYTES
    return None


def file_name(project_name: str) -> str:
    """What the file of a project is called, as a file may be called on any computer."""
    stem = re.sub(r"[^\w-]+", "_", project_name)[:60].strip("_")
    return f"{stem or 'project'}{SUFFIX}"
