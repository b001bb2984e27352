"""Photos side by side, each with a button that shows it large (photo_large.py), and a box to tick where something can be done.

One element for all of them: a grid of Streamlit's own pictures and boxes took most of the time of every click on its page
(docs/performance.md).
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import streamlit as st

from pages.ui import cached, session
from pages.ui.text import _, short

COLUMNS = 6
NAME_CHARACTERS = 14
Word = tuple[str, Literal["", "blue", "orange"]]
"""A line under a photo, as it is (never Markdown), and the colour of its badge; without a colour it is plain text."""

_FOLDER = Path(__file__).parent
_COMPONENT = st.components.v2.component(
    "prolip_photo_grid",
    html=(
        '<div class="grid">\n<div class="head"><label><input type="checkbox"><span class="all"></span></label>'
        '<span class="count" aria-live="polite"></span></div>\n<div class="photos"></div></div>'
    ),
    css=(_FOLDER / "photo_grid.css").read_text(encoding="utf-8"),
    js=(_FOLDER / "photo_grid.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True)
class Tile:
    """One place of a grid. `image_id`: None for a photo that is not there any more."""

    id: int
    image_id: str | None
    name: str
    words: Sequence[Word]


def pick(tiles: Sequence[Tile], *, key: str, among: Iterable[int] = (), columns: int = COLUMNS) -> list[int]:
    """Draws the photos; gives the ids of the ticked ones. Call inside a form: the ticks come with its button.

    `among`: ids that the grid shows at other times, page by page; their ticks count too.
    """
    before = (session.get(key) or {}).get("ticked") or []
    result = _draw(tiles, key, columns, ticked=before)
    known = {tile.id for tile in tiles}.union(among)
    return [id_ for id_ in result.get("ticked") or [] if id_ in known]


def look(tiles: Sequence[Tile], *, key: str, columns: int = COLUMNS) -> None:
    """Draws photos that can only be looked at."""
    _draw(tiles, key, columns)


def _draw(tiles: Sequence[Tile], key: str, columns: int, ticked: Sequence[int] | None = None) -> Mapping[str, Any]:
    result: Mapping[str, Any] = _COMPONENT(
        key=key,
        data={
            "photos": [
                {
                    "id": tile.id,
                    "image": tile.image_id or "",
                    "picture": picture(tile.image_id),
                    "name": short(tile.name, 200),
                    "short": _middle_cut(short(tile.name, 200)),
                    "words": [[short(text), tone] for text, tone in tile.words],
                }
                for tile in tiles
            ],
            "columns": columns,
            "ticked": ticked,
            "texts": {
                "all": _("Tick all on this page"),
                "ticked": _("Ticked: {count}", count="{count}"),
                "missing": _("(no preview)"),
                "enlarge": _("Show large: {name}", name="{name}"),
            },
        },
    )
    return result


def picture(image_id: str | None) -> str:
    """The small copy as a data address, "" where it is missing."""
    data = None if image_id is None else thumbnail_bytes(image_id)
    return "" if data is None else "data:image/webp;base64," + base64.b64encode(data).decode()


def thumbnail_bytes(image_id: str) -> bytes | None:
    """The small copy (WebP), None where it is missing."""
    try:
        return cached.thumbnail_store().path(image_id).read_bytes()
    except OSError:
        return None


def _middle_cut(name: str) -> str:
    """Cut where names of one camera do not differ: in the middle."""
    return name if len(name) <= NAME_CHARACTERS else f"{name[:5]}…{name[-(NAME_CHARACTERS - 6) :]}"
