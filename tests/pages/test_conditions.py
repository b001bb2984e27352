"""The part “Other camera, other day?” of the evidence: what each of its four questions shows, and what its second set takes."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from prolip_core import config, storage
from prolip_core.content_store import ContentStore
from prolip_core.storage import Database, studies
from prolip_core.storage.records import Project
from prolip_core.storage.studies import KEEPS
from prolip_core.studies.condition_words import SECOND_TEST, STRESS, TEST_TIME, TRANSFER
from prolip_core.studies.names import SECOND_PHOTOS
from tests import image_factory
from tests.pages.conftest import OpenPage, add_photos, another_tab, make_project, shown
from tests.pages.test_compare import add_run
from tests.pages.test_evidence import HEAD, NAMES, PAGE, keep, part, press


@pytest.fixture
def project(db: Database) -> Project:
    made = make_project(db, "Parts", NAMES)
    add_photos(db, made, 4)
    add_photos(db, made, 2, "test")
    return made


def share(right: int, count: int = 8) -> dict[str, Any]:
    rate = right / count if count else None
    return {"right": right, "count": count, "accuracy": rate, "accuracy_interval": [0.2, 0.9]}


PAIRED = {"put_right": 3, "put_wrong": 1, "difference": 0.25, "difference_interval": [-0.05, 0.5], "p": 0.6}


def advice(*messages: str) -> dict[str, Any]:
    return {"advice_parts": [{"message": message, "values": {}} for message in messages], "advice_text": list(messages)}


def stress_curve(kind: str, method: str, breaks_at: int | None) -> dict[str, Any]:
    points = [
        {"severity": one, "amount": 0.1 * one, **share(7 - one), "loss": 0.1, "loss_interval": [0.0, 0.2]}
        for one in range(1, 6)
    ]
    return {"kind": kind, "method": method, "breaks_at": breaks_at, "points": points}


STRESSED = {
    "measured_count": 8,
    "limit": 0.05,
    "planned_kinds": ["blur", "noise"],
    "clean": [{"method": "zero_shot", **share(4)}, {"method": "prolip", **share(7)}],
    "stress_curves": [
        stress_curve("blur", "zero_shot", None),
        stress_curve("blur", "prolip", 3),
        stress_curve("noise", "zero_shot", 2),
        stress_curve("noise", "prolip", None),
    ],
    **advice("Blur, zero-shot.", "Blur, ProLIP.", "Noise, zero-shot.", "Noise, ProLIP."),
}


def condition(app: AppTest, key: str) -> AppTest:
    part(app, "conditions").segmented_control(key="condition").set_value(key).run()
    assert not app.exception, app.exception
    return app


# -- worse photos ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "broken", "ring"),
    [
        ("en", "Blurred: breaks at severity 3 of 5", "A ring marks where it breaks"),
        ("ja", "ピンぼけ：5 段階の強さ 3", "丸印は崩れるところ"),
    ],
)
def test_a_small_chart_for_every_distortion_and_where_it_breaks(
    db: Database, project: Project, open_page: OpenPage, language: str, broken: str, ring: str
) -> None:
    keep(db, project, STRESS, STRESSED)
    app = part(open_page(PAGE, project, language), "conditions")
    text = shown(app).replace("\\", "")
    assert broken in text and ring in text
    assert len(app.main.get("vega_lite_chart")) == 2
    assert not app.error and not app.warning
    if language == "en":
        assert "ProLIP: breaks at severity 3 (blur of 0.3 px); right: 7 → 4 of 8" in text
        assert "Zero-shot: holds up to severity 5 (blur of 0.5 px); right: 4 → 2 of 8" in text


def test_only_what_breaks_after_the_training_is_named(db: Database, project: Project, open_page: OpenPage) -> None:
    keep(db, project, STRESS, STRESSED)
    text = shown(part(open_page(PAGE, project), "conditions"))
    assert "Noisy: breaks" not in text
    whole = {**STRESSED, "stress_curves": [{**one, "breaks_at": None} for one in STRESSED["stress_curves"]]}
    keep(db, project, STRESS, whole)
    assert "No distortion breaks it" in shown(part(open_page(PAGE, project), "conditions"))


def test_an_early_stop_and_a_draw_of_photos_are_told(db: Database, project: Project, open_page: OpenPage) -> None:
    part_of = {
        **STRESSED,
        "stress_curves": STRESSED["stress_curves"][:2],
        **advice("Blur, zero-shot.", "Blur, ProLIP."),
        "measured_count": 5,
    }
    keep(db, project, STRESS, part_of)
    app = part(open_page(PAGE, project), "conditions")
    assert "stopped before: Noisy" in app.warning[0].value
    text = shown(app)
    assert "5 of your 8 test photos" in text and "Measured on **5** test photos" in text


# -- a second set ----------------------------------------------------------------------------------------------------

SECOND = {
    "measured_count": 9,
    "second_count": 3,
    "second_taught_files": ["copy_1.jpg"],
    "second_measured_files": [],
    "second_rejected_files": [],
    "missing_classes": ["Ring"],
    "only_second_classes": [],
    "both_sets": [
        {
            "method": one,
            "first": share(6, 6),
            "second": share(2, 3),
            "first_balanced": 1.0,
            "first_balanced_interval": [0.72, 1.0],
            "second_balanced": 0.67,
            "second_balanced_interval": [0.24, 0.94],
            "difference": -0.33,
            "difference_interval": [-0.7, 0.1],
        }
        for one in ("zero_shot", "prolip")
    ],
    "gain_first": PAIRED,
    "gain_second": PAIRED,
    "second_classes": [{"class_name": name, "first": share(2, 2), "second": share(0, 0)} for name in NAMES],
    **advice("It does as well.", "It does worse."),
}


def jpeg(seed: int) -> bytes:
    return image_factory.encode(image_factory.photo(seed, 40, 40), "JPEG")


def drop(app: AppTest, project: Project, *files: tuple[str, bytes], turn: int = 0) -> AppTest:
    given = [(name, data, "image/jpeg") for name, data in files]
    app.file_uploader(key=f"second_files_{project.id}_{turn}").set_value(given).run()
    assert not app.exception, app.exception
    return app


def test_dropped_photos_are_asked_about_and_stay_out_of_the_project(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    before = storage.photos.list_(db, project.id)
    app = condition(open_page(PAGE, project), "second")
    assert app.button(key="compute_second_test").disabled
    archive = _zip({"nut/1.jpg": jpeg(1), "bolt/2.jpg": jpeg(2), "cat/3.jpg": jpeg(3), "4.jpg": jpeg(4)})
    app = drop(app, project, ("photos.zip", archive))
    (job,) = storage.jobs.live_studies(db, project.id)
    photos = job.payload["settings"]["photos"]
    assert [(one["class"], one["filename"]) for one in photos] == [("Nut", "1.jpg"), ("Bolt", "2.jpg")]
    assert job.payload["settings"][KEEPS] == [one["image_id"] for one in photos]
    assert storage.photos.list_(db, project.id) == before
    refused = "“cat”, which is no class"
    assert refused in shown(app).replace("\\", "")  # while it is computed too
    press(app, f"stop_{job.id}")
    text = shown(app).replace("\\", "")
    assert "The second set has **2** photos." in text and "Nut: 1, Bolt: 1" in text
    assert refused in text and "4.jpg came without a folder" in text
    assert refused in shown(condition(another_tab(PAGE, project), "second")).replace("\\", "")


def test_a_class_that_is_chosen_takes_photos_without_a_folder_and_they_add_up(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    app = condition(open_page(PAGE, project), "second")
    box = next(one for one in app.selectbox if str(one.key).startswith("second_target"))
    box.set_value("Gear").run()
    drop(app, project, ("a.jpg", jpeg(1)), ("b.jpg", jpeg(2)))
    (job,) = storage.jobs.live_studies(db, project.id)
    press(app, f"stop_{job.id}")
    drop(app, project, ("a.jpg", jpeg(1)), ("c.jpg", jpeg(3)), turn=1)
    (job,) = storage.jobs.live_studies(db, project.id)
    assert [one["filename"] for one in job.payload["settings"]["photos"]] == ["a.jpg", "b.jpg", "c.jpg"]
    assert {one["class"] for one in job.payload["settings"]["photos"]} == {"Gear"}


def test_what_was_dropped_outlasts_a_reload_where_it_cannot_be_computed_yet(db: Database, open_page: OpenPage) -> None:
    bare = make_project(db, "Bare", NAMES)
    add_photos(db, bare, 4)  # and none to test on
    app = condition(open_page(PAGE, bare), "second")
    box = next(one for one in app.selectbox if str(one.key).startswith("second_target"))
    box.set_value("Gear").run()
    drop(app, bare, ("a.jpg", jpeg(1)))
    assert storage.jobs.live_studies(db, bare.id) == ()
    text = shown(condition(another_tab(PAGE, bare), "second"))
    assert "The second set has **1** photo." in text and "there are none" in text
    (row,) = studies.list_(db, bare.id)
    storage.purge(db, datetime.now(UTC) + timedelta(hours=2))
    assert row.settings[KEEPS][0] in ContentStore(config.photo_folder())


@pytest.mark.parametrize(("language", "word"), [("en", "near-copies of them: 1"), ("ja", "除いたもの：1")])
def test_both_sets_side_by_side(db: Database, project: Project, open_page: OpenPage, language: str, word: str) -> None:
    keep(db, project, SECOND_TEST, SECOND)
    app = condition(open_page(PAGE, project, language), "second")
    text = shown(app).replace("\\", "")
    assert "It does worse." in text and word in text and "copy_1.jpg" in text
    assert text.count("-33.0") == 2 and text.count("67%") == 2
    assert text.count("72%–100%" if language == "en" else "72%～100%") == 2 and "**9**" in text
    classes = app.dataframe[0].value
    assert list(classes.iloc[:, 0]) == list(NAMES)
    assert classes.iloc[0, 2] in ("no photo", "写真なし")


def test_a_set_of_a_finished_study_can_be_added_to_and_removed(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    data = jpeg(7)
    image_id = ContentStore(config.photo_folder()).put(data)
    record = {"image_id": image_id, "filename": "7.jpg", "class": "Nut"}
    fingerprint = storage.photos.fingerprint(db, project.id)
    result = {**HEAD, "study": SECOND_TEST, **SECOND}
    found = studies.add(db, project.id, None, SECOND_TEST, {"photos": [record]}, fingerprint, result)
    studies.add(db, project.id, None, SECOND_PHOTOS, {"photos": [record]}, "", {})
    app = condition(open_page(PAGE, project), "second")
    assert "The second set has **1** photo." in shown(app)
    press(app, "second_remove")
    assert studies.list_(db, project.id) == () and found.kind == SECOND_TEST
    assert "The second set has" not in shown(app)


# -- another project's training ---------------------------------------------------------------------------------------

CARRIED = {
    "measured_count": 7,
    "foreign_classes": ["Cat", "Dog"],
    "foreign_taught_files": ["x.jpg"],
    "answers": [{"method": one, **share(4)} for one in ("zero_shot", "foreign", "prolip")],
    "pairs": [{"first": "zero_shot", "second": "foreign", **PAIRED}],
    **advice("It carries over."),
}


def test_without_another_training_there_is_nothing_to_try(db: Database, project: Project, open_page: OpenPage) -> None:
    app = condition(open_page(PAGE, project), "transfer")
    assert app.button(key="compute_transfer").disabled
    assert "no other project with a training of the same model" in shown(app)


@pytest.mark.parametrize(
    ("language", "word"), [("en", "The other project's training"), ("ja", "別のプロジェクトの学習結果")]
)
def test_the_training_of_another_project_is_chosen_and_shown(
    db: Database, project: Project, open_page: OpenPage, language: str, word: str
) -> None:
    other = make_project(db, "Animals", ("Cat", "Dog"))
    add_photos(db, other, 1, "test")
    run_id = add_run(db, other, (0, 1), (0, 1))
    keep(db, project, TRANSFER, CARRIED)
    app = condition(open_page(PAGE, project, language), "transfer")
    text = shown(app).replace("\\", "")
    assert "It carries over." in text and "Cat, Dog" in text
    assert word in list(app.dataframe[0].value.iloc[:, 0])
    press(app, "compute_transfer")
    (job,) = storage.jobs.live_studies(db, project.id)
    settings = job.payload["settings"]
    assert settings["run"] == run_id and settings["title"].startswith("Animals · ")


def test_everything_at_once_tries_the_same_training_again_as_long_as_it_is_there(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    other = make_project(db, "Animals", ("Cat", "Dog"))
    add_photos(db, other, 1, "test")
    run_id = add_run(db, other, (0, 1), (0, 1))
    settings = {"run": run_id, "title": "Animals · number 1"}
    studies.add(db, project.id, None, TRANSFER, settings, "an older state", {**HEAD, "study": TRANSFER, **CARRIED})
    app = press(open_page(PAGE, project), "compute_everything")
    (job,) = [job for job in storage.jobs.live_studies(db, project.id) if job.payload["kind"] == TRANSFER]
    assert job.payload["settings"] == settings
    for one in storage.jobs.live_studies(db, project.id):
        storage.jobs.request_stop(db, one.id)
    storage.projects.delete(db, other.id)
    assert storage.runs.summary(db, run_id) is None
    press(app.run(), "compute_everything")
    assert TRANSFER not in {job.payload["kind"] for job in storage.jobs.live_studies(db, project.id)}


# -- one step per photo -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "word"), [("en", "703 ms"), ("ja", "703 ミリ秒")])
def test_gain_and_cost_of_one_step(
    db: Database, project: Project, open_page: OpenPage, language: str, word: str
) -> None:
    gains = [
        {"method": one, "step_ms": 3.2, "before": share(4), "after": share(6), **PAIRED}
        for one in ("zero_shot", "prolip")
    ]
    step = {"measured_count": 8, "views_per_photo": 64, "plain_ms": 11.0, "views_ms": 700.0, "gains": gains}
    keep(db, project, TEST_TIME, {**step, **advice("It helps.")})
    app = condition(open_page(PAGE, project, language), "step")
    text = shown(app)
    assert "It helps." in text and word in text
    assert text.replace("\\", "").count("+25.0") == 2


def test_the_condition_stands_in_the_address(project: Project, open_page: OpenPage) -> None:
    app = condition(open_page(PAGE, project), "step")
    assert app.query_params["detail"] in ("step", ["step"])
    assert "64 crops" in shown(another_tab(PAGE, project, view="conditions", detail="step"))


def test_everything_at_once_leaves_the_slow_option_out(db: Database, project: Project, open_page: OpenPage) -> None:
    press(open_page(PAGE, project), "compute_everything")
    kinds = {job.payload["kind"] for job in storage.jobs.live_studies(db, project.id)}
    assert STRESS in kinds and not kinds & {TEST_TIME, SECOND_TEST, TRANSFER}


def _zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()
