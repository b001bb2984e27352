"""What every test gets: a data folder of its own, and no way to the network."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prolip_core import storage
from prolip_core.storage import Database

# Read by huggingface_hub when it is imported, which nothing above does: set before any test imports the engine.
os.environ["HF_HUB_OFFLINE"] = "1"

REPOSITORY = Path(__file__).parent.parent
DEVELOPMENT_PHOTOS = REPOSITORY.parent / "shared" / "data"


@pytest.fixture(autouse=True)
def own_data_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("PROLIP_HOME", str(folder))
    return folder


@pytest.fixture
def db(own_data_folder: Path) -> Iterator[Database]:
    """The database of that data folder."""
    database = storage.open_database()
    yield database
    database.close()


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Any connection to another machine fails the test that tries it."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in {"127.0.0.1", "::1", "localhost"}:
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    yield


def development_photos(name: str) -> Path:
    """A folder of the development photos; skips the test where they are not there."""
    folder = DEVELOPMENT_PHOTOS / name
    if not folder.is_dir():
        pytest.skip(f"the development photos {name} are not on this machine")
    return folder
