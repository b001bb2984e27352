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
    server = uvicorn.Server(
        uvicorn.Config(service.create(answerer, settings), port=port, log_level="error", **service.SERVING)
    )
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
    """Real multipart, in pieces without a length: what refuses it is its size alone, as the smaller one that passes shows."""

    def sent(url: str, extra: int, head: dict[str, str], *, in_pieces: bool) -> tuple[int, str]:
        body = (
            b'--y\r\nContent-Disposition: form-data; name="photos"; filename="a.jpg"\r\n\r\n'
            + PHOTO
            + bytes(extra)
            + b"\r\n--y--\r\n"
        )
        data: Any = iter([body[:8_000], body[8_000:]]) if in_pieces else body
        head = {"Content-Type": "multipart/form-data; boundary=y", **head}
        request = urllib.request.Request(f"{url}/predict", data, head, method="POST")  # noqa: S310 - our own server
        try:
            with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310 - as above
                return response.status, ""
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())["detail"]

    with running(Counting(), ServiceSettings(max_request_bytes=20_000 + len(PHOTO))) as url:
        for head, in_pieces in (({}, False), ({"Transfer-Encoding": "chunked"}, True)):
            assert sent(url, 10_000, head, in_pieces=in_pieces) == (200, "")
            code, why = sent(url, 30_000, head, in_pieces=in_pieces)
            assert (code, "larger than" in why) == (413, True)


def test_it_can_be_started_again() -> None:
    app = service.create(Counting())
    for _ in range(2):
        with TestClient(app) as asking:
            assert asking.post("/predict", files=[photo()]).status_code == 200


def test_a_page_of_another_site_gets_no_answer(asking: TestClient) -> None:
    """A page may send a form to this computer without asking; the browser then names the page's site."""
    for origin in ("https://evil.example", "null", "http://testserver.evil.example", "http://testserver:81"):
        for response in (
            asking.post("/predict", files=[photo()], headers={"Origin": origin}),
            asking.get("/model", headers={"Origin": origin}),
        ):
            assert response.status_code == 403
            assert "other sites" in response.json()["detail"]
    assert asking.post("/predict", files=[photo()], headers={"Origin": "http://testserver"}).status_code == 200


def test_no_client_chooses_the_address_that_its_rate_is_kept_by() -> None:
    with running(Counting(), ServiceSettings(rate=0.01, burst=1)) as url:
        codes = []
        for address in ("192.0.2.1", "192.0.2.2"):
            request = urllib.request.Request(  # noqa: S310 - our own server
                f"{url}/predict", b"nothing", {"X-Forwarded-For": address, "Content-Type": "text/plain"}
            )
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(request, timeout=20)  # noqa: S310 - as above
            codes.append(caught.value.code)
    assert codes == [422, 429]


def test_the_rate_is_asked_before_the_body_is_read() -> None:
    """The rest of the body never comes, and there is an answer all the same."""
    with running(Counting(), ServiceSettings(rate=0.01, burst=1)) as url:
        port = int(url.rpartition(":")[2])
        for code in (b"422", b"429"):
            with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
                body = b"" if code == b"429" else b"nothing"
                connection.sendall(b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 7\r\n\r\n" + body)
                assert connection.recv(100).split()[1] == code


def test_several_photos_in_one_request_count_each() -> None:
    with TestClient(service.create(Counting(), ServiceSettings(rate=0.01, burst=3))) as asking:
        codes = [asking.post("/predict", files=[photo()] * count).status_code for count in (2, 2, 1, 1)]
        assert codes == [200, 429, 200, 429]


def test_more_connections_than_are_served_are_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(service.SERVING, "limit_concurrency", 3)
    with running(Counting()) as url:
        port = int(url.rpartition(":")[2])
        held = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(5)]
        time.sleep(0.3)
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{url}/health", timeout=20)  # noqa: S310 - our own server
        assert caught.value.code == 503
        for one in held:
            one.close()


def test_the_example_client_keeps_names_in_any_language(tmp_path: Path) -> None:
    names = ["部品 北.jpg", "50%.jpg", 'a"b.jpg']
    for name in names:
        (tmp_path / name).write_bytes(PHOTO)
    with running(Counting()) as url:
        answer = client.ask(url, [tmp_path / name for name in names])
    assert [one["photo"] for one in answer["predictions"]] == ["部品 北.jpg", "50%.jpg", "a%22b.jpg"]


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
