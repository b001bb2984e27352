"""A study of groups in plain words and as tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prolip_core import groups
from prolip_core.studies.certainty_text import Block, Row

SHOWN_ROWS = 20


def blocks(result: Mapping[str, Any]) -> list[Block]:
    """Sentences and tables, from top to bottom."""
    measured = (
        f"{result['query_count']} test photos that nothing was learnt or chosen from"
        if result["evaluation"] == "test"
        else f"{result['query_count']} photos by cross-validation, each answered by a training that had not seen it"
    )
    lines: list[Block] = [f"Measured on {measured}. Lines of the table that were used: {result['rows_used']}."]
    not_used = result["rows_not_used"]
    if not_used:
        lines.append(f"Lines that were not used: {len(not_used)}.")
        lines += [
            f"  Line {row['line']}, {row['file']}: {row['reason']} {row['remedy']}" for row in not_used[:SHOWN_ROWS]
        ]
        if len(not_used) > SHOWN_ROWS:
            lines.append("  … the others are in the result file.")
    for tag in result["tags"]:
        lines += _tag(tag)
    return lines


def _tag(tag: Mapping[str, Any]) -> list[Block]:
    head: Row = ("group", "photos", "zero-shot right (likely)", "ProLIP right (likely)", "by its classes alone")
    rows: list[Row] = [
        (
            (groups.WITHOUT.text if group["value"] is None else group["value"])
            + (" (too few to tell)" if group["small"] else ""),
            str(group["count"]),
            _right(group["zero_shot"], group["count"]),
            _right(group["prolip"], group["count"]),
            f"{group['prolip']['expected_accuracy']:.1%}",
        )
        for group in tag["groups"]
    ]
    sentences = [
        f"{who}: {' '.join(tag[key]['text'])}" for key, who in (("zero_shot", "Zero-shot"), ("prolip", "ProLIP"))
    ]
    return [f"By the tag “{tag['name']}”:", (head, rows), *sentences]


def _right(share: Mapping[str, Any], count: int) -> str:
    low, high = share["accuracy_interval"]
    return f"{share['correct']} of {count}, {share['accuracy']:.1%} ({low:.1%}–{high:.1%})"
