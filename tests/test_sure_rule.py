"""When a run answers alone: what is chosen, and what is done with it."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest

from prolip_core import certainty, sure_rule
from prolip_core.sure_rule import SureRule

RULE = SureRule(2.0, 0.8, 0.05, True, 90, 1, 0.04, 59)


def _answers(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits (N, 4) that are three times too sure of themselves, their probabilities, and the labels."""
    random = np.random.default_rng(seed)
    logits_NC = random.normal(size=(n, 4)) * 2
    labels_N = np.array([random.choice(4, p=certainty.probabilities(row)) for row in logits_NC])
    return 3 * logits_NC, certainty.probabilities(3 * logits_NC), labels_N


def test_probabilities_tell_as_much_as_the_logits_they_came_from() -> None:
    logits_NC, probs_NC, labels_N = _answers(300, 0)
    rule = sure_rule.choose(probs_NC, labels_N)
    assert rule.temperature == pytest.approx(certainty.temperature(logits_NC, labels_N), rel=1e-5)
    assert 2 < rule.temperature < 4
    np.testing.assert_allclose(
        rule.corrected(probs_NC), certainty.probabilities(logits_NC, rule.temperature), atol=1e-9
    )
    np.testing.assert_allclose(rule.corrected(probs_NC[3]), rule.corrected(probs_NC)[3])


def test_the_threshold_keeps_to_its_limit_on_the_photos_it_was_chosen_on() -> None:
    _, probs_NC, labels_N = _answers(600, 1)
    rule = sure_rule.choose(probs_NC, labels_N, 0.1)
    corrected_NC = rule.corrected(probs_NC)
    sure_N = np.array([rule.is_sure(row.max()) for row in corrected_NC])
    wrong = int((corrected_NC.argmax(axis=1) != labels_N)[sure_N].sum())
    assert (rule.support_answered, rule.support_wrong) == (int(sure_N.sum()), wrong)
    assert rule.assured
    assert rule.upper_bound is not None
    assert wrong / sure_N.sum() < rule.upper_bound <= rule.limit == 0.1
    assert 0 < sure_N.sum() < 600
    assert rule.least_answers == certainty.least_answers(0.1)


def test_a_probability_of_zero_is_no_error() -> None:
    probs_NC = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    rule = sure_rule.choose(probs_NC, np.array([0, 1, 1]))
    assert np.isfinite(rule.temperature)
    assert np.isfinite(rule.corrected(probs_NC)).all()


def test_without_a_threshold_everything_goes_to_a_person() -> None:
    assert RULE.is_sure(0.8)
    assert not RULE.is_sure(0.7999)
    for threshold in (None, 1.0):
        closed = replace(RULE, threshold=threshold)
        assert closed.all_to_a_person and not closed.is_sure(1.0)
    assert not RULE.all_to_a_person


def test_a_suggestion_of_a_whole_certainty_still_lets_such_answers_stand() -> None:
    """Softmax is rounded to 1; as a threshold that would mean that nothing stands alone."""
    rule = sure_rule.choose(np.array([[1.0, 0.0], [0.0, 1.0]] * 60), np.array([0, 1] * 60))
    assert rule.support_answered == 120
    assert not rule.all_to_a_person and rule.is_sure(1.0)


def test_the_rule_travels_in_the_result_and_a_person_may_set_its_threshold() -> None:
    result = {"sure": asdict(RULE)}
    assert sure_rule.of_result(result) == sure_rule.of_result(result, 0.8) == RULE
    own = sure_rule.of_result(result, 0.5)
    assert own == replace(RULE, threshold=0.5, assured=False)
    assert sure_rule.of_result({"sure": None}) is sure_rule.of_result({}) is sure_rule.of_result({}, 0.5) is None
