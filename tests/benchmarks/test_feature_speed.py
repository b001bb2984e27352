"""Feature extraction against a plain loop, and memory on a large folder."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from prolip_core import backbones, catalogue, devices, features, image_files

N_LARGE, N_MANY = 200, 5000


def write_photos(folder: Path, count: int, width_px: int, height_px: int) -> None:
    """JPEGs with the grain and the smooth areas of a photo, so that they take as long to decode as one."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    coarse = random.integers(0, 255, (height_px // 100, width_px // 100, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width_px, height_px), Image.Resampling.BICUBIC), dtype=np.int16)
    grain = random.integers(-12, 12, (height_px, width_px, 1), dtype=np.int16)
    for i in range(count):
        picture = np.clip(np.roll(smooth, i * 7, axis=1) + grain, 0, 255).astype(np.uint8)
        Image.fromarray(picture).save(folder / f"{i:04}.jpg", quality=88, comment=f"{folder.name} {i}")


@pytest.fixture(scope="module")
def large_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos") / "large"
    write_photos(folder, N_LARGE, 4000, 3000)
    return folder


def plain_loop(paths: list[Path]) -> torch.Tensor:
    """What a script would do: decode, preprocess, encode, one batch after the other, in float32."""
    backbone = backbones.load(catalogue.parse("starter"), devices.choose("cpu", "float32"))
    rows = []
    for start in range(0, len(paths), features.BATCH):
        batch = [backbone.pixels(Image.open(path).convert("RGB")) for path in paths[start : start + features.BATCH]]
        rows.append(backbone.encode_pre(torch.stack(batch)))
    return torch.cat(rows)


def test_extraction_against_a_plain_loop(benchmark: Any, large_photos: Path) -> None:
    result, paths = image_files.import_files(sorted(large_photos.iterdir()))
    ids = [record.image_id for record in result.accepted]
    backbone = backbones.load(catalogue.parse("starter"), devices.choose("cpu"))
    source = image_files.FolderSource(paths)
    fast = benchmark.pedantic(lambda: features.extract(backbone, source, ids), rounds=1, warmup_rounds=0)
    start = time.perf_counter()
    plain = plain_loop([paths[image_id] for image_id in ids])
    plain_s = time.perf_counter() - start
    benchmark.extra_info["plain_loop_s"] = round(plain_s, 1)
    benchmark.extra_info["times_faster"] = round(plain_s / benchmark.stats.stats.median, 2)
    assert torch.nn.functional.cosine_similarity(fast.pre_VNP[0], plain).min() > 0.99


def test_memory_of_a_folder_of_five_thousand_photos(tmp_path: Path, benchmark: Any) -> None:
    """In a process of its own, since a maximum never comes down again."""
    for name in ("a", "b"):
        write_photos(tmp_path / "train" / name, N_MANY // 2, 640, 480)
    script = (
        "import sys, resource\nfrom pathlib import Path\n"
        "from prolip_core import dataset, features, backbones, catalogue, devices\n"
        "photos = dataset.read_folders(Path(sys.argv[1]))\n"
        "backbone = backbones.load(catalogue.parse('starter'), devices.choose('cpu'))\n"
        "features.extract(backbone, photos.source, [image.image_id for image in photos.support])\n"
        "print(len(photos.support), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    )

    def run() -> str:
        return subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / "train")], capture_output=True, text=True, check=True
        ).stdout

    count, peak_mb = map(int, benchmark.pedantic(run, rounds=1).split())
    benchmark.extra_info["photos"] = count
    benchmark.extra_info["peak_mb"] = peak_mb
    assert count > 0.9 * N_MANY
    assert peak_mb < 2000
