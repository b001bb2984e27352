"""What is kept between reruns; the only file with `st.cache_*`.

`cache_resource` lives as long as the server and is shared by all tabs: only things that are safe to share and, where they come
from the database, never change (a finished run) or are keyed by what they were computed from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import streamlit as st

from prolip_core import charts, comparison, config, jobs, loss_charts, photo_checks, run_groups, storage
from prolip_core.comparison import Comparison
from prolip_core.content_store import ContentStore, ThumbnailStore
from prolip_core.loss_charts import LossTexts
from prolip_core.photo_checks import Finding
from prolip_core.project_files.transfers import Transfers
from prolip_core.run_groups import RunGroups
from prolip_core.storage import Database
from prolip_core.storage.records import ClassRow, Photo, Project, RunRecord, StudyRecord, TriedPhoto


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
def transfers() -> Transfers:
    """Projects on their way into files and out of files."""
    return Transfers(database())


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


@st.cache_resource(show_spinner=False, max_entries=32)
def study(study_id: str) -> StudyRecord:
    """A finished study never changes."""
    return storage.studies.load(database(), study_id)


def classes(project: Project) -> tuple[ClassRow, ...]:
    """The classes of the project as it was read: every change of classes or photos gives the project a new time."""
    return _classes(project.id, project.changed_at)


def photos(project: Project) -> tuple[Photo, ...]:
    """The photos of the project as it was read, excluded ones included."""
    return _photos(project.id, project.changed_at)


def fingerprint(project: Project) -> str:
    """Of all that a training would learn from, for the project as it was read."""
    return _fingerprint(project.id, project.changed_at)


@st.cache_resource(show_spinner=False, max_entries=16)
def _fingerprint(project_id: str, changed_at: datetime) -> str:  # noqa: ARG001
    return storage.photos.fingerprint(database(), project_id)


@st.cache_resource(show_spinner=False, max_entries=16)
def _classes(project_id: str, changed_at: datetime) -> tuple[ClassRow, ...]:  # noqa: ARG001
    return storage.classes.list_(database(), project_id)


@st.cache_resource(show_spinner=False, max_entries=16)
def _photos(project_id: str, changed_at: datetime) -> tuple[Photo, ...]:  # noqa: ARG001
    return storage.photos.list_(database(), project_id)


def groups_of_run(run_id: str, project: Project, tag: str) -> RunGroups:
    """The answers of a run by a tag, as the photos of the project carry it, as it was read."""
    return _groups(run_id, project.id, project.changed_at, tag)


@st.cache_resource(show_spinner=False, max_entries=32)
def _groups(run_id: str, project_id: str, changed_at: datetime, tag: str) -> RunGroups:
    classes, photos = _classes(project_id, changed_at), _photos(project_id, changed_at)
    return run_groups.of_run(run_record(run_id), classes, photos, tag)


def findings(classes: Sequence[ClassRow], photos: Sequence[Photo]) -> tuple[Finding, ...]:
    """The check before training, done anew only when something that it depends on has changed."""
    key = hash(
        (
            tuple(classes),
            tuple((photo.id, photo.image_id, photo.class_id, photo.role, photo.excluded) for photo in photos),
        )
    )
    return _findings(key, classes, photos)


@st.cache_resource(show_spinner=False, max_entries=32)
def _findings(key: int, _classes: Sequence[ClassRow], _photos: Sequence[Photo]) -> tuple[Finding, ...]:  # noqa: ARG001
    return photo_checks.check(_classes, _photos)


def like_test(project: Project, tried: tuple[TriedPhoto, ...]) -> frozenset[str]:
    """Those of the tried photos that are test photos of the project as it was read, or near-copies of them (ids of the bytes)."""
    return _like_test(project.id, project.changed_at, tuple(photo.image_id for photo in tried), tried)


@st.cache_resource(show_spinner=False, max_entries=16)
def _like_test(
    project_id: str,
    changed_at: datetime,
    image_ids: tuple[str, ...],  # noqa: ARG001
    _tried: tuple[TriedPhoto, ...],
) -> frozenset[str]:
    return storage.teaching.like_test(_tried, _photos(project_id, changed_at))


@st.cache_resource(show_spinner=False, max_entries=12)
def compared(run_id: str) -> Comparison:
    """Zero-shot against ProLIP of a finished run."""
    return comparison.of_run(run_record(run_id))


@st.cache_resource(show_spinner=False, max_entries=64)
def chart(key: tuple[str, ...], _make: Callable[[], charts.Chart]) -> charts.Parts:  # noqa: ARG001
    """A chart as it is drawn. `key`: all that it depends on, the words on it included."""
    return charts.apart(_make())


@st.cache_resource(show_spinner=False, max_entries=128)
def picture(key: tuple[str, ...], _make: Callable[[], bytes]) -> bytes:  # noqa: ARG001
    """A picture as a file. `key`: all that it depends on."""
    return _make()


@st.cache_resource(show_spinner=False, max_entries=8)
def live_charts(texts: LossTexts, log: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """The two charts of a running training without their data: making them costs more than drawing them each second."""
    return loss_charts.without_data(loss_charts.live_loss((), texts, log=log)), loss_charts.without_data(
        loss_charts.live_accuracy((), texts)
    )
