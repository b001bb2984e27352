"""Test-time ProLIP against automatic differentiation and torch's own AdamW, photo by photo."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the name the whole field uses

from prolip_core import classify, single_photo
from prolip_core.single_photo import StepConfig
from prolip_core.types import Projector
from tests import fakes

SCALE = 4.0


def problem(bias: bool = True) -> tuple[torch.Tensor, torch.Tensor, Projector]:
    """Views (V, N, P) of 3 photos, class vectors, projector."""
    support, text_CD, projector = fakes.few_shot_problem((1, 1, 1), views=20, bias=bias, seed=3)
    return support.pre_VNP, text_CD, projector


def twin(
    pre_VP: torch.Tensor, start: Projector, text_CD: torch.Tensor, config: StepConfig, lam: float = 0.0
) -> torch.Tensor:
    """W after one step, as the paper says it, the penalty included."""
    weight_PD = torch.nn.Parameter(start.weight_PD.clone())
    optimiser = torch.optim.AdamW(
        [weight_PD], lr=config.learning_rate, weight_decay=config.weight_decay, eps=config.epsilon
    )
    answers = []
    for row in pre_VP:
        raw = row @ weight_PD if start.bias_D is None else row @ weight_PD + start.bias_D
        answers.append(torch.softmax(SCALE * F.normalize(raw, dim=0) @ text_CD.T, dim=0))
    answers.sort(key=lambda one: float(-(one.detach() * one.detach().log()).sum()))
    mean = torch.stack(answers[: max(1, int(config.share * len(answers)))]).mean(dim=0)
    loss = -(mean * mean.log()).sum() + lam * (weight_PD - start.weight_PD).square().sum()
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    return weight_PD.detach()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("share", [0.01, 0.25, 1.0])
def test_a_step_equals_the_plain_twin(bias: bool, share: float) -> None:
    pre_VNP, text_CD, projector = problem(bias)
    # A large ε makes the step follow the size of the gradient, not its sign alone.
    config = StepConfig(learning_rate=0.05, share=share, epsilon=0.1)
    for number in range(3):
        pre_VP = pre_VNP[:, number]
        found = single_photo.step(pre_VP, projector, text_CD, SCALE, config).weight_PD
        assert torch.allclose(found, twin(pre_VP, projector, text_CD, config), atol=1e-5)
        assert not torch.allclose(found, projector.weight_PD, atol=1e-3)


def test_the_penalty_cannot_change_a_first_step() -> None:
    pre_VNP, text_CD, projector = problem()
    config = StepConfig(epsilon=0.1, learning_rate=0.05)
    without, with_penalty = (twin(pre_VNP[:, 0], projector, text_CD, config, lam) for lam in (0.0, 10.0))
    assert torch.equal(without, with_penalty)


def test_the_gradient_is_that_of_the_entropy() -> None:
    pre_VNP, text_CD, projector = problem()
    pre_KP = pre_VNP[:4, 1].double()
    weight_PD = projector.weight_PD.double().requires_grad_()
    bias_D = None if projector.bias_D is None else projector.bias_D.double()
    moving = Projector(weight_PD, bias_D)
    mean_C = classify.logits(pre_KP, moving, text_CD.double(), SCALE).softmax(dim=-1).mean(dim=0)
    (expected,) = torch.autograd.grad(-(mean_C * mean_C.log()).sum(), weight_PD)
    frozen = Projector(weight_PD.detach(), bias_D)
    assert torch.allclose(single_photo.entropy_gradient(pre_KP, frozen, text_CD.double(), SCALE), expected, atol=1e-9)


def test_the_most_confident_views_are_taken() -> None:
    """Two classes on two axes: a view on an axis is sure, one between them is not."""
    projector = Projector(torch.eye(2), None)
    views = torch.tensor([[1.0, 1.0], [1.0, 0.0], [1.0, 0.4], [0.0, 1.0]])
    found = single_photo.confident(views, projector, torch.eye(2), 5.0, 0.5)
    assert found.tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert len(single_photo.confident(views, projector, torch.eye(2), 5.0, 0.1)) == 1


def test_every_photo_starts_anew() -> None:
    pre_VNP, text_CD, projector = problem()
    before = projector.weight_PD.clone()
    config = StepConfig(learning_rate=0.05)
    together = single_photo.answer(pre_VNP, projector, text_CD, SCALE, config)
    turned = single_photo.answer(pre_VNP.flip(1), projector, text_CD, SCALE, config)
    alone = [single_photo.answer(pre_VNP[:, n : n + 1], projector, text_CD, SCALE, config) for n in range(3)]
    assert torch.allclose(together, turned.flip(0)) and torch.allclose(together, torch.cat(alone))
    assert torch.equal(projector.weight_PD, before)
    for number in range(3):
        moved = Projector(twin(pre_VNP[:, number], projector, text_CD, config), projector.bias_D)
        expected = classify.logits(pre_VNP[:1, number], moved, text_CD, SCALE)
        assert torch.allclose(together[number : number + 1], expected, atol=1e-4)


def test_the_answer_is_about_the_photo_and_not_about_its_views() -> None:
    pre_VNP, text_CD, projector = problem()
    still = StepConfig(learning_rate=0.0)
    expected = classify.logits(pre_VNP[0], projector, text_CD, SCALE)
    assert torch.allclose(single_photo.answer(pre_VNP, projector, text_CD, SCALE, still), expected)
    assert single_photo.answer(pre_VNP[:, :0], projector, text_CD, SCALE, still).shape == (0, 3)


def test_a_step_makes_the_answer_surer() -> None:
    """That is what it is for: the entropy of the mean answer falls."""
    pre_VNP, text_CD, projector = problem()
    config = replace(StepConfig(), learning_rate=1e-3, share=1.0, weight_decay=0.0)
    for number in range(3):
        pre_VP = pre_VNP[:, number]
        entropies = []
        for one in (projector, single_photo.step(pre_VP, projector, text_CD, SCALE, config)):
            mean_C = classify.logits(pre_VP, one, text_CD, SCALE).softmax(dim=-1).mean(dim=0)
            entropies.append(float(-(mean_C * mean_C.log()).sum()))
        assert entropies[1] < entropies[0]
