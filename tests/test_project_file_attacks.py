"""Files that somebody has damaged or forged: each is refused in words, and nothing of it is to be seen afterwards."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import struct
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from prolip_core import archives, config, i18n, storage
from prolip_core.baselines import methods
from prolip_core.errors import ProjectFileError
from prolip_core.project_files import harmless, layout, meaning, reading, writing
from prolip_core.storage import Database
from tests import image_factory
from tests.project_file_factory import packed, parts_of, signed, small_project, whole_project, with_rows

Parts = Mapping[str, bytes]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The parts of a project file with everything in it."""
    home = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROLIP_HOME", str(home))
        db = storage.open_database()
        parts = parts_of(writing.save(db, whole_project(db).id, home / "x.prolip").path)
        db.close()
    return parts


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Database]]:
    """A data folder for all files that are refused: none of them leaves anything in it."""
    home = tmp_path_factory.mktemp("untouched")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROLIP_HOME", str(home))
        database = storage.open_database()
    yield home, database
    database.close()


@pytest.fixture
def db(untouched: tuple[Path, Database], monkeypatch: pytest.MonkeyPatch) -> Database:
    home, database = untouched
    monkeypatch.setenv("PROLIP_HOME", str(home))
    return database


@pytest.fixture
def own_db() -> Iterator[Database]:
    """For what is not refused."""
    database = storage.open_database()
    yield database
    database.close()


def refusal(db: Database, data: bytes) -> str:
    """What is told of a file with these bytes; and that nothing of it can be seen."""
    path = config.data_folder() / "given.prolip"
    path.write_bytes(data)
    with pytest.raises(ProjectFileError) as told:
        reading.open_project(db, path, filename="given.prolip")
    assert "given.prolip" in str(told.value) and told.value.remedy_text
    assert storage.projects.cards(db) == ()
    assert not config.run_folder().exists() or list(config.run_folder().iterdir()) == []
    for language in i18n.LANGUAGES:
        assert all(i18n.translator(language).error(told.value))
    return str(told.value)


def first(parts: Parts, folder: str) -> str:
    return next(name for name in parts if name.startswith(folder))


def test_the_sound_file_opens(own_db: Database, sound: Parts) -> None:
    """Packed anew and signed anew as the forged ones below: what refuses those is what was forged."""
    path = config.data_folder() / "sound.prolip"
    path.write_bytes(packed(signed(sound)))
    assert reading.open_project(own_db, path).name == "部品 <b>1</b>"


@pytest.mark.parametrize("data", [b"", b"PK", b"no zip at all" * 100, packed({"a.jpg": b"x"}), image_factory.jpeg()])
def test_what_is_no_project_file(db: Database, data: bytes) -> None:
    text = refusal(db, data)
    assert "is no project file" in text or "damaged or cut short" in text


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_file_that_is_cut_short(db: Database, sound: Parts, share: float) -> None:
    data = packed(sound)
    assert "damaged or cut short" in refusal(db, data[: int(len(data) * share)])


def test_a_byte_that_changed_on_the_way(db: Database, sound: Parts) -> None:
    data = bytearray(packed(sound, method=zipfile.ZIP_STORED))
    data[data.index(sound[first(sound, "photos/")]) + 50] ^= 1
    assert "is damaged" in refusal(db, bytes(data))


def test_a_part_that_is_other_than_the_manifest_says(db: Database, sound: Parts) -> None:
    for folder in ("photos/", "tables/class", "runs/"):
        name = first(sound, folder)
        changed = bytearray(sound[name])
        changed[-2] ^= 1
        text = refusal(db, packed({**sound, name: bytes(changed)}))
        assert f"its part “{name}” is not what was saved" in text


def test_parts_that_are_missing_or_too_many(db: Database, sound: Parts) -> None:
    name = first(sound, "photos/")
    without = {key: data for key, data in sound.items() if key != name}
    assert "is not what was saved" in refusal(db, packed(without))
    assert "image_id" in refusal(db, packed(signed(without)))
    jpeg = image_factory.jpeg(77)
    more = {**sound, layout.photo_part(hashlib.sha256(jpeg).hexdigest()): jpeg}
    assert "in a way that no project does" in refusal(db, packed(more))
    assert "photos/" in refusal(db, packed(signed(more)))  # a photo that nothing names
    assert "runs/7" in refusal(db, packed(signed({**sound, "runs/7/predictions.csv": b"a"})))


