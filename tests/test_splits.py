"""No photo, and no near-duplicate of one, is ever on both sides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prolip_core import splits
from prolip_core.errors import DatasetError
from tests.fakes import labelled


def test_a_query_photo_that_resembles_a_support_photo_is_dropped() -> None:
    support = [labelled("a1", 0), labelled("b1", 1)]
    query = [labelled("a1-again", 0), labelled("a2", 0), labelled("b2", 1)]
    groups = {image.image_id: index for index, image in enumerate([*support, *query])}
    groups[query[0].image_id] = groups[support[0].image_id]
    split = splits.make_split(support, query, groups, 2)
    assert split.support == tuple(support)
    assert split.query == tuple(query[1:])
    assert split.dropped == (query[0],)


def test_a_split_that_leaves_nothing_is_an_error() -> None:
    support, query = [labelled("a", 0), labelled("b", 1)], [labelled("c", 0)]
    same = {image.image_id: 0 for image in [*support, *query]}
    with pytest.raises(DatasetError, match="All 1 test photos"):
        splits.make_split(support, query, same, 2)
    with pytest.raises(DatasetError, match="Class number 3"):
        splits.make_split(support, [], same, 3)


@settings(deadline=None, max_examples=60)
@given(data=st.data(), seed=st.integers(0, 5), n_classes=st.integers(2, 4))
def test_folds_hold_every_photo_out_once_and_keep_groups_whole(data: st.DataObject, seed: int, n_classes: int) -> None:
    labels: list[int] = []
    groups: list[int] = []
    for label in range(n_classes):
        sizes = data.draw(st.lists(st.integers(1, 6), min_size=3, max_size=7))
        for size in sizes:
            group = len(set(groups))
            labels += [label] * size
            groups += [group] * size
    pairs = splits.folds(labels, groups, n_classes, n_folds=5, seed=seed)
    held_out = np.concatenate([held for _, held in pairs])
    assert sorted(held_out.tolist()) == list(range(len(labels)))
    for fit, held in pairs:
        assert not {groups[i] for i in fit} & {groups[i] for i in held}
        assert {labels[i] for i in fit} == set(range(n_classes))
        assert len(held) > 0


def test_folds_are_stratified() -> None:
    labels = [0] * 20 + [1] * 10
    for _, held in splits.folds(labels, list(range(30)), 2, n_folds=5, seed=0):
        assert sum(labels[i] == 0 for i in held) == 4


def test_folds_depend_on_the_seed_alone() -> None:
    labels = [0, 1] * 10
    first, again, other = (
        [held.tolist() for _, held in splits.folds(labels, list(range(20)), 2, n_folds=4, seed=seed)]
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_two_photos_are_too_few_also_when_they_are_six_copies() -> None:
    with pytest.raises(DatasetError, match="the smallest class has 2"):
        splits.folds([0, 0, 0, 1, 1, 1, 1], [0, 1, 2, 3, 3, 4, 4], 2, n_folds=5, seed=0)


def test_a_group_over_two_classes_does_not_empty_a_class() -> None:
    labels = [0, 0, 0, 0, 1, 1, 1, 1]
    groups = [0, 1, 2, 3, 0, 1, 2, 3]
    for fit, held in splits.folds(labels, groups, 2, n_folds=4, seed=0):
        assert not {groups[i] for i in fit} & {groups[i] for i in held}


@settings(deadline=None, max_examples=100)
@given(data=st.data())
def test_folds_are_whole_or_refused_however_groups_lie(data: st.DataObject) -> None:
    labels = [0] * 6 + [1] * 6
    groups = data.draw(st.lists(st.integers(0, 7), min_size=12, max_size=12))
    try:
        pairs = splits.folds(labels, groups, 2, n_folds=4, seed=0)
    except DatasetError:
        return
    assert sorted(i for _, held in pairs for i in held) == list(range(12))
    for fit, held in pairs:
        assert {labels[i] for i in fit} == {0, 1}
        assert not {groups[i] for i in fit} & {groups[i] for i in held}
