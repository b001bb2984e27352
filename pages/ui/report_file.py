"""The report itself: what it shall say on its cover, which parts it has, its answer, and its three forms to download."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from pages.ui import cached, components, guards, report_source, session
from pages.ui.text import _, safe
from prolip_core import config, i18n, storage
from prolip_core.reports import advice, build, files
from prolip_core.reports.build import file_stem
from prolip_core.reports.content import Report
from prolip_core.reports.source import MAX_TEXT, SECTIONS, Source
from prolip_core.storage.records import Project, RunSummary


def show(project: Project, run: RunSummary) -> None:
    """The part of the page below the choice of the run."""
    found = report_source.of(project, run)
    form, preview = st.columns([6, 7], gap="large")
    with form:
        language = _language(project.id)
        _texts(project.id, found)
        _sections(project.id, found)
    with preview:
        _preview(found, language)
        _downloads(found, language)


def _language(project_id: str) -> str:
    """Of the report, whatever the screen speaks; the screen's where nothing was chosen yet."""
    kept = storage.report_choices.load(cached.database(), project_id, "report").get("language")
    chosen = str(kept) if kept in i18n.LANGUAGES else session.language()
    codes: list[str] = list(i18n.LANGUAGES)
    key = f"report_language_{project_id}_{session.language()}"
    return str(
        st.radio(
            _("Language of the report"),
            codes,
            index=codes.index(chosen),
            format_func=lambda code: i18n.LANGUAGES[code],
            horizontal=True,
            key=key,
            on_change=_save,
            args=(project_id, "language", key),
        )
    )


def _texts(project_id: str, found: Source) -> None:
    """What stands on the cover, and how often it shall be right."""
    choices = found.choices
    for name, label, value, placeholder in (
        ("title", _("Title"), choices.title, _("Can it tell our products apart from a few photos?")),
        ("organisation", _("Organisation"), choices.organisation, ""),
        ("author", _("Author"), choices.author, ""),
    ):
        key = f"report_{name}_{project_id}"
        st.text_input(
            label,
            value,
            max_chars=min(MAX_TEXT, config.MAX_NAME_CHARACTERS),
            key=key,
            placeholder=placeholder,
            on_change=_save,
            args=(project_id, name, key),
        )
    key = f"report_wanted_{project_id}"
    st.number_input(
        _("Wanted share of right answers, in %"),
        50.0,
        99.9,
        round(100 * choices.wanted, 1),
        0.5,
        format="%.1f",
        key=key,
        on_change=_save_share,
        args=(project_id, key),
        help=_("“Yes” is answered only where even the lower end of the likely range reaches it."),
    )


def _sections(project_id: str, found: Source) -> None:
    titles = {
        "classes": _("Class by class"),
        "photos": _("Photos, right and wrong"),
        "evidence": _("Further evidence, and what was not looked at"),
        "cost": _("Cost and benefit, where it is filled in"),
        "production": _("From pilot to daily use"),
    }
    st.markdown(f"**{_('Parts of the report')}**")
    for name in sorted(SECTIONS, key=list(titles).index):
        key = f"report_part_{name}_{project_id}"
        st.checkbox(
            titles[name],
            name in found.choices.sections,
            key=key,
            on_change=_save_sections,
            args=(project_id,),
        )


def _preview(found: Source, language: str) -> None:
    """The sentence that everybody will read, as it will stand there."""
    say = i18n.translator(language)
    with st.container(border=True):
        st.caption(_("The answer in the report"))
        st.markdown(f"### {safe(advice.answer(say, found), 600)}")
        st.markdown(safe(advice.advice(say, found).first, 600))
    made = build(found, language)
    with st.expander(_("All pages")):
        components.bullet_list(f"**{safe(page.kicker)}**: {safe(page.title, 300)}" for page in made.pages)


def _downloads(found: Source, language: str) -> None:
    labels = {"pptx": "PowerPoint", "pdf": "PDF", "html": "HTML"}
    for column, (ending, form) in zip(st.columns(len(files.FORMS)), files.FORMS.items(), strict=True):
        column.download_button(
            labels[ending],
            _made(found, language, form.write),
            f"{file_stem(found)}_{language}.{ending}",
            form.mime,
            key=f"report_file_{ending}",
            type="primary" if ending == "pptx" else "secondary",
            on_click="ignore",
            width="stretch",
        )
    st.caption(
        _(
            "Made when you click, in a few seconds: slides whose charts and tables can be edited, a PDF in A4, or one HTML file "
            "that needs no network."
        )
    )


def _made(found: Source, language: str, write: Callable[[Report], bytes]) -> Callable[[], bytes]:
    return lambda: write(build(found, language))


# Saved in callbacks, which run before the page.


def _save(project_id: str, name: str, key: str) -> None:
    with guards.told():
        storage.report_choices.save(cached.database(), project_id, "report", **{name: session.get(key)})


def _save_share(project_id: str, key: str) -> None:
    with guards.told():
        storage.report_choices.save(cached.database(), project_id, "report", wanted=float(session.get(key)) / 100)


def _save_sections(project_id: str) -> None:
    chosen = [name for name in SECTIONS if session.get(f"report_part_{name}_{project_id}")]
    with guards.told():
        storage.report_choices.save(cached.database(), project_id, "report", sections=chosen)
