"""What every page test gets: the app on an empty data folder, without a worker process, and short ways to fill a project."""

from __future__ import annotations

import hashlib
import io
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import streamlit as st
from PIL import Image
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest

from prolip_core import config, jobs, spec, storage
from prolip_core.content_store import ContentStore, ThumbnailStore
from prolip_core.spec import PilotSpec
from prolip_core.storage import Database
from prolip_core.storage.records import ClassRow, Project, Role
from prolip_core.types import CheckedPhoto, ImageRecord, Quality
from tests.conftest import REPOSITORY

OpenPage = Callable[..., AppTest]


@pytest.fixture(autouse=True)
def fresh_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if the server had just started, but it starts no worker: what a worker does is written by the test itself."""
    st.cache_resource.clear()
    monkeypatch.setattr(jobs.Supervisor, "start", lambda self: None)
    _always_through_app_py(monkeypatch)
    yield
    st.cache_resource.clear()


def _always_through_app_py(monkeypatch: pytest.MonkeyPatch) -> None:
    """AppTest takes every run for the first request to a fresh server, which Streamlit answers with a file of `pages/` alone
    (see guards.require_app); then no click would ever arrive. A server that has run app.py once is what is meant here."""
    begin = PagesManager.__init__

    def begin_warm(self: PagesManager, *args: Any, **kwargs: Any) -> None:
        begin(self, *args, **kwargs)
        PagesManager.uses_pages_directory = False

    monkeypatch.setattr(PagesManager, "__init__", begin_warm)


@pytest.fixture
def app() -> AppTest:
    """The start page, not yet run."""
    return AppTest.from_file(str(REPOSITORY / "app.py"), default_timeout=90)


@pytest.fixture
def open_page(app: AppTest) -> OpenPage:
    """`open_page("pages/classes.py", project, "ja")`: the page as it stands after its first run."""

    def open_it(file: str, project: Project | None = None, language: str = "en") -> AppTest:
        app.query_params["lang"] = language
        if project is not None:
            app.query_params["project"] = project.id
        app.run()
        assert not app.exception, app.exception
        app.switch_page(file)
        app.query_params["lang"] = language
        if project is not None:
            app.query_params["project"] = project.id
        app.run()
        assert not app.exception, app.exception
        return app

    return open_it


def make_project(db: Database, name: str = "Parts", classes: Sequence[str] = ()) -> Project:
    """A project with these classes and no photos."""
    project = storage.projects.create(db, name, spec.as_dict(PilotSpec()))
    if classes:
        storage.classes.save(db, project.id, [ClassRow(None, one, (one.lower(),)) for one in classes])
    return project


def checked_photo(name: str, *, sharpness: float = 500.0) -> CheckedPhoto:
    """A small photo of its own, its bytes and thumbnail in the stores."""
    code = zlib.crc32(name.encode())
    picture = Image.frombytes("RGB", (32, 32), hashlib.shake_256(name.encode()).digest(32 * 32 * 3))
    jpeg, webp = io.BytesIO(), io.BytesIO()
    picture.save(jpeg, "JPEG")
    picture.save(webp, "WEBP")
    image_id = ContentStore(config.photo_folder()).put(jpeg.getvalue())
    ThumbnailStore(config.thumbnail_folder()).put(image_id, webp.getvalue())
    phash = int.from_bytes(hashlib.sha256(str(code).encode()).digest())
    record = ImageRecord(image_id, name, "JPEG", 640, 480, len(jpeg.getvalue()), phash)
    return CheckedPhoto(record, Quality(sharpness, 0.5, 0.2))


def add_photos(db: Database, project: Project, per_class: int, role: Role = "train") -> None:
    """So many photos of their own in every class."""
    for row in storage.classes.list_(db, project.id):
        assert row.id is not None
        photos = [checked_photo(f"{row.display_name} {role} {number}.jpg") for number in range(per_class)]
        storage.photos.add(db, project.id, row.id, role, photos)


@dataclass(frozen=True)
class Grid:
    """A photo grid of the page: under which key its ticks are kept, and its photos as they went to the browser."""

    key: str
    photos: list[dict[str, Any]]
    ticked: list[int] | None

    def words(self) -> str:
        """All that is written under its photos."""
        return "\n".join(
            text for photo in self.photos for text in (photo["name"], *(word for word, _ in photo["words"]))
        )


def grids(app: AppTest) -> list[Grid]:
    """The photo grids of the page, from top to bottom."""
    found = [one.proto for one in app.main.get("bidi_component") if one.proto.component_name == "prolip_photo_grid"]
    data = [json.loads(proto.json) for proto in found]
    return [
        Grid(proto.id.split("-", 2)[2], one["photos"], one["ticked"]) for proto, one in zip(found, data, strict=True)
    ]


def box(app: AppTest, label: str) -> Any:
    """The box to choose from with this label; its key changes with its words."""
    return next(one for one in app.selectbox if one.label == label)


def tick(app: AppTest, grid: Grid, *numbers: int) -> None:
    """Ticks the photos at these places of the grid, as a person does before pressing a button."""
    app.session_state[grid.key] = {"ticked": [grid.photos[number]["id"] for number in numbers]}


def as_markdown(app: AppTest) -> str:
    """All that the page gives to Streamlit as Markdown."""
    kinds = ("title", "header", "subheader", "markdown", "caption", "info", "warning", "error", "success", "code")
    return "\n".join(str(getattr(element, "value", "")) for kind in kinds for element in app.main.get(kind))


def shown(app: AppTest) -> str:
    """All text of the page's body, for looking whether something is told."""
    return "\n".join([as_markdown(app), *(grid.words() for grid in grids(app))])


def another_tab(page: str, project: Project, **address: str) -> AppTest:
    """Where nothing is known of what the first one holds."""
    other = AppTest.from_file(str(REPOSITORY / "app.py"), default_timeout=90)
    for file in ("app.py", page):
        if file == page:
            other.switch_page(file)
        for name, value in {"lang": "en", "project": project.id, **address}.items():
            other.query_params[name] = value
        other.run()
    return other
