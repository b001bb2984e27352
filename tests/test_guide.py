"""The guided way: where a project opens."""

from __future__ import annotations

import pytest

from prolip_core import guide
from prolip_core.guide import State, Step, StepState

STEPS: tuple[Step, ...] = ("classes", "photos", "train", "compare")


@pytest.mark.parametrize(
    ("states", "opens"),
    [
        (("next", "later", "later", "later"), "classes"),
        (("done", "attention", "later", "later"), "photos"),  # too few photos to train
        (("done", "attention", "next", "later"), "train"),  # a few blurred photos hold nobody up
        (("done", "done", "working", "done"), "train"),
        (("done", "done", "attention", "next"), "compare"),  # an older result can be looked at
        (("done", "done", "done", "done"), "compare"),
    ],
)
def test_a_project_opens_where_there_is_something_to_do(states: tuple[State, ...], opens: Step) -> None:
    steps = [StepState(step, state) for step, state in zip(STEPS, states, strict=True)]
    assert guide.where_to_go_on(steps) == opens
