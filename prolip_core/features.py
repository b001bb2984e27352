"""Photos → features before the projector: decoding threads ahead of the encoder, a cache behind it."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import torch

from prolip_core import distortions, folding, images, views
from prolip_core.backbones import LONG_FROM, Backbone
from prolip_core.distortions import Distortion
from prolip_core.errors import Cancelled, ConfigError
from prolip_core.feature_cache import FeatureCache
from prolip_core.types import FeatureBatch, ImageSource, Progress

BATCH = 32
MAX_VIEWS = 300
DECODE_MARGIN = 2
"""A photo is decoded to at least this many times the model's input size, so that a crop of half its area stays sharp."""

OnProgress = Callable[[Progress], bool | None]
"""Called as photos are done; returning True stops the work (Cancelled); what was computed stays in the cache."""

Missing = tuple[str, tuple[int, ...]]


def extract(
    backbone: Backbone,
    source: ImageSource,
    image_ids: Sequence[str],
    *,
    n_views: int = 1,
    seed: int = 0,
    cache_folder: Path | None = None,
    workers: int | None = None,
    on_progress: OnProgress | None = None,
    distortion: Distortion | None = None,
) -> FeatureBatch:
    """Features (V, N, P) of these photos in this order; view 0 is not augmented.

    Memory for pixels does not grow with N: at most two batches wait in front of the encoder. seed: of the augmented views, and of
    the distortion that every photo meets first, if any. cache_folder: None computes everything anew. Raises ConfigError,
    ImageError of the photo at fault, StorageError, Cancelled.
    """
    check_views(n_views)
    cache = None if cache_folder is None else FeatureCache(cache_folder, cache_settings(backbone, seed, distortion))
    position = {image_id: index for index, image_id in enumerate(dict.fromkeys(image_ids))}
    pre_VNP = torch.empty(n_views, len(position), backbone.pre_width)
    missing: list[Missing] = []
    for image_id, index in position.items():
        absent = []
        for view in range(n_views):
            row = cache.get(image_id, view, backbone.pre_width) if cache else None
            if row is None:
                absent.append(view)
            else:
                pre_VNP[view, index] = row
        if absent:
            missing.append((image_id, tuple(absent)))

    start, done = time.perf_counter(), len(position) - len(missing)
    _report(on_progress, done, len(position), 0, start)
    computed = 0

    def read(job: Missing) -> torch.Tensor:
        return _pixels(backbone, source, *job, seed, distortion)

    for keys, pixels_B3HW in _batches(read, missing, workers or default_workers()):
        pre_BP = backbone.encode_pre(pixels_B3HW)
        for (image_id, view), row in zip(keys, pre_BP, strict=True):
            pre_VNP[view, position[image_id]] = row
            if cache:
                cache.put(image_id, view, row)
        computed += len(keys)
        # A photo may straddle two batches; it counts once its last view is through.
        photos = computed * len(missing) // sum(len(absent) for _, absent in missing)
        _report(on_progress, done + photos, len(position), photos, start)
    order = [position[image_id] for image_id in image_ids]
    return FeatureBatch(tuple(image_ids), pre_VNP if len(order) == len(position) else pre_VNP[:, order])


def extract_tokens(
    backbone: Backbone, source: ImageSource, image_ids: Sequence[str], *, on_progress: OnProgress | None = None
) -> torch.Tensor:
    """Tokens (N, T, W) of view 0 of these photos as they enter the last block. Nothing is kept: they are a hundred times larger
    than features. Raises ImageError, Cancelled."""
    start, chunks, done = time.perf_counter(), [], 0
    _report(on_progress, 0, len(image_ids), 0, start)

    def read(job: Missing) -> torch.Tensor:
        return _pixels(backbone, source, *job, 0, None)

    for keys, pixels_B3HW in _batches(read, [(image_id, (0,)) for image_id in image_ids], default_workers()):
        chunks.append(backbone.encode_tokens(pixels_B3HW))
        done += len(keys)
        _report(on_progress, done, len(image_ids), done, start)
    return torch.cat(chunks)


