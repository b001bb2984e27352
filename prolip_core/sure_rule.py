"""When does a run answer alone, and when does it ask a person? A temperature and a threshold, chosen on the training photos.

`choose` is handed answers about photos to learn from, each by a training that saw neither it nor a near-duplicate of it, and
never a test photo. The rule travels with the run: whoever answers about new photos keeps to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from prolip_core import certainty

LIMIT = 0.05
"""Wanted share of wrong answers among those that are given alone."""


@dataclass(frozen=True)
class SureRule:
    """Answers of at least `threshold` confidence after the temperature stand alone; with None or 1, all photos go to a person.

    assured: among the answered ones of the training photos, `support_wrong` of `support_answered` (near-duplicates count once),
    the one-sided 95 % bound `upper_bound` is within the limit; `least_answers` without a mistake it takes for that.
    """

    temperature: float
    threshold: float | None
    limit: float
    assured: bool
    support_answered: int
    support_wrong: int
    upper_bound: float | None
    least_answers: int

    def corrected(self, probs_NC: np.ndarray) -> np.ndarray:
        """Probabilities (N, C), or (C,), as the temperature makes them: softmax(logits / T) is p^(1/T), normalised."""
        powers_NC = np.asarray(probs_NC, dtype=np.float64) ** (1 / self.temperature)
        found: np.ndarray = powers_NC / powers_NC.sum(axis=-1, keepdims=True)
        return found

    @property
    def all_to_a_person(self) -> bool:
        """Whether no answer ever stands alone. A confidence may reach 1, so that a threshold of 1 alone would not see to it."""
        return self.threshold is None or self.threshold >= 1

    def is_sure(self, confidence: float) -> bool:
        """Whether an answer of this corrected confidence stands alone."""
        return not self.all_to_a_person and self.threshold is not None and confidence >= self.threshold


def choose(
    probs_NC: np.ndarray, labels_N: np.ndarray, limit: float = LIMIT, groups_N: Sequence[int] | None = None
) -> SureRule:
    """The rule from held-out probabilities (N, C), all above 0, and the true labels (N,). groups_N: the same number for
    near-duplicates, which count as one photo (`certainty.suggest`)."""
    logits_NC = np.log(np.maximum(probs_NC, np.finfo(np.float64).tiny))
    temperature = certainty.temperature(logits_NC, labels_N)
    confidence_N, right_N = certainty.answers(certainty.probabilities(logits_NC, temperature), labels_N)
    found = certainty.suggest(confidence_N, right_N, limit, groups_N)
    # A confidence may be rounded to 1; as a threshold that means that nothing stands alone.
    threshold = None if found.threshold is None else min(found.threshold, float(np.nextafter(1.0, 0.0)))
    return SureRule(
        temperature,
        threshold,
        limit,
        found.assured,
        found.error.total,
        found.error.count,
        found.upper_bound,
        certainty.least_answers(limit),
    )


def of_result(result: Mapping[str, Any], chosen: float | None = None) -> SureRule | None:
    """The rule of a run, from the content of its result.json; None where it has none. chosen: a threshold that a person has set.

    With such a threshold nothing is assured, and the counts of the training photos are still those of the suggested one.
    """
    kept = result.get("sure")
    if kept is None:
        return None
    rule = SureRule(**kept)
    return rule if chosen is None or chosen == rule.threshold else replace(rule, threshold=chosen, assured=False)
