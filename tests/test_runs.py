"""A finished run on disk: complete, readable by others, safe for spreadsheets, and able to answer again."""

from __future__ import annotations

import csv
import io
import json
import math
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from prolip_core import backbones, dataset, projector_file, runs
from prolip_core.catalogue import BackboneSpec
from prolip_core.dataset import PhotoSet
from prolip_core.errors import ProjectorMismatchError, RunError
from prolip_core.pilot import PilotRun
from prolip_core.prompts import make_class
from prolip_core.types import Step
from tests import fakes, image_factory

CLASSES = ("=2+5", "washer, flat", "ボルト")
FILES = {"result.json", "projector.safetensors", "predictions.csv", "confusion_zero_shot.csv", "confusion_prolip.csv"}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> PhotoSet:
    root = tmp_path_factory.mktemp("photos")
    train = fakes.write_photos(root / "train", {name: range(3 + label) for label, name in enumerate(CLASSES)})
    test = fakes.write_photos(root / "test", {name: range(20, 24) for name in CLASSES})
    fakes.write_photos(test, {"ボルト": [0]})  # a training photo among the test photos
    (train / "ボルト" / "@note.txt").write_text("not a photo", encoding="utf-8")
    (train / "ボルト" / "0 again.jpg").write_bytes((train / "ボルト" / "0.jpg").read_bytes())
    return dataset.read_folders(train, test)


@pytest.fixture(scope="module")
def run(photos: PhotoSet) -> PilotRun:
    return fakes.tiny_run(photos)


@pytest.fixture
def saved(run: PilotRun, tmp_path: Path) -> Path:
    return runs.save(run, tmp_path / "run").parent


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backbones, "load", fakes.load_tiny)


def _result(folder: Path) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    content: dict[str, Any] = json.loads((folder / "result.json").read_bytes(), parse_constant=refuse)
    return content


def test_all_files_are_there_and_no_other(saved: Path) -> None:
    assert {path.name for path in saved.iterdir()} == FILES


def test_the_result_has_every_key_with_the_value_of_the_run(saved: Path, run: PilotRun) -> None:
    result = _result(saved)
    assert result["class_names"] == list(CLASSES)
    assert result["images_per_class"] == {"=2+5": 3, "washer, flat": 4, "ボルト": 5}
    assert (result["backbone"], result["solver"], result["lam"]) == ("tiny", "exact", run.trained.lam)
    assert result["device"] == run.backbone.device.title
    assert result["evaluation"] == "test"
    assert result["cross_validation"] is None
    assert result["mcnemar_p"] == run.mcnemar_p
    assert result["seconds"] == run.seconds
    assert result["rejected_files"] == [
        {
            "filename": "ボルト/@note.txt",
            "reason": run.photos.rejected[0].reason,
            "remedy": run.photos.rejected[0].remedy,
        }
    ]
    assert [file["filename"] for file in result["duplicate_files"]] == ["ボルト/0.jpg"]
    assert result["dropped_test_files"] == ["ボルト/0.jpg"]
    assert [(photo["class"], len(photo["id"])) for photo in result["photos"]["query"]].count(("ボルト", 64)) == 4
    assert len(result["history"]) == len(run.trained.history)
    assert result["settings"]["backbone_sha256"] == run.backbone.fingerprint
    assert result["prompts"][2] == ["a photo of a ボルト."]


