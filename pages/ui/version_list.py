"""Every finished training as a version: what it was made from, what changed from one to the next, and the way back."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.ui import cached, components, registry, run_choice, session
from pages.ui.text import _, _n, model, number, right_of, safe
from prolip_core import metrics, storage, versions
from prolip_core.storage.records import Project, RunSummary
from prolip_core.storage.rollback import Plan
from prolip_core.versions import Difference, Setting

PAGE_SIZE = 10
SHOWN_NAMES = 8


def show(project: Project, runs: Sequence[RunSummary]) -> None:
    """The list, the newest first."""
    left, right = st.columns([6, 2], vertical_alignment="center")
    left.markdown(
        _(
            "Every training is kept with its photos and settings. Compare any two, or bring an old one back: classes, photos and "
            "settings become what they were."
        )
    )
    with right:
        components.undo_button(project.id, "undo_version")
    run_choice.recently_deleted(project.id)
    before = dict(zip([run.id for run in runs], [*runs[1:], None], strict=True))
    now = cached.fingerprint(project)
    for run in components.page_of(runs, key=f"versions_page_{project.id}", size=PAGE_SIZE):
        with st.container(border=True, key=f"version_{run.number}"):
            _one(project, runs, run, before[run.id], is_now=run.fingerprint == now)


def _one(
    project: Project, runs: Sequence[RunSummary], run: RunSummary, before: RunSummary | None, *, is_now: bool
) -> None:
    head, state = st.columns([6, 3], vertical_alignment="center")
    head.markdown(f"**{safe(run_choice.title(run), 200)}**")
    if is_now:
        state.markdown(f":green-badge[✓ {_('the photos as they are now')}]")
    low, high = metrics.wilson_interval(run.prolip_correct, run.count)
    figure = right_of(run.prolip_correct, run.count, low, high)
    st.markdown(
        _("On the test photos: {figure}", figure=figure)
        if run.evaluation == "test"
        else _("By cross-validation: {figure}", figure=figure)
    )
    if before is not None:
        changes = versions.difference(
            versions.of_run(cached.run_record(before.id)), versions.of_run(cached.run_record(run.id))
        )
        st.caption(
            _("Against {name}: {changes}", name=safe(run_choice.name_of(before)), changes=sentence(changes))
            if not changes.is_nothing
            else _("Against {name}: the same photos and settings.", name=safe(run_choice.name_of(before)))
        )
    left, right = st.columns(2)
    if before is not None:
        with left:
            compare_button(project, runs, run, before, "list")
    if not is_now:
        with right:
            back_button(project, run, "list")


def sentence(changes: Difference) -> str:
    """What changed, on one line of Markdown."""
    parts = []
    for one in changes.classes[:SHOWN_NAMES]:
        counts = [
            f"{sign}{number(len(photos))}"
            for sign, photos in (("+", one.added), ("−", one.removed), ("⇄", one.moved_in))
            if photos
        ]
        parts.append(f"{safe(one.name, 30)} {' '.join(counts)}")
    if len(changes.classes) > SHOWN_NAMES:
        more = len(changes.classes) - SHOWN_NAMES
        parts.append(_n("{count} class more", "{count} classes more", more))
    for label, names in (
        (_("new: {names}"), changes.new_classes),
        (_("gone: {names}"), changes.lost_classes),
        (_("other English names: {names}"), changes.renamed),
    ):
        if names:
            parts.append(label.format(names=", ".join(safe(name, 30) for name in names[:SHOWN_NAMES])))
    parts += [_setting(one) for one in changes.settings]
    return " · ".join(parts)


def _setting(one: Setting) -> str:
    names = {
        "backbone": _("Model"),
        "templates": _("Sentence templates"),
        "n_views": _("Variations of each photo"),
        "seed": _("Random number to start from"),
        "fit.solver": _("Way of training"),
        "fit.lam": "λ",
        "fit.epochs": _("Passes over the photos (planned)"),
        "fit.learning_rate": _("Size of a step"),
        "fit.max_iterations": _("Steps"),
    }
    name = names.get(one.key, one.key)
    if one.key == "templates":
        return name
    values = (model(str(value)) if one.key == "backbone" else str(value) for value in (one.before, one.after))
    return f"{name}: " + " → ".join(safe(value, 30) for value in values)


def compare_button(project: Project, runs: Sequence[RunSummary], run: RunSummary, before: RunSummary, key: str) -> None:
    """To the page Compare, with both results chosen."""
    if st.button(_("Compare with the one before"), key=f"compare_{key}_{run.id}", width="stretch"):
        run_choice.choose(project.id, runs, run.id, before.id)
        st.switch_page(registry.file_of("compare"), query_params=session.address())


def back_button(project: Project, run: RunSummary, key: str) -> None:
    """What going back would change, and the button that does it."""
    with st.popover(_("Go back to {name}", name=run_choice.name_of(run)), width="stretch", key=f"back_{key}_{run.id}"):
        plan = storage.rollback.plan(cached.database(), project.id, versions.of_run(cached.run_record(run.id)))
        _told(plan)
        if st.button(
            _("Go back"), key=f"back_now_{key}_{run.id}", type="primary", disabled=plan.is_nothing, width="stretch"
        ):
            storage.rollback.roll_back(cached.database(), project.id, versions.of_run(cached.run_record(run.id)))
            session.say_later(
                _("Classes, photos and settings are those of {name} again.", name=run_choice.name_of(run))
            )
            st.rerun()


def _told(plan: Plan) -> None:
    lines = []
    if plan.back:
        lines.append(_n("{count} photo is used again.", "{count} photos are used again.", plan.back))
    if plan.moved:
        lines.append(
            _n("{count} photo gets its old class or use.", "{count} photos get their old class or use.", plan.moved)
        )
    if plan.aside:
        lines.append(
            _n(
                "{count} photo came later and is excluded; it is not deleted.",
                "{count} photos came later and are excluded; they are not deleted.",
                plan.aside,
            )
        )
    if plan.new_classes:
        lines.append(_("These classes come back: {names}", names=_names(plan.new_classes)))
    if plan.lost_classes:
        lines.append(
            _n(
                "These classes came later and are deleted with {count} photo: {names}. After 10 minutes that is for good.",
                "These classes came later and are deleted with {count} photos: {names}. After 10 minutes that is for good.",
                plan.lost_photos,
                names=_names(plan.lost_classes),
            )
        )
    if plan.other_names:
        lines.append(_("Classes get their old names and order."))
    if plan.other_choices:
        lines.append(_("Model, sentences and settings of the training become the old ones."))
    components.bullet_list(lines or [_("Everything is as it was then.")])
    if plan.gone:
        st.warning(
            _n(
                "{count} photo was deleted for good and cannot come back: {files}",
                "{count} photos were deleted for good and cannot come back: {files}",
                len(plan.gone),
                files=_names([photo.filename for photo in plan.gone]),
            )
        )
    st.caption(_("One press of “Undo” takes all of it back."))


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(safe(name, 40) for name in names[:SHOWN_NAMES])
    return shown + (" …" if len(names) > SHOWN_NAMES else "")
