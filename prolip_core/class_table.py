"""Classes as a person types or pastes them into a table: rows of text in, checked classes or a complaint about a row out."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from prolip_core import prompts
from prolip_core.errors import PromptError
from prolip_core.storage.records import ClassRow
from prolip_core.types import Note

MAX_CLASSES = 200
"""More classes than this are no pilot any more, and neither a table nor a matrix of them can be read."""

COLUMNS = ("name", "prompt", "synonyms")
"""What is typed of a class, as the fields of `Draft`."""

_SEPARATOR = re.compile(r"[,;，、；]")


@dataclass(frozen=True)
class Draft:
    """A row of the table as it was typed. `id` is that of the saved class, None for a new row."""

    id: int | None
    name: str
    prompt: str = ""
    synonyms: str = ""

    @property
    def is_blank(self) -> bool:
        return not (self.name or self.prompt or self.synonyms)


@dataclass(frozen=True)
class Problem:
    """What is wrong with a row, counted from 1 as it is shown; `remedy` may be empty."""

    row: int
    reason: Note
    remedy: Note


@dataclass(frozen=True)
class Checked:
    """The rows as classes, or the problems that keep them from being saved."""

    rows: tuple[ClassRow, ...]
    problems: tuple[Problem, ...]


def draft(row: ClassRow) -> Draft:
    """A saved class as it stands in the table."""
    return Draft(row.id, row.display_name, row.prompt_names[0], ", ".join(row.prompt_names[1:]))


def edited(begun: Sequence[Draft], changes: Mapping[str, Any]) -> tuple[Draft, ...]:
    """The rows as they stand in a table widget that was begun with `begun`; `changes`: what the widget keeps of its edits, all
    since then (`edited_rows` by position, `deleted_rows`, `added_rows`)."""
    rows = dict(enumerate(begun))
    for place, cells in changes.get("edited_rows", {}).items():
        if int(place) in rows:
            rows[int(place)] = _with(rows[int(place)], cells)
    for place in changes.get("deleted_rows", ()):
        rows.pop(int(place), None)
    return (*rows.values(), *(_with(Draft(None, ""), cells) for cells in changes.get("added_rows", ())))


def _with(row: Draft, cells: Mapping[str, Any]) -> Draft:
    texts = {name: str(cells.get(name, getattr(row, name)) or "").strip() for name in COLUMNS}
    return Draft(row.id, **texts)


def check(drafts: Sequence[Draft]) -> Checked:
    """All problems at once. New rows without any text are passed over; a saved class that lost its name is a problem."""
    rows: list[ClassRow] = []
    problems: list[Problem] = []
    seen: dict[str, int] = {}
    for number, one in enumerate(drafts, start=1):
        if one.id is None and one.is_blank:
            continue
        try:
            spec = prompts.make_class(one.name, (one.prompt, *_SEPARATOR.split(one.synonyms)))
        except PromptError as error:
            problems.append(Problem(number, Note(error.message, error.values), Note(error.remedy, error.values)))
            continue
        first = seen.setdefault(spec.display_name, number)
        if first != number:
            values = {"name": spec.display_name, "first": first}
            problems.append(
                Problem(
                    number,
                    Note("The class name “{name}” is in row {first} already.", values),
                    Note("Rename one of the two."),
                )
            )
        rows.append(ClassRow(one.id, spec.display_name, spec.prompt_names))
    if len(rows) > MAX_CLASSES:
        values = {"count": len(rows), "limit": MAX_CLASSES}
        problems.append(
            Problem(
                MAX_CLASSES + 1,
                Note("There are {count} classes; the limit is {limit}.", values),
                Note("Begin with the classes that matter most."),
            )
        )
    return Checked(tuple(rows), tuple(problems))


def with_ids(drafts: Sequence[Draft], saved: Sequence[ClassRow], known: Collection[int]) -> tuple[Draft, ...]:
    """Gives rows that were added to the table the ids under which they were saved meanwhile.

    A table keeps showing an added row as new. `known`: the ids that the table began with; every other saved class came from an
    added row: the one of the same name, or else, since one cell changes at a time, the next one without a class.
    """
    free = {row.display_name: row.id for row in saved if row.id is not None and row.id not in known}
    named = [
        replace(one, id=free.pop(" ".join(one.name.split()), None)) if one.id is None and one.name else one
        for one in drafts
    ]
    left = list(free.values())
    return tuple(replace(one, id=left.pop(0)) if one.id is None and not one.is_blank and left else one for one in named)


def parse(text: str) -> tuple[Draft, ...]:
    """One class a line: name, then the name for the model, then other names; parted by tabs, as copied from a spreadsheet, or by
    commas. Lines without text are passed over."""
    drafts = []
    for line in text.splitlines():
        parts = [
            part.strip().strip('"').strip() for part in (line.split("\t") if "\t" in line else _SEPARATOR.split(line))
        ]
        if any(parts):
            name, prompt, *others = [*parts, ""][: len(parts) + 1]
            drafts.append(Draft(None, name, prompt, ", ".join(other for other in others if other)))
    return tuple(drafts)


def without_known(drafts: Sequence[Draft], saved: Sequence[ClassRow]) -> tuple[tuple[Draft, ...], tuple[str, ...]]:
    """The drafts that are new, and the names of those that the project, or a line before, has already."""
    seen = {row.display_name for row in saved}
    new, known = [], []
    for one in drafts:
        name = " ".join(one.name.split())
        if name and name in seen:
            known.append(name)
        else:
            seen.add(name)
            new.append(one)
    return tuple(new), tuple(known)


def moved(rows: Sequence[ClassRow], class_id: int, by: int) -> tuple[ClassRow, ...]:
    """The rows with one of them moved up (-1) or down (+1); at the end of the list nothing changes."""
    order = list(rows)
    index = next((place for place, row in enumerate(order) if row.id == class_id), None)
    if index is not None and 0 <= index + by < len(order):
        order.insert(index + by, order.pop(index))
    return tuple(order)
