"""Tags from a table: one row a photo, one column a tag. Every row is told as used or not, with reason and remedy."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Generic, TypeVar

from prolip_core import csv_text, tags
from prolip_core.errors import DatasetError
from prolip_core.storage.records import Role
from prolip_core.types import Note
from prolip_core.uploads import place_of

FILE_COLUMNS = frozenset({"file", "filename", "file name", "photo", "image", "path", "ファイル", "ファイル名", "写真"})
"""What the column with the photos may be called; without one of these it is the first column."""

MAX_ROWS = 100_000
_SAVE_AS = "Save it as “CSV UTF-8” in your spreadsheet."

Key = TypeVar("Key", bound=int | str)


@dataclass(frozen=True)
class Known(Generic[Key]):
    """A photo that a row may name. folders: what the folder of its class may be called."""

    key: Key
    filename: str
    folders: tuple[str, ...]
    role: Role


@dataclass(frozen=True)
class Row(Generic[Key]):
    """One row. line: its number in the file, the head being 1; key: the photo that it was used for, None if it was not."""

    line: int
    file: str
    tags: Mapping[str, str]
    key: Key | None
    reason: Note | None = None
    remedy: Note | None = None


@dataclass(frozen=True)
class TagTable(Generic[Key]):
    """What a table says. names: its tags in the order of its columns; rows: all but the empty ones."""

    names: tuple[str, ...]
    rows: tuple[Row[Key], ...]

    @property
    def used(self) -> Mapping[Key, Mapping[str, str]]:
        """Photo → its tags."""
        return {row.key: row.tags for row in self.rows if row.key is not None}

    @property
    def not_used(self) -> tuple[Row[Key], ...]:
        return tuple(row for row in self.rows if row.key is None)


def read(data: bytes, photos: Iterable[Known[Key]], *, meant: Role | None = None) -> TagTable[Key]:
    """Reads a CSV file (UTF-8, UTF-16 or cp932; commas, semicolons or tabs) and finds the photo of each row.

    A photo is named by its file name, or by a path that ends in class/file (train/… or test/… in front of it, if both have a file
    of that name; meant: which of the two is meant without that). An empty cell says nothing about its tag.

    Raises DatasetError if the table as a whole cannot be used.
    """
    lines = _lines(data)
    head = [tags.clean(csv_text.uncell(cell)) for cell in lines[0][1]]
    file_column = next((i for i, name in enumerate(head) if name.casefold() in FILE_COLUMNS), 0)
    columns = _tag_columns(head, file_column, lines[1:])
    by_name: dict[str, list[Known[Key]]] = defaultdict(list)
    for photo in photos:
        by_name[_plain(PurePosixPath(photo.filename).name)].append(photo)
    first_line: dict[Key, int] = {}
    rows: list[Row[Key]] = []
    for line, cells in lines[1:]:
        cells = [csv_text.uncell(cell) for cell in cells] + [""] * (len(head) - len(cells))
        file = " ".join(cells[file_column].split())
        row = _row(line, file, {name: cells[i] for i, name in columns.items()}, by_name, meant)
        if row.key is not None and first_line.setdefault(row.key, line) != line:
            row = _refused(
                row,
                Note("Line {line} is about this photo already.", {"line": first_line[row.key]}),
                Note("Keep one line for each photo."),
            )
        rows.append(row)
    return TagTable(tuple(columns.values()), tuple(rows))


def template(
    photos: Sequence[Known[Key]], names: Sequence[str], known: Mapping[Key, Mapping[str, str]], file: str
) -> bytes:
    """A table to fill in: the photos by the shortest name that tells them apart, with the tags that they have. file: what the
    first column is called."""
    places = [(_plain(photo.filename), photo.folders) for photo in photos]
    of_name, of_place = Counter(name for name, _ in places), Counter(places)
    rows: list[list[str]] = []
    for one, place in zip(photos, places, strict=True):
        name = one.filename if of_name[place[0]] == 1 else f"{one.folders[0]}/{one.filename}"
        name = name if of_place[place] == 1 else f"{one.role}/{name}"
        own = known.get(one.key, {})
        rows.append([name, *(own.get(tag, "") for tag in names)])
    return csv_text.table([file, *names], rows)


def _lines(data: bytes) -> list[tuple[int, list[str]]]:
    """The rows that are not empty, with their numbers."""
    try:
        text = csv_text.decode(data)
    except ValueError as error:
        raise DatasetError("The table of tags is not a text file.", remedy=_SAVE_AS) from error
    separator = csv_text.delimiter(next((line for line in text.splitlines() if line.strip()), ""))
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        lines = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except csv.Error as error:
        raise DatasetError("The table of tags cannot be read: {cause}.", remedy=_SAVE_AS, cause=error) from error
    if len(lines) < 2:
        raise DatasetError(
            "The table of tags is empty.",
            remedy="Its first line names the columns (file, then a column for each tag); each line below is about one photo.",
        )
    if len(lines) > MAX_ROWS:
        raise DatasetError(
            "The table of tags has {count} lines; the limit is {limit}.",
            remedy="Leave out the lines of photos that are not in the project.",
            count=len(lines),
            limit=MAX_ROWS,
        )
    return lines


def _tag_columns(head: Sequence[str], file_column: int, lines: Sequence[tuple[int, list[str]]]) -> dict[int, str]:
    """Place of a column → name of its tag. Columns without a name are passed over if nothing stands in them."""
    found: dict[int, str] = {}
    width = max(len(head), *(len(cells) for _, cells in lines))
    for i in range(width):
        name = head[i] if i < len(head) else ""
        if i == file_column:
            continue
        if not name:
            if any(len(cells) > i and cells[i].strip() for _, cells in lines):
                raise DatasetError(
                    "Column {number} of the table of tags has no name.",
                    remedy="Write the name of the tag into its first line, or empty the column.",
                    number=i + 1,
                )
            continue
        if name in found.values():
            raise DatasetError(
                "The table of tags has two columns “{name}”.",
                remedy="Keep one, or give them different names.",
                name=name,
            )
        found[i] = tags.check_name(name)
    if not found:
        raise DatasetError(
            "The table of tags has one column only.",
            remedy="Beside the file names it needs a column for each tag, for example “line”.",
        )
    if len(found) > tags.MAX_TAGS:
        raise DatasetError(
            "The table has {count} tags; the limit is {limit}.",
            remedy="Leave out those that you do not want to look at.",
            count=len(found),
            limit=tags.MAX_TAGS,
        )
    return found


def _row(
    line: int, file: str, cells: Mapping[str, str], by_name: Mapping[str, Sequence[Known[Key]]], meant: Role | None
) -> Row[Key]:
    told = {name: value for name, cell in cells.items() if (value := tags.clean(cell))}
    row: Row[Key] = Row(line, file, told, None)
    if not file:
        return _refused(row, Note("The line names no photo."), Note("Write the file name of the photo."))
    if not told:
        return _refused(row, Note("All of its tags are empty."), Note("Fill them in, if the photo shall carry tags."))
    long = next((name for name, value in told.items() if len(value) > tags.MAX_VALUE_CHARACTERS), None)
    if long is not None:
        values = {"name": long, "length": len(told[long]), "limit": tags.MAX_VALUE_CHARACTERS}
        reason = Note("“{name}” has {length} characters; the limit is {limit}.", values)
        return _refused(row, reason, Note("Write less."))
    path = file.replace("\\", "/")
    same_name: Sequence[Known[Key]] = by_name.get(_plain(PurePosixPath(path).name), ())
    if not same_name:
        return _refused(
            row, Note("There is no photo of this name."), Note("Check the spelling, or add the photo first.")
        )
    found = _at(path, same_name, meant)
    if not found:
        known = ", ".join(dict.fromkeys(photo.folders[0] for photo in same_name))
        return _refused(
            row,
            Note("There is a photo of this name, but in another class: {names}.", {"names": known}),
            Note("Write the class in front of it, class/file, or the file name alone."),
        )
    if len(found) > 1:
        return _refused(
            row,
            Note("{count} photos have this name.", {"count": len(found)}),
            Note(
                "Write class/file, or train/class/file and test/class/file. If that is the same too, set the tag by hand."
            ),
        )
    return Row(line, file, told, found[0].key)


def _at(path: str, same_name: Sequence[Known[Key]], meant: Role | None) -> Sequence[Known[Key]]:
    """Those of the class folder, if the path has one; of these those of the use that the path tells, or else is meant, if that
    leaves any."""
    folder, role = place_of(path)
    if folder is not None:
        same_name = [photo for photo in same_name if _plain(folder) in map(_plain, photo.folders)]
    of_role = [photo for photo in same_name if photo.role == (role or meant)]
    return of_role or same_name


def _refused(row: Row[Key], reason: Note, remedy: Note) -> Row[Key]:
    return Row(row.line, row.file, row.tags, None, reason, remedy)


def _plain(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
