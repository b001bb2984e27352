"""Which photos to ask about first: against a slow loop that looks at every pair anew."""

from __future__ import annotations

import numpy as np
import pytest

from prolip_core import offering


def slow_order(image_ND: np.ndarray, probs_NC: np.ndarray, known_MD: np.ndarray) -> list[int]:
    """The definition in words, photo by photo and pair by pair."""
    taken: list[int] = []
    while len(taken) < len(image_ND):
        worth = {}
        for i in range(len(image_ND)):
            if i in taken:
                continue
            first, second = sorted(probs_NC[i], reverse=True)[:2]
            distances = [1 - float(np.dot(image_ND[i], other)) for other in known_MD]
            distances += [1 - float(np.dot(image_ND[i], image_ND[j])) for j in taken]
            worth[i] = (1 - (first - second)) * max(0.0, min([2.0, *distances]))
        taken.append(max(worth, key=lambda i: (round(worth[i], 12), -i)))
    return taken


def problem(seed: int, count: int, known: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(count + known, 5))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors[:count], random.dirichlet(np.ones(4), size=count), vectors[count:]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("known", [0, 1, 7])
def test_the_order_is_that_of_the_slow_loop(seed: int, known: int) -> None:
    image_ND, probs_NC, known_MD = problem(seed, 12, known)
    found = offering.order(image_ND, probs_NC, known_MD)
    assert found == slow_order(image_ND, probs_NC, known_MD)
    assert sorted(found) == list(range(12))


def test_of_two_photos_that_look_the_same_the_second_waits() -> None:
    image_ND = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    probs_NC = np.array([[0.5, 0.5], [0.51, 0.49], [0.8, 0.2]])
    assert offering.order(image_ND, probs_NC, np.array([[-1.0, 0.0]])) == [0, 2, 1]


def test_a_photo_that_is_known_already_and_one_that_is_certain_come_last() -> None:
    image_ND = np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    probs_NC = np.array([[0.5, 0.5], [0.6, 0.4], [1.0, 0.0]])
    assert offering.order(image_ND, probs_NC, np.array([[1.0, 0.0]]))[0] == 1


def test_nothing_has_no_order() -> None:
    assert offering.order(np.zeros((0, 3)), np.zeros((0, 2)), np.zeros((0, 3))) == []


def test_margins() -> None:
    assert offering.margins(np.array([[0.2, 0.7, 0.1], [0.5, 0.0, 0.5]])) == pytest.approx([0.5, 0.0])