def check_views(n_views: int) -> None:
    """Raises ConfigError unless 1 ≤ n_views ≤ MAX_VIEWS."""
    if not 1 <= n_views <= MAX_VIEWS:
        raise ConfigError(
            "The number of views is {value}; it must be between 1 and {limit}.",
            remedy="1 is fast; more views cost as many times more reading.",
            value=n_views,
            limit=MAX_VIEWS,
        )


def default_workers() -> int:
    """Decoding threads: Pillow works outside Python's lock, so they use the cores that the encoder leaves idle."""
    return max(2, min(8, os.cpu_count() or 2))


def cache_settings(backbone: Backbone, seed: int, distortion: Distortion | None = None) -> dict[str, object]:
    """Everything besides the photo and the view's number that changes a feature."""
    distorted = {} if distortion is None else {"distortion": (distortions.VERSION, distortion.kind, distortion.amount)}
    return {
        **distorted,
        "weights": backbone.fingerprint,
        "preprocessing": backbone.preprocessing,
        "device": backbone.device.torch_device.type,
        "dtype": backbone.device.dtype_name,
        "views": (views.VERSION, seed, views.AREA_RANGE, views.ASPECT_RANGE, views.TRIES),
        "decode_margin": DECODE_MARGIN,
        "long_from": LONG_FROM,
        "folding": folding.VERSION,
        "versions": {name: version(name) for name in ("torch", "torchvision", "open_clip_torch", "timm", "pillow")},
    }


def pixels_of(backbone: Backbone, data: bytes, filename: str) -> torch.Tensor:
    """What the model sees of a photo that is not augmented, (3, H, W). Raises ImageError."""
    image = images.decode(data, filename, min_side_px=DECODE_MARGIN * max(backbone.image_size_px))
    return backbone.pixels(backbone.framed(image))


def _pixels(
    backbone: Backbone,
    source: ImageSource,
    image_id: str,
    wanted: Sequence[int],
    seed: int,
    distortion: Distortion | None,
) -> torch.Tensor:
    """The wanted views of one photo, (number of views, 3, H, W)."""
    image = images.decode(source.read(image_id), image_id, min_side_px=DECODE_MARGIN * max(backbone.image_size_px))
    if distortion is not None:
        side_px = max(backbone.image_size_px)
        image = distortions.apply(image, distortion, image_id, seed=seed, side_px=side_px)
    image = backbone.framed(image)
    rows = []
    for view in wanted:
        if view == 0:
            rows.append(backbone.pixels(image))
        else:
            crop = views.crop_of(image_id, view, seed, *image.size)
            rows.append(backbone.pixels_of_crop(image, crop.box, flip=crop.flip))
    return torch.stack(rows)


def _batches(
    read: Callable[[Missing], torch.Tensor], missing: Sequence[Missing], workers: int
) -> Iterator[tuple[list[tuple[str, int]], torch.Tensor]]:
    """Full batches in order, with the photo and view of each row; decoding runs at most two batches ahead."""
    keys: list[tuple[str, int]] = []
    rows: list[torch.Tensor] = []
    with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
        waiting: deque[tuple[Missing, Future[torch.Tensor]]] = deque()
        queue = iter(missing)
        try:
            while True:
                while sum(len(job[1]) for job, _ in waiting) < 2 * BATCH and (job := next(queue, None)) is not None:
                    waiting.append((job, pool.submit(read, job)))
                if not waiting:
                    break
                (image_id, wanted), future = waiting.popleft()
                keys += [(image_id, view) for view in wanted]
                rows += list(future.result())
                while len(rows) >= BATCH:
                    yield keys[:BATCH], torch.stack(rows[:BATCH])
                    keys, rows = keys[BATCH:], rows[BATCH:]
            if rows:
                yield keys, torch.stack(rows)
        finally:
            for _, future in waiting:
                future.cancel()


def _report(on_progress: OnProgress | None, done: int, total: int, computed: int, start: float) -> None:
    """Tells how far it is; raises Cancelled if the listener asks to stop."""
    if on_progress is None:
        return
    elapsed_s = time.perf_counter() - start
    speed = computed / elapsed_s if computed else 0.0
    left_s = (total - done) / speed if speed else None
    if on_progress(Progress("features", done, total, speed, left_s)):
        raise Cancelled("Stopped while photos were being read; what was computed is kept.")
