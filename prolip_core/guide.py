"""The guided way through a project: what is done, what comes next, what needs attention, and why a step has to wait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from prolip_core import likeness
from prolip_core.photo_checks import Finding
from prolip_core.storage.records import ClassRow, Job, Photo, RunSummary, StudySummary
from prolip_core.studies.names import HAND_OVER
from prolip_core.types import Note

Step = Literal["projects", "classes", "photos", "train", "compare", "evidence", "try_it", "report", "hand_over"]
State = Literal["done", "next", "attention", "working", "later"]
MIN_CLASSES = 2
_CHANGED_SINCE = "Classes, sentences or photos were changed since the last training."


@dataclass(frozen=True)
class StepState:
    """Where a step stands; `reason` says why it needs attention or has to wait."""

    step: Step
    state: State
    reason: Note | None = None


def states(
    classes: Sequence[ClassRow],
    photos: Sequence[Photo],
    findings: Sequence[Finding],
    runs: Sequence[RunSummary],
    live_job: Job | None,
    fingerprint: str,
    language: str,
    studies: Sequence[StudySummary] = (),
    live_studies: Sequence[Job] = (),
    *,
    has_tried: bool = False,
) -> tuple[StepState, ...]:
    """The steps of an open project in their order. `runs`: the newest first; `fingerprint`: of the data as it is now;
    `language`: what the chosen model reads (`BackboneSpec.language`); `studies`: of the page of the evidence; has_tried:
    whether a photo was tried."""
    of_classes, of_photos = _classes(classes, language), _photos(classes, photos, findings)
    blocked = why_not_train(classes, findings)
    of_train, of_compare = _train(blocked, runs, live_job, fingerprint), _compare(runs, fingerprint)
    asked = [study for study in studies if study.kind != HAND_OVER]
    return (
        of_classes,
        of_photos,
        of_train,
        of_compare,
        _evidence(blocked, asked, [job for job in live_studies if not is_hand_over(job)], fingerprint),
        _try_it(runs, has_tried),
        _report(runs, fingerprint),
        _hand_over(runs, studies, live_studies),
    )


def why_not_train(classes: Sequence[ClassRow], findings: Sequence[Finding]) -> Note | None:
    """What has to be done before a training can start; None if nothing."""
    if len(classes) < MIN_CLASSES:
        return Note("Name at least two classes first.")
    return _same_names(classes) or next((finding.message for finding in findings if finding.severity == "stop"), None)


def unread_names(classes: Sequence[ClassRow], language: str) -> Note | None:
    """Which names the model cannot read; None if it reads all. A training can start all the same: the photos teach it, but what
    it answers before is worth nothing."""
    found = likeness.unreadable_names([row.spec for row in classes], language)
    if not found:
        return None
    return Note(
        "This model reads English only, and these names are not English: {names}. Until they have English names, its answers "
        "before the training are guesses.",
        {"names": ", ".join(dict.fromkeys(name for _, name in found))},
    )


def where_to_go_on(steps: Sequence[StepState]) -> Step:
    """The step that a project opens at: work under way, else what comes next, else a result that is up to date, else what needs
    attention."""
    for wanted in ("working", "next"):
        found = next((one.step for one in steps if one.state == wanted), None)
        if found is not None:
            return found
    if any((one.step, one.state) == ("compare", "done") for one in steps):
        return "compare"
    return next((one.step for one in steps if one.state == "attention"), "compare")


def is_stale(run: RunSummary | StudySummary, fingerprint: str) -> bool:
    """Whether classes, sentences or photos were changed since the run, or the study."""
    return run.fingerprint != fingerprint


def is_hand_over(job: Job) -> bool:
    """Whether a job makes a hand-over file, which is kept like a study and is none."""
    return job.payload.get("kind") == HAND_OVER


def _classes(classes: Sequence[ClassRow], language: str) -> StepState:
    if len(classes) < MIN_CLASSES:
        return StepState("classes", "next", Note("Name at least two classes first."))
    problem = _same_names(classes) or unread_names(classes, language)
    return StepState("classes", "done") if problem is None else StepState("classes", "attention", problem)


def _same_names(classes: Sequence[ClassRow]) -> Note | None:
    """Two classes that read the same to any model; no training starts with them."""
    for first, second in likeness.same_names([row.spec for row in classes]):
        names = {"first": classes[first].display_name, "second": classes[second].display_name}
        return Note(
            "{first} and {second} have the same English names, so no model could tell them apart. Give each a name of its own.",
            names,
        )
    return None


def _photos(classes: Sequence[ClassRow], photos: Sequence[Photo], findings: Sequence[Finding]) -> StepState:
    if len(classes) < MIN_CLASSES:
        return StepState("photos", "later", Note("Name at least two classes first."))
    serious = [finding for finding in findings if finding.severity in ("stop", "warn")]
    serious.sort(key=lambda finding: finding.severity != "stop")
    if not photos:
        return StepState("photos", "next", Note("Add photos of every class."))
    if serious:
        return StepState("photos", "attention", serious[0].message)
    return StepState("photos", "done")


def _train(blocked: Note | None, runs: Sequence[RunSummary], live_job: Job | None, fingerprint: str) -> StepState:
    if live_job is not None:
        return StepState("train", "working")
    if blocked is not None:
        return StepState("train", "later", blocked)
    if not runs:
        return StepState("train", "next")
    if is_stale(runs[0], fingerprint):
        return StepState("train", "attention", Note(_CHANGED_SINCE))
    return StepState("train", "done")


def _compare(runs: Sequence[RunSummary], fingerprint: str) -> StepState:
    """Done with a result of the photos as they are now. While a training runs, this is about the result before it."""
    if not runs:
        return StepState("compare", "later", Note("There is no result yet. Train first."))
    if is_stale(runs[0], fingerprint):
        return StepState("compare", "attention", Note(_CHANGED_SINCE))
    return StepState("compare", "done")


def _evidence(
    blocked: Note | None, studies: Sequence[StudySummary], live_studies: Sequence[Job], fingerprint: str
) -> StepState:
    """Nobody has to compute any of it: it is never next and never needs attention."""
    if live_studies:
        return StepState("evidence", "working")
    if blocked is not None:
        return StepState("evidence", "later", blocked)
    if any(not is_stale(study, fingerprint) for study in studies):
        return StepState("evidence", "done")
    return StepState(
        "evidence", "later", Note("Nothing here has to be computed; each question can be asked at any time.")
    )


def _try_it(runs: Sequence[RunSummary], has_tried: bool) -> StepState:
    """Nobody has to try a photo either."""
    if not runs:
        return StepState("try_it", "later", Note("There is no result yet. Train first."))
    if has_tried:
        return StepState("try_it", "done")
    return StepState("try_it", "later", Note("New photos can be tried at any time."))


def _report(runs: Sequence[RunSummary], fingerprint: str) -> StepState:
    """Ready with the first result; nobody has to make one, so it is never next."""
    if not runs:
        return StepState("report", "later", Note("There is no result yet. Train first."))
    if is_stale(runs[0], fingerprint):
        return StepState("report", "attention", Note(_CHANGED_SINCE))
    return StepState("report", "later", Note("A report can be made at any time, as slides, PDF or HTML."))


def _hand_over(runs: Sequence[RunSummary], studies: Sequence[StudySummary], live_studies: Sequence[Job]) -> StepState:
    """Done with a file of the newest result."""
    if any(is_hand_over(job) for job in live_studies):
        return StepState("hand_over", "working")
    if not runs:
        return StepState("hand_over", "later", Note("There is no result yet. Train first."))
    if any((study.kind, study.run_id) == (HAND_OVER, runs[0].id) for study in studies):
        return StepState("hand_over", "done")
    return StepState("hand_over", "later", Note("The file for an engineer can be made at any time."))
