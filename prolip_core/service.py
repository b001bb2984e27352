"""The model as an HTTP service: FastAPI with its own description, for other programs of the same company.

Photos are decoded in threads; one thread answers, and takes with it whatever has arrived meanwhile (a batch). What is sent is
bounded in size, clients are bounded in rate, and nothing of a photo is kept.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import numpy as np
from fastapi import Depends, FastAPI, File, HTTPException, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import APIKeyHeader
from fastapi_offline import FastAPIOffline
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from prolip_core import __version__
from prolip_core.answering import Answer, Answerer
from prolip_core.config import MAX_IMAGE_BYTES
from prolip_core.errors import ImageError

LOOPBACK = ("127.0.0.1", "localhost", "::1")
MAX_PHOTOS = 32
BATCH = 16
MAX_WAITING = 256
"""So many decoded photos may wait to be answered (600 KB each); beyond that new ones are told to come again."""

DECODERS = 4
MAX_CONNECTIONS = 256
SERVING: dict[str, Any] = {"limit_concurrency": MAX_CONNECTIONS, "proxy_headers": False}
"""For uvicorn: beyond so many connections, 503 at once; and no client chooses the address that its rate is kept by."""

MAX_CLIENTS = 10_000
"""Of so many clients the rate is remembered; the one that was quiet for longest is forgotten first."""


@dataclass(frozen=True)
class ServiceSettings:
    """api_key: asked of every caller; None on a computer's own address alone. rate: photos a second for each client in the long
    run, burst: at once. max_request_bytes: of one request, photos and all."""

    api_key: str | None = None
    rate: float = 20.0
    burst: int = 200
    max_request_bytes: int = 2 * MAX_IMAGE_BYTES
    hosts: tuple[str, ...] = ("*",)


class Ranked(BaseModel):
    """A class with its confidence."""

    class_name: str = Field(serialization_alias="class", description="one of the model's classes")
    confidence: float = Field(ge=0, le=1)


class PhotoError(BaseModel):
    """Why there is no answer about a photo, and what to do."""

    reason: str
    remedy: str


class Prediction(BaseModel):
    """The answer about one photo; `error` in place of the rest where the photo cannot be read."""

    photo: str = Field(description="the file name that was sent")
    class_name: str | None = Field(default=None, serialization_alias="class")
    confidence: float | None = Field(default=None, ge=0, le=1)
    corrected_confidence: float | None = Field(
        default=None, ge=0, le=1, description="after the temperature of the rule for “not sure”"
    )
    sure: bool | None = Field(
        default=None, description="false: a person should look; null: the model has no rule for it"
    )
    runner_up: Ranked | None = None
    zero_shot: Ranked | None = Field(default=None, description="the answer before the training, where that is at hand")
    probabilities: dict[str, float] | None = None
    error: PhotoError | None = None


class Predictions(BaseModel):
    """In the order of the photos."""

    predictions: list[Prediction]


class Health(BaseModel):
    """That the service is there, and of what version."""

    status: str
    version: str


class Model(BaseModel):
    """What answers, and how well it did on which photos."""

    class_names: list[str]
    info: dict[str, Any]
    sure: dict[str, Any] | None = Field(description="the rule for “not sure”; null: there is none")


class Problem(BaseModel):
    """Why a request was refused."""

    detail: str


class _Queue:
    """Decoded photos on their way to the one thread that answers."""

    def __init__(self, answerer: Answerer) -> None:
        self._answerer = answerer
        self.begin()

    def begin(self) -> None:
        """Anew at every start of the app: neither threads that were ended nor a queue of another event loop can be used again."""
        self._waiting: asyncio.Queue[tuple[np.ndarray, asyncio.Future[Answer]]] = asyncio.Queue(MAX_WAITING)
        self._decoders = ThreadPoolExecutor(DECODERS, thread_name_prefix="decode")
        self._answering = ThreadPoolExecutor(1, thread_name_prefix="answer")

    async def run(self) -> None:
        """Answers until it is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < BATCH and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            pixels_B3HW = np.stack([pixels for pixels, _ in batch])
            try:
                found = await loop.run_in_executor(self._answering, self._answerer.answer, pixels_B3HW)
            except Exception as error:  # noqa: BLE001 - told to those who wait; the queue must live
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), answer in zip(batch, found, strict=True):
                if not future.done():  # its client may have gone
                    future.set_result(answer)

    async def ask(self, data: bytes, name: str) -> Answer:
        """Raises ImageError, asyncio.QueueFull."""
        loop = asyncio.get_running_loop()
        if self._waiting.full():
            raise asyncio.QueueFull
        pixels_3HW = await loop.run_in_executor(self._decoders, self._answerer.pixels, data, name)
        future: asyncio.Future[Answer] = loop.create_future()
        self._waiting.put_nowait((pixels_3HW, future))
        return await future

    def close(self) -> None:
        for pool in (self._decoders, self._answering):
            pool.shutdown(wait=False, cancel_futures=True)


