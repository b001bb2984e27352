"""The check before training, in plain words: what forbids it or would make its result worse, each with its photos."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from prolip_core import duplicates, photo_quality
from prolip_core.splits import MIN_PER_CLASS_FOR_FOLDS
from prolip_core.storage.records import ClassRow, Photo
from prolip_core.types import Note

Kind = Literal[
    "no_photo", "too_few_for_folds", "too_few", "no_test_of_class", "uneven", "copies", "copy_in_test", "same_in_two_classes",
    "two_classes", "blurred", "dark", "bright", "tiny",
]  # fmt: skip
Severity = Literal["stop", "warn", "hint"]
FEW = 4
"""Fewer photos of a class than this are told: the paper's accuracy rises steeply up to four."""

UNEVEN = 3
"""A class with more than this many times the photos of another is told."""

WHOLESALE = 0.5
"""If more than this share of the photos look blurred, dark, bright or tiny, that is how these photos are: it is told, but no
button takes them all out."""


@dataclass(frozen=True)
class Finding:
    """One thing that was found. `photo_ids`: the photos it is about; `to_exclude`: those that the button takes out (empty: there
    is nothing to take out). severity: "stop" forbids a training, "warn" makes its result doubtful, "hint" may be ignored."""

    kind: Kind
    severity: Severity
    message: Note
    photo_ids: tuple[int, ...] = ()
    to_exclude: tuple[int, ...] = ()


def check(classes: Sequence[ClassRow], photos: Sequence[Photo]) -> tuple[Finding, ...]:
    """Everything worth telling about these photos, the gravest first. Excluded photos are passed over.

    Whatever would make a training fail for want of the right photos is a "stop" here. A test photo that is a copy of a training
    photo measures nothing (`splits.make_split` leaves it out), so it does not count as a test photo.
    """
    used = [photo for photo in photos if not photo.excluded]
    group_of = _groups(used)
    taught = {group_of[photo.id] for photo in used if photo.role == "train"}
    leaked = {photo.id for photo in used if photo.role == "test" and group_of[photo.id] in taught}
    found = [
        *_counts(classes, used, group_of, leaked),
        *_in_two_classes(used, group_of),
        *_leaks(used, leaked),
        *_copies(used, group_of),
        *_quality(used),
    ]
    order = {"stop": 0, "warn": 1, "hint": 2}
    return tuple(sorted(found, key=lambda finding: order[finding.severity]))


def choose_test(photos: Sequence[Photo], per_class: int, seed: int = 0) -> tuple[int, ...]:
    """Ids of training photos to set aside for testing: `per_class` of every class or somewhat fewer, chosen at random.

    Near-duplicates stay together, so that no test photo has a copy among the training photos; a group larger than `per_class` is
    taken only where there is no smaller one. Every class keeps two different photos to learn from.
    """
    training = [photo for photo in photos if photo.role == "train" and not photo.excluded]
    group_of = _groups(training)
    members: dict[int, list[Photo]] = defaultdict(list)
    for photo in training:
        members[group_of[photo.id]].append(photo)
    chosen: list[int] = []
    random = np.random.default_rng(seed)
    for class_id in dict.fromkeys(photo.class_id for photo in training):
        groups = [group for group, of_group in members.items() if {photo.class_id for photo in of_group} == {class_id}]
        shuffled = [members[int(group)] for group in random.permutation(groups)]
        chosen += [photo.id for group in _some_of(shuffled, per_class) for photo in group]
    return tuple(chosen)


def _some_of(groups: Sequence[list[Photo]], wanted: int) -> list[list[Photo]]:
    """Groups with `wanted` photos in all or somewhat fewer, so that at least two groups are left."""
    spare = len(groups) - 2
    found: list[list[Photo]] = []
    for group in groups:
        if len(found) < spare and sum(map(len, found)) + len(group) <= wanted:
            found.append(group)
    return found or ([min(groups, key=len)] if spare > 0 and wanted > 0 else [])


def _groups(photos: Sequence[Photo]) -> dict[int, int]:
    """Photo id → number of its group of near-duplicates."""
    return dict(zip((photo.id for photo in photos), duplicates.groups([photo.record for photo in photos]), strict=True))


def _counts(
    classes: Sequence[ClassRow], photos: Sequence[Photo], group_of: dict[int, int], leaked: set[int]
) -> Iterable[Finding]:
    training = [photo for photo in photos if photo.role == "train"]
    testing = any(photo.role == "test" for photo in photos)
    tested = {photo.class_id for photo in photos if photo.role == "test" and photo.id not in leaked}
    per_class = Counter(photo.class_id for photo in training)
    different = {row.id: len({group_of[p.id] for p in training if p.class_id == row.id}) for row in classes}
    empty = [row for row in classes if not per_class[row.id or 0]]
    if empty:
        yield Finding("no_photo", "stop", Note("There is no training photo of: {names}.", {"names": _names(empty)}))
    thin = [row for row in classes if 0 < different[row.id] < MIN_PER_CLASS_FOR_FOLDS]
    if thin and not testing:
        yield Finding(
            "too_few_for_folds",
            "stop",
            Note(
                "Without test photos every class needs at least {limit} different photos. There are fewer of: {names}.",
                {"limit": MIN_PER_CLASS_FOR_FOLDS, "names": _names(thin)},
            ),
        )
    few = [row for row in classes if 0 < different[row.id] < FEW and row not in (thin if not testing else [])]
    if few:
        yield Finding(
            "too_few",
            "warn",
            Note(
                "There are fewer than {limit} different training photos of: {names}. More photos usually help a lot here.",
                {"limit": FEW, "names": _names(few)},
            ),
        )
    counts = [per_class[row.id or 0] for row in classes if per_class[row.id or 0]]
    if counts and max(counts) > UNEVEN * min(counts):
        yield Finding(
            "uneven",
            "hint",
            Note(
                "The classes have very different numbers of training photos: from {low} to {high}. Each class counts the same in "
                "the training, but classes with few photos are recognised less well.",
                {"low": min(counts), "high": max(counts)},
            ),
        )
    untested = [row for row in classes if tested and row.id not in tested]
    if untested:
        yield Finding(
            "no_test_of_class",
            "warn",
            Note(
                "There is no test photo of: {names}. Nothing will be known about how well they are recognised.",
                {"names": _names(untested)},
            ),
        )


