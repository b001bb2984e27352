"""Which photo of a project a measured photo is, and so which tag it carries."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from prolip_core import groups, run_groups
from prolip_core.storage.records import ClassRow, Photo, RunRecord, RunSummary, Tags
from prolip_core.types import Prediction, Quality
from tests import fakes

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("Nut", "Bolt")
CLASSES = (ClassRow(7, "Bolt", ()), ClassRow(8, "Nut", ()))
"""In another order than at the time of the run."""


def photo(id_: int, name: str, class_id: int, tags: Tags = ()) -> Photo:
    return Photo(id_, class_id, "test", False, fakes.record(name), Quality(1, 1, 1), MOMENT, tags)


def run_of(answers: Mapping[str, tuple[int, int]]) -> RunRecord:
    """Name → true class and answer."""
    summary = RunSummary("r", "p", 1, "", MOMENT, "test", len(answers), 0, 0, "starter", "f", False)
    result: dict[str, Any] = {"class_names": list(NAMES)}
    made = tuple(
        Prediction(fakes.record(n).image_id, true, answer, (0.5, 0.5)) for n, (true, answer) in answers.items()
    )
    return RunRecord(summary, result, made, made, {})


def test_a_measured_photo_has_the_tag_of_its_own_place() -> None:
    photos = [
        photo(1, "a", 8, (("camera", "y"), ("line", "A"))),
        photo(2, "b", 7, (("line", "B"),)),
        photo(3, "both", 8, (("line", "A"),)),
        photo(4, "both", 7, (("line", "B"),)),
        photo(5, "moved", 7, (("line", "B"),)),
        photo(6, "other", 8, (("line", "never measured"),)),
        photo(7, "bare", 8),
    ]
    run = run_of({"a": (0, 0), "b": (1, 1), "both": (1, 0), "moved": (0, 0), "gone": (0, 1), "bare": (0, 0)})
    found = run_groups.of_run(run, CLASSES, photos, "line")
    assert found.gone == 1
    assert [(one.value, one.count, one.prolip.correct) for one in found.report.groups] == [
        ("A", 1, 1),
        ("B", 3, 2),
        (None, 2, 1),
    ]
    assert [one.value for one in run_groups.of_run(run, CLASSES, photos, "camera").report.groups] == ["y", None]


def test_the_report_is_that_of_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "MIN_PHOTOS", 1)
    names = [f"photo {n}" for n in range(8)]
    photos = [photo(n, name, 8 - n % 2, (("line", "AB"[n // 4]),)) for n, name in enumerate(names)]
    run = run_of({name: (n % 2, n % 2 if n < 4 else 0) for n, name in enumerate(names)})
    values = {one.image_id: one.tags[0][1] for one in photos}
    found = run_groups.of_run(run, CLASSES, photos, "line")
    assert found == run_groups.RunGroups(groups.of_tag("line", values, run.zero_shot, run.prolip), 0)
    assert found.report.prolip is not None and found.report.prolip.difference == 0.5
