"""Tags of photos: a name such as "line" or "camera" with a value such as "2". They change no number of a training; they say by
which groups its answers can be looked at."""

from __future__ import annotations

import unicodedata

from prolip_core.errors import DatasetError

MAX_NAME_CHARACTERS = 40
MAX_VALUE_CHARACTERS = 60
MAX_TAGS = 20
"""Of one photo. Each is a question of its own, and of twenty questions one is answered wrongly by luck alone."""


def clean(text: str) -> str:
    """On one line, without what cannot be seen; wide and narrow forms of a letter are one, as Japanese tables mix them."""
    visible = "".join(one for one in unicodedata.normalize("NFKC", text) if one.isprintable() or one.isspace())
    return " ".join(visible.split())


def check_name(text: str) -> str:
    """The cleaned name of a tag. Raises DatasetError if nothing is left of it, or too much."""
    name = clean(text)
    if not name:
        raise DatasetError("The tag has no name.", remedy="Write what it is about, for example “line” or “camera”.")
    return _within(name, MAX_NAME_CHARACTERS)


def check_value(text: str) -> str:
    """The cleaned value of a tag. Raises DatasetError if nothing is left of it, or too much."""
    value = clean(text)
    if not value:
        raise DatasetError("The tag has no value.", remedy="Write which one it is, for example “2” or “north”.")
    return _within(value, MAX_VALUE_CHARACTERS)


def _within(text: str, limit: int) -> str:
    if len(text) > limit:
        raise DatasetError(
            "“{start}…” has {length} characters; the limit of a tag is {limit}.",
            remedy="Write less.",
            start=text[:30],
            length=len(text),
            limit=limit,
        )
    return text
