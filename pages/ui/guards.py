"""What stands between a page and what could go wrong: a page asked without app.py, no open project, an error."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps

import streamlit as st

from pages.ui import cached, session
from pages.ui.text import _, error
from prolip_core import storage
from prolip_core.errors import ProLIPError
from prolip_core.storage.records import Project

_log = logging.getLogger(__name__)


def require_app() -> None:
    """Every page begins with this. On a fresh server Streamlit runs a file of `pages/` by itself if its path is asked first,
    without app.py and all that it does; then nothing is shown, and app.py is started, which comes back to the page."""
    if not session.is_inside_app():
        st.switch_page("app.py", query_params=session.address_of_this_page())


def require_project() -> Project:
    """The open project; without one, the way to the projects is shown and the page ends."""
    project_id = session.project_id()
    project = storage.projects.get(cached.database(), project_id) if project_id else None
    if project is None:
        st.info(
            _("No project is open. Choose one, or make a new one.")
            if not project_id
            else _("This project is not there any more.")
        )
        st.page_link("pages/projects.py", label=_("Go to the projects"))
        session.open_project(None)
        st.stop()
    return project


@contextmanager
def told() -> Iterator[None]:
    """Errors inside become a message; nothing else on the page is lost, and never a traceback is shown."""
    try:
        yield
    except ProLIPError as problem:
        reason, remedy = error(problem)
        st.error(f"{reason}\n\n{remedy}".strip())
    except Exception:  # noqa: BLE001 - the last line of defence of a screen; the log has the whole story
        _log.exception("unexpected error on a page")
        st.error(
            _(
                "Something unexpected went wrong. What was saved is safe. Load the page again; if it happens again, tell your "
                "administrator: the server's log has the details."
            )
        )


def fragment(run_every: float | None = None) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """`st.fragment` whose errors are told: a fragment's rerun does not pass through app.py."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @wraps(function)
        def guarded(*args: object, **kwargs: object) -> None:
            with told():
                function(*args, **kwargs)

        return st.fragment(guarded, run_every=run_every)

    return decorate
