"""Where did it look? Heat maps over test photos, whether they tell the truth, and classes known by the rim of their photos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st

from pages.ui import cached, components, evidence_study
from pages.ui.evidence_study import Ask
from pages.ui.text import NAMES_CHARACTERS, _, note, number, percent, safe, share_of, short
from prolip_core import heat_overlay, i18n, images
from prolip_core.errors import ImageError, StorageError
from prolip_core.storage.records import Photo, Project, StudyRecord
from prolip_core.studies import look_rim
from prolip_core.studies.names import LOOK, LOOK_PHOTO, QUICK
from prolip_core.types import Box, Note

PHOTOS_PER_PAGE = 6
SIDE_PX = 360
METHODS = ("zero_shot", "prolip")

Result = Mapping[str, Any]


def asks(_project: Project) -> tuple[Ask, ...]:
    """Photos of all classes; a photo of one's own choice is asked for by itself."""
    return (Ask(LOOK, QUICK[LOOK]),)


def show(project: Project) -> None:
    """The part below its title."""
    st.caption(_("The first time every photo is read dozens of times, so this takes longer than the other questions."))
    record = evidence_study.show(project, asks(project)[0])
    if record is not None:
        st.caption(
            _(
                "{count} of {total} test photos were looked at. The model was trained for this on the training photos and "
                "settings of that moment, as for a result.",
                count=number(record.result["measured_count"]),
                total=number(record.result["query_count"]),
            )
        )
        _classes(record.result)
        _trust(record.result)
        st.divider()
        _photos(project, record)
    st.divider()
    _own_choice(project)


def _titles() -> dict[str, str]:
    return {"zero_shot": _("Before, without photos (zero-shot)"), "prolip": _("After fine-tuning (ProLIP)")}


def _said(parts: Mapping[str, Any]) -> str:
    return note(i18n.note_of(parts))


def _classes(result: Result) -> None:
    """Warnings first, then all classes in a table."""
    warned = [one for one in result["classes"] if one["verdict"] == "rim"]
    for one in warned:
        st.warning(_said(one["verdict_parts"]))
    if not warned:
        st.info(_("No class is shown to be recognised by the rim of its photos rather than by their middle."))
    least = look_rim.least_photos(len(result["classes"]))
    few = [short(one["class"]) for one in result["classes"] if one["count"] < least]
    if few:
        st.caption(
            _(
                "Too few test photos for a warning about one class alone, fewer than {count}: {names}.",
                count=number(least),
                names=safe(", ".join(few), NAMES_CHARACTERS),
            )
        )
    rows = [
        {
            _("Class"): short(one["class"]),
            _("Counts more"): {"rim": _("the rim"), "middle": _("the middle")}.get(one["verdict"], _("cannot be told")),
            _("Right as they are"): _share(one, "whole", one["count"]),
            _("Right with the rim covered"): _share(one, "by_middle", one["count"]),
            _("Right with the middle covered"): _share(one, "by_rim", one["count"]),
        }
        for one in result["classes"]
    ]
    with st.expander(_("Middle or rim of the photo, class by class")):
        st.caption(
            _(
                "Half of each test photo is covered by a blurred copy: once its middle, once its rim. Where the object lies is "
                "not known to the program; if your objects fill the photo or lie at its rim, the rim is no background."
            ),
            help=_(
                "A class is warned about where it is right by the rim alone more often than by the middle alone, beyond chance "
                "(exact McNemar test; false discovery rate over the classes 5%), and photos of other classes get its name less "
                "often by their rims (Fisher's exact test, 5%). Up to 16 test photos of each class."
            ),
        )
        st.dataframe(rows, hide_index=True, width="stretch", key="look_classes")


def _share(one: Mapping[str, Any], key: str, total: int) -> str:
    return share_of(one[key], total, *one[f"{key}_interval"])


def _trust(result: Result) -> None:
    """The deletion test: is what is marked what counts?"""
    st.markdown(f"**{_('Can the maps be trusted?')}**")
    for method, title in _titles().items():
        one = result["deletion"][method]
        st.markdown(
            f"- {title}: {_said(one['summary_parts'])} {_said(one['trust_parts'])}",
            help=_(
                "Deletion test on {count} photos, of every class right and wrong answers in turn, so that wrong ones are more "
                "frequent than among all. Likely share of them that change: {marked} for the marked fifth, {chance} for a "
                "random fifth. Area under the curve of the answer's probability: {gain} below that of random "
                "order{range}.",
                count=number(one["count"]),
                marked=_range(one["changed_interval"]),
                chance=_range(one["changed_by_chance_interval"]),
                gain=f"{one['gain']:.2f}",
                range=_gain_range(one["gain_interval"]),
            ),
        )


def _range(interval: Sequence[float] | None) -> str:
    if interval is None:
        return _("not known")
    return f"{percent(interval[0])}–{percent(interval[1])}"


def _gain_range(interval: Sequence[float] | None) -> str:
    if interval is None:
        return ""
    return _(" (likely {low} to {high})", low=f"{interval[0]:.2f}", high=f"{interval[1]:.2f}")


