"""The part of the evidence about groups: what it says of a run's answers by the tags that the photos carry now."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from prolip_core import group_charts, storage
from prolip_core.group_charts import GroupRow, GroupTexts
from prolip_core.storage import Database
from prolip_core.storage.records import Photo, Project
from tests.pages.conftest import OpenPage, add_photos, box, make_project, shown
from tests.pages.test_compare import add_run
from tests.test_charts import EVIL, rows_of

PAGE = "pages/evidence.py"
HOSTILE = "![](http://example.com/a.png)"


@pytest.fixture
def project(db: Database) -> Project:
    """Two classes with 20 test photos each."""
    made = make_project(db, "Parts", ("Nut", "Bolt"))
    add_photos(db, made, 20, "test")
    return made


def measured(db: Database, project: Project) -> list[Photo]:
    return list(storage.photos.list_(db, project.id, role="test"))


def part(open_page: OpenPage, project: Project, language: str = "en") -> AppTest:
    app = open_page(PAGE, project, language)
    app.segmented_control(key="evidence_part").set_value("fair").run()
    assert not app.exception, app.exception
    return app


def in_groups(db: Database, project: Project, value: str = "B") -> None:
    """A: ten of each class, all right by ProLIP; B: eight of each class, two right; the rest without a tag."""
    photos = measured(db, project)
    a, b = [*photos[:10], *photos[20:30]], [*photos[10:18], *photos[30:38]]
    storage.photos.set_tag(db, [photo.id for photo in a], "line", "A")
    storage.photos.set_tag(db, [photo.id for photo in b], "line", value)
    wrong = {photo.id for photo in [*photos[12:18], *photos[32:38]]}
    truth = [n // 20 for n in range(40)]
    add_run(db, project, [0] * 40, [1 - t if p.id in wrong else t for t, p in zip(truth, photos, strict=True)])


@pytest.mark.parametrize(
    ("language", "told", "measured", "small"),
    [
        (
            "en",
            "There is a gap: “A” was right more often than “B”, by 75 points",
            "Measured on **40** test",
            "too few to tell",
        ),
        ("ja", "「A」は「B」より正解率が 75 ポイント高く", "**40**", "枚数不足"),
    ],
)
def test_the_gap_is_named_with_chart_table_and_photos(
    db: Database, project: Project, open_page: OpenPage, language: str, told: str, measured: str, small: str
) -> None:
    in_groups(db, project)
    app = part(open_page, project, language)
    text = shown(app).replace("\\", "")
    assert told in text and measured in text
    assert "⚠️" in text and not app.error
    assert len(app.main.get("vega_lite_chart")) == 1
    table = app.dataframe[0].value
    assert list(table.iloc[:, 0])[:2] == ["A", "B"] and list(table.iloc[:, 1]) == [20, 16, 4]
    assert table.iloc[2, 5] == small and table.iloc[2, 0] not in ("None", "")
    assert str(table.iloc[1, 3]).startswith("4 of 16 (" if language == "en" else "16 枚中 4 枚")


def test_no_gap_is_told_where_there_is_none(db: Database, project: Project, open_page: OpenPage) -> None:
    photos = measured(db, project)
    for n, photo in enumerate(photos):
        storage.photos.set_tag(db, [photo.id], "line", "AB"[n % 2])
    add_run(db, project, [0] * 40, [n // 20 for n in range(40)])
    text = shown(part(open_page, project)).replace("\\", "")
    assert text.count("No gap can be told from these photos.") == 2 and "⚠️" not in text
    assert "question of its own" not in text


def test_tags_that_were_set_after_the_training_count_at_once_and_a_box_chooses_among_them(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    in_groups(db, project, HOSTILE)
    storage.photos.set_tag(db, [measured(db, project)[0].id], "camera", "x")
    app = part(open_page, project)
    assert box(app, "Tag").options == ["camera", "line"]
    assert "fewer than two groups" in shown(app) and "question of its own" in shown(app)
    box(app, "Tag").set_value("line").run()
    assert "There is a gap" in shown(app) and HOSTILE not in shown(app)
    assert not app.warning  # tags make no result stale
    storage.photos.delete(db, [measured(db, project)[0].id])
    app = part(open_page, project)
    assert any("1 of these photos is not in the project any more" in one.value for one in app.warning)


def test_without_tags_it_says_how_to_set_them(db: Database, project: Project, open_page: OpenPage) -> None:
    add_run(db, project, [0] * 40, [0] * 40)
    app = part(open_page, project)
    assert "No photo carries a tag yet." in shown(app)
    assert [one.proto.page for one in app.main.get("page_link")] == ["photos"]


def test_without_a_result_the_way_to_the_training_is_shown(db: Database, project: Project, open_page: OpenPage) -> None:
    app = part(open_page, project)
    assert "There is no result yet." in shown(app)
    assert [one.proto.page for one in app.main.get("page_link")] == ["train"]


def test_the_figure_holds_its_numbers_and_user_text_only_as_text() -> None:
    texts = GroupTexts("before", "after", "right", "low", "high")
    rows = [GroupRow(name, (0.5, 0.4, 0.6), (0.9, 0.8, 1.0), n == 1) for n, name in enumerate(EVIL)]
    chart = group_charts.group_ranges(rows, texts)
    data = rows_of(chart)
    assert [row["row"] for row in data] == [n for n in range(len(EVIL)) for _ in range(2)]
    assert (data[2]["value"], data[2]["low"], data[2]["high"], data[2]["faint"]) == (0.5, 0.4, 0.6, True)
    assert (data[1]["method"], data[1]["value"]) == ("after", 0.9)
    axis = chart.to_dict()["layer"][0]["encoding"]["y"]["axis"]["labelExpr"]
    assert "alert(1)" not in axis.replace("\\u0028", "(") or "\\u0022" in axis


def test_a_tag_with_a_value_for_every_photo_shows_the_largest_groups_and_says_so(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    in_groups(db, project)
    for number, photo in enumerate(measured(db, project)):
        storage.photos.set_tag(db, [photo.id], "number", f"no {number:02}" if number else "no 01")
    app = part(open_page, project)
    box(app, "Tag").set_value("number").run()
    assert not app.exception, app.exception
    assert "This tag has 39 different values, and the 30 groups" in app.warning[0].value
    (table,) = app.dataframe
    assert len(table.value) == 30 and table.value.iloc[0, 0] == "no 01"
