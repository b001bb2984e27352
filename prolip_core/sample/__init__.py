"""A built-in sample data set, so that a first project is one click away: photos of small parts on a workbench.

Nothing is stored and nothing is downloaded: the pictures are computed when they are asked for. Each picture depends on
(seed, split, class, index, size) alone, so counts and order change nothing, and train and test share no draw. The same
arguments give the same pixels on the same versions of numpy and scipy.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from prolip_core.errors import DatasetError
from prolip_core.sample.render import photograph
from prolip_core.types import ClassSpec

SPLITS: tuple[str, ...] = ("train", "test")
SIDE_PX = 320
TRAIN_PER_CLASS = 16
TEST_PER_CLASS = 20
MIN_SIDE_PX, MAX_SIDE_PX = 64, 1024
MAX_PER_CLASS = 999
CLASSES_FILE = "classes.csv"

# Files that a desktop leaves behind in a folder by itself.
_DESKTOP_FILES = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})


@dataclass(frozen=True)
class SampleClass:
    """A class of the sample: its folder name, what people read in English and Japanese, what the model reads."""

    name: str
    english: str
    japanese: str
    prompt_names: tuple[str, ...]

    def spec(self, language: str = "ja") -> ClassSpec:
        """The class as a project holds it; `language` "ja" or anything else for English."""
        return ClassSpec(self.japanese if language == "ja" else self.english, self.prompt_names)


CLASSES: tuple[SampleClass, ...] = (
    SampleClass("bolt", "Bolt", "ボルト", ("metal bolt", "hex bolt")),
    SampleClass("nut", "Nut", "ナット", ("metal nut", "hex nut")),
    SampleClass("washer", "Washer", "ワッシャー", ("metal washer", "flat washer")),
    SampleClass("spring", "Spring", "ばね", ("metal spring", "coil spring")),
    SampleClass("gear", "Gear", "歯車", ("metal gear", "gear wheel")),
)
CLASS_NAMES: tuple[str, ...] = tuple(one.name for one in CLASSES)


def class_specs(language: str = "ja") -> tuple[ClassSpec, ...]:
    """The classes of the sample in class order, named in `language` ("ja", or anything else for English)."""
    return tuple(one.spec(language) for one in CLASSES)


def render(class_name: str, split: str, index: int, *, seed: int = 0, side_px: int = SIDE_PX) -> NDArray[np.uint8]:
    """Photo number `index` (from 0) of a class in a split: (side_px, side_px, 3) sRGB.

    Raises DatasetError for a class or split that is not part of the sample, or a number out of its range.
    """
    if class_name not in CLASS_NAMES:
        raise DatasetError(
            'The sample has no class "{name}".',
            remedy="Choose one of {choices}.",
            name=class_name,
            choices=", ".join(CLASS_NAMES),
        )
    if split not in SPLITS:
        raise DatasetError(
            'The sample has no part "{name}".', remedy="Choose one of {choices}.", name=split, choices=", ".join(SPLITS)
        )
    _check_range("index", index, 0, MAX_PER_CLASS - 1)
    _check_range("seed", seed, 0, 2**32 - 1)
    _check_range("side_px", side_px, MIN_SIDE_PX, MAX_SIDE_PX)
    return photograph(_generator(seed, split, class_name, index), class_name, side_px)


def write(
    folder: Path,
    *,
    train: int = TRAIN_PER_CLASS,
    test: int = TEST_PER_CLASS,
    seed: int = 0,
    language: str = "ja",
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[Path, ...]:
    """Writes `train` and `test` photos a class (0 … 999) and `classes.csv`; returns the paths of all files written.

    Photos are folder/train/bolt/bolt_001.jpg … and folder/test/…. `classes.csv` (UTF-8 with a byte order mark, which
    Excel needs; read it as "utf-8-sig") comes last and has the columns class, display_name and prompt_names (several,
    separated by "|"). `on_progress(done, total)` is called after each photo. Running again over earlier output is fine.
    Raises DatasetError if the folder holds anything else, or if it cannot be written.
    """
    _check_range("train", train, 0, MAX_PER_CLASS)
    _check_range("test", test, 0, MAX_PER_CLASS)
    _check_range("seed", seed, 0, 2**32 - 1)
    plan = [
        (folder / split / name / f"{name}_{index + 1:03d}.jpg", split, name, index)
        for split, count in zip(SPLITS, (train, test), strict=True)
        for name in CLASS_NAMES
        for index in range(count)
    ]
    classes_file = folder / CLASSES_FILE
    try:
        _refuse_strangers(folder, {path for path, *_ in plan} | {classes_file})
        for done, (path, split, name, index) in enumerate(plan, start=1):
            _save(path, _jpeg(split, name, index, seed))
            if on_progress is not None:
                on_progress(done, len(plan))
        _save(classes_file, _classes_csv(language))
    except OSError as error:
        raise DatasetError(
            "The sample photos cannot be written to {folder}: {cause}.",
            remedy="Choose a folder that you may write to, on a disk with at least 10 MB free.",
            folder=folder,
            cause=error.strerror or error,
        ) from error
    return (*(path for path, *_ in plan), classes_file)


def _generator(seed: int, split: str, class_name: str, index: int, purpose: int = 0) -> np.random.Generator:
    return np.random.default_rng([seed, SPLITS.index(split), CLASS_NAMES.index(class_name), index, purpose])


def _check_range(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise DatasetError(
            "{name} is {value}; it must lie between {low} and {high}.",
            remedy="Choose a number in that range.",
            name=name,
            value=value,
            low=low,
            high=high,
        )


def _refuse_strangers(folder: Path, own: set[Path]) -> None:
    """Nothing of the user's is ever mixed with the sample or overwritten. Raises DatasetError."""
    if folder.exists() and not folder.is_dir():
        raise DatasetError(
            "{folder} is a file, not a folder.", remedy="Choose a new or an empty folder.", folder=folder
        )
    expected = own | {_unfinished(path) for path in own}
    expected |= {parent for path in own for parent in path.parents}
    strangers = sorted(path for path in folder.rglob("*") if path not in expected and path.name not in _DESKTOP_FILES)
    if strangers:
        raise DatasetError(
            "{folder} already holds other things: {example} ({count} in all).",
            remedy="Choose a new or an empty folder for the sample photos.",
            folder=folder,
            example=strangers[0].relative_to(folder),
            count=len(strangers),
        )


def _unfinished(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _save(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = _unfinished(path)
    part.write_bytes(data)
    part.replace(path)


def _jpeg(split: str, class_name: str, index: int, seed: int) -> bytes:
    quality = int(_generator(seed, split, class_name, index, purpose=1).integers(62, 94))
    out = io.BytesIO()
    Image.fromarray(render(class_name, split, index, seed=seed)).save(out, "JPEG", quality=quality)
    return out.getvalue()


def _classes_csv(language: str) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(["class", "display_name", "prompt_names"])
    for one in CLASSES:
        writer.writerow([one.name, one.spec(language).display_name, "|".join(one.prompt_names)])
    return out.getvalue().encode("utf-8-sig")
