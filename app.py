"""The web app. Start it with `streamlit run app.py`."""

from __future__ import annotations

import streamlit as st

from pages.ui import browser, cached, guards, registry, session, sidebar

st.set_page_config(page_title="ProLIP Studio", page_icon=str(registry.ICON), layout="wide")

with guards.told():
    cached.supervisor()
    page = st.navigation(registry.declared(), position="hidden")
    wanted = registry.find(session.take_wanted_page())
    if wanted is not None:
        st.switch_page(wanted.file, query_params=session.address_line())
    browser.prepare(session.language())
    sidebar.show()
    for message in session.take_messages():
        st.toast(message)
    with session.inside_app():
        page.run()
