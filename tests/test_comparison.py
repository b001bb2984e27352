"""Two methods or two runs on the same photos: who is counted, what flipped, which classes belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest

from prolip_core import comparison, metrics
from prolip_core.errors import RunError
from prolip_core.storage.records import RunRecord, RunSummary
from prolip_core.types import Prediction


def answer(image_id: str, label: int, probabilities: Sequence[float]) -> Prediction:
    predicted = max(range(len(probabilities)), key=probabilities.__getitem__)
    return Prediction(image_id, label, predicted, tuple(probabilities))


def run(
    names: Sequence[str],
    truth: Mapping[str, str],
    prolip: Mapping[str, str],
    zero_shot: Mapping[str, str] | None = None,
) -> RunRecord:
    """A run from photo → class; every answer is 0.6 sure and the rest is spread evenly."""

    def answers(of: Mapping[str, str]) -> tuple[Prediction, ...]:
        rest = 0.4 / (len(names) - 1)
        return tuple(
            answer(photo, names.index(truth[photo]), [0.6 if name == of[photo] else rest for name in names])
            for photo in truth
        )

    summary = RunSummary(
        "r", "p", 1, "", datetime(2026, 1, 1, tzinfo=UTC), "test", len(truth), 0, 0, "starter", "f", False
    )
    return RunRecord(summary, {"class_names": list(names)}, answers(zero_shot or prolip), answers(prolip), {})


TRUTH = {"a": "nut", "b": "nut", "c": "bolt", "d": "bolt", "e": "gear"}


def test_before_and_after_of_one_run() -> None:
    before = {"a": "bolt", "b": "bolt", "c": "bolt", "d": "gear", "e": "gear"}
    after = {"a": "nut", "b": "bolt", "c": "gear", "d": "bolt", "e": "gear"}
    found = comparison.of_run(run(("nut", "bolt", "gear"), TRUTH, after, before))
    assert (found.first.correct, found.second.correct, found.second.count) == (2, 3, 5)
    assert [flip.image_id for flip in found.put_right] == ["a", "d"]
    assert [flip.image_id for flip in found.put_wrong] == ["c"]
    assert (found.put_right[0].first.predicted, found.put_right[0].second.predicted) == (1, 0)
    assert found.points == pytest.approx(20)
    assert found.p == metrics.mcnemar_p(found.first_predictions, found.second_predictions) == 1
    assert found.luck == "possible"
    assert found.left_out == 0
    assert found.second.confusion.image_ids(1, 2) == ("c",)


def test_two_wrong_answers_that_differ_are_no_flip() -> None:
    found = comparison.of_run(run(("nut", "bolt", "gear"), {"a": "nut"}, {"a": "gear"}, {"a": "bolt"}))
    assert found.put_right == found.put_wrong == ()
    assert found.luck == "same"
    assert found.points == 0


def test_a_clear_difference_is_very_unlikely_to_be_luck() -> None:
    truth = {f"photo {n}": "nut" for n in range(12)}
    found = comparison.of_run(run(("nut", "bolt"), truth, truth, dict.fromkeys(truth, "bolt")))
    assert found.p == pytest.approx(2 * 0.5**12)
    assert found.luck == "very unlikely"


def test_two_runs_are_compared_where_both_measured_the_photo_in_the_same_class() -> None:
    old = run(
        ("nut", "bolt"),
        {"a": "nut", "b": "nut", "c": "bolt", "old": "bolt"},
        dict.fromkeys("abc", "nut") | {"old": "nut"},
    )
    # In the new run "b" was moved to the other class, "old" is gone and "new" came.
    new = run(
        ("nut", "bolt"),
        {"new": "nut", "c": "bolt", "b": "bolt", "a": "nut"},
        dict.fromkeys("abc", "bolt") | {"new": "nut"},
    )
    found = comparison.of_runs(old, new)
    assert [one.image_id for one in found.second_predictions] == ["c", "a"]
    assert [one.image_id for one in found.first_predictions] == ["c", "a"]
    assert found.left_out == 3
    assert (found.first.count, found.first.correct, found.second.correct) == (2, 1, 1)
    assert [flip.image_id for flip in found.put_right] == ["c"]
    assert [flip.image_id for flip in found.put_wrong] == ["a"]


def test_classes_are_matched_by_name_and_not_by_place() -> None:
    truth = {"a": "nut", "b": "bolt"}
    old = run(("bolt", "nut", "washer"), truth, {"a": "washer", "b": "bolt"})
    new = run(("nut", "gear", "bolt"), truth, truth)
    found = comparison.of_runs(old, new)
    assert found.class_names == ("nut", "gear", "bolt", "washer")
    by_id = {one.image_id: one for one in found.first_predictions}
    assert (by_id["a"].label, by_id["a"].predicted) == (0, 3)
    # The class that the old run did not know has probability 0; the others keep theirs.
    assert by_id["a"].probabilities == pytest.approx((0.2, 0, 0.2, 0.6))
    assert by_id["a"].confidence == pytest.approx(0.6)
    assert (found.first.correct, found.second.correct, found.left_out) == (1, 2, 0)


@pytest.mark.parametrize(
    ("old", "new"),
    [({"a": "nut"}, {"b": "nut"}), ({"a": "nut"}, {"a": "bolt"})],
    ids=["other photos", "the same photo in another class"],
)
def test_two_runs_without_a_photo_in_common_are_refused(old: dict[str, str], new: dict[str, str]) -> None:
    names = ("nut", "bolt")
    with pytest.raises(RunError, match="no measured photo in common"):
        comparison.of_runs(run(names, old, old), run(names, new, new))


def test_the_most_confused_pairs_come_first_and_right_answers_never() -> None:
    truth = {f"n{i}": "nut" for i in range(5)} | {f"b{i}": "bolt" for i in range(3)}
    answers = {
        "n0": "nut",
        "n1": "nut",
        "n2": "nut",
        "n3": "gear",
        "n4": "bolt",
        "b0": "gear",
        "b1": "gear",
        "b2": "bolt",
    }
    evaluation = comparison.of_run(run(("nut", "bolt", "gear"), truth, answers)).second
    found = [(one.true, one.answer, one.count) for one in comparison.most_confused(evaluation)]
    assert found[0] == (1, 2, 2)
    assert sorted(found[1:]) == [(0, 1, 1), (0, 2, 1)]
    assert len(comparison.most_confused(evaluation, limit=1)) == 1
    perfect = comparison.of_run(run(("nut", "bolt", "gear"), truth, truth)).second
    assert comparison.most_confused(perfect) == ()