@pytest.mark.parametrize(
    "name",
    [
        "../escaped.txt",
        "/etc/cron.d/x",
        "C:\\x",
        "photos/../../x",
        "runs/1/../../../x",
        "runs/1/evil.pkl",
        "runs/1/projector.pt",
        "runs/01/predictions.csv",
        "runs/1/result.json",
        "photos/",
        "photos/ABC",
        "tables/job.jsonl",
        "readme.txt",
        "photos/" + "0" * 64 + "\0.jpg",
    ],
)
def test_names_that_are_no_part_of_a_project(db: Database, sound: Parts, name: str) -> None:
    text = refusal(db, packed(signed({**sound, name: b"x"})))
    assert "in a way that no project does" in text


def test_a_link_a_folder_and_a_locked_part(db: Database, sound: Parts) -> None:
    target = first(sound, "photos/")
    for mode in (stat.S_IFLNK, stat.S_IFDIR, stat.S_IFIFO):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, data in sound.items():
                entry = zipfile.ZipInfo(name)
                entry.external_attr = (mode if name == target else stat.S_IFREG) << 16
                archive.writestr(entry, data)
        assert "in a way that no project does" in refusal(db, buffer.getvalue())
    locked = bytearray(packed(sound))
    struct.pack_into("<H", locked, locked.index(b"PK\x01\x02") + 8, 1)
    assert "in a way that no project does" in refusal(db, bytes(locked))


def test_a_part_that_stands_in_it_twice(db: Database, sound: Parts) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        for name, data in (*sound.items(), ("tables/project.jsonl", sound["tables/project.jsonl"])):
            archive.writestr(name, data)
    assert "tables/project.jsonl" in refusal(db, buffer.getvalue())


def test_a_newer_version_is_told_as_such(db: Database, sound: Parts) -> None:
    assert "newer version" in refusal(db, packed(signed(sound, version=layout.VERSION + 1)))
    for version in (0, "1", None, True, -3):
        assert "version" in refusal(db, packed(signed(sound, version=version)))


