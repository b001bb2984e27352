"""The content of result.json of a study of groups (docs/result-format.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from prolip_core import groups, runs
from prolip_core.groups import Gap, Share, TagReport
from prolip_core.studies.group_study import GroupStudy
from prolip_core.types import Note

GROUPS = "groups"
FORMAT = 1


def as_dict(study: GroupStudy) -> dict[str, Any]:
    """All of the study. Shares are fractions."""
    result = study.run.result
    return {
        "format": FORMAT,
        "study": GROUPS,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "class_names": result["class_names"],
        "backbone": result["backbone"],
        "run_created": result["created"],
        "evaluation": result["evaluation"],
        "query_count": len(study.run.prolip),
        "min_photos": groups.MIN_PHOTOS,
        "rows_used": len(study.table.used),
        "rows_not_used": [
            {"line": row.line, "file": row.file, "reason": str(row.reason), "remedy": str(row.remedy)}
            for row in study.table.not_used
        ],
        "tags": [_tag(report) for report in study.reports],
        "seconds": study.seconds,
        "versions": runs.versions(("numpy", "scipy")),
    }


def _tag(report: TagReport) -> dict[str, Any]:
    return {
        "name": report.tag,
        "no_shared_class": report.no_shared_class,
        "groups": [
            {
                "value": group.value,
                "count": group.count,
                "small": group.is_small,
                "zero_shot": _share(group.zero_shot),
                "prolip": _share(group.prolip),
            }
            for group in report.groups
        ],
        "zero_shot": _gap(report.zero_shot, groups.notes(report, report.zero_shot)),
        "prolip": _gap(report.prolip, groups.notes(report, report.prolip)),
    }


def _share(share: Share) -> dict[str, Any]:
    return {
        "correct": share.correct,
        "accuracy": share.accuracy,
        "accuracy_interval": list(share.interval),
        "expected_accuracy": share.expected,
    }


def _gap(gap: Gap | None, notes: Sequence[Note]) -> dict[str, Any]:
    return {
        "gap": None if gap is None else {**asdict(gap), "interval": list(gap.interval), "told": gap.is_told},
        "text": [note.text for note in notes],
        "parts": [runs.note_as_dict(note) for note in notes],
    }
