"""Orders, covers, captions and pictures of maps whose answer is plain to see; rim against middle on made-up answers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, fisher_exact

from prolip_core import heat, heat_overlay, images
from prolip_core.studies import look_rim
from prolip_core.types import Box, Note
from tests import image_factory

SEEN = np.ones((8, 8), dtype=bool)
WHOLE = Box(0.0, 0.0, 1.0, 1.0)


def spot(rows: slice, columns: slice, value: float = 1.0) -> np.ndarray:
    found = np.zeros((8, 8))
    found[rows, columns] = value
    return found


def test_the_hottest_cells_come_first_and_only_those_on_the_photo() -> None:
    map_GG = np.arange(64.0).reshape(8, 8)
    seen = SEEN.copy()
    seen[7] = False
    ranked = heat.order(map_GG, seen)
    assert ranked.tolist() == list(range(55, -1, -1))
    cover = heat.first(ranked, 0.2, (8, 8))
    assert np.flatnonzero(cover).tolist() == list(range(45, 56))  # 11 of 56
    assert heat.first(ranked, 0.001, (8, 8)).sum() == 1


def test_the_area_under_a_curve() -> None:
    assert heat.area_under((0.0, 0.5, 1.0), (1.0, 0.5, 0.0)) == pytest.approx(0.5)
    assert heat.area_under((0.0, 0.2, 1.0), (1.0, 0.0, 0.0)) == pytest.approx(0.1)
    assert heat.area_under((0.0, 0.5), (1.0, 1.0)) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("map_GG", "place"),
    [
        (spot(slice(0, 2), slice(0, 2)), "the upper left"),
        (spot(slice(0, 3), slice(3, 5)), "the upper middle"),
        (spot(slice(0, 2), slice(6, 8)), "the upper right"),
        (spot(slice(3, 5), slice(0, 3)), "the left side"),
        (spot(slice(2, 6), slice(2, 6)), "the middle"),
        (spot(slice(3, 5), slice(6, 8)), "the right side"),
        (spot(slice(6, 8), slice(0, 2)), "the lower left"),
        (spot(slice(6, 8), slice(2, 6)), "the lower middle"),
        (spot(slice(6, 8), slice(6, 8)), "the lower right"),
    ],
)
def test_a_spot_is_named_by_its_place(map_GG: np.ndarray, place: str) -> None:
    said = heat.caption(map_GG - 0.1, SEEN)
    assert said.text == f"It looked mainly at {place} of the photo."
    assert isinstance(said.values["place"], Note)


def test_what_is_spread_or_nowhere_is_said_to_be() -> None:
    assert "spread" in heat.caption(np.ones((8, 8)), SEEN).text
    two_ends = spot(slice(0, 2), slice(0, 2)) + spot(slice(6, 8), slice(6, 8), 1.1)
    assert "lower right" in heat.caption(two_ends, SEEN).text
    four_ends = spot(slice(0, 2), slice(0, 8)) + spot(slice(6, 8), slice(0, 8))
    assert "spread" in heat.caption(four_ends, SEEN).text
    for faint in (np.zeros((8, 8)), -np.ones((8, 8)), spot(slice(0, 2), slice(0, 2), 0.9 * heat.LEAST_NATS)):
        assert "No single area" in heat.caption(faint, SEEN).text
    # What lies beside the photo does not count.
    seen = SEEN.copy()
    seen[:2] = False
    assert "lower left" in heat.caption(spot(slice(0, 2), slice(0, 8), 9.0) + spot(slice(6, 8), slice(0, 2)), seen).text


@pytest.mark.parametrize("rows", [slice(2, 6), slice(3, 5), slice(0, 8)])
def test_an_even_map_of_a_long_photo_is_spread(rows: slice) -> None:
    """Half of the picture is frame in a photo of 2 to 1; a quarter of the picture would hold half of the photo."""
    seen = np.zeros((8, 8), dtype=bool)
    seen[rows] = True
    noisy = 1 + 0.1 * np.random.default_rng(0).normal(size=(8, 8))
    for one, on_photo in ((noisy, seen), (noisy.T, seen.T)):
        assert "spread" in heat.caption(one, on_photo).text


def test_a_spot_on_a_long_photo_is_named_by_its_place_on_the_photo() -> None:
    wide = np.zeros((8, 8), dtype=bool)
    wide[2:6] = True
    assert "the upper left of" in heat.caption(spot(slice(2, 4), slice(0, 3)), wide).text
    assert "the lower right of" in heat.caption(spot(slice(4, 6), slice(5, 8)), wide).text
    tall = np.zeros((8, 8), dtype=bool)
    tall[:, 3:5] = True
    assert "the upper middle of" in heat.caption(spot(slice(0, 3), slice(3, 5)), tall).text
    assert "the middle of" in heat.caption(spot(slice(3, 5), slice(3, 5)), tall).text


# The picture.


def grey(width: int, height: int) -> np.ndarray:
    return np.full((height, width, 3), 100, dtype=np.uint8)


def test_the_picture_is_warm_where_the_map_is() -> None:
    map_GG = spot(slice(0, 4), slice(4, 8))
    drawn = heat_overlay.draw(grey(240, 160), map_GG, map_GG > 0, WHOLE).astype(int)
    assert drawn.shape == (160, 240, 3)
    red_over_blue = drawn[..., 0] - drawn[..., 2]
    assert (red_over_blue[5:60, 140:230] > 150).all()
    assert (red_over_blue[100:] == 0).all() and (red_over_blue[:, :100] == 0).all()
    # A white line just inside the marked area, a dark one inside that.
    assert drawn[40, 120].tolist() == [255, 255, 255] and drawn[40, 121].tolist() == [0, 0, 0]
    assert drawn[79, 180].tolist() == [255, 255, 255]


def test_the_map_lies_on_the_part_that_is_seen() -> None:
    map_GG = spot(slice(0, 8), slice(0, 4))
    crop = Box(0.25, 0.0, 0.75, 1.0)
    drawn = heat_overlay.draw(grey(240, 120), map_GG, map_GG > 5, crop).astype(int)
    warm = drawn[60, :, 0] - drawn[60, :, 2]
    assert (warm[62:110] > 100).all() and (warm[130:] == 0).all() and (warm[:60] == 0).all()
    assert drawn[60, 30, 0] == 35 and drawn[60, 150, 0] == 100  # the ends that are cropped away are dark
    # A long photo in its frame: the map's middle rows lie on it.
    rows = spot(slice(0, 4), slice(0, 8))
    drawn = heat_overlay.draw(grey(240, 60), rows, rows > 5, Box(0.0, -1.5, 1.0, 2.5)).astype(int)
    warm = drawn[:, 120, 0] - drawn[:, 120, 2]
    assert (warm[:22] > 80).all() and (warm[46:] == 0).all()


def test_a_map_that_shows_nothing_stays_without_colour() -> None:
    drawn = heat_overlay.draw(grey(60, 60), spot(slice(0, 4), slice(0, 4), 0.9 * heat.LEAST_NATS), ~SEEN, WHOLE)
    assert (drawn == 100).all()


def test_small_pictures_and_files() -> None:
    data = image_factory.jpeg(1)
    small = images.small(data, "a.jpg", 40)
    assert max(small.shape[:2]) == 40 and small.dtype == np.uint8
    again = images.small(images.png(small), "a.png", 40)
    assert (again == small).all()


# Rim against middle.


def sides(rim_right: int, middle_right: int, both: int, neither: int, label: int, other: int) -> list[tuple[int, int]]:
    return (
        [(label, other)] * rim_right
        + [(other, label)] * middle_right
        + [(label, label)] * both
        + [(other, other)] * neither
    )


def test_a_class_that_the_rim_gives_away_is_named() -> None:
    """Class 0: 10 photos right by the rim alone; class 1 by the middle alone; class 2 by neither."""
    answers = [*sides(10, 0, 2, 0, 0, 2), *sides(0, 10, 1, 1, 1, 2), *sides(1, 2, 3, 2, 2, 1)]
    labels = [0] * 12 + [1] * 12 + [2] * 8
    whole = [0] * 11 + [1] + [1] * 12 + [2] * 8
    rim, middle, open_ = look_rim.rim_against_middle(labels, whole, answers, 4)
    assert [one.verdict for one in (rim, middle, open_)] == ["rim", "middle", "open"]
    assert (rim.whole.count, rim.whole.total, rim.by_rim.count, rim.by_middle.count) == (11, 12, 12, 2)
    assert (rim.only_rim, rim.only_middle) == (10, 0) and (middle.only_rim, middle.only_middle) == (0, 10)
    assert (open_.by_rim.count, open_.by_middle.count, open_.only_rim, open_.only_middle) == (4, 5, 1, 2)
    # Benjamini and Hochberg by hand: the two smallest of three p values count 3/2 times.
    p = binomtest(0, 10).pvalue
    assert rim.p == pytest.approx(1.5 * p) and middle.p == pytest.approx(1.5 * p) and open_.p == 1.0
    assert (rim.others_by_rim.count, rim.others_by_rim.total) == (0, 20)
    assert rim.p_others == pytest.approx(fisher_exact([[12, 0], [0, 20]], alternative="greater").pvalue)


def test_a_name_that_any_rim_gets_is_no_evidence() -> None:
    """Every photo with its middle covered is called class 0."""
    answers = [*sides(12, 0, 0, 0, 0, 1), *([(0, 1)] * 12)]
    found = look_rim.rim_against_middle([0] * 12 + [1] * 12, [0] * 12 + [1] * 12, answers, 2)
    assert found[0].p < look_rim.LIMIT < found[0].p_others and found[0].verdict == "open"
    assert found[1].verdict == "middle"


@pytest.mark.parametrize("n_classes", [1, 2, 10, 40])
def test_so_many_photos_a_verdict_on_one_class_takes(n_classes: int) -> None:
    """All of them right by the rim alone, and nothing to be said of the other classes: Benjamini and Hochberg take p times C."""
    least = look_rim.least_photos(n_classes)
    enough, too_few = (n_classes * binomtest(0, count).pvalue for count in (least, least - 1))
    assert enough < look_rim.LIMIT <= too_few
    answers = [*([(0, 1)] * least), *([(n_classes, n_classes)] * (n_classes - 1))]
    labels = [0] * least + list(range(1, n_classes))
    assert look_rim.rim_against_middle(labels, labels, answers, n_classes + 1)[0].p == pytest.approx(enough)


def test_few_photos_give_no_verdict() -> None:
    found = look_rim.rim_against_middle(
        [0] * 5 + [1] * 5, [0] * 10, [*sides(5, 0, 0, 0, 0, 1), *sides(0, 0, 5, 0, 1, 0)], 2
    )
    assert [one.verdict for one in found] == ["open", "open"]
