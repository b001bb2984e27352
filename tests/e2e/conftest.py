"""A real server on a free port, a real Chromium, and a watch on everything the page asks for."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from prolip_core import storage
from prolip_core.storage import Database
from tests.conftest import REPOSITORY

STEPS = ("projects", "classes", "photos", "train", "compare", "evidence", "try_it", "report", "hand_over")
PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)  # its own five seconds are too few for a busy computer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One more try for a test with a browser: on a busy computer it may run out of patience once; a fault fails twice."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.flaky(reruns=1))


def chromium() -> str | None:
    """The browser of this computer; `CHROMIUM` names another one."""
    names = (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if name and (found := shutil.which(name))), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium()
    if path is None:
        if os.environ.get("PROLIP_NEEDS_BROWSER"):
            pytest.fail("no Chromium was found, and PROLIP_NEEDS_BROWSER says that there must be one")
        pytest.skip("no Chromium on this computer (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


class Server:
    """`streamlit run app.py` on a data folder of its own; can be killed and started again on the same one."""

    def __init__(self, home: Path) -> None:
        self.home = home
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = {**os.environ, "PROLIP_HOME": str(self.home), "HF_HUB_OFFLINE": "1"}
        with (self.home / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "streamlit",
                    "run",
                    "app.py",
                    f"--server.port={self.port}",
                    "--server.headless=true",
                ],
                cwd=REPOSITORY,
                env=environment,
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1):  # noqa: S310 - our own server
                    return
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """As a power cut would: nothing is said goodbye to. The worker process goes on."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        self.kill()
        # The worker too: it would wait a minute for another server.
        log = "prolip_core.worker"
        for folder in Path("/proc").glob("[0-9]*") if Path("/proc").is_dir() else ():
            try:
                is_worker = log in (folder / "cmdline").read_text().replace("\0", " ")
                if is_worker and f"PROLIP_HOME={self.home}" in (folder / "environ").read_text().split("\0"):
                    os.kill(int(folder.name), 9)
            except OSError:
                continue


@pytest.fixture(scope="module")
def server(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("served"))
    running.start()
    yield running
    running.end()


@pytest.fixture
def db(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """The database behind the server, to see what really happened; this process works in its data folder too."""
    monkeypatch.setenv("PROLIP_HOME", str(server.home))
    opened = storage.open_database()
    yield opened
    opened.close()


@dataclass(frozen=True)
class Tab:
    """A page of the app with what a person does in it."""

    page: Page
    url: str

    def open(self, path: str = "/") -> None:
        self.page.goto(self.url + path)
        self.settle()

    def settle(self) -> None:
        """Waits until the server has drawn everything."""
        self.page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=PATIENCE_MS)
        self.page.wait_for_timeout(300)
        self.page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=PATIENCE_MS)

    def go(self, step: str) -> None:
        """By the side bar."""
        links = self.page.locator("[data-testid=stSidebar] [data-testid=stPageLink-NavLink]:visible")
        links.nth(STEPS.index(step)).click()
        self.page.wait_for_url(f"**/{step}**" if step != "projects" else "**/*", timeout=PATIENCE_MS)
        self.settle()

    def click(self, key: str) -> None:
        """The button of this key."""
        self.page.locator(f".st-key-{key} button").first.click()

    def see(self, text: str) -> None:
        """Waits until the text is there to be read."""
        self.page.get_by_text(text).first.wait_for(timeout=PATIENCE_MS)

    def words(self) -> str:
        return self.page.locator("[data-testid=stApp]").inner_text()


@pytest.fixture
def new_tab(browser: Browser, server: Server) -> Iterator[Callable[..., Tab]]:
    """`new_tab("ja-JP")`: a person of their own. At the end: no error on any page, and not one request to another machine."""
    contexts: list[BrowserContext] = []
    outside: list[str] = []
    errors: list[str] = []

    def make(locale: str = "en-US") -> Tab:
        context = browser.new_context(locale=locale, viewport={"width": 1280, "height": 1600})
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        own = (server.url, server.url.replace("http", "ws"), "data:", "blob:")
        for kind in ("request", "websocket"):
            page.on(kind, lambda asked: None if asked.url.startswith(own) else outside.append(asked.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        return Tab(page, server.url)

    yield make
    for context in contexts:
        context.close()
    assert outside == []
    assert errors == []