def _in_two_classes(photos: Sequence[Photo], group_of: dict[int, int]) -> Iterable[Finding]:
    same = _in_several_classes(_by_key(photos, lambda photo: photo.image_id))
    if same:
        yield Finding(
            "same_in_two_classes",
            "stop",
            Note(
                "The very same photo lies in two classes (number of photos: {count}). Keep each in the right class and exclude "
                "it from the other.",
                {"count": len(same)},
            ),
            same,
        )
    torn = tuple(id_ for id_ in _in_several_classes(_by_group(photos, group_of)) if id_ not in same)
    if torn:
        yield Finding(
            "two_classes",
            "warn",
            Note(
                "The same photo, or a near-duplicate, lies in two classes (number of photos: {count}). Move each to the right "
                "class, or exclude it.",
                {"count": len(torn)},
            ),
            torn,
        )


def _in_several_classes(groups: Iterable[Sequence[Photo]]) -> tuple[int, ...]:
    return tuple(photo.id for group in groups if len({photo.class_id for photo in group}) > 1 for photo in group)


def _leaks(photos: Sequence[Photo], leaked: set[int]) -> Iterable[Finding]:
    found = tuple(photo.id for photo in photos if photo.id in leaked)
    if found and len(found) == sum(photo.role == "test" for photo in photos):
        yield Finding(
            "copy_in_test",
            "stop",
            Note(
                "All {count} test photos are the same as, or near-duplicates of, training photos.",
                {"count": len(found)},
            ),
            found,
            found,
        )
    elif found:
        yield Finding(
            "copy_in_test",
            "warn",
            Note(
                "Some test photos are the same as, or near-duplicates of, training photos (number: {count}). They are left out "
                "of the measurement, which would look too good otherwise.",
                {"count": len(found)},
            ),
            found,
            found,
        )


def _copies(photos: Sequence[Photo], group_of: dict[int, int]) -> Iterable[Finding]:
    training = [photo for photo in photos if photo.role == "train"]
    same_class = [
        group
        for group in _by_group(training, group_of)
        if len({photo.class_id for photo in group}) == 1 and len(group) > 1
    ]
    extra = tuple(photo.id for group in same_class for photo in group[1:])
    if extra:
        yield Finding(
            "copies",
            "hint",
            Note(
                "Some training photos are near-duplicates of others (number: {count}). They do no harm, but teach nothing new: "
                "photos from other sides, in other light, help more.",
                {"count": len(extra)},
            ),
            tuple(photo.id for group in same_class for photo in group),
            extra,
        )


def _quality(photos: Sequence[Photo]) -> Iterable[Finding]:
    limit = photo_quality.blur_limit([photo.quality.sharpness for photo in photos])
    flat = {p.id for p in photos if photo_quality.is_dark(p.quality) or photo_quality.is_bright(p.quality)}
    # What is black or white all over has no edges either: one thing is told of it.
    blurred = [p.id for p in photos if p.quality.sharpness < limit and p.id not in flat]
    dark = [p.id for p in photos if photo_quality.is_dark(p.quality)]
    bright = [p.id for p in photos if photo_quality.is_bright(p.quality)]
    tiny = [p.id for p in photos if min(p.record.width_px, p.record.height_px) < photo_quality.TINY_SIDE_PX]
    notes: tuple[tuple[Kind, Note, list[int]], ...] = (
        ("blurred", Note("Some photos look blurred (number: {count}).", {"count": len(blurred)}), blurred),
        ("dark", Note("Some photos are very dark (number: {count}).", {"count": len(dark)}), dark),
        (
            "bright",
            Note("Some photos are very bright, almost white (number: {count}).", {"count": len(bright)}),
            bright,
        ),
        (
            "tiny",
            Note(
                "Some photos are tiny, under {limit} pixels on a side (number: {count}).",
                {"limit": photo_quality.TINY_SIDE_PX, "count": len(tiny)},
            ),
            tiny,
        ),
    )
    for kind, note, ids in notes:
        if ids:
            yield Finding(kind, "hint", note, tuple(ids), tuple(ids) if len(ids) <= WHOLESALE * len(photos) else ())


def _by_group(photos: Sequence[Photo], group_of: dict[int, int]) -> list[list[Photo]]:
    return _by_key(photos, lambda photo: group_of[photo.id])


def _by_key(photos: Sequence[Photo], key: Callable[[Photo], object]) -> list[list[Photo]]:
    found: dict[object, list[Photo]] = defaultdict(list)
    for photo in photos:
        found[key(photo)].append(photo)
    return list(found.values())


def _names(rows: Iterable[ClassRow]) -> str:
    return ", ".join(row.display_name for row in rows)
