"""Pictures of every page in both languages: `python -m tests.e2e.screens FOLDER`. Needs Chromium; starts its own server."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.e2e.conftest import STEPS, Server, Tab, chromium

SIZE = {"width": 1280, "height": 1000}


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        server = Server(Path(home))
        server.start()
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        try:
            for locale, done in (("ja-JP", "学習が終わりました。"), ("en-US", "Training finished.")):
                page = browser.new_context(locale=locale, viewport=SIZE).new_page()  # type: ignore[arg-type]
                tab = Tab(page, server.url)
                tab.open()
                page.screenshot(path=folder / f"start-{locale[:2]}.png")
                tab.click("try_sample")
                tab.see(done)
                for step in STEPS:
                    tab.go(step)
                    page.wait_for_timeout(2500)  # pictures and charts
                    page.screenshot(path=folder / f"{step}-{locale[:2]}.png")
                    page.set_viewport_size({**SIZE, "height": 3000})  # type: ignore[typeddict-item]
                    page.wait_for_timeout(500)
                    page.screenshot(path=folder / f"{step}-{locale[:2]}-whole.png")
                    page.set_viewport_size(SIZE)  # type: ignore[arg-type]
        finally:
            browser.close()
            server.end()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
