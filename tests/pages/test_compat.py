"""The inner parts of Streamlit that the pages use are there and do what they are used for."""

from __future__ import annotations

import streamlit as st
from streamlit.testing.v1 import AppTest


def test_the_bytes_of_an_upload_are_given_back() -> None:
    def page() -> None:
        import streamlit as st
        from streamlit.runtime.scriptrunner import get_script_run_ctx

        from pages.ui import _compat

        files = st.file_uploader("files", accept_multiple_files=True, key="files")
        context = get_script_run_ctx()
        assert context is not None
        if files:
            kept = context.uploaded_file_mgr.get_files(context.session_id, [file.file_id for file in files])
            _compat.forget_uploads(files)
            left = context.uploaded_file_mgr.get_files(context.session_id, [file.file_id for file in files])
            st.text(f"{len(kept)} {len(left)}")

    app = AppTest.from_function(page).run()
    app.file_uploader(key="files").set_value([("a", b"1", "x"), ("b", b"2", "x")]).run()
    assert not app.exception
    assert app.text[0].value == "2 0"


def test_streamlit_has_what_the_pages_are_built_on() -> None:
    assert all(
        hasattr(st, name) for name in ("pagination", "segmented_control", "page_link", "dialog", "fragment", "context")
    )
    assert callable(st.components.v2.component)
