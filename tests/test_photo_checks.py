"""The check before training: each finding, its photos, and that what it lets pass can be trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from prolip_core import duplicates, photo_checks, photo_quality, splits
from prolip_core.errors import DatasetError
from prolip_core.photo_checks import Finding, Kind
from prolip_core.storage.records import ClassRow, Photo, Role
from prolip_core.types import ImageRecord, LabelledImage, Quality

BOLT, NUT, WASHER = 1, 2, 3
CLASSES = (ClassRow(BOLT, "Bolt", ("bolt",)), ClassRow(NUT, "ナット", ("nut",)))
GOOD = Quality(0.75, 0.5, 0.2)
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def photo(id_: int, class_id: int, role: Role = "train", *, picture: int | None = None, changed_bits: int = 0) -> Photo:
    """Photos of different `picture` (by default: the id) look different; `changed_bits` makes a near-duplicate of one."""
    seed = id_ if picture is None else picture
    phash = int.from_bytes(np.random.default_rng(seed).bytes(32), "big") ^ ((1 << changed_bits) - 1)
    image_id = hashlib.sha256(f"{seed} {changed_bits}".encode()).hexdigest()
    record = ImageRecord(image_id, f"{id_}.jpg", "JPEG", 640, 480, 1000, phash)
    return Photo(id_, class_id, role, False, record, GOOD, MOMENT)


def photos_of(class_id: int, count: int, role: Role = "train") -> list[Photo]:
    start = 1000 * class_id + (500 if role == "test" else 0)
    return [photo(start + index, class_id, role) for index in range(count)]


def found(photos: Sequence[Photo], classes: Sequence[ClassRow] = CLASSES) -> dict[Kind, Finding]:
    findings = photo_checks.check(classes, photos)
    assert len({one.kind for one in findings}) == len(findings)  # screens name their buttons by the kind
    known = {one.id for one in photos if not one.excluded}
    for one in findings:
        assert set(one.to_exclude) <= set(one.photo_ids) <= known
        assert one.message.text
    return {one.kind: one for one in findings}


FIVE_EACH = [*photos_of(BOLT, 5), *photos_of(NUT, 5)]


def test_good_photos_are_not_remarked_on() -> None:
    assert found(FIVE_EACH) == {}
    assert found([*FIVE_EACH, *photos_of(BOLT, 2, "test"), *photos_of(NUT, 2, "test")]) == {}


def test_a_class_without_photos_forbids_training() -> None:
    (told,) = found(photos_of(BOLT, 5)).values()
    assert (told.kind, told.severity) == ("no_photo", "stop")
    assert told.message.text == "There is no training photo of: ナット."
    # Test photos teach nothing.
    assert found([*photos_of(BOLT, 5), *photos_of(NUT, 5, "test")])["no_photo"].severity == "stop"
    assert found([])["no_photo"].message.values["names"] == "Bolt, ナット"


@pytest.mark.parametrize(
    ("count", "with_test", "kind"),
    [
        (2, False, "too_few_for_folds"),
        (3, False, "too_few"),
        (4, False, None),
        (1, True, "too_few"),
        (3, True, "too_few"),
        (4, True, None),
    ],
)
def test_few_photos_of_a_class(count: int, with_test: bool, kind: Kind | None) -> None:
    tests = [*photos_of(BOLT, 1, "test"), *photos_of(NUT, 1, "test")] if with_test else []
    told = found([*photos_of(BOLT, 4), *photos_of(NUT, count), *tests])
    assert {one for one in told if one.startswith("too_few")} == ({kind} if kind else set())
    if kind:
        assert told[kind].message.values["names"] == "ナット"
        assert told[kind].severity == ("stop" if kind == "too_few_for_folds" else "warn")


def test_copies_do_not_make_a_class_large_enough() -> None:
    copies = [photo(50 + bits, NUT, picture=50, changed_bits=bits) for bits in range(6)]
    told = found([*photos_of(BOLT, 6), *copies])
    assert told["too_few_for_folds"].message.values["names"] == "ナット"
    assert told["copies"].severity == "hint"
    assert told["copies"].photo_ids == tuple(range(50, 56)) and told["copies"].to_exclude == tuple(range(51, 56))
    assert "too_few" in found([*photos_of(BOLT, 6), *photos_of(NUT, 2), *copies])  # three different ones


def test_uneven_classes_are_told_from_more_than_three_times() -> None:
    assert "uneven" not in found([*photos_of(BOLT, 12), *photos_of(NUT, 4)])
    told = found([*photos_of(BOLT, 13), *photos_of(NUT, 4)])["uneven"]
    assert (told.severity, told.message.values) == ("hint", {"low": 4, "high": 13})


def test_a_class_without_test_photos_is_told_only_where_others_have_some() -> None:
    assert "no_test_of_class" not in found(FIVE_EACH)
    told = found([*FIVE_EACH, *photos_of(BOLT, 2, "test")])["no_test_of_class"]
    assert (told.severity, told.message.values["names"]) == ("warn", "ナット")
    # A copy of a training photo is left out of the measurement, so it does not count as a test photo.
    leak = photo(9, NUT, "test", picture=FIVE_EACH[5].id, changed_bits=3)
    assert "no_test_of_class" in found([*FIVE_EACH, *photos_of(BOLT, 2, "test"), leak])


@pytest.mark.parametrize("changed_bits", [0, 40])
def test_copies_of_training_photos_in_the_test_are_taken_out(changed_bits: int) -> None:
    leak = photo(9, BOLT, "test", picture=FIVE_EACH[0].id, changed_bits=changed_bits)
    tests = [*photos_of(BOLT, 1, "test"), *photos_of(NUT, 1, "test")]
    told = found([*FIVE_EACH, leak, *tests])
    assert list(told) == ["copy_in_test"]
    assert (told["copy_in_test"].severity, told["copy_in_test"].to_exclude) == ("warn", (9,))
    assert found([*FIVE_EACH, replace(leak, excluded=True), *tests]) == {}


def test_a_test_of_nothing_but_copies_forbids_training_as_the_engine_does() -> None:
    leaks = [photo(90 + index, one.class_id, "test", picture=one.id) for index, one in enumerate(FIVE_EACH[::5])]
    (told,) = found([*FIVE_EACH, *leaks]).values()
    assert (told.kind, told.severity, told.photo_ids, told.to_exclude) == ("copy_in_test", "stop", (90, 91), (90, 91))
    with pytest.raises(DatasetError) as error:
        split_of([*FIVE_EACH, *leaks])
    assert error.value.reason_text == told.message.text


def split_of(photos: Sequence[Photo]) -> None:
    used = [one for one in photos if not one.excluded]
    groups = dict(zip((one.image_id for one in used), duplicates.groups([one.record for one in used]), strict=True))
    sides = {
        role: [LabelledImage(one.record, one.class_id - 1) for one in used if one.role == role]
        for role in ("train", "test")
    }
    splits.make_split(sides["train"], sides["test"], groups, len(CLASSES))


def test_the_same_photo_in_two_classes_forbids_training() -> None:
    twice = photo(9, NUT, picture=FIVE_EACH[0].id)
    told = found([*FIVE_EACH, twice])
    assert told["same_in_two_classes"].severity == "stop"
    assert set(told["same_in_two_classes"].photo_ids) == {9, FIVE_EACH[0].id}
    assert told["same_in_two_classes"].to_exclude == ()  # which of the two is right, only a person can tell
    assert "two_classes" not in told and "copies" not in told
    assert found([*FIVE_EACH, replace(twice, excluded=True)]) == {}
    # One of them a test photo: a contradiction all the same.
    assert "same_in_two_classes" in found([*FIVE_EACH, replace(twice, role="test")])


def test_a_near_duplicate_in_another_class_is_only_warned_of() -> None:
    alike = photo(9, NUT, picture=FIVE_EACH[0].id, changed_bits=10)
    told = found([*FIVE_EACH, alike])
    assert list(told) == ["two_classes"] and told["two_classes"].severity == "warn"
    assert set(told["two_classes"].photo_ids) == {9, FIVE_EACH[0].id} and told["two_classes"].to_exclude == ()


@pytest.mark.parametrize(
    ("kind", "quality"),
    [
        ("blurred", Quality(0.4, 0.5, 0.2)),
        ("blurred", Quality(0.5, 0.5, 0.2)),  # beside photos of 0.75
        ("dark", Quality(0.1, 0.05, 0.05)),  # not blurred too: a black photo has no edges
        ("bright", Quality(0.1, 0.98, 0.02)),
    ],
)
def test_photos_that_are_hard_to_see_are_told(kind: Kind, quality: Quality) -> None:
    bad = replace(photo(9, BOLT), quality=quality)
    told = found([*FIVE_EACH, bad])
    assert list(told) == [kind]
    assert (told[kind].severity, told[kind].photo_ids, told[kind].to_exclude) == ("hint", (9,), (9,))
    assert found([*FIVE_EACH, replace(bad, excluded=True)]) == {}


def test_soft_material_is_not_called_blurred_because_other_projects_are_sharper() -> None:
    assert found([replace(one, quality=Quality(0.5, 0.5, 0.2)) for one in FIVE_EACH]) == {}


def test_no_button_takes_out_most_of_the_photos() -> None:
    blurred = [replace(one, quality=Quality(0.3, 0.5, 0.2)) for one in FIVE_EACH]
    told = found(blurred)["blurred"]
    assert len(told.photo_ids) == 10 and told.to_exclude == ()
    assert len(found([*blurred[:5], *FIVE_EACH[5:]])["blurred"].to_exclude) == 5


def test_tiny_photos_are_told_by_their_shorter_side() -> None:
    limit = photo_quality.TINY_SIDE_PX
    sizes = {7: (limit, 300), 8: (limit - 1, 300), 9: (300, limit - 1)}
    small = [
        replace(photo(id_, BOLT), record=replace(photo(id_, BOLT).record, width_px=width_px, height_px=height_px))
        for id_, (width_px, height_px) in sizes.items()
    ]
    assert found([*FIVE_EACH, *small])["tiny"].photo_ids == (8, 9)


def test_the_gravest_comes_first() -> None:
    blurred = replace(photo(9, BOLT), quality=Quality(0.3, 0.5, 0.2))
    alike = photo(10, NUT, picture=FIVE_EACH[0].id, changed_bits=10)
    third = ClassRow(WASHER, "Washer", ("washer",))
    severities = [one.severity for one in photo_checks.check((*CLASSES, third), [blurred, *FIVE_EACH, alike])]
    assert severities == ["stop", "warn", "hint"]


def test_chosen_test_photos_leave_a_project_that_can_be_trained_and_measured() -> None:
    copies = [photo(3000 + bits, BOLT, picture=3000, changed_bits=bits) for bits in range(3)]
    photos = [*photos_of(BOLT, 8), *copies, *photos_of(NUT, 7)]
    for seed in range(20):
        chosen = set(photo_checks.choose_test(photos, 3, seed))
        assert len(chosen & {one.id for one in photos if one.class_id == NUT}) == 3
        bolts = chosen & {one.id for one in photos if one.class_id == BOLT}
        assert 1 <= len(bolts) <= 3 and len(bolts & {one.id for one in copies}) in (0, 3)
        after = [replace(one, role="test") if one.id in chosen else one for one in photos]
        assert {"copy_in_test", "no_test_of_class", "no_photo"}.isdisjoint(found(after))
        split_of(after)


def test_the_choice_is_random_but_repeatable() -> None:
    photos = [*photos_of(BOLT, 20), *photos_of(NUT, 20)]
    assert photo_checks.choose_test(photos, 3, 1) == photo_checks.choose_test(photos, 3, 1)
    assert len({photo_checks.choose_test(photos, 3, seed) for seed in range(5)}) == 5


@pytest.mark.parametrize(("count", "taken"), [(1, 0), (2, 0), (3, 1), (4, 2), (10, 5)])
def test_every_class_keeps_two_photos_to_learn_from(count: int, taken: int) -> None:
    assert len(photo_checks.choose_test(photos_of(BOLT, count), 5)) == taken


def test_only_training_photos_that_are_in_use_are_chosen() -> None:
    away = [replace(one, excluded=True) for one in photos_of(NUT, 6)]
    assert photo_checks.choose_test([*away, *photos_of(BOLT, 6, "test")], 2) == ()
    # A photo whose copy stands in another class would be a copy of a training photo there.
    torn = [photo(20, BOLT), photo(21, NUT, picture=20, changed_bits=5)]
    for seed in range(10):
        assert not {20, 21} & set(photo_checks.choose_test([*photos_of(BOLT, 4), *torn, *photos_of(NUT, 4)], 2, seed))


def test_a_large_group_of_copies_is_taken_only_where_nothing_else_is_there() -> None:
    copies = [
        [photo(100 * group + bits, BOLT, picture=group, changed_bits=bits) for bits in range(4)] for group in (1, 2, 3)
    ]
    photos = [one for group in copies for one in group]
    assert len(photo_checks.choose_test(photos, 2)) == 4
    assert photo_checks.choose_test(photos, 0) == ()
    assert len(photo_checks.choose_test([*photos, photo(999, BOLT)], 2)) == 1
