"""Step 1: what the classes are called, and the very sentences that the model reads for them."""

from __future__ import annotations

import streamlit as st

from pages.ui import cached, class_editor, components, guards, name_check, sentences
from pages.ui.text import _
from prolip_core import guide
from prolip_core.storage.records import Project

guards.require_app()
project = guards.require_project()


def show(project: Project) -> None:
    components.page_head(
        _("Classes and sentences"),
        _(
            "What do you want to tell apart? Name each class in your own language. The model reads a sentence made from the "
            "English name, so that name should say what can be seen in a photo."
        ),
    )
    has_unsaved_rows = class_editor.show(project)
    classes = cached.classes(project)
    st.divider()
    templates, has_unsaved_sentences = sentences.show(project, classes)
    if classes:
        st.divider()
        name_check.show(project, classes, templates)
    components.next_step("photos", _("Add photos"), _blocked(len(classes), has_unsaved_rows, has_unsaved_sentences))


def _blocked(count: int, has_unsaved_rows: bool, has_unsaved_sentences: bool) -> str | None:
    """Why the next step has to wait."""
    if has_unsaved_rows:
        return _("The table has rows that could not be saved. Fix them first.")
    if has_unsaved_sentences:
        return _("Your own sentences could not be saved. Fix them first.")
    if count < guide.MIN_CLASSES:
        return _("Name at least two classes first.")
    return None


show(project)
