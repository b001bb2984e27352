"""Where it looked, on the page: warnings, whether the maps can be trusted, maps beside their photos, a photo of one's choice."""

from __future__ import annotations

from typing import Any

import pytest

from prolip_core import storage
from prolip_core.storage import Database
from prolip_core.storage.records import Photo, Project
from tests.pages.conftest import OpenPage, add_photos, box, make_project, shown
from tests.pages.test_evidence import NAMES, PAGE, keep, part, press

PART = "where-it-looks"


@pytest.fixture
def project(db: Database) -> Project:
    made = make_project(db, "Parts", NAMES)
    add_photos(db, made, 4)
    add_photos(db, made, 2, "test")
    return made


def measured(db: Database, project: Project) -> list[Photo]:
    return [photo for photo in storage.photos.list_(db, project.id) if photo.role == "test"]


def view(answer: str, *, right: bool, place: str) -> dict[str, Any]:
    return {
        "answer": answer,
        "right": right,
        "confidence": 0.8,
        "heat": [[0.5 if row < 4 else 0.0 for _ in range(8)] for row in range(8)],
        "marked": [[row < 2 for _ in range(8)] for row in range(8)],
        "caption_parts": {
            "message": "It looked mainly at {place} of the photo.",
            "values": {"place": {"message": place, "values": {}}},
        },
    }


def look(photo: Photo, name: str, *, right: bool) -> dict[str, Any]:
    return {
        "id": photo.image_id,
        "filename": photo.record.filename,
        "class": name,
        "box": [0.0, 0.0, 1.0, 1.0],
        "zero_shot": view("Ring", right=False, place="the middle"),
        "prolip": view(name if right else "Ring", right=right, place="the upper left"),
    }


def deletion(gain: list[float] | None) -> dict[str, Any]:
    return {
        "count": 2,
        "gain": 0.2,
        "gain_interval": gain,
        "changed_interval": [0.3, 0.9],
        "changed_by_chance_interval": [0.05, 0.4],
        "summary_parts": {
            "message": "Covering the marked fifth of the photo changed the answer in {changed} of {count} photos; covering a "
            "random fifth did so in {by_chance} of {tries} tries.",
            "values": {"changed": 2, "count": 2, "by_chance": 1, "tries": 6},
        },
        "trust_parts": {"message": "Whether the maps can be trusted takes more than one photo.", "values": {}},
    }


def of_class(name: str, verdict: str) -> dict[str, Any]:
    counts = {"whole": 9, "by_middle": 2, "by_rim": 8}
    return {
        "class": name,
        "count": 9,
        **counts,
        **{f"{key}_interval": [0.1, 0.9] for key in counts},
        "verdict": verdict,
        "verdict_parts": {
            "message": "“{class_name}” is recognised by the rim of the picture rather than by its middle: of {count} photos "
            "{rim} were right with the middle covered, {middle} with the rim covered. It may have learnt the background. Add "
            "photos of it in other places, or with less around it.",
            "values": {"class_name": name, "count": 9, "rim": 8, "middle": 2},
        },
    }


def result(db: Database, project: Project) -> dict[str, Any]:
    first, _second, third = measured(db, project)[:3]
    return {
        "looks": [look(first, "Nut", right=True), look(third, "Bolt", right=False)],
        "deletion": {"zero_shot": deletion(None), "prolip": deletion([0.1, 0.3])},
        "classes": [of_class("Nut", "open"), of_class("Bolt", "rim")],
        "measured_count": 5,
    }


@pytest.mark.parametrize(
    ("language", "told"),
    [
        (
            "en",
            (
                "“Bolt” is recognised by the rim of the picture",
                "changed the answer in 2 of 2 photos",
                "It looked mainly at the upper left of the photo.",
                "✓ Answer: **Nut** (right, 80% sure)",
                "✗ Answer: **Ring** (wrong, 80% sure)",
                "Measured on **5** test photos",
            ),
        ),
        (
            "ja",
            (
                "「Bolt」は、写真の中央ではなく周辺で見分けられています",
                "2 枚中 2 枚で答えが変わりました",
                "主に写真の左上を見ていました。",
            ),
        ),
    ],
)
def test_warnings_trust_and_maps(
    db: Database, project: Project, open_page: OpenPage, language: str, told: tuple[str, ...]
) -> None:
    keep(db, project, "look", result(db, project))
    app = part(open_page(PAGE, project, language), PART)
    text = shown(app)
    for one in told:
        assert one in text
    assert text.count("Nut** · ") == 1 and "“Nut” is recognised" not in text
    # Photo, zero-shot and ProLIP, twice; and the photo that may be chosen.
    assert len(app.main.get("image")) == 7
    assert not app.error


