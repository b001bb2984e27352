"""The page of the evidence: what every part has in common, and what each shows of its study."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from prolip_core import storage
from prolip_core.storage import Database, studies
from prolip_core.storage.records import Project
from tests.pages.conftest import OpenPage, add_photos, make_project, shown

PAGE = "pages/evidence.py"
NAMES = ("Nut", "Bolt", "Gear", "Ring")


@pytest.fixture
def project(db: Database) -> Project:
    """Four classes with four photos to learn from and two test photos each."""
    made = make_project(db, "Parts", NAMES)
    add_photos(db, made, 4)
    add_photos(db, made, 2, "test")
    return made


HEAD: dict[str, Any] = {
    "format": 1,
    "class_names": list(NAMES),
    "images_per_class": dict.fromkeys(NAMES, 4),
    "test_images_per_class": dict.fromkeys(NAMES, 2),
    "dropped_test_files": [],
    "backbone": "starter",
    "device": "CPU, 2 threads (float32)",
    "seed": 0,
    "query_count": 8,
    "seconds": 3.2,
}


def keep(db: Database, project: Project, kind: str, result: dict[str, Any], run_id: str | None = None) -> str:
    """As a worker would have kept it just now."""
    fingerprint = storage.photos.fingerprint(db, project.id)
    whole = {**HEAD, "study": kind, **result}
    return studies.add(db, project.id, None, kind, {}, fingerprint, whole, run_id=run_id).id


def part(app: AppTest, key: str) -> AppTest:
    app.segmented_control(key="evidence_part").set_value(key).run()
    assert not app.exception, app.exception
    return app


def press(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click().run()
    assert not app.exception, app.exception
    return app


def curve_of(names: list[str], accuracies: tuple[float, ...], of: str = "class") -> dict[str, Any]:
    return {
        "of": of,
        "classes": names,
        "count": 8,
        "zero_shot_accuracy": 0.25,
        "points": [
            {"photos": 2.0**place, "everything": place == 2, "accuracy": one, "draw_interval": [one - 0.1, one + 0.1]}
            for place, one in enumerate(accuracies)
        ],
        "forecast": {
            "law": {"floor": 0.1, "scale": 0.5, "exponent": 0.5},
            "now": 4.0,
            "more": 4,
            "gain": 0.05,
            "gain_interval": [0.02, 0.08],
        },
    }


CURVE = {
    "draws": 12,
    "planned_draws": 12,
    "shots": 4,
    "evaluation": "test",
    "advice": "rising",
    "advice_parts": [
        {
            "message": "{more} more photos of every class are likely to bring {low} to {high} points, {gain} on average.",
            "values": {"more": 4, "low": "+2", "high": "+8", "gain": "+5"},
        }
    ],
    "curves": [
        curve_of(list(NAMES), (0.4, 0.6, 0.7), "all"),
        *(curve_of([name], (0.4, 0.6, 0.7)) for name in NAMES),
    ],
}


# -- what every part has ---------------------------------------------------------------------------------------------


def test_a_press_puts_the_study_into_the_queue_with_the_choices_of_now(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    app = press(open_page(PAGE, project), "compute_curve")
    (job,) = storage.jobs.live_studies(db, project.id)
    assert job.payload == {"kind": "curve", "settings": {}, "run_id": None, "spec": project.spec}
    assert "Starting." in shown(app)
    assert not [one for one in app.button if one.key == "compute_curve"]
    press(app, f"stop_{job.id}")
    assert storage.jobs.live_studies(db, project.id) == ()
    assert "nothing of it was saved" in shown(app)


def test_a_result_says_when_on_what_and_by_which_model_and_whether_it_is_stale(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    keep(db, project, "curve", CURVE)
    app = open_page(PAGE, project)
    text = shown(app)
    assert "Measured on **8** test photos that nothing was learnt or chosen from." in text
    assert "in 3 seconds, with the model Starter" in text
    assert not app.warning
    storage.photos.exclude(db, [storage.photos.list_(db, project.id)[0].id])
    assert "were changed since this was computed" in open_page(PAGE, project).warning[0].value


def test_another_model_makes_a_result_stale(db: Database, project: Project, open_page: OpenPage) -> None:
    keep(db, project, "curve", {**CURVE, "backbone": "ViT-B-32:openai"})
    assert "were changed since this was computed" in open_page(PAGE, project).warning[0].value


def test_an_early_stop_is_told(db: Database, project: Project, open_page: OpenPage) -> None:
    keep(db, project, "curve", {**CURVE, "draws": 3})
    assert "stopped early: 3 of 12 rounds" in open_page(PAGE, project).warning[0].value


def test_a_failure_is_told_with_its_remedy(db: Database, project: Project, open_page: OpenPage) -> None:
    job = storage.jobs.enqueue(db, project.id, "study", {}, key="curve")
    problem = {"message": "The number of draws is {value}.", "remedy": "Ask again.", "values": {"value": 0}}
    storage.jobs.finish(db, job.id, "failed", error=problem)
    assert open_page(PAGE, project).error[0].value.replace("\\", "").endswith("The number of draws is 0.\n\nAsk again.")


def test_without_photos_the_way_to_them_is_shown(db: Database, open_page: OpenPage) -> None:
    app = open_page(PAGE, make_project(db, "Empty", NAMES))
    assert app.button(key="compute_curve").disabled
    assert app.button(key="compute_everything").disabled
    assert "There is no training photo of" in shown(app)


def test_everything_that_is_missing_is_computed_by_one_click(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    keep(db, project, "curve", CURVE)
    storage.photos.exclude(db, [storage.photos.list_(db, project.id)[0].id])
    app = press(open_page(PAGE, project), "compute_everything")
    assert "curve" in [job.payload["kind"] for job in storage.jobs.live_studies(db, project.id)]
    assert app.button(key="compute_everything").disabled


# -- will more photos help? ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "advice"), [("en", "+2 to +8 points, +5 on average"), ("ja", "+8 ポイント")])
def test_the_curve_with_its_recommendation(
    db: Database, project: Project, open_page: OpenPage, language: str, advice: str
) -> None:
    keep(db, project, "curve", CURVE)
    app = open_page(PAGE, project, language)
    assert advice in shown(app).replace("\\", "")
    assert len(app.main.get("vega_lite_chart")) == 1
    table = app.dataframe[0].value
    assert list(table.iloc[:, 0])[1:] == list(NAMES)
    assert list(table.iloc[0, 2:5]) == ["25%", "40%", "70%"]
    assert not app.error


def test_photos_that_were_held_out_are_never_called_test_photos(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    keep(db, project, "curve", {**CURVE, "evaluation": "cross_validation", "query_count": 0})
    text = shown(open_page(PAGE, project))
    assert "Measured on **16** training photos, held out in turn" in text
    assert "test photos that nothing" not in text