class _Rates:
    """A bucket of photos for each client, which fills up again by and by."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate, self._burst = rate, burst
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, client: str, photos: int) -> float:
        """0 if so many photos may be answered now, and counts them; else after how many seconds to come again."""
        now = time.monotonic()
        level, at = self._buckets.pop(client, (float(self._burst), now))
        level = min(self._burst, level + (now - at) * self._rate)
        wait_s = max(0.0, (min(photos, self._burst) - level) / self._rate)
        self._buckets[client] = (level if wait_s else level - photos, now)
        while len(self._buckets) > MAX_CLIENTS:
            self._buckets.popitem(last=False)
        return wait_s

    def give_back(self, client: str) -> None:
        """The one photo that was counted before it was known how many there are."""
        level, at = self._buckets.get(client, (float(self._burst), time.monotonic()))
        self._buckets[client] = (min(self._burst, level + 1), at)


class _Gate:
    """Refuses, before a byte of the body is read: pages of other sites, what has no key, who asks too often, and bodies over the
    limit, also those that do not say how long they are."""

    def __init__(self, app: ASGIApp, limit: int, api_key: str | None, rates: _Rates) -> None:
        self._app, self._limit, self._key, self._rates = app, limit, api_key, rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if (refused := self._refused(scope, headers)) is not None:
            await refused(scope, receive, send)
            return
        declared = headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self._limit:
            await JSONResponse({"detail": _too_large(self._limit)}, 413, {"Connection": "close"})(scope, receive, send)
            return
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._limit:
                raise HTTPException(413, _too_large(self._limit), {"Connection": "close"})
            return message

        await self._app(scope, counted, send)

    def _refused(self, scope: Scope, headers: Mapping[bytes, bytes]) -> JSONResponse | None:
        origin = headers.get(b"origin")
        # A browser names the site whose page asks; other programs name none. Our own page (/docs) is at the address itself.
        if origin is not None and origin.partition(b"://")[2] != headers.get(b"host"):
            return JSONResponse({"detail": _FOREIGN}, 403)
        if scope["method"] != "POST":
            return None
        if not _is_key(headers.get(b"x-api-key", b""), self._key):
            return JSONResponse({"detail": _NO_KEY}, 401, _ASK_KEY)
        wait_s = self._rates.wait_s(_client(scope), 1)
        if wait_s:
            busy = _busy(wait_s)
            return JSONResponse(
                {"detail": busy.detail}, busy.status_code, {**(busy.headers or {}), "Connection": "close"}
            )
        return None


_FOREIGN = "Pages of other sites may not ask this service. Ask it from a program, or from its own page at /docs."
_NO_KEY, _ASK_KEY = "The header X-API-Key is missing or wrong.", {"WWW-Authenticate": "ApiKey"}


def _client(scope: Scope) -> str:
    """The address by which the rate is kept."""
    return str(scope["client"][0]) if scope.get("client") else ""


def _is_key(given: bytes, api_key: str | None) -> bool:
    """In constant time, so that nobody can feel their way to the key; True where none is asked for."""
    return api_key is None or hmac.compare_digest(given, api_key.encode())


def _too_large(limit: int) -> str:
    return f"The request is larger than {limit / 2**20:.0f} MB. Send fewer or smaller photos."


def create(answerer: Answerer, settings: ServiceSettings | None = None) -> FastAPI:
    """The app. Answering begins when it is served."""
    chosen = settings or ServiceSettings()
    queue, rates = _Queue(answerer), _Rates(chosen.rate, chosen.burst)

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        queue.begin()
        answering = asyncio.create_task(queue.run())
        try:
            yield
        finally:
            answering.cancel()
            queue.close()

    app = FastAPIOffline(
        title="ProLIP Studio",
        version=__version__,
        description="Answers about photos by a model that was trained with ProLIP Studio. Nothing of a photo is kept.",
        lifespan=life,
        redoc_url=None,
    )
    app.add_middleware(_Gate, limit=chosen.max_request_bytes, api_key=chosen.api_key, rates=rates)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(chosen.hosts))
    _tell_errors(app)
    key = _key_check(chosen.api_key)

    @app.get("/health")
    async def health() -> Health:
        """Whether the service is there. Needs no key."""
        return Health(status="ok", version=__version__)

    refusals: dict[int | str, dict[str, Any]] = {
        code: {"model": Problem, "description": text}
        for code, text in ((400, "bad request"), (401, "no or wrong key"), (403, "a page of another site"))
    }

    @app.get("/model", dependencies=[Depends(key)], responses=refusals)
    async def model() -> Model:
        """What answers, and how well it did on which photos."""
        rule = answerer.rule
        return Model(
            class_names=list(answerer.class_names), info=answerer.info, sure=None if rule is None else asdict(rule)
        )

    more = (
        (413, "too large"),
        (422, "no photo that can be read"),
        (429, "too many; come again after Retry-After seconds"),
    )
    refusals_of_photos = refusals | {code: {"model": Problem, "description": text} for code, text in more}

    @app.post("/predict", dependencies=[Depends(key)], responses=refusals_of_photos)
    async def predict(
        request: Request, photos: Annotated[list[UploadFile], File(description=f"1 to {MAX_PHOTOS} photos")]
    ) -> Predictions:
        """Answers about one or several photos. A photo that cannot be read has `error` in its place; if none can, 422."""
        if len(photos) > MAX_PHOTOS:
            raise HTTPException(422, f"{len(photos)} photos were sent; at most {MAX_PHOTOS} go into one request.")
        client = _client(request.scope)
        rates.give_back(client)
        wait_s = rates.wait_s(client, len(photos))
        if wait_s:
            raise _busy(wait_s)
        found = await asyncio.gather(
            *(_predicted(queue, photo, answerer.class_names) for photo in photos), return_exceptions=True
        )
        if any(isinstance(one, asyncio.QueueFull) for one in found):
            raise _busy(1.0)
        refused = [one for one in found if isinstance(one, ImageError)]
        if len(refused) == len(found):
            raise HTTPException(422, str(refused[0]))
        predictions = []
        for photo, one in zip(photos, found, strict=True):
            if isinstance(one, BaseException) and not isinstance(one, ImageError):
                raise one
            predictions.append(_no_answer(one, photo) if isinstance(one, ImageError) else one)
        return Predictions(predictions=predictions)

    return app


async def _predicted(queue: _Queue, photo: UploadFile, class_names: tuple[str, ...]) -> Prediction:
    """Raises ImageError, asyncio.QueueFull."""
    name = photo.filename or "photo"
    data = await photo.read(MAX_IMAGE_BYTES + 1)
    answer = await queue.ask(data, name)
    zero_shot = (
        None if answer.zero_shot is None else Ranked(class_name=answer.zero_shot[0], confidence=answer.zero_shot[1])
    )
    return Prediction(
        photo=name,
        class_name=answer.class_name,
        confidence=answer.confidence,
        corrected_confidence=answer.corrected_confidence,
        sure=answer.sure,
        runner_up=Ranked(class_name=answer.runner_up, confidence=answer.runner_up_confidence),
        zero_shot=zero_shot,
        probabilities=dict(zip(class_names, answer.probabilities, strict=True)),
    )


def _no_answer(error: ImageError, photo: UploadFile) -> Prediction:
    problem = PhotoError(reason=error.reason_text, remedy=error.remedy_text)
    return Prediction(photo=photo.filename or "photo", error=problem)


def _busy(wait_s: float) -> HTTPException:
    seconds = max(1, round(wait_s + 0.5))
    return HTTPException(429, f"Too many photos at once. Come again in {seconds} s.", {"Retry-After": str(seconds)})


def _key_check(api_key: str | None) -> Callable[..., Awaitable[None]]:
    """Lets a request pass that carries the key; every request where there is none. It tells the description of it, too."""
    scheme = APIKeyHeader(name="X-API-Key", auto_error=False, description="the key that the service was started with")

    async def checked(given: str | None = Depends(scheme)) -> None:
        if not _is_key((given or "").encode(), api_key):
            raise HTTPException(401, _NO_KEY, _ASK_KEY)

    async def free() -> None:
        return None

    return free if api_key is None else checked


def _tell_errors(app: FastAPI) -> None:
    """Every refusal is {"detail": "a sentence"}."""

    @app.exception_handler(RequestValidationError)
    async def unfit(_request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part != "body")
        return JSONResponse(
            {"detail": f"{where or 'request'}: {first['msg']}. Send photos as multipart field “photos”."}, 422
        )

    @app.exception_handler(StarletteHTTPException)
    async def refused(_request: Request, error: StarletteHTTPException) -> JSONResponse:
        return JSONResponse({"detail": str(error.detail)}, error.status_code, error.headers)
