"""Inner parts of Streamlit that are used for want of a public way; `tests/pages/test_compat.py` tells when they change."""

from __future__ import annotations

from collections.abc import Iterable

from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile


def forget_uploads(files: Iterable[UploadedFile]) -> None:
    """Gives the memory of uploaded files back: Streamlit keeps their bytes even after the widget is emptied or the tab closed."""
    context = get_script_run_ctx()
    if context is None:
        return
    for file in files:
        context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)  # type: ignore[attr-defined]
