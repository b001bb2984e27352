"""What a report is made from, out of the database: the run, what belongs to it, what the user chose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from pages.ui import cached, photo_tags
from prolip_core import business, storage
from prolip_core.groups import TagReport
from prolip_core.reports import pictures, source
from prolip_core.reports.source import Source
from prolip_core.storage.records import Project, RunRecord, RunSummary, StudyRecord

MAX_TAGS = 4


def of(project: Project, chosen: RunSummary) -> Source:
    """Raises RunError if the run is gone. The summary is taken as it is now: a run can be renamed."""
    db = cached.database()
    run = replace(cached.run_record(chosen.id), summary=chosen)
    return Source(
        run=run,
        compared=cached.compared(chosen.id),
        project=project.name,
        fingerprint=chosen.fingerprint,
        moment=datetime.now(UTC),
        choices=source.from_dict(storage.report_choices.load(db, project.id, "report")),
        inputs=business.from_dict(storage.report_choices.load(db, project.id, "business")),
        studies=studies_of(project, run),
        groups=_groups(project, run),
        sure_N=source.sure_of(run),
        photo=pictures.from_store(cached.photo_store().read),
    )


def studies_of(project: Project, run: RunRecord) -> Mapping[str, StudyRecord]:
    """The newest study of every kind that is about the very same photos and model as the run, or about the run itself."""
    found: dict[str, StudyRecord] = {}
    for summary in storage.studies.list_(cached.database(), project.id):
        if summary.kind in found or summary.run_id not in (None, run.summary.id):
            continue
        if summary.run_id is None and summary.fingerprint != run.summary.fingerprint:
            continue
        record = cached.study(summary.id)
        if record.result.get("backbone") == run.summary.backbone:
            found[summary.kind] = record
    return found


def _groups(project: Project, run: RunRecord) -> tuple[TagReport, ...]:
    names = photo_tags.names_of(cached.photos(project))[:MAX_TAGS]
    return tuple(cached.groups_of_run(run.summary.id, project, name).report for name in names)
