"""The rule that calls two class names alike."""

from __future__ import annotations

import math

import pytest

from prolip_core import likeness
from prolip_core.likeness import PHOTO_SHARE, WARN_FROM
from prolip_core.types import ClassSpec

STARTER_SCALE, CLIP_SCALE = 12.0, 100.0


def test_it_is_the_softmax_over_the_two_classes_for_a_photo_with_its_share_of_the_sentence() -> None:
    """Done anew as a loop over vectors: x has the share a of t_0 and else nothing that tells about either class."""
    cosine, scale = 0.6, 20.0
    own, other = (1.0, 0.0), (cosine, math.sqrt(1 - cosine**2))
    photo = (PHOTO_SHARE, 0.0)
    logits = [scale * sum(x * t for x, t in zip(photo, text, strict=True)) for text in (own, other)]
    expected = math.exp(logits[1]) / sum(map(math.exp, logits))
    assert likeness.mistaken_share(cosine, scale) == pytest.approx(expected)


def test_equal_sentences_are_a_toss_of_a_coin_and_nothing_is_worse() -> None:
    assert likeness.mistaken_share(1.0, CLIP_SCALE) == 0.5
    assert likeness.mistaken_share(1.0000001, CLIP_SCALE) == 0.5
    assert likeness.mistaken_share(-1.0, 1e9) == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("cosine", "scale", "alike"),
    [
        # measured with the starter, template "a photo of a {}."
        (0.989, STARTER_SCALE, True),  # shirt, t-shirt
        (0.865, STARTER_SCALE, True),  # soy milk, oat milk
        (0.597, STARTER_SCALE, False),  # almond milk, metal nut
        (0.206, STARTER_SCALE, False),  # cat, dog
        # a CLIP with scaled logits: everyday things lie near 0.9 of each other
        (0.985, CLIP_SCALE, True),
        (0.92, CLIP_SCALE, False),
    ],
)
def test_it_warns_where_it_should_whatever_the_model_calls_near(cosine: float, scale: float, alike: bool) -> None:
    pairs = likeness.alike_pairs([[1.0, cosine], [cosine, 1.0]], scale)
    assert bool(pairs) is alike
    assert (likeness.mistaken_share(cosine, scale) >= WARN_FROM) is alike


def test_pairs_are_named_once_and_the_worst_comes_first() -> None:
    matrix = [[1.0, 0.9, 0.1], [0.9, 1.0, 0.97], [0.1, 0.97, 1.0]]
    assert [(pair.first, pair.second) for pair in likeness.alike_pairs(matrix, 12.0)] == [(1, 2), (0, 1)]


def test_the_matrix_holds_the_share_of_every_pair() -> None:
    matrix = likeness.mistaken_matrix([[1.0, 0.3], [0.3, 1.0]], 10.0)
    assert matrix[0][0] == matrix[1][1] == 0.5
    assert matrix[0][1] == matrix[1][0] == likeness.mistaken_share(0.3, 10.0)


def test_names_that_the_model_cannot_read_are_found_unless_it_reads_many_languages() -> None:
    classes = [ClassSpec("牛乳", ("cow milk", "牛乳")), ClassSpec("豆乳", ("soy milk",))]
    assert likeness.unreadable_names(classes, "English") == ((0, "牛乳"),)
    assert likeness.unreadable_names(classes, "Many languages, Japanese included") == ()


def test_the_same_names_in_another_order_are_the_same_names() -> None:
    classes = [ClassSpec("a", ("nut", "hex nut")), ClassSpec("b", ("bolt",)), ClassSpec("c", ("hex nut", "nut"))]
    assert likeness.same_names(classes) == ((0, 2),)
