"""Step 2: photos in, seen, sorted, set aside for testing, and checked before the training."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.ui import cached, components, guards, photo_add, photo_browse, photo_grid, photo_tags, session
from pages.ui.photo_grid import Tile
from pages.ui.text import _, _n, note, number
from prolip_core import guide, photo_checks, storage
from prolip_core.photo_checks import Finding, Severity
from prolip_core.storage.records import ClassRow, Photo, Project

guards.require_app()
project = guards.require_project()

DEFAULT_TEST_PER_CLASS = 5
SHOWN_OF_A_FINDING = 24


def show(project: Project) -> None:
    components.page_head(
        _("Photos"),
        _(
            "Four photos of each class are a beginning, sixteen are good. Different sides, light and backgrounds help most."
        ),
    )
    classes, photos = cached.classes(project), cached.photos(project)
    photo_add.show(project.id, classes)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
        st.subheader(_("Your photos"), anchor=False)
        components.undo_button(project.id, "undo_photos")
    photo_browse.show(project.id, classes, photos)
    if photos:
        photo_tags.from_table(project.id, classes, photos)
    _test_photos(project.id, photos)
    findings = cached.findings(classes, photos)
    _check(findings, classes, photos)
    blocked = guide.why_not_train(classes, findings)
    components.next_step("train", _("Next: fine-tune"), None if blocked is None else note(blocked))


def _test_photos(project_id: str, photos: Sequence[Photo]) -> None:
    """Why some photos must be kept away from the training, and one button for it."""
    st.subheader(_("Photos to test on"), anchor=False)
    testing = [photo for photo in photos if photo.role == "test" and not photo.excluded]
    st.markdown(
        _(
            "How often the model is right can only be told on photos that it has not learnt from. Set some of your photos aside, "
            "or add others that are used for nothing else. Without any, it is measured by cross-validation, which needs no "
            "photos of its own and takes a little longer."
        )
    )
    st.markdown(
        _n("**{count}** photo is set aside for testing.", "**{count}** photos are set aside for testing.", len(testing))
    )
    count_column, aside_column, back_column = st.columns([2, 2, 2], vertical_alignment="bottom")
    per_class = count_column.number_input(
        _("Photos of each class"), 1, 1000, DEFAULT_TEST_PER_CLASS, key=f"test_per_class_{project_id}"
    )
    if aside_column.button(_("Set aside at random"), key="set_aside", width="stretch", disabled=not photos):
        chosen = photo_checks.choose_test(photos, int(per_class))
        if chosen:
            storage.photos.set_role(cached.database(), chosen, "test")
            session.say_later(_n("{count} photo was set aside.", "{count} photos were set aside.", len(chosen)))
            st.rerun()
        st.warning(_("There are too few photos: every class must keep two to learn from. Add more photos first."))
    if back_column.button(_("Use all of them to learn"), key="all_back", width="stretch", disabled=not testing):
        storage.photos.set_role(cached.database(), [photo.id for photo in testing], "train")
        st.rerun()


def _check(findings: Sequence[Finding], classes: Sequence[ClassRow], photos: Sequence[Photo]) -> None:
    """What was found, in plain words, each with its photos and one button."""
    st.subheader(_("Check before training"), anchor=False)
    if not photos:
        st.info(_("The check begins when there are photos."))
        return
    if not findings:
        st.success(_("No problems found: enough photos, no doubles, all sharp and well lit."))
        return
    by_id = {photo.id: photo for photo in photos}
    names = {row.id: row.display_name for row in classes}
    for finding in findings:
        with st.container(border=True):
            st.markdown(f"{_badge(finding.severity)} {note(finding.message)}")
            shown = [by_id[id_] for id_ in finding.photo_ids if id_ in by_id]
            if shown:
                _photos_of(finding, shown, names)


def _badge(severity: Severity) -> str:
    return {
        "stop": f":red-badge[{_('must be fixed')}]",
        "warn": f":orange-badge[{_('look at this')}]",
        "hint": f":blue-badge[{_('hint')}]",
    }[severity]


def _photos_of(finding: Finding, shown: Sequence[Photo], names: dict[int | None, str]) -> None:
    db = cached.database()
    with (
        st.expander(_n("Show the photo", "Show the {count} photos", len(shown))),
        st.form(f"finding_{finding.kind}", border=False),
    ):
        ticked = photo_grid.pick(
            [
                Tile(photo.id, photo.image_id, photo.record.filename, [(names.get(photo.class_id, ""), "")])
                for photo in shown[:SHOWN_OF_A_FINDING]
            ],
            key=f"finding_{finding.kind}",
        )
        if len(shown) > SHOWN_OF_A_FINDING:
            st.caption(_("The first {count} are shown.", count=number(SHOWN_OF_A_FINDING)))
        if st.form_submit_button(_("Exclude the ticked photos")):
            if not ticked:
                st.warning(_("Tick the photos first."))
                return
            storage.photos.exclude(db, ticked)
            st.rerun()
    if finding.to_exclude and st.button(
        _n("Exclude this photo", "Exclude these {count} photos", len(finding.to_exclude)), key=f"exclude_{finding.kind}"
    ):
        storage.photos.exclude(db, finding.to_exclude)
        session.say_later(_("Excluded. Undo includes them again."))
        st.rerun()


with guards.told():
    show(project)
