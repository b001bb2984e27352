"""Zip files of photos, read member by member without ever writing one to a path that the zip names.

A zip can lie about everything: names that lead out of the folder, sizes, how far it unpacks. Sizes are checked as declared, and
no file is unpacked further than it declares: one that lied is refused as damaged. How many times smaller the packed file is says
nothing (a picture of one colour packs a thousandfold), so there is no limit on that: one file is unpacked at a time, and never
further than a photo may be large.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from prolip_core import config
from prolip_core.errors import ArchiveError, ImageError, UnreadableFileError
from prolip_core.image_files import is_system_file
from prolip_core.images import too_many_bytes

MAX_MEMBERS = 5_000
MAX_TOTAL_BYTES = 4 * 2**30
"""Unpacked, of one zip; members are read one after the other, so this is time and not memory."""

_SURELY_TOO_MANY = 4 * MAX_MEMBERS
"""So many entries are not even listed. A zip of 5,000 photos made on a Mac holds 10,000; listing a million takes ten seconds."""

ARCHIVE_SUFFIXES = (".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".lzh", ".cab")
_BLOCK_BYTES = 4 * 2**20
_UTF8_FLAG = 0x800
ENCRYPTED_FLAG = 0x1
_ENTRY_SIGNATURE = b"PK\x01\x02"  # APPNOTE.TXT 4.3.12, one for every file in the list at the end of the zip
PROJECT_MANIFEST = "prolip-project.json"
"""The table of contents of a project file (`project_files`), which is a zip too."""

# Office, OpenDocument / EPUB, Java, our own
_NOT_A_ZIP_OF_PHOTOS = {"[Content_Types].xml", "mimetype", "META-INF/MANIFEST.MF", PROJECT_MANIFEST}

# The two whose unpacking zipfile can halt at a size; bzip2 and LZMA unpack what they are fed in one go: 1 KB to 1.5 GB.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
DAMAGE = (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError, UnicodeError, ValueError, OSError)


@dataclass(frozen=True)
class Member:
    """A file of a zip: its name with "/" between the parts, and its bytes or why it was refused."""

    name: str
    data: bytes
    error: ImageError | None = None


def is_zip(data: bytes) -> bool:
    """Told by the content; an empty zip is one too, a damaged one also, an Office document (a zip inside) is not."""
    if data[:4] not in (b"PK\x03\x04", b"PK\x05\x06"):
        return False
    if _entry_count(data) > _SURELY_TOO_MANY:
        return True
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _NOT_A_ZIP_OF_PHOTOS.isdisjoint(archive.namelist())
    except DAMAGE:
        return True


def count(data: bytes) -> int:
    """How many files `members` gives, if nothing goes wrong; 1 if the zip cannot be read."""
    if _entry_count(data) > _SURELY_TOO_MANY:
        return 1
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return len(_files(archive)) or 1
    except DAMAGE:
        return 1


def members(data: bytes, filename: str) -> Iterator[Member]:
    """Every file of the zip; what systems leave in it (`__MACOSX`, `.DS_Store`, …) is passed over in silence.

    A file that cannot be taken (locked, damaged, an archive itself, too large, a name that leads out of the folder) costs only
    itself. Raises ArchiveError for a zip that is damaged, holds too many files, or unpacks to more than the limit.
    """
    if _entry_count(data) > _SURELY_TOO_MANY:
        raise _too_many(filename, _entry_count(data))
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = _files(archive)
            _check_declared(filename, files)
            for name, entry in files:
                yield _read(archive, entry, name)
    except DAMAGE as error:
        raise ArchiveError(
            "The zip file “{filename}” is damaged or cut short.",
            remedy="Pack it again, or add the photos without packing them.",
            filename=filename,
        ) from error


def _entry_count(data: bytes) -> int:
    """How many entries the zip lists, without reading the list: 0.7 s for 1 GB. Those of zips stored in it are counted too."""
    return data.count(_ENTRY_SIGNATURE)


def entry_count(file: BinaryIO) -> int:
    """As `_entry_count`, of a file that need not fit into memory; read from its beginning."""
    found, end = 0, b""
    while block := file.read(_BLOCK_BYTES):
        found += (end + block).count(_ENTRY_SIGNATURE)
        end = block[-len(_ENTRY_SIGNATURE) + 1 :]
    return found


def _files(archive: zipfile.ZipFile) -> list[tuple[str, zipfile.ZipInfo]]:
    """Name and entry of all that is neither a folder nor a file of the system."""
    entries = archive.infolist()
    names = [name.replace("\\", "/") for name in _names(entries)]
    return [
        (name, entry)
        for name, entry in zip(names, entries, strict=True)
        # ".." begins with a dot too, but is told of: it hides nothing.
        if not name.endswith("/") and not is_system_file(PurePosixPath(name.replace("../", "")))
    ]


def _check_declared(filename: str, files: list[tuple[str, zipfile.ZipInfo]]) -> None:
    if len(files) > MAX_MEMBERS:
        raise _too_many(filename, len(files))
    # A file that is too large itself is refused alone.
    if sum(entry.file_size for _, entry in files if entry.file_size <= config.MAX_IMAGE_BYTES) > MAX_TOTAL_BYTES:
        raise ArchiveError(
            "The zip file “{filename}” unpacks to more than {limit_gb} GB.",
            remedy="Divide it into several zip files.",
            filename=filename,
            limit_gb=MAX_TOTAL_BYTES // 2**30,
        )


def _too_many(filename: str, count: int) -> ArchiveError:
    return ArchiveError(
        "The zip file “{filename}” holds {count} files; the limit is {limit}.",
        remedy="Divide it into several zip files.",
        filename=filename,
        count=count,
        limit=MAX_MEMBERS,
    )


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str) -> Member:
    refusal = _refusal(entry, name)
    if refusal is not None:
        return Member(name, b"", refusal)
    try:
        with archive.open(entry) as file:
            # With a number nothing beyond it is unpacked (without one up to 2 GB are, then thrown away); the declared size was
            # checked, and one that was understated fails the check sum.
            return Member(name, file.read(entry.file_size + 1))
    except (*DAMAGE, zlib.error, RuntimeError):
        return Member(name, b"", _not_unpacked(name))


def _not_unpacked(name: str) -> UnreadableFileError:
    return UnreadableFileError(
        "{filename} cannot be unpacked: its part of the zip file is damaged or packed in an unusual way.",
        remedy="Pack the photos again as an ordinary zip file.",
        filename=name,
    )


def _refusal(entry: zipfile.ZipInfo, name: str) -> ImageError | None:
    """Why this member is not even unpacked, None if it is."""
    parts = PurePosixPath(name).parts
    if ".." in parts or name.startswith("/") or (len(name) > 1 and name[1] == ":"):
        return UnreadableFileError(
            "{filename} leads out of the zip file's own folder.",
            remedy="Pack the photos again; a harmless zip file has no such names.",
            filename=name,
        )
    if entry.flag_bits & ENCRYPTED_FLAG:
        return UnreadableFileError(
            "{filename} is locked with a password.",
            remedy="Pack the photos again without a password.",
            filename=name,
        )
    if name.lower().endswith(ARCHIVE_SUFFIXES):
        return UnreadableFileError(
            "{filename} is an archive inside the zip file; these are not opened.",
            remedy="Unpack it and add the photos themselves.",
            filename=name,
        )
    if entry.file_size > config.MAX_IMAGE_BYTES:
        return too_many_bytes(entry.file_size, name)
    if entry.compress_type not in METHODS:
        return _not_unpacked(name)
    return None


def _names(entries: list[zipfile.ZipInfo]) -> list[str]:
    """The names as they were meant. Without the UTF-8 flag Python takes the bytes for cp437; Japanese Windows wrote cp932, many
    others UTF-8 without saying so. All names of a zip decide together: half-width katakana alone may pass for UTF-8."""
    raw = {
        index: entry.orig_filename.encode("cp437", "replace").partition(b"\0")[0]
        for index, entry in enumerate(entries)
        if not entry.flag_bits & _UTF8_FLAG and not entry.orig_filename.isascii()
    }
    encodings = ("utf-8", "cp932") if all(_decodes(name, "utf-8") for name in raw.values()) else ("cp932", "utf-8")
    names = [entry.filename for entry in entries]
    for index, name in raw.items():
        fitting = next((encoding for encoding in encodings if _decodes(name, encoding)), "cp437")
        names[index] = name.decode(fitting)
    return names


def _decodes(name: bytes, encoding: str) -> bool:
    try:
        name.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
