"""Zip files of photos, read member by member without ever writing one to a path that the zip names.

A zip can lie about everything: names that lead out of the folder, sizes, how far it unpacks. Sizes are checked as declared and as
they come out.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from prolip_core import config
from prolip_core.errors import ArchiveError, ImageError, UnreadableFileError
from prolip_core.image_files import is_system_file
from prolip_core.images import too_many_bytes

MAX_MEMBERS = 5_000
MAX_TOTAL_BYTES = 4 * 2**30
"""Unpacked, of one zip; members are read one after the other, so this is time and not memory."""

ARCHIVE_SUFFIXES = (".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".lzh", ".cab")
_UTF8_FLAG = 0x800
_ENCRYPTED_FLAG = 0x1


@dataclass(frozen=True)
class Member:
    """A file of a zip: its name with "/" between the parts, and its bytes or why it was refused."""

    name: str
    data: bytes
    error: ImageError | None = None


def is_zip(data: bytes) -> bool:
    """Told by the content; an empty zip is one too."""
    return data[:4] in (b"PK\x03\x04", b"PK\x05\x06")


def count(data: bytes) -> int:
    """How many files the zip names; 1 if it cannot be read."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return sum(not entry.is_dir() for entry in archive.infolist()) or 1
    except (zipfile.BadZipFile, EOFError, UnicodeError, ValueError, OSError):
        return 1


def members(data: bytes, filename: str) -> Iterator[Member]:
    """Every file of the zip; what systems leave in it (`__MACOSX`, `.DS_Store`, …) is passed over in silence.

    Raises ArchiveError for a zip that is damaged, holds too many files, or unpacks to more than the limit.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            named = [(_name_of(entry), entry) for entry in entries]
            _check_declared(filename, entries)
            total = 0
            for name, entry in named:
                if is_system_file(PurePosixPath(name)):
                    continue
                member = _read(archive, entry, name)
                total += len(member.data)
                if total > MAX_TOTAL_BYTES:
                    raise _too_large(filename)
                yield member
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, UnicodeError, ValueError, OSError) as error:
        raise ArchiveError(
            "The zip file “{filename}” is damaged or cut short.",
            remedy="Pack it again, or add the photos without packing them.",
            filename=filename,
        ) from error


def _check_declared(filename: str, entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > MAX_MEMBERS:
        raise ArchiveError(
            "The zip file “{filename}” holds {count} files; the limit is {limit}.",
            remedy="Divide it into several zip files.",
            filename=filename,
            count=len(entries),
            limit=MAX_MEMBERS,
        )
    if sum(entry.file_size for entry in entries) > MAX_TOTAL_BYTES:
        raise _too_large(filename)


def _too_large(filename: str) -> ArchiveError:
    return ArchiveError(
        "The zip file “{filename}” unpacks to more than {limit_gb} GB.",
        remedy="Divide it into several zip files.",
        filename=filename,
        limit_gb=MAX_TOTAL_BYTES // 2**30,
    )


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str) -> Member:
    refusal = _refusal(entry, name)
    if refusal is not None:
        return Member(name, b"", refusal)
    try:
        with archive.open(entry) as file:
            # One byte more than allowed: a size that was understated shows itself.
            data = file.read(config.MAX_IMAGE_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError):
        return Member(
            name,
            b"",
            UnreadableFileError(
                "{filename} cannot be unpacked: its part of the zip file is damaged or packed in an unusual way.",
                remedy="Pack the photos again as an ordinary zip file.",
                filename=name,
            ),
        )
    if len(data) > config.MAX_IMAGE_BYTES:
        return Member(name, b"", too_many_bytes(len(data), name))
    return Member(name, data)


def _refusal(entry: zipfile.ZipInfo, name: str) -> ImageError | None:
    """Why this member is not even unpacked, None if it is."""
    parts = PurePosixPath(name).parts
    if ".." in parts or name.startswith("/") or (len(name) > 1 and name[1] == ":"):
        return UnreadableFileError(
            "{filename} leads out of the zip file's own folder.",
            remedy="Pack the photos again; a harmless zip file has no such names.",
            filename=name,
        )
    if entry.flag_bits & _ENCRYPTED_FLAG:
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
    return None


def _name_of(entry: zipfile.ZipInfo) -> str:
    """The member's name. Without the UTF-8 flag Python takes the bytes for cp437; Japanese Windows wrote cp932, many others
    UTF-8 without saying so."""
    name = entry.filename
    if not entry.flag_bits & _UTF8_FLAG and not name.isascii():
        raw = entry.orig_filename.encode("cp437", "replace")
        for encoding in ("utf-8", "cp932"):
            try:
                name = raw.decode(encoding)
                break
            except UnicodeDecodeError:
                continue
    return name.replace("\\", "/")
