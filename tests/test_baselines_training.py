"""The shared training loop."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import pytest
import torch

from prolip_core.baselines.problem import Problem
from prolip_core.baselines.training import Recipe, balanced_cross_entropy, descend, rate
from prolip_core.errors import Cancelled, NonFiniteLossError
from tests.test_baselines_closed_form import make_problem

RECIPE = Recipe("sgd", 0.1, 4)


def test_the_learning_rate_warms_up_and_falls_by_cosine() -> None:
    recipe = Recipe("sgd", 0.2, 4, warm_up_epochs=1)
    half = math.sqrt(0.5)
    expected = [1e-5, 0.1 * (1 + half), 0.1, 0.1 * (1 - half)]
    assert [rate(recipe, epoch) for epoch in range(4)] == pytest.approx(expected)
    assert rate(RECIPE, 0) == 0.1


class Watcher:
    """A loss that writes down what it was shown."""

    def __init__(self) -> None:
        self.parameter = torch.zeros(1, requires_grad=True)
        self.seen: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]] = []

    def loss(
        self, pre_BP: torch.Tensor, image_BD: torch.Tensor, labels_B: torch.Tensor, weights_B: torch.Tensor
    ) -> torch.Tensor:
        self.seen.append((pre_BP, image_BD, labels_B, weights_B))
        return (self.parameter - 1).square().sum()


def watch(problem: Problem, recipe: Recipe) -> Watcher:
    watcher = Watcher()
    descend([watcher.parameter], watcher.loss, recipe, problem)
    return watcher


def test_every_epoch_sees_every_photo_once_in_one_view() -> None:
    problem = make_problem((3, 2, 4), views=2)
    seen = watch(problem, replace(RECIPE, batch=4)).seen
    assert [len(one[2]) for one in seen] == [4, 4, 1] * 4
    for epoch in range(4):
        rows = torch.cat([one[0] for one in seen[3 * epoch : 3 * epoch + 3]])
        view = problem.support.pre_VNP[epoch % 2]
        assert Counter(map(tuple, rows.tolist())) == Counter(map(tuple, view.tolist()))
        assert not torch.equal(rows, view)
    for pre_BP, image_BD, _, _ in seen:
        assert torch.allclose(image_BD, problem.embed(pre_BP), atol=1e-6)


def test_without_a_batch_size_all_photos_are_one_batch() -> None:
    problem = make_problem((200, 150))
    assert [len(one[2]) for one in watch(problem, replace(RECIPE, batch=None)).seen] == [350] * 4
    assert [len(one[2]) for one in watch(problem, RECIPE).seen] == [256, 94] * 4


def test_the_weights_of_all_photos_have_mean_one_and_balance_the_classes() -> None:
    (_, _, labels_N, weights_N), *_ = watch(make_problem((1, 2, 6)), RECIPE).seen
    assert float(weights_N.mean()) == pytest.approx(1.0)
    shares = [float(weights_N[labels_N == k].sum()) for k in range(3)]
    assert shares == pytest.approx([3.0, 3.0, 3.0])


def test_the_order_comes_from_the_seed() -> None:
    problem = make_problem((4, 4))
    orders = [
        torch.cat([one[2] for one in watch(replace(problem, seed=seed), replace(RECIPE, batch=2)).seen]).tolist()
        for seed in (0, 0, 1)
    ]
    assert orders[0] == orders[1] != orders[2]


def test_a_batch_is_a_mean() -> None:
    logits_BC = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
    expected = (3.0 * math.log(1 + math.exp(-2)) + 0.5 * math.log(1 + math.exp(1))) / 2
    found = balanced_cross_entropy(logits_BC, torch.tensor([0, 0]), torch.tensor([3.0, 0.5]))
    assert float(found) == pytest.approx(expected)


def test_stopping_ends_it() -> None:
    watcher, told = Watcher(), []

    def on_step(done: int, total: int) -> bool:
        told.append((done, total))
        return done == 2

    with pytest.raises(Cancelled):
        descend([watcher.parameter], watcher.loss, RECIPE, make_problem(), on_step)
    assert told == [(0, 4), (1, 4), (2, 4)]
    assert len(watcher.seen) == 2


def test_a_loss_that_is_no_number_is_an_error() -> None:
    parameter = torch.full((1,), 1e30, requires_grad=True)
    with pytest.raises(NonFiniteLossError, match="at step 1"):
        descend([parameter], lambda *_: parameter.square().sum(), RECIPE, make_problem())


def test_each_optimiser_is_the_one_that_was_asked_for() -> None:
    """One step from 2 with gradient 0 and weight decay 0.25: SGD and Adam take the decay for a gradient, AdamW shrinks."""
    found = {}
    for optimiser in ("sgd", "adam", "adamw"):
        parameter = torch.full((1,), 2.0, requires_grad=True)
        recipe = Recipe(optimiser, 0.2, 1, weight_decay=0.25)
        descend([parameter], lambda *_, p=parameter: (0 * p).sum(), recipe, make_problem())
        found[optimiser] = parameter.item()
    assert found["sgd"] == pytest.approx(2 - 0.2 * 0.25 * 2)
    assert found["adam"] == pytest.approx(2 - 0.2, abs=1e-4)
    assert found["adamw"] == pytest.approx(2 * (1 - 0.2 * 0.25))
