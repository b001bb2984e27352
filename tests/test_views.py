"""Augmented views: within the photo, within the paper's ranges, and the same for everybody."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from prolip_core import views


@settings(max_examples=200, deadline=None)
@given(view=st.integers(1, 50), width=st.integers(1, 3000), height=st.integers(1, 3000), seed=st.integers(0, 3))
def test_every_crop_lies_within_the_photo(view: int, width: int, height: int, seed: int) -> None:
    crop = views.crop_of("abc", view, seed, width, height)
    assert crop.top >= 0 and crop.top + crop.height <= height
    assert crop.left >= 0 and crop.left + crop.width <= width
    assert crop.height >= 1 and crop.width >= 1


def test_area_aspect_and_mirroring_follow_the_recipe() -> None:
    crops = [views.crop_of(f"photo-{i}", 1, 0, 640, 480) for i in range(2000)]
    areas = [crop.width * crop.height / (640 * 480) for crop in crops]
    aspects = [crop.width / crop.height for crop in crops]
    assert min(areas) > 0.49 and max(areas) <= 1.0
    assert min(aspects) > 0.74 and max(aspects) < 1.35
    # Uniform area would average 0.75; boxes that do not fit are drawn again, which takes away some of the large ones.
    assert 0.65 < sum(areas) / len(areas) < 0.78
    assert 0.45 < sum(crop.flip for crop in crops) / len(crops) < 0.55
    assert len({(crop.top, crop.left) for crop in crops}) > 1000


def test_a_view_depends_on_photo_number_and_seed_only() -> None:
    first = views.crop_of("a", 1, 0, 640, 480)
    assert views.crop_of("a", 1, 0, 640, 480) == first
    others = [
        views.crop_of("b", 1, 0, 640, 480),
        views.crop_of("a", 2, 0, 640, 480),
        views.crop_of("a", 1, 1, 640, 480),
    ]
    assert first not in others
    assert first.box == (first.top, first.left, first.height, first.width)


def test_a_very_long_photo_gets_a_central_box_of_an_allowed_aspect() -> None:
    for width, height in ((2000, 100), (100, 2000)):
        crop = views.crop_of("a", 1, 0, width, height)
        assert math.isclose(max(crop.width / crop.height, crop.height / crop.width), 4 / 3, rel_tol=0.02)
        assert abs(2 * crop.left + crop.width - width) <= 1
        assert abs(2 * crop.top + crop.height - height) <= 1
