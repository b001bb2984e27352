"""A run with all that belongs to it → the content of the report, in one language."""

from __future__ import annotations

import re

from prolip_core import __version__, i18n, wording
from prolip_core.i18n import Translator
from prolip_core.reports import advice, business_pages, evidence_page, method_pages, result_pages
from prolip_core.reports.content import Bullets, Cover, Page, Report, Text
from prolip_core.reports.source import Source

FINGERPRINT_CHARACTERS = 12


def build(source: Source, language: str) -> Report:
    """The pages in their order; parts that were not chosen, or of which nothing is known, are left out."""
    say = i18n.translator(language)
    _ = say.text
    chosen = source.choices.sections
    pages: list[Page] = [
        result_pages.answer_page(say, source),
        result_pages.comparison_page(say, source),
        result_pages.matrix_page(say, source),
    ]
    if "classes" in chosen:
        pages += result_pages.class_pages(say, source)
    if "photos" in chosen:
        pages.append(result_pages.photo_page(say, source))
    pages += [method_pages.measured_page(say, source), method_pages.limits_page(say, source)]
    if "evidence" in chosen:
        pages.append(evidence_page.evidence_page(say, source))
    pages.append(_next_page(say, source))
    if "cost" in chosen:
        pages += business_pages.cost_pages(say, source)
    if "production" in chosen:
        pages.append(business_pages.production_page(say, source))
    run_name = wording.run_name(say, source.run.summary)
    return Report(
        language=language,
        footer=f"{wording.short(source.project, 40)} · {run_name} · {say.day(source.moment)}",
        continued=_("(continued)"),
        unreadable=_("Characters that the font of this file lacks are shown as {mark}: {characters}"),
        cover=_cover(say, source),
        pages=tuple(pages),
    )


def file_stem(source: Source) -> str:
    """Project, number of the result and day, as a file may be called on any computer."""
    project = re.sub(r"[^\w-]+", "_", wording.short(source.project, 200))[:40].strip("_")
    parts = [project, f"result{source.run.summary.number}", "report", source.moment.astimezone().strftime("%Y-%m-%d")]
    return "_".join(part for part in parts if part)


def _cover(say: Translator, source: Source) -> Cover:
    _ = say.text
    summary, choices = source.run.summary, source.choices
    settings = source.run.result["settings"]
    by = " · ".join(wording.short(one, 80) for one in (choices.organisation, choices.author) if one.strip())
    return Cover(
        title=wording.short(choices.title, 120) or _("Can it tell our products apart from a few photos?"),
        subtitle=_("Report on the pilot “{project}”", project=wording.short(source.project, 80)),
        answer=advice.answer(say, source),
        by=by,
        facts=(
            (_("Result"), f"{wording.run_name(say, summary)} · {say.date(summary.created_at)}"),
            (_("Model"), wording.short(wording.model(say, summary.backbone, settings["backbone"]["title"]))),
            (_("Data fingerprint"), source.fingerprint[:FINGERPRINT_CHARACTERS]),
            (_("Report made on"), say.day(source.moment)),
            (_("Made with"), f"ProLIP Studio {__version__}"),
        ),
    )


def _next_page(say: Translator, source: Source) -> Page:
    _ = say.text
    found = advice.advice(say, source)
    titles = {
        "enough": _("Ready for a trial beside today's work"),
        "open": _("Promising: measure on more photos first"),
        "not enough": _("More photos before it is used"),
    }
    target = Text(
        _(
            "“Enough” means here: even the lower end of the likely range reaches {wanted} right answers.",
            wanted=say.percent(source.choices.wanted, advice.decimals_of(source.choices.wanted)),
        ),
        "small",
    )
    blocks = [Text(found.first, "lead")]
    more = [Bullets(found.reasons, "after", _("What the numbers say"))] if found.reasons else []
    return Page("next", _("Recommended next step"), titles[found.outcome], (*blocks, *more, target))
