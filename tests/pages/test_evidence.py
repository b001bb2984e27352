"""The page of the evidence: what every part has in common, and what each shows of its study."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import evidence_certainty, evidence_curve, evidence_study
from prolip_core import spec, splits, storage
from prolip_core.spec import FitConfig, PilotSpec
from prolip_core.storage import Database, studies
from prolip_core.storage.records import Project
from prolip_core.studies.names import QUICK, SLOW_METHODS
from tests import image_factory
from tests.pages.conftest import OpenPage, add_photos, checked_photo, grids, make_project, shown
from tests.pages.test_compare import add_run, labelled

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
    "checkpoint": None,
    "views": 1,
    "fit": asdict(FitConfig()),
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
        "zero_shot_interval": [0.07, 0.59],
        "points": [
            {
                "photos": 2.0**place,
                "everything": place == 2,
                "accuracy": one,
                "draw_interval": [one - 0.1, one + 0.1] if place < 2 else None,
                "photo_interval": [one - 0.3, one + 0.2],
            }
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
            "message": "{more} more photos of every class are likely to bring {low} to {high} points; the best estimate is "
            "{gain}.",
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
    assert "was stopped before anything of it could be kept" in shown(app)


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


@pytest.mark.parametrize(
    ("language", "advice"), [("en", "+2 to +8 points; the best estimate is +5"), ("ja", "+8 ポイント")]
)
def test_the_curve_with_its_recommendation(
    db: Database, project: Project, open_page: OpenPage, language: str, advice: str
) -> None:
    keep(db, project, "curve", CURVE)
    app = open_page(PAGE, project, language)
    assert advice in shown(app).replace("\\", "")
    assert len(app.main.get("vega_lite_chart")) == 1
    points, table = app.dataframe[0].value, app.dataframe[1].value
    assert list(points.iloc[:, 1]) == ["25% (7%–59%)", "40% (10%–60%)", "60% (30%–80%)", "70% (40%–90%)"]
    assert list(points.iloc[:, 2]) == ["–", "30%–50%", "50%–70%", "–"]
    assert list(table.iloc[:, 0])[1:] == list(NAMES)
    assert list(table.iloc[0, 2:5]) == ["25% (7%–59%)", "40% (10%–60%)", "70% (40%–90%)"]
    assert not app.error and not app.warning


def test_the_forecast_stands_on_the_fitted_curve_and_not_on_the_last_point() -> None:
    """Without test photos the curve ends before all photos: the step from there to now is in the fit alone."""
    found = evidence_curve._forecast(curve_of(["Nut"], (0.4, 0.6, 0.7))["forecast"])
    then = 1 - (0.1 + 0.5 * 8**-0.5)
    assert found is not None and found.photos == 8
    assert (found.accuracy, found.low, found.high) == pytest.approx((then, then - 0.03, then + 0.03))


def test_a_curve_of_an_earlier_version_is_shown_without_its_wrong_ranges(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    old = []
    for one in CURVE["curves"]:  # type: ignore[attr-defined]
        points = [{key: value for key, value in point.items() if key != "photo_interval"} for point in one["points"]]
        old.append({**{key: value for key, value in one.items() if key != "zero_shot_interval"}, "points": points})
    keep(db, project, "curve", {**CURVE, "curves": old})
    app = open_page(PAGE, project)
    assert "ranges that were too narrow" in app.warning[0].value
    assert "best estimate" not in shown(app)
    table = app.dataframe[0].value
    assert list(table.iloc[:, 2]) == ["–"] * 4 and table.iloc[0, 1] == "25% (7%–59%)"  # Wilson's, of 2 of 8


def test_photos_that_were_held_out_are_never_called_test_photos(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    keep(db, project, "curve", {**CURVE, "evaluation": "cross_validation", "query_count": 0})
    text = shown(open_page(PAGE, project))
    assert "Measured on **16** training photos, held out in turn" in text
    assert "test photos that nothing" not in text


# -- compared with what? ---------------------------------------------------------------------------------------------


def method(key: str, title: str, accuracy: float, difference: float | None, **more: Any) -> dict[str, Any]:
    return {
        "key": key,
        "title": title,
        "accuracy": accuracy,
        "photo_interval": [accuracy - 0.2, accuracy + 0.2],
        "draw_interval": None,
        "balanced_accuracy": accuracy,
        "balanced_interval": [accuracy - 0.25, accuracy + 0.25],
        "difference": difference,
        "difference_interval": None,
        "photo_difference_interval": None if difference is None else [difference - 0.1, difference + 0.1],
        "p": None if key == "prolip_auto" else 1.0,
        "added_parameters": 0,
        "trained_parameters": 0,
        "seconds": 0.5,
        **more,
    }


METHODS_RESULT = {
    "shots": 4,
    "draws": 1,
    "planned_draws": 1,
    "overlap": 1.0,
    "reference": "prolip_auto",
    "methods": [
        method("zero_shot", "Zero-shot", 0.25, -0.5, p=0.03),
        method("clap", "CLAP", 0.875, 0.125, p=0.02, photo_difference_interval=[0.05, 0.2], added_parameters=5120),
        method("task_res", "TaskRes", 0.7, -0.05),
        method("prolip_auto", "ProLIP, λ chosen from the photos", 0.75, 0.0),
    ],
    "not_run": [
        {
            "key": "prolip_text",
            "title": "ProLIP on the text projector",
            "reason": "…",
            "reason_parts": {
                "message": "This method needs the sentences before the text projector, and they were not handed in.",
                "values": {},
            },
        }
    ],
}
RATES = {
    "shots": 4,
    "draws": 1,
    "planned_draws": 1,
    "epochs": 100,
    "zero_shot_accuracy": 0.25,
    "cells": [
        {"lam": lam, "lam_value": 0.0, "learning_rate": rate, "accuracy": accuracy, "accuracies": [], "diverged": lost}
        for lam, values in (("0", (0.6, 0.5, None)), ("1/N", (0.7, 0.7, 0.75)))
        for rate, accuracy, lost in zip((1e-6, 1e-4, 1e-2), values, (0, 0, values[2] is None), strict=True)
    ]
    + [{"lam": "1/N", "lam_value": 0.25, "learning_rate": None, "accuracy": 0.7, "accuracies": [], "diverged": 0}],
}


def test_all_methods_from_the_best_to_the_worst_with_prolips_place_as_it_is(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    keep(db, project, "methods", METHODS_RESULT)
    app = part(open_page(PAGE, project), "compared")
    text = shown(app)
    assert "is number **2** of 4: 6 of 8 right (likely 55%–95%)" in text
    # CLAP is told apart although it lies within ProLIP's own range: both answered the same photos.
    assert "1 of the other methods cannot be told from it on these test photos; 1 do worse" in text
    assert "Better than ProLIP here: CLAP." in text
    assert "above all those of CLIP-Adapter" in text.replace("\\", "")
    table = app.dataframe[0].value
    assert list(table["Method"]) == ["CLAP", "ProLIP, λ chosen from the photos", "TaskRes", "Zero-shot"]
    assert list(table["Right"]) == ["7 of 8", "6 of 8", "6 of 8", "2 of 8"]
    assert list(table["Against ProLIP, in points"])[:3] == ["+12.5 (+5.0 … +20.0)", "–", "-5.0 (-15.0 … +5.0)"]
    assert list(table["Added numbers"]) == ["5,120", "0", "0", "0"]
    assert table["Every class counted the same"][0].endswith("–100%)")
    assert "Other photos to learn from" not in table
    assert "Not run: ProLIP on the text projector. This method needs the sentences" in text.replace("\\", "")
    assert f"Not run: {', '.join(SLOW_METHODS.values())}. Not chosen above: slow." in text.replace("\\", "")


@pytest.mark.parametrize(
    ("language", "said"), [("en", "on average 6.4 of 8 right (likely 60%–100%)"), ("ja", "平均 6.4 枚")]
)
def test_several_rounds_are_a_mean_and_have_a_range_of_their_own(
    db: Database, project: Project, open_page: OpenPage, language: str, said: str
) -> None:
    methods = [method("prolip_auto", "ProLIP, λ chosen from the photos", 0.8, 0.0, draw_interval=[0.5, 1.1])]
    keep(db, project, "methods", {**METHODS_RESULT, "draws": 5, "planned_draws": 5, "methods": methods})
    app = part(open_page(PAGE, project, language), "compared")
    assert said in shown(app)
    assert app.dataframe[0].value.iloc[0, 3] == "50%–100%"


def test_methods_of_an_earlier_version_are_shown_without_its_wrong_ranges(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    new = ("overlap", "p", "photo_difference_interval", "balanced_interval")
    old = {key: value for key, value in METHODS_RESULT.items() if key not in new}
    old["methods"] = [
        {key: value for key, value in one.items() if key not in new}
        for one in METHODS_RESULT["methods"]  # type: ignore[attr-defined]
    ]
    keep(db, project, "methods", old)
    app = part(open_page(PAGE, project), "compared")
    assert "ranges that were too narrow" in app.warning[0].value
    assert "cannot be told from it" not in shown(app)
    assert list(app.dataframe[0].value["Against ProLIP, in points"])[:2] == ["+12.5", "–"]


def test_more_that_was_chosen_is_missing_until_it_is_computed(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    fingerprint = storage.photos.fingerprint(db, project.id)
    thorough = {"draws": 5, "slow": True}
    for kind, result, settings in (
        ("methods", METHODS_RESULT, QUICK["methods"]),
        ("learning_rates", RATES, QUICK["learning_rates"]),
    ):
        studies.add(db, project.id, None, kind, settings, fingerprint, {**HEAD, "study": kind, **result})
    methods = evidence_study.Ask("methods", QUICK["methods"])
    found = studies.latest(db, project.id, "methods", None)
    assert found is not None
    assert evidence_study._suffices(found.settings, methods.settings)
    assert not evidence_study._suffices(found.settings, thorough)
    assert evidence_study._suffices(thorough, methods.settings)
    assert not evidence_study._suffices({}, thorough) and not evidence_study._suffices({"lams": ["0"]}, {"lams": ["1"]})
    app = part(open_page(PAGE, project), "compared")
    app.toggle(key="evidence_slow").set_value(True).run()
    press(app, "compute_everything")
    asked = {job.payload["kind"]: job.payload["settings"] for job in storage.jobs.live_studies(db, project.id)}
    assert asked["methods"] == {"draws": 1, "slow": True} and "learning_rates" not in asked


def test_rounds_and_slow_methods_are_asked_for_where_they_were_chosen(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    app = part(open_page(PAGE, project), "compared")
    app.toggle(key="evidence_slow").set_value(True)
    app.toggle(key="evidence_rounds").set_value(True).run()
    press(app, "compute_methods")
    (job,) = storage.jobs.live_studies(db, project.id)
    assert job.payload["settings"] == {"draws": 5, "slow": True}
    storage.jobs.request_stop(db, job.id)
    press(part(open_page(PAGE, project), "compared"), "compute_learning_rates")
    (job,) = storage.jobs.live_studies(db, project.id)
    assert job.payload["settings"] == QUICK["learning_rates"]


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "No pull (λ = 0): 50% to 50% right"), ("ja", "引き戻す力なし（λ = 0）：学習率によって正解率は 50%～50%")],
)
def test_how_much_the_learning_rate_matters(
    db: Database, project: Project, open_page: OpenPage, language: str, said: str
) -> None:
    keep(db, project, "learning_rates", RATES)
    keep(db, project, "methods", METHODS_RESULT)
    app = part(open_page(PAGE, project, language), "compared")
    assert said in shown(app)
    assert len(app.main.get("vega_lite_chart")) == 2
    assert not app.error
    if language == "en":
        text = shown(app).replace("\\", "")
        # 1e-6 lies outside the paper's range; what failed is no part of the range and is counted.
        assert "depending on the size of a step; **1 training of 2 failed** and is left out of it" in text
        rows = app.dataframe[1].value.values.tolist()
        assert rows[0][1:] == ["60% (31%–86%)", "50% (22%–78%)", "failed"]


def test_without_test_photos_what_is_missing_is_said(db: Database, open_page: OpenPage) -> None:
    project = make_project(db, "No test", NAMES)
    add_photos(db, project, 4)
    app = part(open_page(PAGE, project), "compared")
    assert app.button(key="compute_methods").disabled
    assert "there are none. Set some photos aside for testing" in shown(app).replace("\\", "")
    assert not part(app, "more-photos").button(key="compute_curve").disabled


# -- when is it not sure? --------------------------------------------------------------------------------------------


def outcome(threshold: float, answered: int, wrong: int, of: int = 8) -> dict[str, Any]:
    return {
        "threshold": threshold,
        "answered": answered,
        "answered_interval": [max(0.0, answered / of - 0.1), min(1.0, answered / of + 0.1)],
        "wrong": wrong,
        "wrong_interval": [0.0, wrong / of + 0.1],
        "to_person": of - answered,
        "to_person_interval": [0.0, (of - answered) / of],
        "error": wrong / answered if answered else None,
        "error_interval": [0.0, 1.0],
    }


def bins() -> list[dict[str, Any]]:
    empty = {"low": 0.0, "high": 0.1, "count": 0, "confidence": None, "accuracy": None, "accuracy_interval": [0, 1]}
    full = {"low": 0.8, "high": 0.9, "count": 8, "confidence": 0.85, "accuracy": 0.75, "accuracy_interval": [0.5, 0.9]}
    return [empty, full]


CERTAINTY: dict[str, Any] = {
    "support_count": 16,
    "accuracy": 0.75,
    "accuracy_interval": [0.41, 0.93],
    "limit": 0.05,
    "coverage": 0.95,
    "temperature": 0.8,
    "calibration": {when: {"error": 0.1, "loss": 0.5, "bins": bins()} for when in ("before", "after")},
    "suggestion": {
        "limit": 0.05,
        "threshold": 0.623,
        "assured": False,
        "support_answered": 12,
        "support_wrong": 0,
        "upper_bound": 0.22,
        "least_answers": 59,
    },
    "suggested": outcome(0.623, 6, 1),
    "thresholds": [outcome(n / 100, 8 - n // 15, 2 - n // 50) for n in range(101)],
    "support_suggested": outcome(0.623, 12, 0, of=16),
    "support_thresholds": [outcome(n / 100, 16 - n // 10, 3 - n // 50, of=16) for n in range(101)],
    "risk_coverage": {
        "coverage": [0.25, 0.5, 1.0],
        "risk": [0.0, 0.1, 0.25],
        "area": 0.1,
        "best": 0.05,
        "chance": 0.25,
    },
    "sets": {
        "guaranteed_coverage": 0.8,
        "score_limit": 0.7,
        "cross": {
            "covered": 8,
            "coverage": 1.0,
            "coverage_interval": [0.68, 1.0],
            "mean_size": 1.5,
            "sizes": [0, 4, 4, 0, 0],
            "alone": 4,
            "alone_interval": [0.2, 0.8],
            "alone_right": 4,
        },
    },
    "foreign": None,
}


def test_the_slider_tells_what_becomes_of_a_thousand_photos_without_a_new_computation(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    keep(db, project, "certainty", CERTAINTY)
    app = part(open_page(PAGE, project), "not-sure")
    text = shown(app)
    assert "6 of 8 right (likely 41%–93%)" in text
    assert "Suggested: 62.3%, but at most 5% wrong answers is **not assured**" in text
    slider = app.select_slider[0]
    assert slider.value == 0.623 and "62.3% (suggested)" in slider.options  # as it was suggested, not a rounded one
    assert slider.options[:2] == ["0%", "1%"] and slider.options[-2:] == ["100%", "nothing alone"]
    assert slider.options.index("62.3% (suggested)") == 63  # between its neighbours
    assert "## 750" in text and "## 125" in text  # 6 of 8 alone, 1 of them wrong
    assert app.dataframe[0].value.values.tolist() == [
        ["Test photos", "6 of 8 (likely 65%–85%)", "1 of 6 (likely 0%–100%)"],
        ["Training photos, held out", "12 of 16 (likely 65%–85%)", "0 of 12 (likely 0%–100%)"],
    ]
    assert "if they come in the mixture of your test photos" in text
    assert "confirm it with new photos" in text
    slider.set_value(0.0).run()
    text = shown(app)
    assert "## 1,000" in text and "## 250" in text
    assert str(app.dataframe[0].value.iloc[1, 2]).startswith("3 of 16")
    assert storage.jobs.live_studies(db, project.id) == ()
    assert len(app.main.get("vega_lite_chart")) == 2


def test_a_setting_over_99_per_cent_stands_as_it_was_suggested(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    very = {**CERTAINTY["suggestion"], "threshold": 0.994}
    changes = {"suggested": outcome(0.994, 3, 0), "support_suggested": outcome(0.994, 5, 0, of=16)}
    keep(db, project, "certainty", {**CERTAINTY, **changes, "suggestion": very})
    app = part(open_page(PAGE, project), "not-sure")
    assert app.select_slider[0].value == 0.994
    assert app.select_slider[0].options[-4:] == ["99%", "99.4% (suggested)", "100%", "nothing alone"]
    text = shown(app)
    assert "## 375" in text and "Suggested: 99.4%" in text


@pytest.mark.parametrize(
    ("language", "word"), [("en", "nothing alone (suggested)"), ("ja", "すべて人が確認（おすすめ）")]
)
def test_where_everything_should_go_to_a_person_the_slider_says_so_too(
    db: Database, project: Project, open_page: OpenPage, language: str, word: str
) -> None:
    none = {**CERTAINTY["suggestion"], "threshold": None, "upper_bound": None}
    nothing = {**outcome(2.0, 0, 0), "threshold": None}
    changes = {"suggested": nothing, "support_suggested": {**outcome(2.0, 0, 0, of=16), "threshold": None}}
    keep(db, project, "certainty", {**CERTAINTY, **changes, "suggestion": none})
    app = part(open_page(PAGE, project, language), "not-sure")
    assert app.select_slider[0].options[-1] == word and app.select_slider[0].value == math.inf
    text = shown(app)
    assert text.count("## 0\n") == 2 and "## 1,000" in text
    app.select_slider[0].set_value(0.5).run()
    assert not app.exception and "## 625" in shown(app)  # 5 of 8 alone


def test_new_settings_of_the_training_make_a_result_stale_where_it_was_trained_with_them(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    keep(db, project, "certainty", CERTAINTY)
    keep(db, project, "curve", CURVE)
    storage.projects.set_spec(db, project.id, spec.as_dict(PilotSpec(fit=FitConfig(lam="1/N"))))
    app = open_page(PAGE, project)
    assert not app.warning  # the curve has settings of its own
    (told,) = part(app, "not-sure").warning
    assert "choices of the training were changed since this was computed" in told.value


def test_more_views_make_every_result_stale(db: Database, project: Project, open_page: OpenPage) -> None:
    keep(db, project, "curve", CURVE)
    storage.projects.set_spec(db, project.id, spec.as_dict(PilotSpec(n_views=4)))
    assert "were changed since this was computed" in open_page(PAGE, project).warning[0].value


def test_few_classes_that_hold_the_right_one(db: Database, project: Project, open_page: OpenPage) -> None:
    keep(db, project, "certainty", CERTAINTY)
    app = part(open_page(PAGE, project), "not-sure")
    assert "hold the right one 95% of the time: 1.5 on average" in shown(app)
    assert "less often than wanted" not in shown(app)
    assert app.dataframe[1].value.values.tolist() == [["1", "4", "500"], ["2", "4", "500"]]
    assert "Promised, approximately: 80%" in shown(app)


def test_in_japanese_too(db: Database, project: Project, open_page: OpenPage) -> None:
    foreign = foreign_of("x.jpg", confidence=0.9)
    keep(db, project, "certainty", {**CERTAINTY, "foreign": foreign})
    app = part(open_page(PAGE, project, "ja"), "not-sure")
    assert "8 枚中 6 枚が正解" in shown(app) and "人が確認する" in shown(app)
    assert not app.error


def foreign_of(name: str, confidence: float) -> dict[str, Any]:
    return {
        "count": 2,
        "turned_away": 1,
        "turned_away_interval": [0.1, 0.9],
        "test_turned_away": 2,
        "test_turned_away_interval": [0.1, 0.6],
        "photos": [
            {"id": checked_photo(name).record.image_id, "answer": "Bolt", "confidence": confidence},
            {"id": checked_photo("other.jpg").record.image_id, "answer": "Nut", "confidence": 0.3},
        ],
        "dropped_files": ["again.jpg"],
        "rejected_files": [],
    }


def test_photos_of_something_else_and_what_becomes_of_them(db: Database, project: Project, open_page: OpenPage) -> None:
    keep(db, project, "certainty", {**CERTAINTY, "foreign": foreign_of("cup.jpg", 0.9)})
    app = part(open_page(PAGE, project), "not-sure")
    text = shown(app)
    assert "turned away, to a person: 1 of 2 (likely 10%–90%)" in text
    assert "go to a person with it: 2 of 8" in text
    assert "1 more was left out" in text
    (grid,) = grids(app)
    assert [[word for word, _ in photo["words"]] for photo in grid.photos] == [
        ["Bolt (90% sure)", "taken for it"],
        ["Nut (30% sure)", "to a person"],
    ]


def test_dropped_photos_are_checked_answered_and_kept_out_of_the_project(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    keep(db, project, "certainty", CERTAINTY)
    before = storage.photos.fingerprint(db, project.id)
    app = part(open_page(PAGE, project), "not-sure")
    zone: Any = app.get("file_uploader")[0]
    zone.set_value([("cup.jpg", image_factory.jpeg(1, 320, 240), "image/jpeg"), ("x.jpg", b"no photo", "image/jpeg")])
    app.run()
    assert not app.exception, app.exception
    (job,) = storage.jobs.live_studies(db, project.id)
    (photo,) = job.payload["settings"]["foreign"]
    assert (job.payload["kind"], photo["filename"]) == ("certainty", "cup.jpg")
    assert storage.photos.fingerprint(db, project.id) == before
    storage.jobs.request_stop(db, job.id)
    app.run()
    assert "**1** file was not taken:\n- x.jpg" in shown(app).replace("\\", "")
    assert app.get("file_uploader")  # and can be asked again
    settings = job.payload["settings"]
    result = {**HEAD, "study": "certainty", **CERTAINTY, "foreign": foreign_of("cup.jpg", 0.9)}
    studies.add(db, project.id, job.id, "certainty", settings, before, result)
    other = AppTest.from_file(app._script_path, default_timeout=90)
    other.query_params["lang"], other.query_params["project"] = "en", project.id
    text = shown(part(other.run().switch_page(PAGE).run(), "not-sure")).replace("\\", "")
    assert "**1** file was not taken:\n- x.jpg" in text  # as long as the result is there


def test_too_few_training_photos_to_hold_some_out_are_told_before(db: Database, open_page: OpenPage) -> None:
    few = make_project(db, "Few", NAMES)
    add_photos(db, few, 1)
    add_photos(db, few, 2, "test")
    app = part(open_page(PAGE, few), "not-sure")
    assert app.button(key="compute_certainty").disabled
    assert "at least 3 training photos of every class" in shown(app) and "has 1" in shown(app)
    press(app, "compute_everything")
    assert "certainty" not in {job.payload["kind"] for job in storage.jobs.live_studies(db, few.id)}


def test_the_least_number_of_photos_is_that_of_the_folds() -> None:
    assert evidence_certainty.LEAST_PHOTOS == splits.MIN_PER_CLASS_FOR_FOLDS


# -- new class by name -----------------------------------------------------------------------------------------------

NEW_CLASSES = {
    "shots": 4,
    "draws": 6,
    "planned_draws": 6,
    "advice_parts": [
        {
            "message": "Classes known by name alone are recognised less well after fine-tuning on others: {points} points "
            "against zero-shot. Take a few photos of a new class and fine-tune again.",
            "values": {"points": "-4.2", "halves": 6},
        }
    ],
    "summary": [
        {
            "rate": rate,
            "classes": 4,
            "zero_shot": 0.5,
            "zero_shot_interval": [0.2, 0.8],
            "prolip": 0.5 + change,
            "prolip_interval": [0.5, 1.2],
            "difference": change,
            "difference_interval": [-0.1, 0.1],
        }
        for rate, change in (("base", 0.25), ("new", -0.042), ("harmonic", 0.1), ("together", 0.125))
    ],
}


def test_the_study_of_new_classes_says_honestly_when_they_get_worse(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    keep(db, project, "new_classes", NEW_CLASSES)
    app = part(open_page(PAGE, project), "new-class")
    assert "recognised less well after fine-tuning on others: -4.2 points" in shown(app).replace("\\", "")
    table = app.dataframe[0].value.values.tolist()
    assert table[1] == ["New classes, among themselves", "50% (20%–80%)", "46% (50%–100%)", "-4.2 (-10.0 … +10.0)"]
    assert "Mean over 6 random halves of the 4 classes, on 8 test photos" in shown(app)
    assert "There is no result yet. Train first." in shown(app)


def test_new_classes_of_an_earlier_version_are_shown_without_its_verdict(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    new = ("classes", "zero_shot_interval", "prolip_interval")
    summary = [
        {key: value for key, value in one.items() if key not in new}
        for one in NEW_CLASSES["summary"]  # type: ignore[attr-defined]
    ]
    keep(db, project, "new_classes", {**NEW_CLASSES, "summary": summary})
    app = part(open_page(PAGE, project), "new-class")
    assert "ranges that were too narrow" in app.warning[0].value
    assert "less well" not in shown(app)
    assert app.dataframe[0].value.values.tolist()[1] == ["New classes, among themselves", "50%", "46%", "-4.2"]


def test_three_classes_are_too_few_for_the_study(db: Database, open_page: OpenPage) -> None:
    project = make_project(db, "Three", NAMES[:3])
    add_photos(db, project, 4)
    add_photos(db, project, 2, "test")
    app = part(open_page(PAGE, project), "new-class")
    assert app.button(key="compute_new_classes").disabled
    assert "There are 3 classes" in shown(app)
    assert not app.button(key="compute_everything").disabled


ADDED: dict[str, Any] = {
    "class_names": [*NAMES, "座金"],
    "prompts": ["a photo of a washer."],
    "right_before": 6,
    "right_after": 5,
    "taken": [],
    "photos": [],
}


def test_a_class_is_added_by_its_name_to_a_result_without_training(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    run_id = add_run(db, project, [0] * 8, [0, 0, 1, 1, 2, 2, 3, 0])
    app = part(open_page(PAGE, project), "new-class")
    assert app.button(key="compute_added_class").disabled
    labelled(app, "text_input", "Name of the new class").set_value("nut ").run()
    assert app.button(key="compute_added_class").disabled and "has a class of this name already" in shown(app)
    labelled(app, "text_input", "Name of the new class").set_value("座金").run()
    labelled(app, "text_input", "Its English name, which the model reads").set_value(" washer ").run()
    zone: Any = app.get("file_uploader")[0]
    zone.set_value([("w.jpg", image_factory.jpeg(2, 320, 240), "image/jpeg")])
    app.run()
    assert "1 photo is ready." in shown(app)
    press(app, "compute_added_class")
    (job,) = storage.jobs.live_studies(db, project.id)
    asked = job.payload["settings"]
    assert (job.payload["kind"], job.payload["run_id"]) == ("added_class", run_id)
    assert (asked["name"], asked["prompt_names"], len(asked["photos"])) == ("座金", ["washer"], 1)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_what_the_added_class_does_to_all_answers(
    db: Database, project: Project, open_page: OpenPage, language: str
) -> None:
    run_id = add_run(db, project, [0] * 8, [0, 0, 1, 1, 2, 2, 3, 0])
    (one, two) = storage.photos.list_(db, project.id, role="test")[:2]
    mine = checked_photo("mine.jpg").record
    result = {
        **ADDED,
        "taken": [{"id": one.image_id, "answer": "座金", "confidence": 0.4}],
        "photos": [{"id": mine.image_id, "answer": "座金", "confidence": 0.8}],
    }
    settings = {
        "name": "座金",
        "prompt_names": ["washer"],
        "photos": [{"image_id": mine.image_id, "filename": "mine.jpg"}],
    }
    studies.add(
        db, project.id, None, "added_class", settings, "f", {**HEAD, "study": "added_class", **result}, run_id=run_id
    )
    storage.photos.exclude(db, [two.id])
    app = part(open_page(PAGE, project, language), "new-class")
    text = shown(app)
    assert not app.warning  # it is about the run, whatever became of the photos since
    assert len(grids(app)) == 2
    if language == "en":
        assert "Tried with “座金” as class number 5" in text and "a photo of a washer" in text
        assert "before: 6 of 8 right" in text and "as well: 5 of 8 right" in text
        assert "1 test photo is taken for “座金” now." in text
        assert "recognised as “座金”: 1 of 1 (likely" in text
