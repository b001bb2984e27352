"""Projects with everything that a project can have, and project files that somebody has tampered with."""

from __future__ import annotations

import hashlib
import io
import json
import uuid
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from prolip_core import config, job_work, runs, spec, storage, uploads
from prolip_core.content_store import ContentStore, ThumbnailStore
from prolip_core.project_files import layout
from prolip_core.spec import PilotSpec
from prolip_core.storage import Database
from prolip_core.storage.records import ClassRow, Project, Role
from prolip_core.storage.studies import KEEPS
from prolip_core.types import CheckedPhoto
from prolip_core.uploads import UploadFile
from tests import fakes, image_factory

CLASSES = ("ボルト", "Nut *bold* ![](http://example.com/a.png)")


def stores() -> tuple[ContentStore, ThumbnailStore]:
    return ContentStore(config.photo_folder()), ThumbnailStore(config.thumbnail_folder())


def photos_of(class_name: str, numbers: range) -> list[CheckedPhoto]:
    """Real photos, checked and kept as dropped ones are."""
    files = [
        UploadFile(f"{class_name[:6]} {n}.jpg", image_factory.encode(fakes.tinted(class_name, n), "JPEG"))
        for n in numbers
    ]
    return [one.photo.photo for one in uploads.check(files, *stores()) if one.photo is not None]


def small_project(db: Database, name: str = "Parts") -> Project:
    """Two classes of four photos, two of them to test on."""
    project = storage.projects.create(db, name, spec.as_dict(fakes.TINY_SPEC))
    rows = storage.classes.save(
        db, project.id, [ClassRow(None, CLASSES[0], ("bolt", "screw")), ClassRow(None, CLASSES[1], ("nut",))]
    )
    roles: tuple[tuple[Role, range], ...] = (("train", range(2)), ("test", range(2, 4)))
    for row in rows:
        for role, numbers in roles:
            assert row.id is not None
            storage.photos.add(db, project.id, row.id, role, photos_of(row.display_name, numbers))
    return project


def add_run(db: Database, project: Project) -> str:
    """A real training of the tiny model, kept as the worker keeps it."""
    photos, fingerprint = job_work.photo_set(db, project.id)
    run = fakes.tiny_run(photos)
    run_id = uuid.uuid4().hex
    runs.save(run, config.run_folder() / run_id)
    content = json.loads((config.run_folder() / run_id / "result.json").read_text(encoding="utf-8"))
    storage.runs.add(db, run_id, project.id, None, fingerprint, content, runs.answers_as_dict(run))
    return run_id


def whole_project(db: Database) -> Project:
    """With everything: tags, an excluded photo, runs with names, studies with photos of their own, hidden rows of every kind."""
    project = small_project(db, "部品 <b>1</b>")
    choices = PilotSpec(**{**fakes.TINY_SPEC.__dict__, "templates": ("a photo of a {}.", "{} on a table.")})
    storage.projects.set_spec(db, project.id, spec.as_dict(choices))
    photos = storage.photos.list_(db, project.id)
    storage.photos.set_tag(db, [photos[0].id, photos[1].id], "line", "2 北")
    storage.photos.exclude(db, [photos[0].id])
    extra = storage.photos.add(db, project.id, photos[0].class_id, "train", photos_of("gone", range(1))).added
    storage.photos.delete(db, [extra[0].id])
    first, hidden = add_run(db, project), add_run(db, project)
    storage.runs.rename(db, first, "Erste Messung")
    storage.runs.set_threshold(db, first, 0.7)
    storage.runs.delete(db, hidden)
    second = photos_of("second", range(2))
    records = [{**asdict(one.record), "class": CLASSES[0]} for one in second]
    settings = {"photos": records, KEEPS: [one["image_id"] for one in records]}
    advice = {"message": "Nothing was confused.", "values": {}}
    result = {"study": "second_test", "class_names": list(CLASSES), "advice_parts": [advice], "share": 0.1 + 0.2}
    storage.studies.add(db, project.id, None, "second_test", settings, "0" * 64, result)
    storage.studies.add(db, project.id, None, "look", {"run": first}, "1" * 64, result, run_id=first)
    rows = storage.classes.list_(db, project.id)
    storage.classes.save(db, project.id, [*rows, ClassRow(None, "gone", ("gone",))])
    storage.classes.save(db, project.id, rows)
    storage.jobs.enqueue(db, project.id, "train", {"spec": {}})
    return project


def parts_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(parts: Mapping[str, bytes], *, method: int | None = None) -> bytes:
    """A zip of the parts. method: how all are packed; by default as a project file is."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in parts.items():
            usual = zipfile.ZIP_STORED if layout.is_stored(name) else zipfile.ZIP_DEFLATED
            archive.writestr(name, data, usual if method is None else method)
    return buffer.getvalue()


def signed(parts: Mapping[str, bytes], **changes: Any) -> dict[str, bytes]:
    """The parts with a manifest that fits them: what somebody who knows the format can forge. changes: of the manifest."""
    content = json.loads(parts[layout.MANIFEST])
    content["parts"] = [
        {"name": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in parts.items()
        if name != layout.MANIFEST
    ]
    return {**parts, layout.MANIFEST: json.dumps({**content, **changes}).encode()}


def with_rows(
    parts: Mapping[str, bytes], table: str, change: Callable[[dict[str, Any]], Any], *, only: int | None = None
) -> dict[str, bytes]:
    """Every row of a table (or the one of this number) changed in place, and signed anew."""
    part = layout.table_part(table)
    rows = [json.loads(line) for line in parts[part].splitlines()]
    for number, row in enumerate(rows):
        if only is None or only == number:
            change(row)
    lines = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    return signed({**parts, part: lines})
