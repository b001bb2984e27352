"""The guided way: where a project opens."""

from __future__ import annotations

import pytest

from prolip_core import guide
from prolip_core.guide import State, Step, StepState
from prolip_core.storage.records import ClassRow

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


def test_two_classes_that_read_the_same_hold_the_training_up() -> None:
    classes = [ClassRow(1, "Nut", ("nut",)), ClassRow(2, "ナット", ("nut",)), ClassRow(3, "Bolt", ("bolt",))]
    reason = guide.why_not_train(classes, ())
    assert reason is not None and reason.text.startswith("Nut and ナット have the same English names")
    state, *_ = guide.states(classes, (), (), (), None, "")
    assert (state.step, state.state, state.reason) == ("classes", "attention", reason)
    assert guide.why_not_train([classes[0], classes[2]], ()) is None
