"""The page of the hand-over: what a finished file says of itself, and what it says where something is missing."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from prolip_core import storage
from prolip_core.handover import files
from prolip_core.storage import Database
from prolip_core.storage.records import Project
from prolip_core.studies.names import HAND_OVER
from tests.pages.conftest import OpenPage, add_photos, as_markdown, make_project
from tests.pages.test_compare import add_run

PAGE = "pages/hand_over.py"
ANSWERS = (0, 0, 1, 1)

CHECK: dict[str, Any] = {
    "count": 40,
    "on_test": True,
    "same": 40,
    "difference": 3.4e-06,
    "same_as_run": 39,
    "difference_to_run": 0.18,
    "run_precision": "bfloat16",
    "float32": {
        "right": 33,
        "accuracy_interval": [0.68, 0.91],
        "same": 40,
        "milliseconds": 16.94,
        "size_bytes": 22_772_171,
    },
    "int8": {
        "right": 32,
        "accuracy_interval": [0.65, 0.89],
        "same": 38,
        "milliseconds": 9.2,
        "size_bytes": 8_884_087,
    },
    "int8_way": "static",
    "int8_problem": None,
}
RESULT: dict[str, Any] = {
    "study": HAND_OVER,
    "class_names": ["bolt", "nut"],
    "backbone": "starter",
    "query_count": 0,
    "threshold": None,
    "size_bytes": 82_895_661,
    "entries": [
        {"name": "predict.py", "size_bytes": 18_000, "packed_bytes": 6_000},
        {"name": "check/test_photo.jpg", "size_bytes": 14_693, "packed_bytes": 14_693},
        {"name": "model.onnx", "size_bytes": 22_772_171, "packed_bytes": 20_862_633},
    ],
    "check": CHECK,
    "test_photo": "ab" * 32,
    "seconds": 61.0,
}


@pytest.fixture
def project(db: Database) -> Project:
    made = make_project(db, "Parts", ("bolt", "nut"))
    add_photos(db, made, 2)
    add_photos(db, made, 2, "test")
    return made


def keep(db: Database, project: Project, run_id: str, **changed: Any) -> None:
    result = {**copy.deepcopy(RESULT), **changed}
    storage.studies.add(db, project.id, None, HAND_OVER, {}, "x", result, run_id=run_id)
    path = files.export_path(run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"the zip")


def test_without_a_result_it_leads_to_the_training(project: Project, open_page: OpenPage) -> None:
    app = open_page(PAGE, project)
    assert "There is no result yet" in as_markdown(app)


def test_a_click_asks_the_worker_for_the_file_of_the_chosen_result(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    run_id = add_run(db, project, ANSWERS, ANSWERS)
    app = open_page(PAGE, project)
    app.button(key=f"compute_{HAND_OVER}").click().run()
    (job,) = storage.jobs.live_studies(db, project.id)
    assert (job.payload["kind"], job.payload["run_id"]) == (HAND_OVER, run_id)
    assert any(button.label == "Stop" for button in app.button)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("**40 of 40** test photos", "39 of 40 test photos", "82.9 MB")),
        ("ja", ("**40 枚中 40 枚**", "40 枚中 39 枚", "82.9 MB")),
    ],
)
def test_the_file_its_check_and_both_models_are_shown(
    db: Database, project: Project, open_page: OpenPage, language: str, words: tuple[str, ...]
) -> None:
    run_id = add_run(db, project, ANSWERS, ANSWERS)
    keep(db, project, run_id)
    app = open_page(PAGE, project, language)
    text = as_markdown(app)
    labels = " ".join(str(one.proto.label) for one in app.main.get("download_button"))
    for word in words:
        assert word in text + labels
    table = app.dataframe[0].value
    assert table.shape == (2, 5)
    cells = " ".join(map(str, table.to_numpy().ravel()))
    for figure in ("82.5%", "80%", "33", "16.9", "9.2", "22.8", "8.9", "38"):
        assert figure in cells
    contents = app.dataframe[1].value
    assert list(contents.iloc[:, 0]) == ["model.onnx", "predict.py", "check/test_photo.jpg"]
    assert "python predict.py --self-check" in app.code[0].value


def test_a_changed_threshold_and_a_missing_file_are_told(db: Database, project: Project, open_page: OpenPage) -> None:
    run_id = add_run(db, project, ANSWERS, ANSWERS)
    keep(db, project, run_id)
    storage.runs.set_threshold(db, run_id, 0.9)
    files.export_path(run_id).unlink()
    text = as_markdown(open_page(PAGE, project))
    assert "was changed since this file was made" in text
    assert "not in the data folder any more" in text


def test_a_check_without_test_photos_claims_nothing(db: Database, project: Project, open_page: OpenPage) -> None:
    run_id = add_run(db, project, ANSWERS, ANSWERS)
    check = copy.deepcopy(CHECK) | {"on_test": False, "same_as_run": None}
    for key in ("float32", "int8"):
        check[key] |= {"right": None, "accuracy_interval": None}
    keep(db, project, run_id, check=check)
    app = open_page(PAGE, project)
    assert "photos to learn from (there are no test photos)" in as_markdown(app)
    assert "Measured on" not in as_markdown(app)
    assert list(app.dataframe[0].value.iloc[:, 1]) == ["not measured: there were no test photos"] * 2


def test_the_evidence_does_not_count_a_hand_over(db: Database, project: Project, open_page: OpenPage) -> None:
    run_id = add_run(db, project, ANSWERS, ANSWERS)
    payload = {"kind": HAND_OVER, "settings": {}, "run_id": run_id, "spec": dict(project.spec)}
    storage.jobs.enqueue(db, project.id, "study", payload, key=storage.studies.key_of(HAND_OVER, run_id))
    text = as_markdown(open_page("pages/evidence.py", project))
    assert "computation is under way" not in text