def test_of_a_long_history_points_at_even_distances_are_written(run: PilotRun, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [Step(n, 100, 1.0, 1.0, 0.0, 0.5, 0.1) for n in range(1, 42)]
    long = replace(run, trained=replace(run.trained, history=tuple(steps)))
    monkeypatch.setattr(runs, "MAX_HISTORY", 11)
    assert [step["step"] for step in runs.as_dict(long)["history"]] == list(range(1, 42, 4))


@pytest.mark.parametrize("method", ["zero_shot", "prolip"])
def test_the_numbers_of_a_method_are_those_of_the_run(saved: Path, run: PilotRun, method: str) -> None:
    written, measured = _result(saved)[method], getattr(run, method)
    for key in ("count", "correct", "accuracy", "balanced_accuracy", "macro_f1", "calibration_error"):
        assert written[key] == getattr(measured, key)
    low, high = written["accuracy_interval"]
    assert 0 <= low <= written["accuracy"] <= high <= 1
    assert (low, high) == measured.accuracy_interval
    assert written["confusion"] == measured.confusion.counts_CC.tolist()
    assert written["correct"] == sum(row[k] for k, row in enumerate(written["confusion"]))
    assert [(one["class_name"], one["count"]) for one in written["per_class"]] == [(name, 4) for name in CLASSES]
    assert set(written["per_class"][0]) == {"class_name", "count", "precision", "recall", "f1"}


def test_japanese_stays_readable_in_the_file(saved: Path) -> None:
    text = (saved / "result.json").read_text(encoding="utf-8")
    assert "ボルト" in text
    assert "\\u" not in text


def test_a_run_without_test_photos_tells_how_it_was_measured(photos: PhotoSet, tmp_path: Path) -> None:
    spec = replace(fakes.TINY_SPEC, fit=replace(fakes.TINY_SPEC.fit, lam="1/N"))
    crossed = fakes.tiny_run(replace(photos, query=()), spec)
    runs.save(crossed, tmp_path)
    result = _result(tmp_path)
    how = crossed.answers.cross_validation
    assert how is not None
    assert result["evaluation"] == "cross_validation"
    assert result["cross_validation"] == {
        "folds": 3,
        "accuracies": list(how.accuracies),
        "reported_repeat": how.reported_repeat,
        "planned_repeats": 3,
    }
    table = pd.read_csv(tmp_path / "predictions.csv")
    assert table["image_id"].tolist() == [image.image_id for image in crossed.split.support]


def test_a_class_that_was_never_asked_leaves_null_and_no_nan(photos: PhotoSet, tmp_path: Path) -> None:
    some = replace(photos, query=tuple(image for image in photos.query if image.label == 0))
    runs.save(fakes.tiny_run(some), tmp_path)
    assert _result(tmp_path)["prolip"]["per_class"][1]["recall"] is None


def test_the_predictions_read_back_as_the_run_gave_them(saved: Path, run: PilotRun) -> None:
    table = pd.read_csv(saved / "predictions.csv")
    assert table["image_id"].tolist() == [p.image_id for p in run.answers.prolip]
    filenames = {image.image_id: image.record.filename for image in run.split.query}
    assert table["filename"].str.lstrip("'").tolist() == [filenames[one] for one in table["image_id"]]
    for column, expected in (
        ("true_class", [p.label for p in run.answers.prolip]),
        ("zero_shot_class", [p.predicted for p in run.answers.zero_shot]),
        ("prolip_class", [p.predicted for p in run.answers.prolip]),
    ):
        assert table[column].str.lstrip("'").tolist() == [CLASSES[label] for label in expected]
    np.testing.assert_allclose(table["zero_shot_confidence"], [p.confidence for p in run.answers.zero_shot], atol=1e-6)
    np.testing.assert_allclose(table["prolip_confidence"], [p.confidence for p in run.answers.prolip], atol=1e-6)
    probabilities = table[[f"prolip_probability_{name}" for name in CLASSES]].to_numpy()
    np.testing.assert_allclose(probabilities, [p.probabilities for p in run.answers.prolip], atol=1e-6)


@pytest.mark.parametrize("method", ["zero_shot", "prolip"])
def test_the_confusion_table_reads_back(saved: Path, run: PilotRun, method: str) -> None:
    table = pd.read_csv(saved / f"confusion_{method}.csv", index_col=0)
    np.testing.assert_array_equal(table.to_numpy(), getattr(run, method).confusion.counts_CC)
    assert [name.lstrip("'") for name in table.columns] == [name.lstrip("'") for name in table.index] == list(CLASSES)


FORMULAS = ("=1+1", "+81", "-5", "@SUM(1)", "＝cmd", "＋8", "－5", "＠x")


def test_no_cell_of_any_table_begins_like_a_formula(photos: PhotoSet, tmp_path: Path) -> None:
    """Excel runs a cell that begins with one of these, whoever wrote it: names of classes and files come from anywhere."""
    for pair in zip(FORMULAS[::2], FORMULAS[1::2], strict=True):
        named = replace(photos, classes=(make_class(pair[0]), make_class(pair[1]), make_class("plain")))
        query = tuple(replace(i, record=replace(i.record, filename=f"{pair[0]}.jpg")) for i in named.query)
        folder = tmp_path / str(ord(pair[0][0]))
        runs.save(fakes.tiny_run(replace(named, query=query)), folder)
        cells = [cell for path in folder.glob("*.csv") for cell in _cells(path)]
        assert len(cells) > 100
        assert not [cell for cell in cells if cell[:1] in {*"=+-@\t\r\n", *"＝＋－＠"}]
        assert {f"'{pair[0]}", f"'{pair[1]}", f"'{pair[0]}.jpg", f"prolip_probability_{pair[0]}"} <= set(cells)


def _cells(path: Path) -> Iterator[str]:
    for row in csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")):
        yield from row


def test_excel_sees_that_the_tables_are_utf_8(saved: Path) -> None:
    for path in saved.glob("*.csv"):
        assert path.read_bytes().startswith(b"\xef\xbb\xbf")


# The folder


@pytest.mark.parametrize(
    "files",
    [
        {"holiday.jpg": b"x"},
        {"result.json": b'{"someone": "else"}'},
        {"result.json": b"[1, 2]"},
        {"result.json": b"\xff\xfe"},
        {"projector.safetensors": b"", "thesis.docx": b"x"},
    ],
)
def test_a_folder_that_holds_other_things_is_refused_and_left_as_it_is(
    run: PilotRun, tmp_path: Path, files: dict[str, bytes]
) -> None:
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    for refused in (lambda: runs.prepare_folder(tmp_path), lambda: runs.save(run, tmp_path)):
        with pytest.raises(RunError, match="is not empty and holds no earlier run"):
            refused()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == files


@pytest.mark.parametrize("name", ["", "new", "new/er", ".DS_Store"])
def test_an_empty_or_a_new_folder_is_taken_and_left_empty(tmp_path: Path, name: str) -> None:
    if name == ".DS_Store":
        (tmp_path / name).write_bytes(b"")  # to the user of a Mac this folder is empty
        runs.prepare_folder(tmp_path)
        return
    runs.prepare_folder(tmp_path / name)
    assert list((tmp_path / name).iterdir()) == []


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "run").write_bytes(b"")
    for path in (tmp_path / "run", tmp_path / "run" / "below"):
        with pytest.raises(RunError, match="cannot be used for the results"):
            runs.prepare_folder(path)


