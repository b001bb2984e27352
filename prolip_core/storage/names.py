"""Names that a person gives to projects and runs."""

from __future__ import annotations

from collections.abc import Callable, Collection

from prolip_core import config
from prolip_core.errors import StorageError


def clean(text: str) -> str:
    """The text as every database takes it: without null characters, and with a question mark for halves of characters, which
    file names can have."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def check_name(name: str) -> str:
    """The name on one line. Raises StorageError if nothing is left of it, or too much."""
    text = " ".join(clean(name).split())
    if not text:
        raise StorageError("The name is empty.", remedy="Write a name.")
    if len(text) > config.MAX_NAME_CHARACTERS:
        raise StorageError(
            "The name “{start}…” has {length} characters; the limit is {limit}.",
            remedy="Write a shorter name.",
            start=text[:30],
            length=len(text),
            limit=config.MAX_NAME_CHARACTERS,
        )
    return text


def unused(taken: Collection[str], name_of: Callable[[int], str]) -> str:
    """The first of name_of(1), name_of(2), … that nobody has."""
    number = 1
    while name_of(number) in taken:
        number += 1
    return name_of(number)
