"""The choices of a training, folded away: the defaults need no decision. Every change is saved at once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import streamlit as st

from pages.ui import cached, guards, session
from pages.ui.text import _, error, number
from prolip_core import catalogue, spec, storage
from prolip_core.catalogue import BackboneSpec
from prolip_core.errors import UnknownBackboneError
from prolip_core.spec import FitConfig, PilotSpec
from prolip_core.storage.records import Project

OWN_MODEL = "own"
OWN_LAM = "own"
FIRST_OWN_LAM = 0.1

Change = Callable[[PilotSpec, Any], PilotSpec]
"""Puts what a widget holds into the choices."""


def show(project: Project, *, disabled: bool) -> bool:
    """Draws the choices of the project; gives whether one of them is not whole yet. `disabled`: while a training runs."""
    chosen = spec.from_dict(project.spec)
    with st.expander(_("Choices (you can leave them as they are)")):
        is_whole = _backbone(project.id, chosen.backbone, disabled)
        left, right = st.columns(2)
        with left:
            _views(project.id, chosen.n_views, disabled)
            _device(project.id, chosen.device, disabled)
            _seed(project.id, chosen.seed, disabled)
        with right:
            _fit(project.id, chosen.fit, disabled)
        st.button(
            _("Back to the defaults"),
            key=f"defaults_{project.id}",
            disabled=disabled or (_is_default(chosen) and is_whole),
            on_click=_reset,
            args=(project.id,),
        )
    return not is_whole


# Saved in callbacks, which run before the page: a click that comes together with a change finds it saved. Each of them saves the
# one choice whose widget was changed, or a tab that is older would put its own back.


def _reset(project_id: str) -> None:
    for name in ("backbone", "own_backbone"):
        session.drop(_saved_key(_in_this_language(f"{name}_{project_id}")))  # what was typed but not saved goes too
    _change(project_id, lambda current: replace(PilotSpec(), templates=current.templates))


def _save(project_id: str, key: str, change: Change) -> None:
    value = session.get(key)
    if value is not None:
        _change(project_id, lambda current: change(current, value))


def _change(project_id: str, change: Callable[[PilotSpec], PilotSpec]) -> None:
    with guards.told():
        db = cached.database()
        current = storage.projects.get(db, project_id)
        if current is not None:
            storage.projects.set_spec(db, project_id, spec.as_dict(change(spec.from_dict(current.spec))))


def _in_this_language(key: str) -> str:
    return f"{key}_{session.language()}"


def _saved_key(key: str) -> str:
    return f"{key}_saved"


def _kept(project_id: str, key: str, saved: Any, change: Change) -> dict[str, Any]:
    """What every widget of a choice is given besides its own: it saves what is chosen, and shows what is saved. If it holds what
    could not be saved, or is not a choice yet, it keeps that until something else is saved. In another language it is another
    widget: the browser sends the words of a choice, and the old ones would be none."""
    key = _in_this_language(key)
    if session.get(key) is None or session.get(_saved_key(key)) != saved:
        if session.get(key) != saved:
            session.put(key, saved)
        session.put(_saved_key(key), saved)
    return {"key": key, "on_change": _save, "args": (project_id, key, change)}


def _views(project_id: str, saved: int, disabled: bool) -> None:
    st.number_input(
        _("Variations of each photo"),
        1,
        300,
        disabled=disabled,
        help=_(
            "1 uses each photo as it is. More adds randomly cropped and mirrored copies (augmented views), which makes "
            "reading the photos as many times slower."
        ),
        **_kept(project_id, f"views_{project_id}", saved, lambda current, n: replace(current, n_views=int(n))),
    )


def _seed(project_id: str, saved: int, disabled: bool) -> None:
    st.number_input(
        _("Random number to start from"),
        0,
        2**31 - 1,
        disabled=disabled,
        help=_("The seed: the same number gives the same result again."),
        **_kept(project_id, f"seed_{project_id}", saved, lambda current, n: replace(current, seed=int(n))),
    )


def _backbone(project_id: str, chosen: BackboneSpec, disabled: bool) -> bool:
    """The model; gives whether what is shown is what is saved."""
    known = {spec_.name: spec_ for spec_ in catalogue.CATALOGUE}
    name = st.selectbox(
        _("Model"),
        [*known, OWN_MODEL],
        format_func=lambda name: _("Another model …") if name == OWN_MODEL else _(known[name].title),
        disabled=disabled,
        help=_(
            "The backbone: the CLIP model that is fine-tuned. The starter is built in; the others are downloaded once."
        ),
        **_kept(
            project_id,
            f"backbone_{project_id}",
            chosen.name if chosen.name in known else OWN_MODEL,
            lambda current, name: replace(current, backbone=known.get(name, current.backbone)),
        ),
    )
    if name == OWN_MODEL:
        return _own_backbone(project_id, "" if chosen.name in known else chosen.name, disabled)
    backbone = known[name or catalogue.STARTER]
    speed = {"fast": _("fast on a CPU"), "medium": _("medium on a CPU"), "slow": _("slow on a CPU")}[backbone.speed]
    facts = [speed, _("class names in: {language}", language=_(backbone.language))]
    if backbone.download_mb:
        facts.insert(0, _("download of {size} MB, once", size=number(backbone.download_mb)))
    st.caption(f"{_(backbone.description)} {' · '.join(facts)}")
    st.caption(_("Licence: {licence}", licence=_(backbone.licence)))
    if not backbone.commercial_use:
        st.warning(_("The licence of this model forbids commercial use, pilots in a company included."))
    return True


def _own_backbone(project_id: str, saved: str, disabled: bool) -> bool:
    """Any other model, by name; what is not one is not saved and told here. Gives whether it is one."""

    def change(current: PilotSpec, text: str) -> PilotSpec:
        with contextlib.suppress(UnknownBackboneError):
            return replace(current, backbone=catalogue.parse(text.strip()))
        return current

    text = st.text_input(
        _("Model of open_clip, as ARCHITECTURE:TAG or ARCHITECTURE:FILE"),
        disabled=disabled,
        **_kept(project_id, f"own_backbone_{project_id}", saved, change),
    )
    if not text.strip():
        return False
    try:
        catalogue.parse(text.strip())
    except UnknownBackboneError as problem:
        reason, remedy = error(problem)
        st.error(f"{reason} {remedy}")
        return False
    return True


def _device(project_id: str, chosen: str, disabled: bool) -> None:
    present = {name for worker in storage.jobs.workers(cached.database()) for name in worker.devices_present}
    words = {
        "auto": _("Automatic (the fastest there is)"),
        "cpu": _("Processor (CPU)"),
        "cuda": _("Graphics card (GPU)"),
        "mps": _("Apple GPU"),
    }
    st.selectbox(
        _("Compute on"),
        ["auto", *sorted(present | ({chosen} - {"auto"}))],
        format_func=lambda name: words.get(name, name),
        disabled=disabled,
        help=_("The device on which the model runs."),
        **_kept(project_id, f"device_{project_id}", chosen, lambda current, name: replace(current, device=name)),
    )


def _of_fit(name: str, kind: type[Any] = str) -> Change:
    """Puts a setting of the training itself into the choices."""
    return lambda current, value: replace(current, fit=replace(current.fit, **{name: kind(value)}))


def _fit(project_id: str, chosen: FitConfig, disabled: bool) -> None:
    st.segmented_control(
        _("Way of training"),
        ["exact", "adam"],
        wrap=True,
        format_func=lambda name: _("Exact (recommended)") if name == "exact" else _("As in the paper (Adam)"),
        disabled=disabled,
        help=_(
            "The solver. Exact reaches the best point at once and has no learning rate; Adam goes there in small steps."
        ),
        **_kept(project_id, f"solver_{project_id}", chosen.solver, _of_fit("solver")),
    )
    _lam(project_id, chosen.lam, disabled)
    if chosen.solver == "adam":
        st.number_input(
            _("Passes over the photos"),
            1,
            100_000,
            disabled=disabled,
            help=_("Epochs. The paper uses 300."),
            **_kept(project_id, f"epochs_{project_id}", chosen.epochs, _of_fit("epochs", int)),
        )
        st.number_input(
            _("Size of a step"),
            1e-8,
            10.0,
            format="%.6g",
            disabled=disabled,
            help=_("The learning rate. Anything from 0.00001 to 0.01 works, because λ holds the model back."),
            **_kept(project_id, f"lr_{project_id}", float(chosen.learning_rate), _of_fit("learning_rate", float)),
        )


def _lam(project_id: str, saved: str | float, disabled: bool) -> None:
    chosen = spec.parse_lam(saved)
    words = {
        "auto": _("Automatic (from the training photos)"),
        "1/N": _("1 / photos per class (the paper's)"),
        "1/N2": _("1 / (photos per class)²"),
        OWN_LAM: _("A number of your own"),
    }
    st.selectbox(
        _("How strongly the model is held to its original"),
        list(words),
        format_func=words.__getitem__,
        disabled=disabled,
        help=_(
            "λ, the weight of the penalty on the distance from the original projector. No test photo is used to choose it."
        ),
        **_kept(project_id, f"lam_{project_id}", OWN_LAM if isinstance(chosen, float) else chosen, _with_lam),
    )
    if isinstance(chosen, float):
        st.number_input(
            "λ",
            0.0,
            None,
            format="%.6g",
            disabled=disabled,
            **_kept(project_id, f"own_lam_{project_id}", chosen, _of_fit("lam", float)),
        )


def _with_lam(current: PilotSpec, name: str) -> PilotSpec:
    lam = spec.parse_lam(current.fit.lam)
    own = lam if isinstance(lam, float) else FIRST_OWN_LAM
    return replace(current, fit=replace(current.fit, lam=own if name == OWN_LAM else name))


def _is_default(chosen: PilotSpec) -> bool:
    return chosen == replace(PilotSpec(), templates=chosen.templates)
