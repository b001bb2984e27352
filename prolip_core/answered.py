"""A tried photo with what is said about it, as a screen or a table takes it: classes by name, a confidence, sure or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from prolip_core.storage.records import RefusedFile, Similar, TriedAnswer, TriedPhoto
from prolip_core.sure_rule import SureRule


@dataclass(frozen=True)
class Said:
    """An answer: the class, and how sure it is (0 to 1)."""

    name: str
    confidence: float


@dataclass(frozen=True)
class Answered:
    """`after` is the run's answer and `next` the second likeliest class, both as sure as its rule makes them; `before` is
    zero-shot's. is_sure: the answer may stand alone; without a rule none may."""

    photo: TriedPhoto
    after: Said
    next: Said
    before: Said
    is_sure: bool
    similar: tuple[Similar, ...]
    turn: int | None

    @property
    def is_same(self) -> bool:
        """Whether zero-shot answers the same."""
        return self.after.name == self.before.name


@dataclass(frozen=True)
class Failed:
    """A tried photo that could not be asked about."""

    photo: TriedPhoto
    problem: RefusedFile


def of(
    photos: Sequence[TriedPhoto],
    answers: Mapping[int, TriedAnswer],
    class_names: Sequence[str],
    rule: SureRule | None,
) -> tuple[tuple[Answered, ...], tuple[Failed, ...]]:
    """Those of the photos that have an answer, in their order, and those that could not be asked about. At least 2 classes."""
    found: list[Answered] = []
    failed: list[Failed] = []
    for photo in photos:
        answer = answers.get(photo.id)
        if answer is not None and answer.problem is not None:
            failed.append(Failed(photo, answer.problem))
        elif answer is not None:
            found.append(_one(photo, answer, class_names, rule))
    return tuple(found), tuple(failed)


def _one(photo: TriedPhoto, answer: TriedAnswer, names: Sequence[str], rule: SureRule | None) -> Answered:
    tuned_C = np.array(answer.prolip)
    if rule is not None:
        tuned_C = rule.corrected(tuned_C)
    best, second = (int(place) for place in np.argsort(-tuned_C, kind="stable")[:2])
    zero = int(np.argmax(answer.zero_shot))
    return Answered(
        photo=photo,
        after=Said(names[best], float(tuned_C[best])),
        next=Said(names[second], float(tuned_C[second])),
        before=Said(names[zero], float(answer.zero_shot[zero])),
        is_sure=rule is not None and rule.is_sure(float(tuned_C[best])),
        similar=answer.similar,
        turn=answer.turn,
    )
