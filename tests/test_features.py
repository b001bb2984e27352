"""From photos to features: the same as the plain loop, from the cache and without it, in any process."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from prolip_core import feature_cache, features, images, views
from prolip_core.errors import BrokenImageError, Cancelled, ConfigError, StorageError
from prolip_core.feature_cache import FeatureCache
from prolip_core.types import Progress
from tests import image_factory
from tests.fakes import TINY_CONFIG, tiny_backbone


class Photos:
    """Photos in memory; counts how often each is read."""

    def __init__(self, count: int, **options: Any) -> None:
        data = [image_factory.jpeg(seed, 90, 70, **options) for seed in range(count)]
        self.by_id = {images.check(one, f"{i}.jpg").image_id: one for i, one in enumerate(data)}
        self.ids = list(self.by_id)
        self.reads: list[str] = []
        self._lock = threading.Lock()

    def read(self, image_id: str) -> bytes:
        with self._lock:
            self.reads.append(image_id)
        return self.by_id[image_id]


def test_features_equal_the_plain_loop() -> None:
    backbone, photos = tiny_backbone(), Photos(40)
    batch = features.extract(backbone, photos, photos.ids, n_views=3, seed=7)
    assert batch.image_ids == tuple(photos.ids)
    assert batch.pre_VNP.shape == (3, 40, backbone.pre_width)
    for n, image_id in enumerate(photos.ids):
        image = images.decode(photos.by_id[image_id], "x", min_side_px=64)
        rows = [backbone.pixels(image)]
        for view in (1, 2):
            crop = views.crop_of(image_id, view, 7, *image.size)
            rows.append(backbone.pixels_of_crop(image, crop.box, flip=crop.flip))
        expected = backbone.encode_pre(torch.stack(rows))
        assert torch.allclose(batch.pre_VNP[:, n], expected, atol=1e-4)


def test_order_and_repetition_are_the_caller_s() -> None:
    backbone, photos = tiny_backbone(), Photos(3)
    plain = features.extract(backbone, photos, photos.ids).pre_VNP
    a, b, c = photos.ids
    mixed = features.extract(backbone, photos, [c, a, c, b]).pre_VNP
    assert torch.allclose(mixed[0], plain[0, [2, 0, 2, 1]], atol=1e-5)
    assert features.extract(backbone, photos, []).pre_VNP.shape == (1, 0, backbone.pre_width)


def test_the_second_time_nothing_is_read(tmp_path: Path) -> None:
    backbone, photos = tiny_backbone(), Photos(5)
    first = features.extract(backbone, photos, photos.ids, cache_folder=tmp_path)
    photos.reads.clear()
    again = features.extract(backbone, photos, photos.ids, cache_folder=tmp_path)
    assert photos.reads == []
    assert torch.equal(first.pre_VNP, again.pre_VNP)


def test_only_what_is_missing_is_computed(tmp_path: Path) -> None:
    backbone, photos = tiny_backbone(), Photos(6)
    features.extract(backbone, photos, photos.ids[:4], n_views=2, cache_folder=tmp_path)
    photos.reads.clear()
    both = features.extract(backbone, photos, photos.ids, n_views=2, cache_folder=tmp_path)
    assert sorted(photos.reads) == sorted(photos.ids[4:])
    assert torch.allclose(both.pre_VNP, features.extract(backbone, photos, photos.ids, n_views=2).pre_VNP, atol=1e-5)
    photos.reads.clear()
    features.extract(backbone, photos, photos.ids, n_views=3, cache_folder=tmp_path)
    assert len(photos.reads) == 6


def test_a_damaged_cache_file_is_computed_again(tmp_path: Path) -> None:
    backbone, photos = tiny_backbone(), Photos(3)
    first = features.extract(backbone, photos, photos.ids, cache_folder=tmp_path)
    files = sorted(tmp_path.rglob("*.f4"))
    files[0].write_bytes(files[0].read_bytes()[:7])
    damaged = bytearray(files[1].read_bytes())
    damaged[10] ^= 0x01
    files[1].write_bytes(damaged)
    files[2].write_bytes(b"")
    photos.reads.clear()
    again = features.extract(backbone, photos, photos.ids, cache_folder=tmp_path)
    assert len(photos.reads) == 3
    assert torch.allclose(first.pre_VNP, again.pre_VNP, atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        {"weights": "other"},
        {"preprocessing": {"size": 64}},
        {"device": "cuda"},
        {"dtype": "bfloat16"},
        {"views": (2, 0)},
        {"decode_margin": 3},
        {"versions": {"torch": "9"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_setting_that_changes_a_value_changes_the_key(change: dict[str, object]) -> None:
    settings = features.cache_settings(tiny_backbone(), 0)
    assert set(change) <= set(settings)
    assert feature_cache.key_of({**settings, **change}) != feature_cache.key_of(settings)
    assert feature_cache.key_of(dict(reversed(settings.items()))) == feature_cache.key_of(settings)


def test_backbone_preprocessing_precision_and_seed_reach_the_key() -> None:
    from prolip_core import devices

    keys = {
        feature_cache.key_of(features.cache_settings(backbone, seed))
        for backbone, seed in (
            (tiny_backbone(0), 0),
            (tiny_backbone(1), 0),
            (tiny_backbone(0, {**TINY_CONFIG, "preprocess_cfg": {"mean": (0.5, 0.5, 0.5)}}), 0),
            (tiny_backbone(0, device=devices.choose("cpu", "bfloat16")), 0),
            (tiny_backbone(0), 1),
        )
    }
    assert len(keys) == 5


def test_two_writers_of_the_same_row_do_not_disturb_each_other(tmp_path: Path) -> None:
    caches = [FeatureCache(tmp_path, {"a": 1}) for _ in range(2)]
    row = torch.arange(300, dtype=torch.float32)
    seen: list[bool] = []

    def write(cache: FeatureCache) -> None:
        for _ in range(100):
            cache.put("ff00", 0, row)

    def read() -> None:
        for _ in range(400):
            found = caches[0].get("ff00", 0, 300)
            seen.append(found is None or torch.equal(found, row))

    threads = [threading.Thread(target=write, args=(cache,)) for cache in caches] + [threading.Thread(target=read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(seen)
    assert [path.name for path in tmp_path.rglob("*.*")] == ["ff00-0.f4"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "features").write_text("a file in the way")
    with pytest.raises(StorageError, match="PROLIP_HOME"):
        features.extract(tiny_backbone(), (photos := Photos(1)), photos.ids, cache_folder=tmp_path)


def test_a_broken_photo_ends_the_extraction_with_its_error() -> None:
    photos = Photos(8)
    photos.by_id[photos.ids[5]] = photos.by_id[photos.ids[5]][:200]
    with pytest.raises(BrokenImageError):
        features.extract(tiny_backbone(), photos, photos.ids)


def test_progress_counts_up_to_the_total(tmp_path: Path) -> None:
    backbone, photos = tiny_backbone(), Photos(70)
    features.extract(backbone, photos, photos.ids[:10], cache_folder=tmp_path)
    seen: list[Progress] = []
    features.extract(
        backbone, photos, photos.ids, cache_folder=tmp_path, on_progress=lambda progress: seen.append(progress)
    )
    assert [p.done for p in seen] == [10, 42, 70]
    assert {p.total for p in seen} == {70}
    assert seen[0].left_s is None
    assert seen[1].per_second > 0 and seen[1].left_s is not None
    assert seen[-1].left_s == 0


def test_a_stop_ends_early_and_keeps_what_was_computed(tmp_path: Path) -> None:
    backbone, photos = tiny_backbone(), Photos(70)
    with pytest.raises(Cancelled):
        features.extract(backbone, photos, photos.ids, cache_folder=tmp_path, on_progress=lambda p: p.done >= 32)
    assert len(list(tmp_path.rglob("*.f4"))) == 32
    assert len(photos.reads) < 70 + 1


def test_only_two_batches_wait_in_front_of_the_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone, photos = tiny_backbone(), Photos(200)
    lead: list[int] = []
    encoded = 0
    plain = backbone.encode_pre

    def slow(pixels: torch.Tensor) -> torch.Tensor:
        nonlocal encoded
        lead.append(len(photos.reads) - encoded)
        encoded += len(pixels)
        return plain(pixels)

    monkeypatch.setattr(backbone, "encode_pre", slow)
    features.extract(backbone, photos, photos.ids)
    assert encoded == 200
    assert max(lead) <= 3 * features.BATCH


@pytest.mark.parametrize("n_views", [0, -1, 301])
def test_the_number_of_views_has_limits(n_views: int) -> None:
    with pytest.raises(ConfigError, match="between 1 and 300"):
        features.extract(tiny_backbone(), Photos(1), [], n_views=n_views)


def test_a_reduced_decode_gives_nearly_the_same_features() -> None:
    """JPEG at a fraction of its size against the full decode, through the same preprocessing."""
    backbone = tiny_backbone()
    data = image_factory.jpeg(1, 1600, 1200)
    reduced = images.decode(data, "x", min_side_px=features.DECODE_MARGIN * 32)
    full = images.decode(data, "x")
    assert reduced.width < full.width / 4
    pre_BP = backbone.encode_pre(torch.stack([backbone.pixels(reduced), backbone.pixels(full)]))
    assert torch.nn.functional.cosine_similarity(pre_BP[0], pre_BP[1], dim=0) > 0.995
    assert isinstance(reduced, Image.Image)
