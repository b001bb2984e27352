"""Another camera, another day: the same classes on a second set of test photos, beside the first.

Both sets are answered by zero-shot and by the one ProLIP training of the project. They hold different photos, so their
difference has the range of two unpaired shares; what fine-tuning gains within a set is paired.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from prolip_core import differences, duplicates, features
from prolip_core.backbones import Backbone
from prolip_core.certainty import Share
from prolip_core.dataset import PhotoSet
from prolip_core.differences import Interval, Paired
from prolip_core.errors import DatasetError
from prolip_core.studies import measuring
from prolip_core.studies.condition_words import NAMES, PROLIP, ZERO_SHOT
from prolip_core.studies.material import Material, OnProgress, Report
from prolip_core.types import LabelledImage, Note, RejectedFile


@dataclass(frozen=True)
class SecondSet:
    """The second set as features (S, P) and labels. taught: left out as (nearly) a photo to learn from; measured: as (nearly) a
    photo of the first set; rejected: could not be used."""

    pre_SP: torch.Tensor
    images: tuple[LabelledImage, ...]
    taught: tuple[str, ...] = ()
    measured: tuple[str, ...] = ()
    rejected: tuple[RejectedFile, ...] = ()


@dataclass(frozen=True)
class Both:
    """One method on the photos of both sets, of the classes that both have.

    The balanced accuracies are mean recalls: every class counts the same, whatever the mixture of photos; `first_interval` and
    `second_interval` are theirs. `difference` and `interval` are of these, second minus first.
    """

    method: str
    first: Share
    second: Share
    first_balanced: float
    first_interval: Interval
    second_balanced: float
    second_interval: Interval
    difference: float
    interval: Interval


@dataclass(frozen=True)
class OfClass:
    """ProLIP's right answers about one class in either set; a set may have no photo of it."""

    class_name: str
    first: Share
    second: Share


@dataclass(frozen=True)
class SecondTestStudy:
    """gains: ProLIP (second) against zero-shot (first) within the first and the second set. Photos of a class that only one set
    has count nowhere but in `per_class`. missing, only_second: classes that the second, the first set has no photo of."""

    material: Material
    second: SecondSet
    methods: tuple[Both, ...]
    gains: tuple[Paired, Paired]
    per_class: tuple[OfClass, ...]
    missing: tuple[str, ...]
    only_second: tuple[str, ...]
    seconds: float


def read(
    material: Material,
    photos: PhotoSet,
    backbone: Backbone,
    *,
    cache_folder: Path | None = None,
    on_progress: OnProgress | None = None,
) -> SecondSet:
    """The photos of `photos.query` through the model, without those that the project has already, or near-duplicates of them.

    Raises DatasetError where none is left, Cancelled.
    """
    own = material.split
    groups = duplicates.groups([image.record for image in (*own.support, *own.query, *own.dropped, *photos.query)])
    learnt = set(groups[: len(own.support)])
    first = set(groups[len(own.support) : len(groups) - len(photos.query)])
    numbered = list(zip(photos.query, groups[len(groups) - len(photos.query) :], strict=True))
    kept = tuple(image for image, group in numbered if group not in learnt | first)
    if not kept:
        raise DatasetError(
            "All {count} photos of the second test set are the same as, or near-duplicates of, photos of the project.",
            remedy="Take new photos, with the other camera or on the other day.",
            count=len(photos.query),
        )
    batch = features.extract(
        backbone,
        photos.source,
        [image.image_id for image in kept],
        seed=material.spec.seed,
        cache_folder=cache_folder,
        on_progress=on_progress,
    )
    return SecondSet(
        pre_SP=batch.pre_VNP[0],
        images=kept,
        taught=tuple(image.record.filename for image, group in numbered if group in learnt),
        measured=tuple(image.record.filename for image, group in numbered if group in first - learnt),
        rejected=photos.rejected,
    )


