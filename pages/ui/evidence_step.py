"""Test-time ProLIP: one training step on every single test photo, without labels; what it gains and what it costs."""

from __future__ import annotations

import streamlit as st

from pages.ui import evidence_study, evidence_tables
from pages.ui.evidence_study import Ask
from pages.ui.text import _, number, translator
from prolip_core.storage.records import Project
from prolip_core.studies.condition_words import NAMES, TEST_TIME


def show(project: Project) -> None:
    """Button, gain, cost."""
    st.markdown(
        _(
            "Each test photo is looked at in 64 crops, and the model takes one step that makes its own answers about them agree. "
            "No label is used, and the next photo starts anew. Reading 64 crops of every photo takes minutes the first time."
        )
    )
    record = evidence_study.show(project, Ask(TEST_TIME))
    if record is None:
        return
    result = record.result
    evidence_tables.advice(result)
    for column, gain in zip(st.columns(2), result["gains"], strict=True):
        lines = [
            _("As it is: {figure}", figure=evidence_tables.right(gain["before"])),
            _("With one step per photo: {figure}", figure=evidence_tables.right(gain["after"])),
            _("Difference in points: {figure}", figure=evidence_tables.points(gain)),
            evidence_tables.flips(gain),
        ]
        evidence_tables.card(column, translator().note(NAMES[gain["method"]]), lines)
    st.caption(
        _(
            "Measured on {count} test photos. Time per photo on this computer: {fast} ms as usual, {slow} ms with this step.",
            count=number(result["measured_count"]),
            fast=number(round(result["plain_ms"])),
            slow=number(round(result["views_ms"] + max(gain["step_ms"] for gain in result["gains"]))),
        )
    )
