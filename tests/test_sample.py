"""The built-in sample photos: what they promise about numbers, sameness and the folder they are written to."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from prolip_core import sample
from prolip_core.errors import DatasetError


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("class_name", sample.CLASS_NAMES)
def test_a_photo_is_a_colour_picture_with_something_on_it(class_name: str) -> None:
    photo = sample.render(class_name, "train", 0, side_px=128)
    assert photo.shape == (128, 128, 3)
    assert photo.dtype == np.uint8
    assert photo.std() > 8
    assert 25 < photo.mean() < 230


@pytest.mark.parametrize("side_px", [64, 97, 320])
def test_the_side_is_as_asked_also_when_odd(side_px: int) -> None:
    assert sample.render("gear", "test", 1, side_px=side_px).shape == (side_px, side_px, 3)


def test_the_same_arguments_give_the_same_pixels_in_any_order() -> None:
    asked = [(name, split, index) for name in sample.CLASS_NAMES for split in sample.SPLITS for index in (0, 5)]
    forward = {key: sample.render(*key, side_px=64) for key in asked}
    for key in reversed(asked):
        np.testing.assert_array_equal(sample.render(*key, side_px=64), forward[key])


def test_no_two_photos_are_alike() -> None:
    """Neither within a class, nor between train and test, nor between seeds: correlation of small grey pictures."""
    keys = [
        (name, split, index, seed)
        for name in sample.CLASS_NAMES
        for split in sample.SPLITS
        for index in (0, 1)
        for seed in (0, 1)
    ]
    rows = np.stack(
        [
            sample.render(name, split, index, seed=seed, side_px=64).mean(axis=2).ravel()
            for name, split, index, seed in keys
        ]
    )
    alike = np.corrcoef(rows) - np.eye(len(keys))
    assert alike.max() < 0.95


def test_write_makes_every_photo_and_the_class_list(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    written = sample.write(tmp_path / "new" / "s", train=2, test=1, on_progress=lambda a, b: calls.append((a, b)))
    folder = tmp_path / "new" / "s"
    expected = [f"train/{name}/{name}_{n:03d}.jpg" for name in sample.CLASS_NAMES for n in (1, 2)]
    expected += [f"test/{name}/{name}_001.jpg" for name in sample.CLASS_NAMES]
    assert _files(folder) == sorted([*expected, "classes.csv"])
    assert sorted(path.relative_to(folder).as_posix() for path in written) == _files(folder)
    assert calls == [(k, 15) for k in range(1, 16)]
    for path in written:
        if path.suffix == ".jpg":
            with Image.open(path) as picture:
                picture.load()
                assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (320, 320))


def test_a_file_shows_the_rendered_photo(tmp_path: Path) -> None:
    sample.write(tmp_path, train=2, test=1, seed=3)
    with Image.open(tmp_path / "train/nut/nut_002.jpg") as picture:
        shown = np.asarray(picture).astype(int)
    assert np.abs(shown - sample.render("nut", "train", 1, seed=3)).mean() < 8
    assert np.abs(shown - sample.render("nut", "train", 0, seed=3)).mean() > 16
    assert np.abs(shown - sample.render("nut", "test", 1, seed=3)).mean() > 16


def test_counts_change_no_other_photo_and_a_second_run_changes_nothing(tmp_path: Path) -> None:
    sample.write(tmp_path / "a", train=1, test=1)
    sample.write(tmp_path / "b", train=2, test=1)
    few = {name: (tmp_path / "a" / name).read_bytes() for name in _files(tmp_path / "a")}
    assert all((tmp_path / "b" / name).read_bytes() == data for name, data in few.items())
    sample.write(tmp_path / "a", train=1, test=1)
    assert {name: (tmp_path / "a" / name).read_bytes() for name in _files(tmp_path / "a")} == few


@pytest.mark.parametrize(("language", "bolt", "gear"), [("ja", "ボルト", "歯車"), ("en", "Bolt", "Gear")])
def test_class_list(tmp_path: Path, language: str, bolt: str, gear: str) -> None:
    sample.write(tmp_path, train=0, test=0, language=language)
    with (tmp_path / "classes.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == list(sample.CLASS_NAMES)
    assert (rows[0]["display_name"], rows[-1]["display_name"]) == (bolt, gear)
    specs = sample.class_specs(language)
    assert [(row["display_name"], tuple(row["prompt_names"].split("|"))) for row in rows] == [
        (spec.display_name, spec.prompt_names) for spec in specs
    ]
    assert all(name.isascii() for spec in specs for name in spec.prompt_names)


@pytest.mark.parametrize("stranger", ["notes.txt", "train/bolt/mine.jpg", "train/bolt/bolt_002.jpg", "train/screw"])
def test_a_folder_with_other_things_is_refused_and_left_alone(tmp_path: Path, stranger: str) -> None:
    path = tmp_path / stranger
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix:
        path.write_bytes(b"mine")
    else:
        path.mkdir()
    before = _files(tmp_path)
    with pytest.raises(DatasetError, match=path.name) as caught:
        sample.write(tmp_path, train=1, test=1)
    assert "empty folder" in caught.value.remedy_text
    assert _files(tmp_path) == before


def test_leftovers_of_an_interrupted_run_and_of_the_desktop_are_no_strangers(tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done == 3:
            raise Stop

    with pytest.raises(Stop):
        sample.write(tmp_path, train=1, test=0, on_progress=stop)
    assert not (tmp_path / "classes.csv").exists()
    (tmp_path / "train/gear").mkdir()
    (tmp_path / "train/gear/gear_001.jpg.part").write_bytes(b"half")
    (tmp_path / ".DS_Store").write_bytes(b"")
    sample.write(tmp_path, train=1, test=0)
    assert len(_files(tmp_path)) == 5 + 2
    assert not list(tmp_path.rglob("*.part"))


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(DatasetError, match="is a file, not a folder"):
        sample.write(tmp_path / "file", train=1, test=0)
    with pytest.raises(DatasetError, match="cannot be written") as caught:
        sample.write(tmp_path / "file" / "below", train=1, test=0)
    assert str(tmp_path / "file" / "below") in str(caught.value)


@pytest.mark.parametrize(
    ("class_name", "split", "index", "seed", "side_px", "shown"),
    [
        ("screw", "train", 0, 0, 64, "screw"),
        ("bolt", "validation", 0, 0, 64, "validation"),
        ("bolt", "train", -1, 0, 64, "index is -1"),
        ("bolt", "train", 0, -1, 64, "seed is -1"),
        ("bolt", "train", 0, 0, 20, "side_px is 20"),
    ],
)
def test_what_is_not_there_is_refused(
    class_name: str, split: str, index: int, seed: int, side_px: int, shown: str
) -> None:
    with pytest.raises(DatasetError, match=shown):
        sample.render(class_name, split, index, seed=seed, side_px=side_px)


@pytest.mark.parametrize("options", [{"train": -1}, {"test": 1000}, {"seed": 2**32}])
def test_write_refuses_numbers_out_of_range_before_it_touches_the_disk(tmp_path: Path, options: dict[str, int]) -> None:
    train, test, seed = (options.get(name, 1) for name in ("train", "test", "seed"))
    with pytest.raises(DatasetError, match="must lie between"):
        sample.write(tmp_path / "s", train=train, test=test, seed=seed)
    assert not (tmp_path / "s").exists()
