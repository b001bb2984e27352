"""The hand-over file of a run as a worker makes it: no file without the mark of the photo in it, at any moment."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from prolip_core import handover_work, storage
from prolip_core.handover import bundle
from prolip_core.handover.files import export_path

OLD, NEW = "a" * 64, "b" * 64


class Killed(BaseException):
    """In the middle of the work."""


def work(monkeypatch: pytest.MonkeyPatch, make: Any) -> Any:
    record = SimpleNamespace(result={"photos": {"support": [], "query": []}}, summary=SimpleNamespace(threshold=None))
    monkeypatch.setattr(storage.runs, "load", lambda *_: record)
    monkeypatch.setattr(storage.photos, "list_", lambda *_: [])
    monkeypatch.setattr(bundle, "make", make)
    control = SimpleNamespace(enter=lambda *_, **__: None, progress=None)
    return SimpleNamespace(run_id="r1", db=None, job=SimpleNamespace(project_id="p"), control=control)


def marks() -> set[str]:
    return {path.name for path in export_path("r1").parent.iterdir() if len(path.name) == 64}


def test_a_killed_process_leaves_no_file_without_the_mark_of_its_photo(monkeypatch: pytest.MonkeyPatch) -> None:
    export_path("r1").parent.mkdir(parents=True)
    (export_path("r1").parent / OLD).touch()

    def make(_folder: Any, out: Any, *_: Any, before_write: Any, **__: Any) -> None:
        before_write(NEW)
        out.write_bytes(b"zip")
        raise Killed

    with pytest.raises(Killed):
        handover_work.hand_over(work(monkeypatch, make))
    assert marks() == {OLD, NEW}


def test_the_photo_of_the_file_before_is_no_longer_marked() -> None:
    for image_id, left in ((OLD, {OLD}), (NEW, {NEW}), (None, set())):
        handover_work._mark("r1", image_id)
        handover_work._unmark_others("r1", image_id)
        assert marks() == left
