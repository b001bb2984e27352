"""When is it not sure? One slider with what it means for 1,000 photos, and what its confidence is worth."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from pages.ui import cached, evidence_photos, evidence_study, guards, photo_grid, session
from pages.ui.evidence_photos import REFUSED, Photos, Refused
from pages.ui.evidence_study import Ask
from pages.ui.photo_grid import Tile
from pages.ui.text import _, _n, number, percent, right_of, share_of, short
from prolip_core import storage, study_charts
from prolip_core.charts import Chart
from prolip_core.storage.records import Project, StudyRecord
from prolip_core.storage.studies import NEEDS
from prolip_core.studies.names import CERTAINTY
from prolip_core.study_charts import Bin, ReliabilityTexts
from prolip_core.types import Note

PHOTOS = 1000
NOTHING = math.inf
"""The setting at which everything goes to a person."""

SHOWN_FOREIGN = 24
LEAST_PHOTOS = 3
"""As `splits.MIN_PER_CLASS_FOR_FOLDS`, whose module would load scikit-learn into the server."""
Result = Mapping[str, Any]


def asks(project: Project) -> tuple[Ask, ...]:
    """One study; photos of something else that were dropped before come along as long as they are there."""
    found = storage.studies.latest(cached.database(), project.id, CERTAINTY)
    settings: Mapping[str, Any] = {} if found is None else found.settings
    foreign = evidence_photos.still_there(settings.get("foreign", ()))
    return (_ask(project, foreign, settings.get(REFUSED, ())),)


def _ask(project: Project, foreign: Photos, refused: Refused) -> Ask:
    settings = {"foreign": list(foreign), NEEDS: evidence_photos.ids(foreign), REFUSED: list(refused)}
    return Ask(CERTAINTY, settings if foreign else {}, blocked=_too_few(project))


def _too_few(project: Project) -> Note | None:
    """Every photo to learn from is held out once, which takes several of each class."""
    counts: Counter[int | None] = Counter(
        one.class_id for one in cached.photos(project) if one.role == "train" and not one.excluded
    )
    smallest = min((counts.get(row.id, 0) for row in cached.classes(project)), default=0)
    if smallest >= LEAST_PHOTOS:
        return None
    return Note(
        "This needs at least {limit} training photos of every class, since each is held out once; the smallest class "
        "has {count}.",
        {"limit": LEAST_PHOTOS, "count": smallest},
    )


def show(project: Project) -> None:
    """The part below its title."""
    ask = asks(project)[0]
    record = evidence_study.show(project, ask)
    if record is None:
        return
    result = record.result
    right = round(result["accuracy"] * result["query_count"])
    st.markdown(
        _(
            "Answering everything alone: {figure}.",
            figure=right_of(right, result["query_count"], *result["accuracy_interval"]),
        )
    )
    _ask_a_person(record.summary.id, result)
    _sets(result)
    _calibration(record)
    _foreign(project, record)


@guards.fragment()
def _ask_a_person(study_id: str, result: Result) -> None:
    """The slider; nothing is computed anew, so it answers at once."""
    st.markdown(f"#### {_('Not sure? Ask a person')}")
    settings = _settings(result)
    suggested = _suggested(result)
    threshold = st.select_slider(
        _("How sure it must be to answer alone"),
        list(settings),
        suggested,
        format_func=lambda one: _name(one, suggested),
        key=f"threshold_{study_id}_{session.language()}",
        help=_("The confidence after correction, at least this high. All other photos go to a person."),
    )
    held_out, one = settings[threshold]
    st.markdown(_("Of **1,000** photos, if they come in the mixture of your test photos:"))
    _cards(one, result["query_count"])
    if one["answered"]:
        _rests_on(held_out, one)
    st.markdown(
        _suggestion(result),
        help=_(
            "Upper bound of Clopper and Pearson, one-sided, 95%. Near-copies count as one photo. It holds for each setting by "
            "itself; as the lowest that fits is taken, it is missed now and then."
        ),
    )
    st.caption(
        _(
            "Only the training photos suggest a setting. If you choose another one by these numbers, the test photos have chosen "
            "too: confirm it with new photos."
        )
    )
    key = ("risk", study_id, str(threshold), session.language())
    drawn, data = cached.chart(key, lambda: _risk_chart(result, one))
    st.vega_lite_chart(data, drawn, width="stretch", key="risk_chart", theme=None)


def _settings(result: Result) -> Mapping[float, tuple[Result, Result]]:
    """Confidence, the lowest first → what it does to the held-out training photos and to the test photos. The suggested one is
    among them as it is; the last is `NOTHING`."""
    pairs = [
        *zip(result["support_thresholds"], result["thresholds"], strict=True),
        (result["support_suggested"], result["suggested"]),
    ]
    found = {one["threshold"]: (held_out, one) for held_out, one in pairs if one["threshold"] is not None}
    return {
        **dict(sorted(found.items())),
        NOTHING: (_nothing(result["support_count"]), _nothing(result["query_count"])),
    }


def _nothing(count: int) -> Result:
    return {"answered": 0, "wrong": 0, "to_person": count, "error": None}


def _suggested(result: Result) -> float:
    threshold: float | None = result["suggestion"]["threshold"]
    return NOTHING if threshold is None else threshold


def _name(threshold: float, suggested: float) -> str:
    is_whole = math.isclose(100 * threshold, round(100 * threshold)) if threshold < NOTHING else True
    share = _("nothing alone") if threshold == NOTHING else percent(threshold, 0 if is_whole else 1)
    return _("{share} (suggested)", share=share) if threshold == suggested else share


def _cards(one: Result, count: int) -> None:
    """Three numbers of 1,000; their ranges where it is chance that they depend on."""
    columns = st.columns(3)
    for column, key, words in (
        (columns[0], "answered", _("are answered alone")),
        (columns[1], "wrong", _("of these are answered wrongly")),
        (columns[2], "to_person", _("go to a person")),
    ):
        with column.container(border=True, height="stretch"):
            st.markdown(f"## {number(round(PHOTOS * one[key] / count))}")
            ends = one.get(f"{key}_interval")
            low, high = (number(round(PHOTOS * end)) for end in ends) if ends else ("", "")
            st.markdown(f"{words}  \n" + (_("likely {low}–{high}", low=low, high=high) if ends else ""))


def _rests_on(held_out: Result, one: Result) -> None:
    """The counts behind it: on which photos, how many, how sure."""
    rows = [
        {
            _("Seen on"): on,
            _("Answered alone"): _of(seen["answered"], seen["answered"] + seen["to_person"], seen["answered_interval"]),
            _("Wrong among these"): _of(seen["wrong"], seen["answered"], seen["error_interval"]),
        }
        for on, seen in ((_("Test photos"), one), (_("Training photos, held out"), held_out))
    ]
    st.dataframe(rows, hide_index=True, width="stretch", key="threshold_table")


def _of(count: int, total: int, interval: Sequence[float]) -> str:
    return share_of(count, total, *interval) if total else "–"


def _suggestion(result: Result) -> str:
    suggestion = result["suggestion"]
    limit = percent(result["limit"])
    if suggestion["threshold"] is None:
        return _(
            "At no setting are at most {limit} of the answers wrong: everything should go to a person.", limit=limit
        )
    found = {
        "threshold": percent(suggestion["threshold"], 1),
        "limit": limit,
        "wrong": number(suggestion["support_wrong"]),
        "answered": number(suggestion["support_answered"]),
        "bound": percent(suggestion["upper_bound"], 1),
    }
    if suggestion["assured"]:
        return _(
            "Suggested: {threshold}. Chosen on held-out training photos, so that at most {limit} of the answers are wrong: "
            "{wrong} of {answered} were. Taken by itself, such a count means at most {bound}, with a confidence of 95%. As it "
            "was picked from many settings, the truth may lie somewhat higher.",
            **found,
        )
    return _(
        "Suggested: {threshold}, but at most {limit} wrong answers is **not assured**: on held-out training photos {wrong} of "
        "{answered} were wrong, which may mean up to {bound}. To be sure it takes {least} answers without a mistake.",
        least=number(suggestion["least_answers"]),
        **found,
    )


def _risk_chart(result: Result, one: Mapping[str, Any]) -> Chart:
    curve = result["risk_coverage"]
    chosen = None if one["error"] is None else (one["answered"] / result["query_count"], one["error"])
    texts = (_("Share that it answers alone"), _("Wrong among these"))
    return study_charts.risk_coverage(curve["coverage"], curve["risk"], chosen, texts)


def _sets(result: Result) -> None:
    """Conformal sets in words."""
    sets, total = result["sets"]["cross"], result["query_count"]
    st.markdown(
        f"#### {_('It is one of these few')}",
        help=_("Conformal prediction sets by cross-validation+, chosen on the training photos alone."),
    )
    low, high = sets["coverage_interval"]
    lines = [
        _(
            "Instead of one answer it can name the few classes that hold the right one {coverage} of the time: {mean} on "
            "average.",
            coverage=percent(result["coverage"]),
            mean=number(round(sets["mean_size"], 1)),
        ),
        _(
            "Test photos whose right class was among them: {figure}.",
            figure=share_of(sets["covered"], total, low, high),
        ),
        _(
            "Promised, approximately: {share}, as long as new photos are of the same kind and mixture.",
            share=percent(result["sets"]["guaranteed_coverage"]),
        ),
    ]
    if high < result["coverage"]:
        lines.append(
            _(
                "That is less often than wanted: there were few photos to learn from, or the test photos are of another kind."
            )
        )
    st.markdown("\n".join(f"- {line}" for line in lines))
    rows = [
        {
            _("Classes named"): number(size) if size else _("none fits well enough"),
            _("Test photos"): number(count),
            _("Of 1,000 photos"): number(round(PHOTOS * count / total)),
        }
        for size, count in enumerate(sets["sizes"])
        if count
    ]
    st.dataframe(rows, hide_index=True, width="content", key="sets_table")


def _calibration(record: StudyRecord) -> None:
    result = record.result
    st.markdown(f"#### {_('Is it right as often as it says?')}")
    drawn, data = cached.chart(("reliability", record.summary.id, session.language()), lambda: _reliability(result))
    st.vega_lite_chart(data, drawn, width="stretch", key="reliability_chart", theme=None)
    before, after = (result["calibration"][when]["error"] for when in ("before", "after"))
    st.caption(
        _(
            "What it says and how often it is right differ by {before} points on average as trained, and by {after} points with "
            "the correction that is used here. Large dots stand for many photos, bars for the likely range (95%).",
            before=number(round(100 * before, 1)),
            after=number(round(100 * after, 1)),
        ),
        help=_(
            "Expected calibration error in ten bins. The correction is one number, a temperature of {temperature}, chosen on "
            "the training photos by cross-validation.",
            temperature=number(round(result["temperature"], 2)),
        ),
    )


def _reliability(result: Result) -> Chart:
    bins = [
        Bin(one["confidence"], one["accuracy"], low, high, one["count"])
        for one in result["calibration"]["after"]["bins"]
        for low, high in (one["accuracy_interval"],)
        if one["count"]
    ]
    texts = ReliabilityTexts(
        confidence=_("How sure it says it is"),
        right=_("How often it was right"),
        count=_("Test photos"),
        perfect=_("Right as often as it says"),
    )
    return study_charts.reliability(bins, texts)


def _foreign(project: Project, record: StudyRecord) -> None:
    """Photos of something else: dropped here, answered with the whole study once more."""
    st.markdown(f"#### {_('Photos of something else')}")
    settings = record.summary.settings
    job = storage.jobs.latest_study(cached.database(), project.id, CERTAINTY)
    if job is not None and job.state != "done":
        settings = job.payload["settings"]
    if job is not None and job.is_live:
        st.markdown(_("Does it notice that a photo shows none of the classes? This is being computed."))
    else:
        st.markdown(
            _("Does it notice that a photo shows none of the classes? Drop some photos of other things to see.")
        )
        zone = f"foreign_{project.id}"
        arrived = evidence_photos.drop(zone, _("Photos that show none of your classes"))
        if arrived:
            evidence_study.start(project, _ask(project, arrived, evidence_photos.take_refused(zone)))
            st.rerun()
    evidence_photos.tell_refused(settings.get(REFUSED, ()))
    found = record.result["foreign"]
    if found is None:
        if record.summary.settings.get("foreign"):
            st.warning(_("All of these photos are the same as photos of your classes, or near-copies of them."))
        return
    st.markdown(
        _n(
            "{count} photo of something else, at the suggested setting:",
            "{count} photos of something else, at the suggested setting:",
            found["count"],
        )
        + "\n- "
        + _(
            "turned away, to a person: {figure}",
            figure=share_of(found["turned_away"], found["count"], *found["turned_away_interval"]),
        )
        + "\n- "
        + _(
            "test photos of your classes that go to a person with it: {figure}",
            figure=share_of(
                found["test_turned_away"], record.result["query_count"], *found["test_turned_away_interval"]
            ),
        )
    )
    if found["dropped_files"]:
        st.caption(
            _n(
                "{count} more was left out: it is the same as a photo of your classes, or a near-copy.",
                "{count} more were left out: they are the same as photos of your classes, or near-copies.",
                len(found["dropped_files"]),
            )
        )
    threshold = record.result["suggestion"]["threshold"]
    names = {photo["image_id"]: photo["filename"] for photo in record.summary.settings.get("foreign", ())}
    photo_grid.look(
        [
            Tile(place, one["id"], names.get(one["id"], ""), _words(one, threshold))
            for place, one in enumerate(sorted(found["photos"], key=lambda one: -one["confidence"])[:SHOWN_FOREIGN])
        ],
        key="foreign_photos",
    )


def _words(one: Mapping[str, Any], threshold: float | None) -> list[photo_grid.Word]:
    is_away = threshold is None or one["confidence"] < threshold
    return [
        (_("{name} ({share} sure)", name=short(one["answer"], 30), share=percent(one["confidence"])), ""),
        (_("to a person"), "blue") if is_away else (_("taken for it"), "orange"),
    ]