def test_a_folder_that_may_not_be_written_is_found_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(RunError, match="Permission denied"):
        runs.prepare_folder(tmp_path)


def test_a_run_may_be_repeated_into_its_folder(saved: Path, photos: PhotoSet) -> None:
    (saved / "my notes.txt").write_text("the user's own", encoding="utf-8")
    again = fakes.tiny_run(photos, replace(fakes.TINY_SPEC, fit=replace(fakes.TINY_SPEC.fit, lam=7.0)))
    runs.save(again, saved)
    assert _result(saved)["lam"] == 7.0
    assert {path.name for path in saved.iterdir()} == {*FILES, "my notes.txt"}


@pytest.mark.parametrize("where", ["save", "_write_predictions", "_write_confusion", "as_dict"])
def test_a_save_that_is_interrupted_leaves_the_earlier_run_whole(
    saved: Path, run: PilotRun, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {path.name: path.read_bytes() for path in saved.iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr(projector_file if where == "save" else runs, where, interrupt)
        with pytest.raises(KeyboardInterrupt):
            runs.save(run, saved)
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before
    runs.save(run, saved)
    assert {path.name for path in saved.iterdir()} == FILES


def test_a_full_disk_is_told(run: PilotRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(RunError, match=r"cannot be written .* No space left on device"):
        runs.save(run, tmp_path)
    assert list(tmp_path.iterdir()) == []


# Answering again


@pytest.mark.usefixtures("tiny")
def test_a_loaded_run_answers_as_the_run_did(saved: Path, run: PilotRun) -> None:
    loaded = runs.load(saved, device="cpu")
    ids = [prediction.image_id for prediction in run.answers.prolip]
    again = loaded.predict(run.photos.source, ids, None)
    assert loaded.class_vectors.class_names == CLASSES
    for before, after in zip(run.answers.prolip, again, strict=True):
        assert (after.image_id, after.predicted, after.label) == (before.image_id, before.predicted, -1)
        np.testing.assert_allclose(after.probabilities, before.probabilities, atol=1e-5)
        assert math.isclose(sum(after.probabilities), 1, abs_tol=1e-9)


@pytest.mark.usefixtures("tiny")
def test_a_loaded_run_answers_about_new_photos_alone_or_together(saved: Path, tmp_path: Path) -> None:
    class Memory:
        def read(self, image_id: str) -> bytes:
            return image_factory.jpeg(int(image_id))

    loaded = runs.load(saved, device="cpu")
    together = loaded.predict(Memory(), ["1", "2", "3"], None)
    alone = loaded.predict(Memory(), ["2"], tmp_path)[0]
    np.testing.assert_allclose(alone.probabilities, together[1].probabilities, atol=1e-5)


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: "{}",
        lambda text: text.replace('"format": 1', '"format": 2', 1),
        lambda text: text.replace('"precision": "float32"', '"other": 0', 1),
        lambda text: text.replace('"architecture"', '"other"', 1),
    ],
)
def test_a_damaged_result_is_told(saved: Path, damage: Any) -> None:
    path = saved / "result.json"
    path.write_text(damage(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(RunError, match=r"result\.json is missing, damaged"):
        runs.load(saved, device="cpu")


def test_a_folder_that_is_no_run_is_told(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(RunError, match="not the folder of a finished run"):
            runs.load(folder)


def test_another_backbone_under_the_same_name_is_refused(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backbones, "load", lambda spec, device: fakes.tiny_backbone(seed=1))
    with pytest.raises(ProjectorMismatchError, match="trained with another backbone"):
        runs.load(saved, device="cpu")


@pytest.mark.usefixtures("tiny")
def test_classes_that_were_changed_by_hand_are_refused(saved: Path) -> None:
    path = saved / "result.json"
    result = _result(saved)
    result["class_names"].reverse()
    path.write_text(json.dumps(result), encoding="utf-8")
    with pytest.raises(ProjectorMismatchError, match="trained with another class list"):
        runs.load(saved, device="cpu")


def test_a_run_is_opened_in_the_precision_and_with_the_weights_it_was_made_with(
    photos: PhotoSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = BackboneSpec("mine", "tiny", checkpoint=tmp_path / "weights.pt")
    runs.save(fakes.tiny_run(photos, replace(fakes.TINY_SPEC, backbone=spec)), tmp_path / "run")
    asked: list[Any] = []

    def load(*arguments: Any) -> backbones.Backbone:
        asked.append(arguments)
        return fakes.load_tiny(*arguments)

    monkeypatch.setattr(backbones, "load", load)
    runs.load(tmp_path / "run", device="cpu")
    ((spec_again, device),) = asked
    assert spec_again == spec
    assert device.dtype_name == "float32"