def _photos(project: Project, record: StudyRecord) -> None:
    """The maps, a page at a time."""
    looks = list(record.result["looks"])
    left, middle, _rest = st.columns(3)
    classes = dict.fromkeys(look["class"] for look in looks)
    titles = {"": _("All classes"), **{f"={name}": short(name) for name in classes}}
    of_class = components.box(left, _("Photos of"), titles, f"look_class_{record.summary.id}")
    kinds = {"all": _("right and wrong"), "wrong": _("wrong after fine-tuning"), "right": _("right after fine-tuning")}
    kind = components.box(middle, _("Answers"), kinds, f"look_kind_{record.summary.id}")
    shown = [
        look
        for look in looks
        if of_class in ("", f"={look['class']}") and (kind == "all" or look["prolip"]["right"] == (kind == "right"))
    ]
    _legend()
    if not shown:
        st.info(_("There is no such photo among those that were looked at."))
    photos = {photo.image_id: photo for photo in cached.photos(project)}
    for look in components.page_of(shown, key=f"look_page_{of_class}_{kind}", size=PHOTOS_PER_PAGE):
        _one(look, photos.get(look["id"]))


def _legend() -> None:
    st.caption(
        _(
            "Orange: covering this place makes the answer less sure; the stronger the colour, the more. White line: the hottest "
            "fifth of the photo. Dark: the model does not see this part. Every map explains the answer that is written under it."
        ),
        help=_(
            "Occlusion: windows of the photo are replaced by a blurred copy and the model is asked again, 36 times for each "
            "photo. The colour is each place's share in the loss of log-odds (ridge regression), relative to the hottest place "
            "of the same map."
        ),
    )


def _one(look: Mapping[str, Any], photo: Photo | None) -> None:
    """A photo beside its two maps."""
    with st.container(border=True):
        st.markdown(_("**{name}** · {file}", name=safe(look["class"]), file=safe(look["filename"])))
        if photo is None:
            st.info(_("This photo was deleted; its map cannot be drawn any more."))
        columns = st.columns(3)
        if photo is not None:
            path = components.thumbnail(photo.image_id)
            if path is not None:
                columns[0].image(path, width="stretch")
            columns[0].caption(_("The photo"))
        for column, (method, title) in zip(columns[1:], _titles().items(), strict=True):
            with column:
                _map(look, method, title, photo)


def _map(look: Mapping[str, Any], method: str, title: str, photo: Photo | None) -> None:
    view = look[method]
    if photo is not None:
        try:
            st.image(
                cached.picture((photo.image_id, str(view["heat"]), str(look["box"])), lambda: _drawn(look, view)),
                width="stretch",
            )
        except (StorageError, ImageError):
            st.info(_("The photo cannot be read any more."))
    verdict = _("right") if view["right"] else _("wrong")
    st.caption(title)
    st.markdown(
        _(
            "{mark} Answer: **{answer}** ({verdict}, {confidence} sure)",
            mark="✓" if view["right"] else "✗",
            answer=safe(view["answer"]),
            verdict=verdict,
            confidence=percent(view["confidence"]),
        )
    )
    st.markdown(_said(view["caption_parts"]))


def _drawn(look: Mapping[str, Any], view: Mapping[str, Any]) -> bytes:
    """The map over the photo as a PNG. Raises StorageError or ImageError if the photo's bytes are gone or damaged."""
    photo_HW3 = images.small(cached.photo_store().read(look["id"]), look["filename"], SIDE_PX)
    return images.png(heat_overlay.draw(photo_HW3, np.array(view["heat"]), np.array(view["marked"]), Box(*look["box"])))


def _own_choice(project: Project) -> None:
    """One test photo that a person chooses."""
    st.markdown(f"**{_('One photo of your choice')}**")
    names = {row.id: row.display_name for row in cached.classes(project)}
    testing = [
        photo
        for photo in cached.photos(project)
        if photo.role == "test" and not photo.excluded and photo.class_id is not None
    ]
    blocked = None
    settings: dict[str, Any] = {}
    if testing:
        titles = {
            photo.image_id: f"{short(names.get(photo.class_id, ''))} · {short(photo.record.filename)}"
            for photo in testing
        }
        left, right = st.columns([2, 1])
        chosen = components.box(left, _("Test photo"), titles, f"look_own_{project.id}")
        path = components.thumbnail(chosen)
        if path is not None:
            right.image(path, width=160)
        settings = {"image_ids": [chosen]}
    else:
        blocked = Note("This is measured on test photos, and there are none. Set some photos aside for testing.")
    record = evidence_study.show(
        project, Ask(LOOK_PHOTO, settings, blocked=blocked), _("Show where it looks on this photo")
    )
    if record is not None:
        photos = {photo.image_id: photo for photo in cached.photos(project)}
        _legend()
        for look in record.result["looks"]:
            _one(look, photos.get(look["id"]))
