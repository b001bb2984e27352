"""The guided way: where a project opens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from prolip_core import guide
from prolip_core.guide import State, Step, StepState
from prolip_core.photo_checks import Finding
from prolip_core.storage.records import ClassRow, Job, Photo, RunSummary, StudySummary
from prolip_core.types import ImageRecord, Note, Quality

STEPS: tuple[Step, ...] = ("classes", "photos", "train", "compare", "evidence", "try_it", "report", "hand_over")


@pytest.mark.parametrize(
    ("states", "opens"),
    [
        (("next", "later", "later", "later"), "classes"),
        (("done", "attention", "later", "later"), "photos"),  # too few photos to train
        (("done", "attention", "next", "later"), "train"),  # a few blurred photos hold nobody up
        (("done", "done", "working", "done"), "train"),
        (("done", "attention", "done", "done"), "compare"),  # nor do they hide the result
        (("done", "done", "attention", "attention"), "train"),  # the result is of older photos
        (("attention", "later", "later", "attention"), "classes"),
        (("done", "done", "done", "done"), "compare"),
    ],
)
def test_a_project_opens_where_there_is_something_to_do(states: tuple[State, ...], opens: Step) -> None:
    rest: list[State] = ["later"] * (len(STEPS) - len(states))
    steps = [StepState(step, state) for step, state in zip(STEPS, (*states, *rest), strict=True)]
    assert guide.where_to_go_on(steps) == opens


def test_two_classes_that_read_the_same_hold_the_training_up() -> None:
    classes = [ClassRow(1, "Nut", ("nut",)), ClassRow(2, "ナット", ("nut",)), ClassRow(3, "Bolt", ("bolt",))]
    reason = guide.why_not_train(classes, ())
    assert reason is not None and reason.text.startswith("Nut and ナット have the same English names")
    state, *_ = guide.states(classes, (), (), (), None, "", "")
    assert (state.step, state.state, state.reason) == ("classes", "attention", reason)
    assert guide.why_not_train([classes[0], classes[2]], ()) is None


# -- every state of every step ----------------------------------------------------------------------------------------

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
CLASSES = [ClassRow(1, "Nut", ("nut",)), ClassRow(2, "Bolt", ("bolt",))]
PHOTO = Photo(1, 1, "train", False, ImageRecord("a", "a.jpg", "JPEG", 9, 9, 9, 0), Quality(1, 1, 1), MOMENT)
STOP = Finding("no_photo", "stop", Note("There is no training photo of: {names}.", {"names": "Bolt"}))
WARN = Finding("blurred", "warn", Note("Some photos look blurred (number: {count}).", {"count": 2}))
HINT = Finding("uneven", "hint", Note("More photos help."))
UNREAD = (
    "This model reads English only, and these names are not English: 歯車. Until they have English names, its answers before the "
    "training are guesses."
)
CHANGED = "Classes, sentences or photos were changed since the last training."


def run(fingerprint: str) -> RunSummary:
    return RunSummary("r", "p", 1, "", MOMENT, "test", 4, 2, 3, "starter", fingerprint, False)


def a_job() -> Job:
    return Job(
        id="j",
        project_id="p",
        kind="train",
        state="running",
        payload={},
        device="auto",
        used_device="",
        created_at=MOMENT,
        started_at=None,
        finished_at=None,
        stop_requests=0,
        stage="fit",
        done=0,
        total=0,
        per_second=0.0,
        left_s=None,
        n_steps=0,
        version=0,
        run_id=None,
        result=None,
        error=None,
    )


def states(
    classes: Sequence[ClassRow] = CLASSES,
    photos: Sequence[Photo] = (PHOTO,),
    findings: Sequence[Finding] = (),
    runs: Sequence[RunSummary] = (),
    job: Job | None = None,
    studies: Sequence[StudySummary] = (),
    live_studies: Sequence[Job] = (),
    *,
    has_tried: bool = False,
) -> dict[Step, tuple[State, str]]:
    found = guide.states(
        classes, photos, findings, runs, job, "now", "English", studies, live_studies, has_tried=has_tried
    )
    assert tuple(one.step for one in found) == STEPS
    return {one.step: (one.state, "" if one.reason is None else one.reason.text) for one in found}


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ((), ("next", "Name at least two classes first.")),
        (CLASSES[:1], ("next", "Name at least two classes first.")),
        (CLASSES, ("done", "")),
        ([*CLASSES, ClassRow(3, "歯車", ("歯車",))], ("attention", UNREAD)),
    ],
)
def test_the_state_of_the_classes(classes: Sequence[ClassRow], expected: tuple[State, str]) -> None:
    assert states(classes)["classes"] == expected


def test_a_model_of_other_languages_reads_all_names() -> None:
    assert guide.unread_names([ClassRow(3, "歯車", ("歯車",))], "about 100 languages") is None


@pytest.mark.parametrize(
    ("classes", "photos", "findings", "expected"),
    [
        (CLASSES[:1], (PHOTO,), (STOP,), ("later", "Name at least two classes first.")),
        (CLASSES, (), (STOP,), ("next", "Add photos of every class.")),
        (CLASSES, (PHOTO,), (WARN, STOP), ("attention", STOP.message.text)),
        (CLASSES, (PHOTO,), (HINT, WARN), ("attention", WARN.message.text)),
        (CLASSES, (PHOTO,), (HINT,), ("done", "")),
    ],
)
def test_the_state_of_the_photos(
    classes: Sequence[ClassRow],
    photos: Sequence[Photo],
    findings: Sequence[Finding],
    expected: tuple[State, str],
) -> None:
    assert states(classes, photos, findings)["photos"] == expected


@pytest.mark.parametrize(
    ("findings", "runs", "job", "expected"),
    [
        ((STOP,), (), a_job(), ("working", "")),
        ((STOP,), (run("now"),), None, ("later", STOP.message.text)),
        ((WARN,), (), None, ("next", "")),
        ((), (run("before"), run("now")), None, ("attention", CHANGED)),  # the newest one counts
        ((), (run("now"), run("before")), None, ("done", "")),
    ],
)
def test_the_state_of_the_training(
    findings: Sequence[Finding], runs: Sequence[RunSummary], job: Job | None, expected: tuple[State, str]
) -> None:
    assert states(findings=findings, runs=runs, job=job)["train"] == expected


@pytest.mark.parametrize("job", [None, a_job()])
@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ((), ("later", "There is no result yet. Train first.")),
        ((run("before"),), ("attention", CHANGED)),
        ((run("now"), run("before")), ("done", "")),
    ],
)
def test_the_state_of_the_comparison(runs: Sequence[RunSummary], job: Job | None, expected: tuple[State, str]) -> None:
    assert states(runs=runs, job=job)["compare"] == expected


def study(fingerprint: str) -> StudySummary:
    return StudySummary("s", "p", None, None, "curve", {}, fingerprint, MOMENT)


@pytest.mark.parametrize(
    ("findings", "studies", "live", "expected"),
    [
        ((STOP,), (study("now"),), (a_job(),), ("working", "")),
        ((STOP,), (study("now"),), (), ("later", STOP.message.text)),
        ((), (), (), ("later", "Nothing here has to be computed; each question can be asked at any time.")),
        (
            (),
            (study("before"),),
            (),
            ("later", "Nothing here has to be computed; each question can be asked at any time."),
        ),
        ((), (study("before"), study("now")), (), ("done", "")),
    ],
)
def test_the_evidence_never_asks_for_anything(
    findings: Sequence[Finding],
    studies: Sequence[StudySummary],
    live: Sequence[Job],
    expected: tuple[State, str],
) -> None:
    assert states(findings=findings, studies=studies, live_studies=live)["evidence"] == expected


@pytest.mark.parametrize(
    ("runs", "has_tried", "expected"),
    [
        ((), True, ("later", "There is no result yet. Train first.")),
        ((run("before"),), False, ("later", "New photos can be tried at any time.")),
        ((run("before"),), True, ("done", "")),
    ],
)
def test_trying_is_asked_of_nobody(runs: Sequence[RunSummary], has_tried: bool, expected: tuple[State, str]) -> None:
    assert states(runs=runs, has_tried=has_tried)["try_it"] == expected


def test_the_hand_over_is_done_with_a_file_of_the_newest_result() -> None:
    newest, older = run("now"), replace(run("now"), id="older")

    def found(runs: Sequence[RunSummary], *of: str, live: Sequence[Job] = ()) -> State:
        studies = [replace(study("now"), kind="hand_over", run_id=run_id) for run_id in of]
        return states(runs=runs, studies=studies, live_studies=live)["hand_over"][0]

    assert found(()) == "later"
    assert found((newest, older)) == "later"
    assert found((newest, older), "older") == "later"
    assert found((newest, older), newest.id) == "done"
    making = replace(a_job(), payload={"kind": "hand_over"})
    assert found((newest,), live=(making,)) == "working"
    assert states(runs=(newest,), live_studies=(making,))["evidence"][0] != "working"


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ((), ("later", "There is no result yet. Train first.")),
        ((run("before"),), ("attention", CHANGED)),
        ((run("now"),), ("later", "A report can be made at any time, as slides, PDF or HTML.")),
    ],
)
def test_the_state_of_the_report(runs: Sequence[RunSummary], expected: tuple[State, str]) -> None:
    assert states(runs=runs)["report"] == expected
