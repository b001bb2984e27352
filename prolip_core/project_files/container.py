"""A project file as a zip whose every part is known, of the size and the content that its manifest says. No part is ever written
to a path that the file names.

What a zip can lie about is refused here: names that are no part of a project (and with them all that lead out of a folder, links
and folders), parts that stand in it twice, locked ones, sizes that are over their limit, parts that are other than they were.
"""

from __future__ import annotations

import hashlib
import json
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from prolip_core import archives
from prolip_core.errors import ProjectFileError
from prolip_core.project_files import layout
from prolip_core.project_files.layout import Contents, Part

COPY_AGAIN = "Copy it again from where it was saved, or save the project as a file again."
_BLOCK_BYTES = 2**20
_MAX_PARTS = layout.MAX_PHOTOS + layout.MAX_RUNS * len(layout.RUN_FILES) + len(layout.TABLE_OF_PART) + 1
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DAMAGE = (*archives.DAMAGE, zlib.error, RuntimeError)


class Container:
    """An open project file. `name`: what it is called, for a person."""

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        self.name = name
        self._archive = archive
        self._entries = self._checked_entries()
        self.contents = self._manifest()
        self._check_parts()

    def part(self, name: str) -> bytes:
        """All of a part, for one that fits into memory. Raises ProjectFileError if it is not what was saved."""
        return b"".join(self.blocks(name))

    def blocks(self, name: str) -> Iterator[bytes]:
        """A part block by block; the last one comes only if all of them are what was saved. Raises ProjectFileError."""
        part, digest, held = self.contents.parts[name], hashlib.sha256(), b""
        for block in self._read(name, part.size_bytes):
            digest.update(block)
            if held:
                yield held
            held = block
        if digest.hexdigest() != part.sha256:
            raise self._damaged_part(name)
        if held:
            yield held

    def rows(self, name: str) -> Iterator[tuple[int, Any]]:
        """Number (from 1) and JSON value of every line of a table; nothing for a table that the file has not."""
        if name not in self.contents.parts:
            return
        line, rest = 0, b""
        for block in self.blocks(name):
            *whole, rest = (rest + block).split(b"\n")
            for one in whole:
                line += 1
                yield line, self._json(one, name, line)
            if len(rest) > layout.MAX_ROW_BYTES or line > layout.MAX_ROWS:
                raise self.wrong(name, line + 1)
        if rest:  # every row ends its line
            raise self.wrong(name, line + 1)

    def wrong(self, part: str, line: int, field: str = "") -> ProjectFileError:
        """The error for a row that cannot be."""
        return ProjectFileError(
            "The project file “{filename}” cannot be used: line {line} of “{part}” is not valid ({field}).",
            remedy=COPY_AGAIN,
            filename=self.name,
            line=line,
            part=part,
            field=field or "JSON",
        )

    def _json(self, text: bytes, part: str, line: int) -> Any:
        try:
            return json.loads(text, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            raise self.wrong(part, line) from error

    def _checked_entries(self) -> dict[str, zipfile.ZipInfo]:
        entries = self._archive.infolist()
        if layout.MANIFEST not in self._archive.namelist():
            raise no_project_file(self.name)
        found: dict[str, zipfile.ZipInfo] = {}
        for entry in entries:
            name, kind = entry.orig_filename, stat.S_IFMT(entry.external_attr >> 16)
            limit = layout.limit_bytes(name)
            is_odd = entry.flag_bits & archives.ENCRYPTED_FLAG or entry.compress_type not in archives.METHODS
            is_odd = is_odd or (layout.is_stored(name) and entry.compress_type != zipfile.ZIP_STORED)
            if limit is None or name in found or is_odd or kind not in (0, stat.S_IFREG):
                raise self._foreign(name)
            if entry.file_size > limit:
                raise self._too_large(name, limit)
            found[name] = entry
        if sum(entry.file_size for entry in entries) > layout.MAX_TOTAL_BYTES:
            raise self._too_large(self.name, layout.MAX_TOTAL_BYTES)
        return found

    def _manifest(self) -> Contents:
        """Raises ProjectFileError."""
        text = b"".join(self._read(layout.MANIFEST, self._entries[layout.MANIFEST].file_size))
        content = self._json(text, layout.MANIFEST, 1)
        if not isinstance(content, dict) or content.get("format") != layout.FORMAT:
            raise no_project_file(self.name)
        version = content.get("version")
        if type(version) is not int or version < 1:
            raise self.wrong(layout.MANIFEST, 1, "version")
        if version > layout.VERSION:
            raise ProjectFileError(
                "The project file “{filename}” was written by a newer version of ProLIP Studio.",
                remedy="Update ProLIP Studio, then open the file again.",
                filename=self.name,
            )
        for key, pattern in (
            ("product_version", r".{1,40}"),
            ("created", r".{1,40}"),
            ("fingerprint", r"[0-9a-f]{64}"),
        ):
            if not isinstance(content.get(key), str) or not re.fullmatch(pattern, content[key]):
                raise self.wrong(layout.MANIFEST, 1, key)
        if not isinstance(content.get("name"), str) or not isinstance(content.get("parts"), list):
            raise self.wrong(layout.MANIFEST, 1, "name, parts")
        parts: dict[str, Part] = {}
        for one in content["parts"]:
            try:
                part = Part(one["name"], one["bytes"], one["sha256"])
                is_right = (
                    type(part.size_bytes) is int and isinstance(part.name, str) and _SHA256.fullmatch(part.sha256)
                )
            except (KeyError, TypeError) as error:
                raise self.wrong(layout.MANIFEST, 1, "parts") from error
            if not is_right or part.name in parts:
                raise self.wrong(layout.MANIFEST, 1, "parts")
            parts[part.name] = part
        return Contents(content["product_version"], content["created"], content["name"], content["fingerprint"], parts)

    def _check_parts(self) -> None:
        """The parts that are there are those that the manifest names; a photo is named after its content."""
        there, named = self._entries.keys() - {layout.MANIFEST}, self.contents.parts.keys()
        for name in sorted(there - named):
            raise self._foreign(name)
        for name in sorted(named - there):
            raise self._damaged_part(name)
        for name, part in self.contents.parts.items():
            image_id = layout.photo_of(name)
            if self._entries[name].file_size != part.size_bytes or image_id not in (None, part.sha256):
                raise self._damaged_part(name)
        photos = [part for name, part in self.contents.parts.items() if layout.photo_of(name) is not None]
        if len(photos) > layout.MAX_PHOTOS:
            raise self._too_many(len(photos))
        if sum(part.size_bytes for part in photos) > layout.MAX_PHOTO_BYTES:
            raise self._too_large(self.name, layout.MAX_PHOTO_BYTES)

    def _read(self, name: str, size_bytes: int) -> Iterator[bytes]:
        """Never further than the part says that it unpacks."""
        left = size_bytes
        with self._told(name), self._archive.open(self._entries[name]) as file:
            while block := file.read(min(_BLOCK_BYTES, left + 1)):
                left -= len(block)
                if left < 0:
                    raise zipfile.BadZipFile
                yield block
            if left:
                raise EOFError

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        try:
            yield
        except _DAMAGE as error:
            raise self._damaged_part(name) from error

    def _damaged_part(self, name: str) -> ProjectFileError:
        return ProjectFileError(
            "The project file “{filename}” is damaged: its part “{part}” is not what was saved.",
            remedy=COPY_AGAIN,
            filename=self.name,
            part=name,
        )

    def _foreign(self, name: str) -> ProjectFileError:
        return ProjectFileError(
            "The project file “{filename}” holds “{part}” in a way that no project does, so it is not opened.",
            remedy="If it comes from a newer version of ProLIP Studio, update this one. Otherwise ask for the file again.",
            filename=self.name,
            part=name,
        )

    def _too_large(self, name: str, limit_bytes: int) -> ProjectFileError:
        return ProjectFileError(
            "The project file “{filename}” is too large: “{part}” unpacks to more than {limit_mb} MB.",
            remedy="Ask for a file with fewer or smaller photos.",
            filename=self.name,
            part=name,
            limit_mb=limit_bytes // 2**20,
        )

    def _too_many(self, count: int) -> ProjectFileError:
        return ProjectFileError(
            "The project file “{filename}” holds {count} photos; the limit is {limit}.",
            remedy="Ask for a file with fewer or smaller photos.",
            filename=self.name,
            count=count,
            limit=layout.MAX_PHOTOS,
        )


@contextmanager
def opened(path: Path, name: str | None = None) -> Iterator[Container]:
    """The project file at `path`. name: what it is called, where that is not the file's own name.

    Raises ProjectFileError for a file that is no project file, is damaged, too large, of a newer version, or holds what no
    project does. The content of the parts is checked when they are read.
    """
    shown = name or path.name
    try:
        with path.open("rb") as file:
            if file.read(4) != b"PK\x03\x04":
                raise no_project_file(shown)
            file.seek(0)
            count = archives.entry_count(file)
            if count > 2 * _MAX_PARTS:  # listing a million takes ten seconds
                raise _too_many_parts(shown, count)
            file.seek(0)
            with zipfile.ZipFile(file) as archive:
                yield Container(archive, shown)
    except zipfile.BadZipFile as error:
        raise _cut_short(shown) from error
    except (OSError, EOFError, NotImplementedError, UnicodeError) as error:
        raise ProjectFileError(
            "The file “{filename}” cannot be read: {cause}.",
            remedy="Check the name and that you may read the file.",
            filename=shown,
            cause=getattr(error, "strerror", None) or type(error).__name__,
        ) from error


def no_project_file(name: str) -> ProjectFileError:
    return ProjectFileError(
        "“{filename}” is no project file of ProLIP Studio.",
        remedy="Choose a file that was made with “Save as a file”; its name ends in .prolip.",
        filename=name,
    )


def _cut_short(name: str) -> ProjectFileError:
    return ProjectFileError("The project file “{filename}” is damaged or cut short.", remedy=COPY_AGAIN, filename=name)


def _too_many_parts(name: str, count: int) -> ProjectFileError:
    return ProjectFileError(
        "The project file “{filename}” holds {count} files; the limit is {limit}.",
        remedy="Ask for a file with fewer or smaller photos.",
        filename=name,
        count=count,
        limit=_MAX_PARTS,
    )


def _no_number(text: str) -> NoReturn:
    """JSON has neither NaN nor infinity, whatever Python's reader takes."""
    raise ValueError(text)
