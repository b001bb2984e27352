"""The loss and its gradient against loops written from the paper, number by number."""

from __future__ import annotations

import math

import pytest
import torch

from prolip_core import objective, spec
from prolip_core.errors import ConfigError, FitError, NonFiniteLossError
from prolip_core.objective import Support
from prolip_core.spec import FitConfig
from prolip_core.types import Projector, Step
from tests.fakes import few_shot_problem


def slow_objective(
    weight: list[list[float]],
    pre: list[list[float]],
    labels: list[int],
    initial: list[list[float]],
    bias: list[float],
    text: list[list[float]],
    scale: float,
    lam: float,
) -> float:
    """Eq. 4 of arXiv 2410.05270 with plain numbers: mean over classes of the mean cross-entropy, plus λ‖W − W₀‖²."""
    n_classes = len(text)
    sums, counts = [0.0] * n_classes, [0] * n_classes
    for x, label in zip(pre, labels, strict=True):
        image = [bias[d] + sum(x[p] * weight[p][d] for p in range(len(x))) for d in range(len(bias))]
        norm = math.sqrt(sum(v * v for v in image))
        logits = [scale * sum(image[d] / norm * t[d] for d in range(len(t))) for t in text]
        top = max(logits)
        log_sum = top + math.log(sum(math.exp(z - top) for z in logits))
        sums[label] += log_sum - logits[label]
        counts[label] += 1
    data = sum(s / n for s, n in zip(sums, counts, strict=True)) / n_classes
    distance = sum((weight[p][d] - initial[p][d]) ** 2 for p in range(len(weight)) for d in range(len(weight[0])))
    return data + lam * distance


@pytest.mark.parametrize("counts", [(2, 2, 2), (1, 4, 2)], ids=["equal", "unequal"])
@pytest.mark.parametrize("bias", [False, True])
def test_loss_and_gradient_equal_the_slow_twin(counts: tuple[int, ...], bias: bool) -> None:
    support, text_CD, initial = few_shot_problem(counts, width=4, joint=3, bias=bias)
    text_CD, pre_NP = text_CD.double(), support.pre_VNP[0].double()
    start_PD = initial.weight_PD.double()
    bias_D = None if initial.bias_D is None else initial.bias_D.double()
    weight_PD = (start_PD + 0.1 * torch.randn(start_PD.shape, dtype=torch.float64)).requires_grad_()
    fast = objective.objective(
        weight_PD, pre_NP, support.labels_N, Projector(start_PD, bias_D), text_CD, logit_scale=7.0, lam=0.3
    )
    (gradient_PD,) = torch.autograd.grad(fast, weight_PD)

    def slow(weight: torch.Tensor) -> float:
        return slow_objective(
            weight.tolist(),
            pre_NP.tolist(),
            support.labels_N.tolist(),
            start_PD.tolist(),
            [0.0] * text_CD.shape[1] if bias_D is None else bias_D.tolist(),
            text_CD.tolist(),
            7.0,
            0.3,
        )

    plain = weight_PD.detach()
    # The class weights are kept in float32, which bounds the agreement.
    assert fast.item() == pytest.approx(slow(plain), rel=1e-6)
    for p in range(plain.shape[0]):
        for d in range(plain.shape[1]):
            step = torch.zeros_like(plain)
            step[p, d] = 1e-5
            numeric = (slow(plain + step) - slow(plain - step)) / 2e-5
            assert gradient_PD[p, d].item() == pytest.approx(numeric, rel=1e-4, abs=1e-6)


def test_equal_counts_give_the_plain_mean_of_the_paper() -> None:
    labels_N = torch.tensor([0, 1, 2, 0, 1, 2])
    assert torch.allclose(objective.class_balanced_weights(labels_N, 3), torch.full((6,), 1 / 6))


def test_unequal_counts_give_every_class_the_same_share() -> None:
    labels_N = torch.tensor([0, 0, 0, 1])
    weights_N = objective.class_balanced_weights(labels_N, 2)
    assert weights_N[:3].sum().item() == pytest.approx(0.5)
    assert weights_N[3].item() == pytest.approx(0.5)


def test_lam_words() -> None:
    assert spec.lam_value("1/N", 4) == 0.25
    assert spec.lam_value("1/N2", 4) == 0.0625
    assert spec.lam_value(0, 4) == 0.0
    assert spec.lam_value("0.5", 4) == 0.5


@pytest.mark.parametrize("lam", ["", "N", "-1", "nan", "inf", -0.1, float("nan")])
def test_a_bad_lam_is_refused(lam: str | float) -> None:
    with pytest.raises(ConfigError, match="λ cannot be"):
        FitConfig(lam=lam)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"solver": "sgd"}, "solver “sgd”"),
        ({"learning_rate": 0.0}, "learning rate"),
        ({"learning_rate": float("nan")}, "learning rate"),
        ({"epochs": 0}, "number of epochs"),
        ({"max_iterations": 0}, "number of iterations"),
    ],
)
def test_a_setting_out_of_range_is_named(changes: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        FitConfig(**changes)  # type: ignore[arg-type]


def test_support_refuses_what_cannot_be_learnt_from() -> None:
    pre_VNP = torch.ones(1, 2, 3)
    with pytest.raises(FitError, match="at least one photo"):
        Support(pre_VNP, torch.tensor([0, 0]), (0, 1), 2)
    with pytest.raises(FitError, match="another number of labels"):
        Support(pre_VNP, torch.tensor([0, 1, 1]), (0, 1, 2), 2)
    pre_VNP[0, 1, 2] = float("nan")
    with pytest.raises(NonFiniteLossError, match="not numbers"):
        Support(pre_VNP, torch.tensor([0, 1]), (0, 1), 2)


def test_n_is_the_mean_over_classes() -> None:
    support, _, _ = few_shot_problem((1, 2, 6))
    assert support.mean_per_class == 3.0
    assert support.images_per_class == (1, 2, 6)


def test_the_recorder_stops_when_asked_and_refuses_infinity() -> None:
    seen: list[Step] = []

    def on_step(step: Step) -> bool:
        seen.append(step)
        return len(seen) == 2

    recorder = objective.Recorder(10, on_step)
    assert not recorder.add(1.0, 0.5, 0.5)
    assert recorder.add(0.9, 0.4, 0.6)
    assert recorder.stopped
    assert [step.loss for step in seen] == [1.5, pytest.approx(1.3)]
    assert [step.step for step in seen] == [1, 2]
    with pytest.raises(NonFiniteLossError, match="step 3"):
        recorder.add(float("inf"), 0.0, 0.0)
