"""The app starts and says what it is."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from tests.conftest import REPOSITORY


def test_the_app_starts_and_says_what_it_is_in_both_languages() -> None:
    app = AppTest.from_file(str(REPOSITORY / "app.py"), default_timeout=30).run()
    assert not app.exception
    assert app.title[0].value == "ProLIP Studio"
    shown = " ".join(element.value for element in app.markdown)
    assert "few photos per class" in shown
    assert "数枚の写真" in shown
    assert "python -m prolip_core pilot" in app.code[0].value
