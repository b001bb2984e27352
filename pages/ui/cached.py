"""What is kept between reruns; the only file with `st.cache_*`.

`cache_resource` lives as long as the server and is shared by all tabs: only things that are safe to share and, where they come
from the database, never change (a finished run) or are keyed by what they were computed from.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from prolip_core import comparison, config, jobs, photo_checks, storage
from prolip_core.comparison import Comparison
from prolip_core.content_store import ContentStore, ThumbnailStore
from prolip_core.photo_checks import Finding
from prolip_core.storage import Database
from prolip_core.storage.records import ClassRow, Photo, RunRecord


@st.cache_resource(show_spinner=False)
def database() -> Database:
    return storage.open_database()


@st.cache_resource(show_spinner=False)
def supervisor() -> jobs.Supervisor:
    """Keeps a worker process at hand; started once per server."""
    keeper = jobs.Supervisor(database())
    keeper.start()
    return keeper


@st.cache_resource(show_spinner=False)
def photo_store() -> ContentStore:
    return ContentStore(config.photo_folder())


@st.cache_resource(show_spinner=False)
def thumbnail_store() -> ThumbnailStore:
    return ThumbnailStore(config.thumbnail_folder())


@st.cache_resource(show_spinner=False, max_entries=12)
def run_record(run_id: str) -> RunRecord:
    """A finished run never changes (its name does: take that from the list of runs)."""
    return storage.runs.load(database(), run_id)


def findings(classes: Sequence[ClassRow], photos: Sequence[Photo]) -> tuple[Finding, ...]:
    """The check before training, done anew only when something that it depends on has changed."""
    key = hash((tuple(classes), tuple((photo.id, photo.class_id, photo.role, photo.excluded) for photo in photos)))
    return _findings(key, classes, photos)


@st.cache_resource(show_spinner=False, max_entries=32)
def _findings(key: int, _classes: Sequence[ClassRow], _photos: Sequence[Photo]) -> tuple[Finding, ...]:  # noqa: ARG001
    return photo_checks.check(_classes, _photos)


@st.cache_resource(show_spinner=False, max_entries=12)
def compared(run_id: str) -> Comparison:
    """Zero-shot against ProLIP of a finished run."""
    return comparison.of_run(run_record(run_id))
