"""What one browser tab knows; the only file that touches `st.session_state` and the address line.

Nothing of worth lives here: a reload loses it. The open project and a chosen language stand in the address, everything else is
in the database.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import streamlit as st

from prolip_core import i18n

_PROJECT = "project"
_LANGUAGE = "lang"
_INSIDE_APP = "_inside_app"
_MESSAGES = "_messages"
_ROUND = "_round_of_"
_WANTED = "page"
_VIEW = "view"
_DETAIL = "detail"


_speaking: ContextVar[str] = ContextVar("_speaking", default="")


@contextmanager
def speaking(code: str) -> Iterator[None]:
    """This language, whoever asks: what Streamlit runs outside of a run, a download being made, knows no session."""
    before = _speaking.set(code)
    try:
        yield
    finally:
        _speaking.reset(before)


def language() -> str:
    """The chosen language, else the browser's."""
    if _speaking.get():
        return _speaking.get()
    chosen = str(st.session_state.get(_LANGUAGE) or st.query_params.get(_LANGUAGE))
    return chosen if chosen in i18n.LANGUAGES else i18n.choose(st.context.locale)


def set_language(code: str) -> None:
    """Keeps the choice for this tab and, in the address, over a reload."""
    st.session_state[_LANGUAGE] = code
    st.query_params[_LANGUAGE] = code


def project_id() -> str | None:
    """The open project: of the address, else the one that this tab had open last."""
    in_address = st.query_params.get(_PROJECT)
    if in_address:
        st.session_state[_PROJECT] = in_address
        return in_address
    remembered: str | None = st.session_state.get(_PROJECT)
    if remembered:
        st.query_params[_PROJECT] = remembered
    return remembered


def open_project(project_id: str | None) -> None:
    """From now on this is the open project; None closes it."""
    if project_id is None:
        st.session_state.pop(_PROJECT, None)
        st.query_params.pop(_PROJECT, None)
    else:
        st.session_state[_PROJECT] = project_id
        st.query_params[_PROJECT] = project_id


def address() -> dict[str, str]:
    """What the address of every page carries."""
    chosen = st.session_state.get(_LANGUAGE) or st.query_params.get(_LANGUAGE)
    parts = {_PROJECT: st.session_state.get(_PROJECT), _LANGUAGE: chosen}
    return {key: value for key, value in parts.items() if value}


def address_of_this_page() -> dict[str, str]:
    """The address as it was asked, with the page's own name: app.py goes on to it."""
    asked = st.context.url or ""
    return {**st.query_params.to_dict(), _WANTED: asked.split("?")[0].rstrip("/").rsplit("/", 1)[-1]}


def take_wanted_page() -> str | None:
    """The name of the page that was asked before app.py had run, given once."""
    wanted = st.query_params.get(_WANTED)
    if wanted is not None:
        del st.query_params[_WANTED]
    return wanted


def address_line() -> dict[str, str]:
    """The address as it stands."""
    return st.query_params.to_dict()


@contextmanager
def inside_app() -> Iterator[None]:
    """Marks that app.py runs the page; the mark ends with this very run, even if the run is cut short."""
    st.session_state[_INSIDE_APP] = True
    try:
        yield
    finally:
        st.session_state[_INSIDE_APP] = False


def is_inside_app() -> bool:
    """Whether app.py runs this page (and not Streamlit by itself, see guards.require_app)."""
    return bool(st.session_state.get(_INSIDE_APP))


def view() -> str:
    """Which part of the page is looked at, as the address has it: a reload comes back to it."""
    return str(st.query_params.get(_VIEW, ""))


def set_view(name: str) -> None:
    st.query_params[_VIEW] = name


def detail() -> str:
    """Which of its questions a part of the page shows, as the address has it."""
    return str(st.query_params.get(_DETAIL, ""))


def set_detail(name: str) -> None:
    st.query_params[_DETAIL] = name


def say_later(message: str) -> None:
    """Keeps a message for the next run: a rerun wipes what was said in this one."""
    st.session_state.setdefault(_MESSAGES, []).append(message)


def take_messages() -> list[str]:
    """The kept messages, each given once."""
    messages: list[str] = st.session_state.pop(_MESSAGES, [])
    return messages


def round_of(name: str) -> int:
    """A number to put into a widget's key; `next_round` raises it, which empties the widget."""
    return int(st.session_state.get(_ROUND + name, 0))


def next_round(name: str) -> None:
    st.session_state[_ROUND + name] = round_of(name) + 1


def get(key: str, default: Any = None) -> Any:
    """A view choice of this tab (a filter, a page number, a selected cell)."""
    return st.session_state.get(key, default)


def put(key: str, value: Any) -> None:
    st.session_state[key] = value


def drop(key: str) -> None:
    st.session_state.pop(key, None)
