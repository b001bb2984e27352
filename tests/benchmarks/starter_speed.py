"""How fast the starter loads and reads photos of 300 px, best of three: `python -m tests.benchmarks.starter_speed`."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from prolip_core import backbones, catalogue, devices, features, image_files

N_PHOTOS = 256


def write_photos(folder: Path) -> None:
    random = np.random.default_rng(0)
    for i in range(N_PHOTOS):
        coarse = Image.fromarray(random.integers(0, 255, (15, 20, 3), dtype=np.uint8))
        coarse.resize((300, 225), Image.Resampling.BICUBIC).save(folder / f"{i:03}.jpg", quality=88)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        write_photos(Path(name))
        result, paths = image_files.import_files(sorted(Path(name).iterdir()))
        ids = [record.image_id for record in result.accepted]
        source = image_files.FolderSource(paths)
        for precision in ("bfloat16", "float32"):
            loads, reads = [], []
            for _ in range(3):
                start = time.perf_counter()
                backbone = backbones.load(catalogue.parse("starter"), devices.choose("cpu", precision))
                loads.append(time.perf_counter() - start)
                start = time.perf_counter()
                features.extract(backbone, source, ids)
                reads.append(len(ids) / (time.perf_counter() - start))
            sys.stdout.write(f"{precision}: loaded in {min(loads):.2f} s, {max(reads):.0f} photos a second\n")


if __name__ == "__main__":
    main()