def test_the_map_is_drawn_over_the_photo(db: Database, project: Project) -> None:
    import numpy as np
    import streamlit as st

    from pages.ui import evidence_look
    from prolip_core import images

    st.cache_resource.clear()
    photo = measured(db, project)[0]
    one = look(photo, "Nut", right=True)
    drawn = images.small(evidence_look._drawn(one, one["prolip"]), "map.png", 1000).astype(int)
    assert drawn.shape == (32, 32, 3)
    warm = drawn[..., 0] - drawn[..., 2]
    assert np.median(warm[2:12]) > 100 and (warm[20:] == 0).all()


def test_maps_can_be_asked_for_by_class_and_by_answer(db: Database, project: Project, open_page: OpenPage) -> None:
    keep(db, project, "look", result(db, project))
    app = part(open_page(PAGE, project), PART)
    box(app, "Photos of").set_value("=Bolt").run()
    assert "**Bolt** · " in shown(app) and "**Nut** · " not in shown(app)
    box(app, "Answers").set_value("right").run()
    assert "There is no such photo" in shown(app)
    box(app, "Photos of").set_value("").run()
    assert "**Nut** · " in shown(app) and "**Bolt** · " not in shown(app)
    assert not app.exception


def test_without_a_warning_that_is_said(db: Database, project: Project, open_page: OpenPage) -> None:
    found = result(db, project)
    keep(db, project, "look", {**found, "classes": found["classes"][:1]})
    app = part(open_page(PAGE, project), PART)
    assert "No class is shown to be recognised by the rim" in app.info[1].value
    assert not app.warning and "fewer than" not in shown(app)
    table = app.dataframe[0].value
    assert list(table.iloc[0]) == [
        "Nut",
        "cannot be told",
        *(f"{count} of 9 (likely 10%–90%)" for count in (9, 2, 8)),
    ]


def test_classes_with_too_few_photos_are_named(db: Database, project: Project, open_page: OpenPage) -> None:
    found = result(db, project)
    few = [{**one, "count": count} for one, count in zip(found["classes"], (7, 6), strict=True)]
    keep(db, project, "look", {**found, "classes": few})
    assert "fewer than 7: Bolt." in shown(part(open_page(PAGE, project), PART))


def test_a_deleted_photo_keeps_its_words(db: Database, project: Project, open_page: OpenPage) -> None:
    found = result(db, project)
    keep(db, project, "look", found)
    storage.photos.delete(db, [measured(db, project)[0].id])
    app = part(open_page(PAGE, project), PART)
    assert "This photo was deleted" in shown(app) and "the upper left" in shown(app)


def test_names_are_data(db: Database, project: Project, open_page: OpenPage) -> None:
    found = result(db, project)
    found["looks"][0]["prolip"]["answer"] = "![x](http://a.example/b.png)"
    found["looks"][0]["filename"] = "*bold*.jpg"
    keep(db, project, "look", found)
    text = shown(part(open_page(PAGE, project), PART))
    assert "![x]" not in text and "\\*bold\\*" in text


def test_one_photo_of_ones_choice(db: Database, project: Project, open_page: OpenPage) -> None:
    app = part(open_page(PAGE, project), PART)
    chosen = measured(db, project)[3]
    box(app, "Test photo").set_value(chosen.image_id).run()
    press(app, "compute_look_photo")
    (job,) = storage.jobs.live_studies(db, project.id)
    assert (job.payload["kind"], job.payload["settings"]) == ("look_photo", {"image_ids": [chosen.image_id]})
    storage.jobs.request_stop(db, job.id)
    found = result(db, project)
    single = {**found, "looks": found["looks"][:1], "classes": [], "measured_count": 1}
    keep(db, project, "look_photo", single)
    text = shown(part(open_page(PAGE, project), PART))
    assert "Measured on **1** test photo that" in text and "**Nut** · " in text


def test_without_test_photos_the_reason_is_told(db: Database, open_page: OpenPage) -> None:
    made = make_project(db, "Untested", NAMES)
    add_photos(db, made, 4)
    app = part(open_page(PAGE, made), PART)
    assert app.button(key="compute_look").disabled and app.button(key="compute_look_photo").disabled
    assert "This is measured on test photos, and there are none." in shown(app)
