"""The HTTP service: a real server under a hundred requests at once, its limits, its key, and its own description."""

from __future__ import annotations

import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import uvicorn
from fastapi.testclient import TestClient
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from prolip_core import cli, service
from prolip_core.handover import client
from prolip_core.service import ServiceSettings
from tests import image_factory
from tests.counting import Counting

KEY = "a-key-of-twenty-characters"
PHOTO = image_factory.jpeg(1)


class Slowish(Counting):
    """Takes its time, and says how many photos came at once."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def answer(self, pixels_B3HW: Any) -> Any:
        self.batches.append(len(pixels_B3HW))
        time.sleep(0.02)
        return super().answer(pixels_B3HW)


@contextmanager
def running(answerer: Any, settings: ServiceSettings | None = None) -> Iterator[str]:
    """A real server on a free port; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(service.create(answerer, settings), port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 30
    while not server.started and time.monotonic() < until:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


def test_a_hundred_requests_at_once_are_all_answered_rightly(tmp_path: Path) -> None:
    """With the example client, as an engineer would; every answer belongs to its own photo."""
    answerer, expected = Slowish(), {}
    photos = []
    for number in range(100):
        photos.append(tmp_path / f"{number}.jpg")
        photos[-1].write_bytes(image_factory.jpeg(number))
        expected[photos[-1].name] = (
            Counting().answer(Counting().pixels(photos[-1].read_bytes(), "x")[None])[0].confidence
        )
    with running(answerer) as url, ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda photo: client.ask(url, [photo]), photos))
    assert len(answers) == 100
    for photo, answer in zip(photos, answers, strict=True):
        (one,) = answer["predictions"]
        assert one["photo"] == photo.name
        assert one["confidence"] == pytest.approx(expected[photo.name], abs=1e-6)
    assert sum(answerer.batches) == 100
    assert max(answerer.batches) > 1


@pytest.fixture
def asking() -> Iterator[TestClient]:
    with TestClient(service.create(Counting())) as found:
        yield found


def photo(data: bytes = PHOTO, name: str = "a.jpg") -> tuple[str, tuple[str, bytes, str]]:
    return ("photos", (name, data, "image/jpeg"))


def test_an_answer_has_all_its_parts(asking: TestClient) -> None:
    response = asking.post("/predict", files=[photo(), photo(b"nothing", "b.txt")])
    assert response.status_code == 200
    first, second = response.json()["predictions"]
    assert (first["photo"], first["class"], first["runner_up"]["class"]) == ("a.jpg", "light", "=dark")
    assert first["zero_shot"] == {"class": "=dark", "confidence": 0.5}
    assert first["sure"] is None
    assert sum(first["probabilities"].values()) == pytest.approx(1)
    assert second["class"] is None
    assert "text file, not a photo" in second["error"]["reason"]
    assert second["error"]["remedy"]


@pytest.mark.parametrize(
    ("sent", "code", "words"),
    [
        ({"files": [photo(b"")]}, 422, "is empty"),
        ({"files": [photo(PHOTO[:500])]}, 422, "damaged or cut short"),
        ({"files": []}, 422, "photos"),
        ({"data": {"photos": "text"}}, 422, "photos"),
        ({"files": [photo()] * 33}, 422, "at most 32"),
        ({"content": b"--x", "headers": {"content-type": "multipart/form-data"}}, 400, ""),
    ],
)
def test_a_bad_request_is_told_why(asking: TestClient, sent: dict[str, Any], code: int, words: str) -> None:
    response = asking.post("/predict", **sent)
    assert response.status_code == code
    assert words in response.json()["detail"]


def test_health_model_and_a_description_without_the_internet(asking: TestClient) -> None:
    assert asking.get("/health").json()["status"] == "ok"
    assert asking.get("/model").json()["class_names"] == ["=dark", "light"]
    page = asking.get("/docs").text
    assert "swagger-ui-bundle.js" in page
    assert "https://" not in page and "http://" not in page
    script = page.partition('src="')[2].partition('"')[0]
    assert len(asking.get(script).content) > 100_000


def test_the_key(asking: TestClient) -> None:
    with TestClient(service.create(Counting(), ServiceSettings(api_key=KEY))) as locked:
        for headers in ({}, {"X-API-Key": "wrong"}, {"X-API-Key": KEY + "x"}, {"X-API-Key": ""}):
            for response in (
                locked.get("/model", headers=headers),
                locked.post("/predict", files=[photo()], headers=headers),
            ):
                assert response.status_code == 401
                assert "X-API-Key" in response.json()["detail"]
        assert locked.post("/predict", files=[photo()], headers={"X-API-Key": KEY}).status_code == 200
        assert locked.get("/health").status_code == 200


def test_the_rate_is_bounded_and_says_when_to_come_again() -> None:
    with TestClient(service.create(Counting(), ServiceSettings(rate=2.0, burst=3))) as asking:
        assert [asking.post("/predict", files=[photo()]).status_code for _ in range(3)] == [200, 200, 200]
        refused = asking.post("/predict", files=[photo()])
        assert refused.status_code == 429
        assert int(refused.headers["Retry-After"]) >= 1
        time.sleep(1.0)
        assert asking.post("/predict", files=[photo()]).status_code == 200


def test_the_size_is_bounded_also_where_it_is_not_declared() -> None:
    with running(Counting(), ServiceSettings(max_request_bytes=20_000)) as url:
        for headers in ({"Content-Length": "30000"}, {"Transfer-Encoding": "chunked"}):
            body = b"x" * 30_000
            head = {"Content-Type": "multipart/form-data; boundary=y", **headers}
            data: Any = iter([body[:15_000], body[15_000:]]) if "Transfer-Encoding" in headers else body
            request = urllib.request.Request(f"{url}/predict", data, head, method="POST")  # noqa: S310 - our own server
            with pytest.raises((urllib.error.HTTPError, ConnectionError, urllib.error.URLError)) as caught:
                urllib.request.urlopen(request, timeout=20)  # noqa: S310 - as above
            if isinstance(caught.value, urllib.error.HTTPError):
                assert caught.value.code in (400, 413)
                if "Content-Length" in headers:
                    assert caught.value.code == 413
                    assert "larger than" in json.loads(caught.value.read())["detail"]


def test_a_name_of_the_internet_does_not_reach_a_local_service() -> None:
    with TestClient(service.create(Counting(), ServiceSettings(hosts=("127.0.0.1", "localhost")))) as asking:
        assert asking.get("/health", headers={"Host": "evil.example"}).status_code == 400
        assert asking.get("/health", headers={"Host": "127.0.0.1:8600"}).status_code == 200


@pytest.mark.parametrize(
    ("options", "key", "words"),
    [
        (["--host", "192.0.2.1"], "", "needs an API key"),
        (["--host", "192.0.2.1"], "short", "at least 16"),
        (["--rate", "0"], "", "above 0"),
        (["--threshold", "2"], "", "between 0 and 1"),
        (["--api-key-file", "nowhere"], "", "cannot be read"),
    ],
)
def test_what_serve_refuses(
    options: list[str],
    key: str,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PROLIP_API_KEY", key)
    assert cli.main(["serve", str(tmp_path), *options]) == 2
    assert words in capsys.readouterr().err


schema = schemathesis.openapi.from_asgi(
    "/openapi.json", service.create(Counting(), ServiceSettings(rate=1e6, burst=10**6))
)


@schema.parametrize()
@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_nothing_that_its_own_description_allows_makes_it_fail(case: Any) -> None:
    response = case.call()
    assert response.status_code < 500, response.text