def run(material: Material, second: SecondSet, *, on_progress: OnProgress | None = None) -> SecondTestStudy:
    """The study. Raises Cancelled when stopped, DatasetError where the two sets share no class."""
    start = time.perf_counter()
    labels_M, labels_S = material.query_labels_M, torch.tensor([image.label for image in second.images])
    shared = sorted(set(labels_M.tolist()) & set(labels_S.tolist()))
    if not shared:
        raise DatasetError(
            "The two test sets have no class in common.", remedy="Add photos of the same classes to the second one."
        )
    projector = measuring.fit(material, material.support, Report(on_progress, 0, 1, start))
    Report(on_progress, 1, 1, start).tell()
    sets = ((material.query_MP, labels_M), (second.pre_SP, labels_S))
    right = {
        key: [measuring.right(material, pre_NP, one, labels_N) for pre_NP, labels_N in sets]
        for key, one in ((ZERO_SHOT, material.projector), (PROLIP, projector))
    }
    both = {
        key: (_by_class(first, labels_M, shared), _by_class(other, labels_S, shared))
        for key, (first, other) in right.items()
    }
    names, pairs = material.class_names, list(zip(right[PROLIP], sets, strict=True))
    return SecondTestStudy(
        material=material,
        second=second,
        methods=tuple(_both(key, *series) for key, series in both.items()),
        gains=(_gain(both, 0), _gain(both, 1)),
        per_class=tuple(
            OfClass(name, *(_share(_by_class(one, labels_N, [label])) for one, (_, labels_N) in pairs))
            for label, name in enumerate(names)
        ),
        missing=tuple(name for label, name in enumerate(names) if label not in labels_S.tolist()),
        only_second=tuple(name for label, name in enumerate(names) if label not in labels_M.tolist()),
        seconds=time.perf_counter() - start,
    )


def notes(study: SecondTestStudy) -> tuple[Note, ...]:
    """What the second set says, in sentences that a screen can translate."""
    said = [_sets_apart(one) for one in study.methods]
    said.append(_gain_note(study.gains[1]))
    if study.missing:
        said.append(
            Note(
                "The second set has no photo of: {names}. These classes are left out of the comparison.",
                {"names": ", ".join(study.missing)},
            )
        )
    return tuple(said)


def _sets_apart(one: Both) -> Note:
    low, high = one.interval
    values = {
        "method": NAMES[one.method],
        "first": f"{100 * one.first_balanced:.0f}",
        "second": f"{100 * one.second_balanced:.0f}",
        "low": f"{100 * low:+.0f}",
        "high": f"{100 * high:+.0f}",
    }
    if low > 0:
        return Note(
            "{method} is right more often on the second set: {second} % against {first} %, every class counted the same; a "
            "difference of {low} to {high} points.",
            values,
        )
    if high < 0:
        return Note(
            "{method} is right less often on the second set: {second} % against {first} %, every class counted the same; a "
            "difference of {low} to {high} points.",
            values,
        )
    return Note(
        "Whether {method} does better or worse on the second set cannot be told: {second} % against {first} %, every class "
        "counted the same; a difference of {low} to {high} points.",
        values,
    )


def _gain_note(gain: Paired) -> Note:
    low, high = gain.interval
    values = {"low": f"{100 * low:+.0f}", "high": f"{100 * high:+.0f}"}
    if low > 0:
        return Note("Fine-tuning helps on the second set: {low} to {high} points over zero-shot there.", values)
    if high < 0:
        return Note("Fine-tuning harms on the second set: {low} to {high} points against zero-shot there.", values)
    return Note(
        "Whether fine-tuning helps on the second set cannot be told: {low} to {high} points against zero-shot there.",
        values,
    )


ByClass = Sequence[Sequence[bool]]


def _both(method: str, first: ByClass, second: ByClass) -> Both:
    shares = [[(sum(of_class), len(of_class)) for of_class in one] for one in (first, second)]
    before, after = (differences.mean_of(one) for one in shares)
    return Both(method, _share(first), _share(second), *before, *after, *differences.mean_difference(*shares))


def _gain(both: Mapping[str, tuple[ByClass, ByClass]], which: int) -> Paired:
    before, after = ([right for of_class in both[key][which] for right in of_class] for key in (ZERO_SHOT, PROLIP))
    return differences.paired(before, after)


def _by_class(right: Sequence[bool], labels_N: torch.Tensor, classes: Sequence[int]) -> ByClass:
    """The photos of these classes, class by class."""
    told = list(zip(right, labels_N.tolist(), strict=True))
    return [[one for one, label in told if label == wanted] for wanted in classes]


def _share(by_class: ByClass) -> Share:
    return Share(sum(map(sum, by_class)), sum(map(len, by_class)))
