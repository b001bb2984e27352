"""The choices of a training, folded away: the defaults need no decision. Every change is saved at once."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from pages.ui import cached, session
from pages.ui.text import _, error, number
from prolip_core import catalogue, spec, storage
from prolip_core.catalogue import BackboneSpec
from prolip_core.errors import ProLIPError
from prolip_core.spec import FitConfig, PilotSpec
from prolip_core.storage.records import Project

OWN_MODEL = "own"
OWN_LAM = "own"


def show(project: Project, *, disabled: bool) -> None:
    """Draws the choices of the project and saves what was changed. `disabled`: while a training runs."""
    chosen = spec.from_dict(project.spec)
    with st.expander(_("Choices (you can leave them as they are)")):
        try:
            changed = _choices(project.id, chosen, disabled)
        except ProLIPError as problem:
            reason, remedy = error(problem)
            st.error(f"{reason} {remedy}")
            return
        if st.button(
            _("Back to the defaults"), key=f"defaults_{project.id}", disabled=disabled or _is_default(changed)
        ):
            changed = replace(PilotSpec(), templates=chosen.templates)
            session.next_round("settings")
    if changed != chosen:
        storage.projects.set_spec(cached.database(), project.id, spec.as_dict(changed))
        st.rerun()


def _choices(project_id: str, chosen: PilotSpec, disabled: bool) -> PilotSpec:
    key = f"{project_id}_{session.round_of('settings')}"
    backbone = _backbone(chosen.backbone, key, disabled)
    left, right = st.columns(2)
    with left:
        n_views = st.number_input(
            _("Variations of each photo"),
            1,
            300,
            chosen.n_views,
            key=f"views_{key}",
            disabled=disabled,
            help=_(
                "1 uses each photo as it is. More adds randomly cropped and mirrored copies (augmented views), which makes "
                "reading the photos as many times slower."
            ),
        )
        device = _device(chosen.device, key, disabled)
        seed = st.number_input(
            _("Random number to start from"),
            0,
            2**31 - 1,
            chosen.seed,
            key=f"seed_{key}",
            disabled=disabled,
            help=_("The seed: the same number gives the same result again."),
        )
    with right:
        fit = _fit(chosen.fit, key, disabled)
    return replace(chosen, backbone=backbone, n_views=int(n_views), device=device, seed=int(seed), fit=fit)


def _backbone(chosen: BackboneSpec, key: str, disabled: bool) -> BackboneSpec:
    known = {spec_.name: spec_ for spec_ in catalogue.CATALOGUE}
    names = [*known, OWN_MODEL]
    name = st.selectbox(
        _("Model"),
        names,
        index=names.index(chosen.name) if chosen.name in known else len(names) - 1,
        format_func=lambda name: _("Another model …") if name == OWN_MODEL else _(known[name].title),
        key=f"backbone_{key}",
        disabled=disabled,
        help=_(
            "The backbone: the CLIP model that is fine-tuned. The starter is built in; the others are downloaded once."
        ),
    )
    if name == OWN_MODEL:
        text = st.text_input(
            _("Model of open_clip, as ARCHITECTURE:TAG or ARCHITECTURE:FILE"),
            "" if chosen.name in known else chosen.name,
            key=f"own_backbone_{key}",
            disabled=disabled,
        )
        return catalogue.parse(text.strip()) if text.strip() else chosen
    backbone = known[name or catalogue.STARTER]
    speed = {"fast": _("fast on a CPU"), "medium": _("medium on a CPU"), "slow": _("slow on a CPU")}[backbone.speed]
    facts = [speed, _("class names in: {language}", language=_(backbone.language))]
    if backbone.download_mb:
        facts.insert(0, _("download of {size} MB, once", size=number(backbone.download_mb)))
    st.caption(f"{_(backbone.description)} {' · '.join(facts)}")
    st.caption(_("Licence: {licence}", licence=_(backbone.licence)))
    if not backbone.commercial_use:
        st.warning(_("The licence of this model forbids commercial use, pilots in a company included."))
    return backbone


def _device(chosen: str, key: str, disabled: bool) -> str:
    present = {name for worker in storage.jobs.workers(cached.database()) for name in worker.devices_present}
    names = ["auto", *sorted(present | ({chosen} - {"auto"}))]
    words = {
        "auto": _("Automatic (the fastest there is)"),
        "cpu": _("Processor (CPU)"),
        "cuda": _("Graphics card (GPU)"),
        "mps": _("Apple GPU"),
    }
    return (
        st.selectbox(
            _("Compute on"),
            names,
            index=names.index(chosen),
            format_func=lambda name: words.get(name, name),
            key=f"device_{key}",
            disabled=disabled,
            help=_("The device on which the model runs."),
        )
        or "auto"
    )


def _fit(chosen: FitConfig, key: str, disabled: bool) -> FitConfig:
    solver = (
        st.segmented_control(
            _("Way of training"),
            ["exact", "adam"],
            default=chosen.solver,
            format_func=lambda name: _("Exact (recommended)") if name == "exact" else _("As in the paper (Adam)"),
            key=f"solver_{key}",
            disabled=disabled,
            help=_(
                "The solver. Exact reaches the best point at once and has no learning rate; Adam goes there in small steps."
            ),
        )
        or chosen.solver
    )
    lam = _lam(chosen.lam, key, disabled)
    epochs, learning_rate = chosen.epochs, chosen.learning_rate
    if solver == "adam":
        epochs = int(
            st.number_input(
                _("Rounds through the photos"),
                1,
                100_000,
                chosen.epochs,
                key=f"epochs_{key}",
                disabled=disabled,
                help=_("Epochs. The paper uses 300."),
            )
        )
        learning_rate = float(
            st.number_input(
                _("Size of a step"),
                1e-8,
                10.0,
                chosen.learning_rate,
                format="%.6g",
                key=f"lr_{key}",
                disabled=disabled,
                help=_("The learning rate. Anything from 0.00001 to 0.01 works, because λ holds the model back."),
            )
        )
    return replace(chosen, solver=solver, lam=lam, epochs=epochs, learning_rate=learning_rate)


def _lam(chosen: str | float, key: str, disabled: bool) -> str | float:
    names = ["auto", "1/N", "1/N2", OWN_LAM]
    words = {
        "auto": _("Automatic (from the training photos)"),
        "1/N": _("1 / photos per class (the paper's)"),
        "1/N2": _("1 / (photos per class)²"),
        OWN_LAM: _("A number of your own"),
    }
    name = st.selectbox(
        _("How strongly the model is held to its original"),
        names,
        index=names.index(str(chosen)) if str(chosen) in names else names.index(OWN_LAM),
        format_func=lambda name: words[name],
        key=f"lam_{key}",
        disabled=disabled,
        help=_(
            "λ, the weight of the penalty on the distance from the original projector. No test photo is used to choose it."
        ),
    )
    if name != OWN_LAM:
        return name or "auto"
    return float(
        st.number_input(
            "λ",
            0.0,
            None,
            float(chosen) if isinstance(chosen, float) else 0.1,
            format="%.6g",
            key=f"own_lam_{key}",
            disabled=disabled,
        )
    )


def _is_default(chosen: PilotSpec) -> bool:
    return chosen == replace(PilotSpec(), templates=chosen.templates)