@pytest.mark.parametrize(
    "changes",
    [
        {"fingerprint": "0" * 64},
        {"fingerprint": "short"},
        {"fingerprint": None},
        {"parts": None},
        {"parts": [{"name": "x"}]},
        {"parts": [{"name": "x", "bytes": "1", "sha256": "0" * 64}]},
        {"name": 3},
        {"created": "x" * 100},
        {"format": "other"},
    ],
)
def test_a_manifest_that_cannot_be(db: Database, sound: Parts, changes: dict[str, Any]) -> None:
    content = {**json.loads(signed(sound)[layout.MANIFEST]), **changes}
    refusal(db, packed({**sound, layout.MANIFEST: json.dumps(content).encode()}))


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{", b"\xff\xfe", b"[" * 100_000, b'{"format": 1e999}', b"NaN", b"9" * 5000]
)
def test_a_manifest_that_is_no_manifest(db: Database, sound: Parts, text: bytes) -> None:
    refusal(db, packed({**sound, layout.MANIFEST: text}))


def test_a_bomb_is_refused_before_it_is_unpacked(db: Database, sound: Parts) -> None:
    bomb = bytes(layout.MAX_MANIFEST_BYTES + 1)
    data = packed({**sound, layout.MANIFEST: bomb})
    assert len(data) < 2**20
    tracemalloc.start()
    assert "unpacks to more than" in refusal(db, data)
    assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    tracemalloc.stop()


def test_what_hardly_shrinks_must_stand_in_it_as_it_is(db: Database, sound: Parts) -> None:
    """A projector of zeros packs a thousandfold: two hundred megabytes would fill any disk."""
    for name in (first(sound, "photos/"), "runs/1/projector.safetensors"):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for part, data in sound.items():
                archive.writestr(part, data, zipfile.ZIP_DEFLATED if part == name else zipfile.ZIP_STORED)
        assert f"holds “{name}” in a way that no project does" in refusal(db, buffer.getvalue())


def test_all_parts_together_are_bounded(db: Database, sound: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "MAX_TOTAL_BYTES", sum(map(len, sound.values())) - 1)
    assert "is too large" in refusal(db, packed(sound))


def test_a_part_that_unpacks_further_than_it_says(db: Database, sound: Parts) -> None:
    """Both sizes are understated, in the zip and in the manifest."""
    name = "tables/class.jsonl"
    full = sound[name] + b" " * 100_000
    data = bytearray(packed({**sound, name: full}))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = 0
        while (start := data.find(signature, start)) >= 0:
            header = 30 if signature == b"PK\x03\x04" else 46
            if bytes(data[start + header :]).startswith(name.encode()):
                struct.pack_into("<I", data, start + offset, len(sound[name]))
            start += 4
    assert "is damaged" in refusal(db, bytes(data))


def test_a_line_without_end_fills_no_memory(db: Database, sound: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "MAX_ROW_BYTES", 2**20)
    text = refusal(db, packed(signed({**sound, "tables/class.jsonl": b'"' + b"x" * 2**25})))
    assert "tables/class.jsonl" in text


def test_too_many_files_are_not_even_listed(db: Database, sound: Parts) -> None:
    data = packed(sound) + b"PK\x01\x02" * 60_000
    assert "60" in refusal(db, data) and "limit" in refusal(db, data)
    with io.BytesIO(b"x" * (4 * 2**20 - 2) + b"PK\x01\x02PK\x01\x02") as file:  # over the edge of a block
        assert archives.entry_count(file) == 2


def set_to(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Changes the value behind a path such as `result.prolip.count`."""

    def change(row: dict[str, Any]) -> None:
        *way, last = key.split(".")
        inside: Any = row
        for step in way:
            inside = inside[int(step) if isinstance(inside, list) else step]
        inside[int(last) if isinstance(inside, list) else last] = value

    return change


SURE = {
    "temperature": 1.0,
    "threshold": 0.5,
    "limit": 0.05,
    "assured": False,
    "support_answered": 3,
    "support_wrong": 1,
    "upper_bound": 0.9,
    "least_answers": 58,
}
ROWS: list[tuple[str, str, Any]] = [
    ("project", "name", ""),
    ("project", "name", "x" * 200),
    ("project", "name", 5),
    ("project", "created_at", "yesterday"),
    ("project", "created_at", "2026-01-01T00:00:00"),
    ("project", "spec", []),
    ("project", "spec.fit", {"epochs": -1}),
    ("project", "spec.n_views", 10**9),
    ("project", "spec.templates", ["no place"]),
    ("project", "spec.backbone.architecture", "hf-hub:../evil"),
    ("project", "spec.backbone.tag", "/etc/passwd"),
    ("project", "deleted_at", None),
    ("class", "display_name", ""),
    ("class", "display_name", " two  spaces"),
    ("class", "display_name", "nul\0"),
    ("class", "display_name", "same"),
    ("class", "prompt_names", "bolt"),
    ("class", "prompt_names", [1]),
    ("class", "position", True),
    ("class", "position", -1),
    ("class", "id", 1),
    ("class", "id", 10**30),
    ("class", "id", "1"),
    ("photo", "class_id", 999),
    ("photo", "class_id", None),
    ("photo", "role", "validation"),
    ("photo", "image_id", "../../etc/passwd"),
    ("photo", "image_id", "0" * 64),
    ("photo", "excluded", 1),
    ("photo", "filename", None),
    ("photo", "filename", "x" * 70_000),
    ("photo", "phash", "0"),
    ("photo", "project_id", "other"),
    ("photo_tag", "photo_id", 999),
    ("photo_tag", "name", ""),
    ("photo_tag", "value", "x" * 100),
    ("run", "number", 0),
    ("run", "number", 1.5),
    ("run", "evaluation", "guess"),
    ("run", "count", 5),
    ("run", "prolip_correct", 99),
    ("run", "fingerprint", "x"),
    ("run", "backbone", "other"),
    ("run", "result.class_names", ["a", "a"]),
    ("run", "result.class_names", ["a"]),
    ("run", "result.prolip", None),
    ("run", "result.prolip.accuracy", 7),
    ("run", "result.prolip.confusion", [[1, 2], [3, -4]]),
    ("run", "result.prolip.confusion", [[9, 9], [9, 9]]),
    ("run", "result.zero_shot.accuracy_interval", [0.1]),
    ("run", "result.photos.support.0.id", "x"),
    ("run", "result.photos.support.0.class", "unheard of"),
    ("run", "result.history", []),
    ("run", "result.seconds", {}),
    ("run", "result.notes", [{"message": 1, "values": {}}]),
    ("run", "result.settings.backbone.architecture", "../evil"),
    ("run", "result.settings.templates", ["{:300000000}"]),
    ("run", "result.settings.templates", ["{0.x}"]),
    ("run", "result.settings.templates", ["no place"]),
    ("run", "result.settings.templates", ["{} {}"]),
    ("run", "result.settings.templates", []),
    ("run", "result.settings.templates", ["{}"] * 101),
    ("project", "spec.templates", ["{:300000000}"]),
    ("run", "answers.labels", [0, 1, 2, 3]),
    ("run", "answers.labels.0", 7),
    ("run", "answers.prolip.0", [0.5, 0.6]),
    ("run", "answers.prolip.0", [1.0]),
    ("run", "answers.image_ids.0", "../x"),
    ("run", "threshold", 1.5),
    ("run", "result.sure", {"temperature": 1.0}),
    ("run", "result.sure", []),
    ("run", "result.sure", {**SURE, "temperature": 0}),
    ("run", "result.sure", {**SURE, "more": 1}),
    ("run", "result.sure", {**SURE, "temperature": 1e-300}),
    ("run", "result.sure", {**SURE, "temperature": 1e300}),
    ("run", "result.photos.dropped", 5),
    ("run", "result.photos.dropped", [{"id": "0" * 64, "filename": "a.jpg", "class": "unheard of"}]),
    ("run", "result.versions", {}),
    ("run", "result.cross_validation", {"folds": 3, "accuracies": []}),
    ("study", "run_id", "unknown"),
    ("study", "kind", "../x"),
    ("study", "result", []),
    ("study", "result.class_names", 3),
    ("study", "settings", [1]),
    ("study", "settings.keeps", ["../x"]),
    ("study", "settings.photos", [{"image_id": 3}]),
]


@pytest.mark.parametrize(("table", "key", "value"), ROWS, ids=[f"{row[0]}-{row[1]}-{str(row[2])[:12]}" for row in ROWS])
def test_rows_that_cannot_be(db: Database, sound: Parts, table: str, key: str, value: Any) -> None:
    forged = with_rows(sound, table, set_to(key, value))
    text = refusal(db, packed(forged))
    assert f"of “tables/{table}.jsonl” is not valid" in text


def test_a_photo_stands_once_in_a_class_and_photos_are_bounded(
    db: Database, sound: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = "tables/photo.jsonl"
    row = json.loads(sound[part].splitlines()[0])
    again = json.dumps({**row, "id": 10_000}).encode() + b"\n"
    assert "(class_id, image_id)" in refusal(db, packed(signed({**sound, part: sound[part] + again})))
    monkeypatch.setattr(meaning, "_MANY_PHOTOS", 2)
    assert "line 3 of “tables/photo.jsonl”" in refusal(db, packed(sound))


def test_numbers_that_json_does_not_have(db: Database, sound: Parts) -> None:
    for text in (b"NaN", b"Infinity", b"1e999"):
        part = sound["tables/run.jsonl"]
        forged = part.replace(b'"macro_f1": ', b'"macro_f1": ').replace(
            b'"macro_f1":', b'"macro_f1":' + text + b',"x":', 1
        )
        assert forged != part
        assert "tables/run.jsonl" in refusal(db, packed(signed({**sound, "tables/run.jsonl": forged})))


def test_tables_that_are_no_tables(db: Database, sound: Parts) -> None:
    part = "tables/class.jsonl"
    for text in (
        b"[]\n",
        b"3\n",
        b"{}\n",
        b"not json\n",
        sound[part].rstrip(b"\n"),
        sound[part] * 2,
        b"[" * 50_000 + b"\n",
    ):
        assert part in refusal(db, packed(signed({**sound, part: text})))
    for text in (b"", sound["tables/project.jsonl"] * 2):
        assert "tables/project.jsonl" in refusal(db, packed(signed({**sound, "tables/project.jsonl": text})))


def test_a_photo_that_is_none(db: Database, sound: Parts) -> None:
    """Named after its content and signed, but no photo that could be dropped either."""
    for data in (b"GIF89a no", b"<svg onload=alert(1)>", image_factory.png_declaring(60_000, 60_000), b""):
        id_ = hashlib.sha256(data).hexdigest()
        old = first(sound, "photos/").removeprefix("photos/")
        rows = {
            name: part.replace(old.encode(), id_.encode()) for name, part in sound.items() if name.startswith("tables/")
        }
        parts = {name: part for name, part in sound.items() if name != layout.photo_part(old)}
        assert "The photo “" in refusal(db, packed(signed({**parts, **rows, layout.photo_part(id_): data})))


def test_a_projector_that_is_a_pickle_or_something_else(db: Database, sound: Parts) -> None:
    import pickle

    import torch
    from safetensors.torch import save

    part = "runs/1/projector.safetensors"
    weight, names = torch.zeros(3, 2), {"format": reading.PROJECTOR_FORMAT, "class_names": '["a"]'}
    for data in (
        pickle.dumps({"weight_PD": [1.0]}),
        b"",
        sound[part][:100],
        save({"weight_PD": weight}, {"format": "other", "class_names": "[]"}),
        save({"weight_PD": weight, "more": weight.clone()}, names),
        save({"weight_PD": weight[0]}, names),
        save({"weight_PD": weight.to(torch.int64)}, names),
        save({"bias_D": weight[0]}, names),
        save({"weight_PD": weight}, {**names, "class_names": "["}),
    ):
        assert "is not what its name says" in refusal(db, packed(signed({**sound, part: data})))


def test_a_table_that_a_spreadsheet_would_run(db: Database, sound: Parts) -> None:
    for data in (b'file\n"=HYPERLINK(""http://x"")"\n', "file\n＝1+1\n".encode(), b"\xff\xfe\x00"):
        forged = packed(signed({**sound, "runs/1/predictions.csv": data}))
        assert "is not what its name says" in refusal(db, forged)


def test_sentences_of_others_become_plain_text(own_db: Database, sound: Parts) -> None:
    """A sentence is shown as Markdown and filled by `format`: one that is not ours must do neither."""
    evil = "![x](http://example.com/{a.__class__}) {b:>999999999} {c}"
    parts = with_rows(
        sound, "run", set_to("result.notes", [{"message": evil, "values": {"a": "1", "b": "2", "c": "<b>", "d": [1]}}])
    )
    path = config.data_folder() / "x.prolip"
    path.write_bytes(packed(parts))
    opened = reading.open_project(own_db, path)
    run = storage.runs.load(own_db, storage.runs.list_(own_db, opened.id)[0].id)
    (note,) = run.result["notes"]
    assert note["message"] == "{text}"
    assert i18n.translator("ja").note(i18n.note_of(note)) == "![x](http://example.com/…) 2 <b>"
    # Our own stay what they are, to be translated.
    study = storage.studies.load(own_db, storage.studies.list_(own_db, opened.id)[0].id)
    assert study.result["advice_parts"] == [{"message": "Nothing was confused.", "values": {}}]


def test_what_is_cleaned() -> None:
    note = {"message": "Nothing was confused.", "values": {"message": "a", "n": 3, "list": ["x"]}}
    assert harmless.cleaned(note) == {"message": note["message"], "values": {"message": "a", "n": 3, "list": "['x']"}}
    inner = {"message": "Nothing was confused.", "values": {"why": {"message": "{x[0]}", "values": {"x": "abc"}}}}
    assert harmless.cleaned(inner)["values"]["why"] == {"message": "{text}", "values": {"text": "…"}}
    told = {"filename": "a", "message": "{filename} ![](x)", "remedy": "none", "values": {"filename": "a"}}
    assert harmless.cleaned(told) == {
        "filename": "a",
        "message": "{text}",
        "remedy": "",
        "values": {"text": "a ![](x) none"},
    }
    with pytest.raises(ValueError, match="title"):
        harmless.cleaned([{"key": "prolip", "title": "![](http://example.com)"}])
    for one in methods.METHODS:
        assert harmless.cleaned({"key": one.key, "title": one.title})
    deep: Any = 1
    for _ in range(harmless.MAX_DEPTH + 2):
        deep = [deep]
    with pytest.raises(ValueError, match="deep"):
        harmless.cleaned(deep)


def test_a_file_that_changes_while_it_is_read(
    own_db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows in the database are those that were checked; nothing is checked again while others wait for it."""
    project = small_project(own_db)
    saved = writing.save(own_db, project.id, tmp_path / "x.prolip")
    take_runs, insert = reading._Reader.take_runs, reading._Reader.insert

    def change(self: reading._Reader) -> None:
        take_runs(self)
        data = bytearray(saved.path.read_bytes())
        place = data.index(b"tables/class.jsonl") + 60
        data[place] ^= 0xFF
        saved.path.write_bytes(bytes(data))

    def unchecked(self: reading._Reader, *given: Any) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(meaning, "check", None)
            return insert(self, *given)

    monkeypatch.setattr(reading._Reader, "take_runs", change)
    monkeypatch.setattr(reading._Reader, "insert", unchecked)
    opened = reading.open_project(own_db, saved.path)
    assert [(one.display_name, one.prompt_names) for one in storage.classes.list_(own_db, opened.id)] == [
        (one.display_name, one.prompt_names) for one in storage.classes.list_(own_db, project.id)
    ]
