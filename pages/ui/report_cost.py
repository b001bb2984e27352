"""Cost and benefit: what the user knows, typed in, and at once what a year with the model would cost and bring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import pandas as pd
import streamlit as st

from pages.ui import cached, guards, report_source, session
from pages.ui.text import _, safe, short, translator
from prolip_core import business, business_charts, storage
from prolip_core.business import Inputs
from prolip_core.reports import business_pages
from prolip_core.reports.business_pages import Figures
from prolip_core.reports.source import Source
from prolip_core.storage.records import Project, RunSummary


@dataclass(frozen=True)
class Field:
    """A number to type. factor: what is shown is the value times this (100: in per cent)."""

    name: str
    label: str
    help: str = ""
    step: float = 1.0
    factor: float = 1.0
    most: float = business.MAX_VALUE


def show(project: Project, run: RunSummary) -> None:
    """The part of the page below the choice of the run."""
    found = report_source.of(project, run)
    form, answer = st.columns([6, 7], gap="large")
    with form:
        _form(project.id, found)
    with answer:
        figures = business_pages.figures(found)
        if figures is None:
            st.info(
                _(
                    "Fill in how many parts a day there are, on how many days, how long a person takes for one, and what a "
                    "minute costs. Then you see here what a year would bring."
                )
            )
            return
        _answer(project, run, found, figures)


def _form(project_id: str, found: Source) -> None:
    inputs = found.inputs
    key = f"cost_currency_{project_id}"
    st.text_input(
        _("Currency"),
        inputs.currency,
        max_chars=8,
        key=key,
        on_change=_save,
        args=(project_id, "currency", key, 1.0),
        help=_("¥, $, € or any other sign."),
    )
    st.markdown(f"**{_('Today')}**")
    _numbers(
        project_id,
        inputs,
        (
            Field("parts_per_day", _("Parts a day"), step=100),
            Field("days_per_year", _("Working days a year"), most=366),
            Field("check_seconds", _("Seconds a person takes for one part"), step=0.5),
            Field("minute_cost", _("Cost of a manual minute"), step=5),
            Field(
                "person_wrong",
                _("How often a person is wrong, in %"),
                _("0: mistakes of today are not counted."),
                0.1,
                100,
                100,
            ),
        ),
    )
    st.markdown(f"**{_('Mistakes')}**")
    _bad_classes(project_id, found)
    if business.tells_bad_from_good(inputs, business_pages.tally_of(found)):
        _numbers(
            project_id,
            inputs,
            (
                Field("miss_cost", _("Cost of a miss"), _("A part that needs action is let through."), 100),
                Field("alarm_cost", _("Cost of a false alarm"), _("A good part is stopped."), 10),
                Field("bad_share", _("Share of parts that need action, in %"), "", 0.5, 100, 100),
            ),
        )
    else:
        _numbers(project_id, inputs, (Field("wrong_cost", _("Cost of a wrong answer"), step=10),))
    st.markdown(f"**{_('Once')}**")
    _numbers(
        project_id,
        inputs,
        (
            Field("photos_to_take", _("Photos to take"), step=10),
            Field("seconds_per_photo", _("Seconds for one photo"), step=5),
            Field("setup_hours", _("Hours to set up")),
        ),
    )


def _bad_classes(project_id: str, found: Source) -> None:
    """Positions are chosen, not names: two names may look the same, and a name may be anything."""
    names = found.compared.class_names
    key = f"cost_bad_{project_id}_{found.run.summary.id}_{session.language()}"
    st.multiselect(
        _("Classes that need action (defects)"),
        list(range(len(names))),
        [place for place, name in enumerate(names) if name in found.inputs.bad_classes],
        format_func=lambda place: short(names[place]),
        key=key,
        on_change=_save_classes,
        args=(project_id, key, names),
        placeholder=_("None: every wrong answer costs the same"),
    )


def _numbers(project_id: str, inputs: Inputs, wanted: Sequence[Field]) -> None:
    for place, one in enumerate(wanted):
        if place % 2 == 0:
            columns = st.columns(2)
        key = f"cost_{one.name}_{project_id}"
        columns[place % 2].number_input(
            one.label,
            0.0,
            float(one.most),
            min(float(one.most), float(getattr(inputs, one.name)) * one.factor),
            float(one.step),
            format="%g",
            key=key,
            help=one.help or None,
            on_change=_save,
            args=(project_id, one.name, key, one.factor),
        )


def _answer(project: Project, run: RunSummary, found: Source, figures: Figures) -> None:
    say = translator()
    st.markdown(f"### {safe(business_pages.effect_sentence(say, figures), 300)}")
    cards = business_pages.cost_cards(say, figures).cards
    for column, card in zip(st.columns(len(cards)), cards, strict=True):
        with column.container(border=True, height="stretch"):
            st.caption(card.label)
            st.markdown(f"#### {safe(card.figure)}")
            st.caption(safe(card.detail, 200))
    key = ("cost", run.id, project.id, repr(found.inputs), str(run.threshold), session.language())
    drawn, data = cached.chart(key, lambda: business_charts.money_ranges(business_pages.effect_ranges(say, figures)))
    st.vega_lite_chart(data, drawn, width="stretch", key="cost_chart", theme=None)
    st.markdown(safe(business_pages.parts_sentence(say, figures), 400))
    for line in business_pages.threshold_notes(say, found):
        st.caption(line)
    if not figures.counts.with_rule:
        st.caption(_("This result has no rule for when to ask a person, so everything is taken as answered alone."))
    st.markdown(f"**{_('All that was assumed for the cost and the benefit')}**")
    table = pd.DataFrame(business_pages.assumptions(say, figures), columns=["what", "value"], dtype="string")
    st.dataframe(
        table,
        hide_index=True,
        width="stretch",
        height="content",
        key="cost_assumptions",
        column_config={
            "what": st.column_config.TextColumn(_("Assumption")),
            "value": st.column_config.TextColumn(_("Value")),
        },
    )
    st.caption(" ".join(business_pages.taken_for_granted(say, figures)))


# Saved in callbacks, which run before the page.


def _save(project_id: str, name: str, key: str, factor: float) -> None:
    value = session.get(key)
    _keep(project_id, {name: value if isinstance(value, str) else float(value or 0) / factor})


def _save_classes(project_id: str, key: str, names: Sequence[str]) -> None:
    _keep(project_id, {"bad_classes": [names[place] for place in session.get(key, ())]})


def _keep(project_id: str, changes: Mapping[str, Any]) -> None:
    known = {field.name for field in fields(Inputs)}
    with guards.told():
        storage.report_choices.save(
            cached.database(), project_id, "business", **{name: v for name, v in changes.items() if name in known}
        )
