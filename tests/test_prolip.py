"""The training as a whole, and the choice of λ."""

from __future__ import annotations

import pytest
import torch

from prolip_core import lam, prolip, solvers, spec, splits
from prolip_core.objective import Support
from prolip_core.spec import FitConfig
from prolip_core.types import Projector
from tests.fakes import few_shot_problem

SCALE = 10.0


@pytest.mark.parametrize("solver", ["exact", "adam"])
def test_the_same_seed_gives_the_same_bytes(solver: str) -> None:
    support, text_CD, initial = few_shot_problem((4, 4, 4))
    config = FitConfig(solver=solver, epochs=20)
    first, again = (prolip.fit(support, text_CD, initial, SCALE, config).projector.weight_PD for _ in range(2))
    assert torch.equal(first, again)


@pytest.mark.parametrize("solver", ["exact", "adam"])
def test_the_training_photos_are_learnt(solver: str) -> None:
    support, text_CD, initial = few_shot_problem((6, 6, 6))
    trained = prolip.fit(support, text_CD, initial, SCALE, FitConfig(solver=solver, lam="1/N", learning_rate=1e-2))
    assert trained.lam == pytest.approx(1 / 6)
    assert trained.solver == solver
    assert trained.history[-1].loss < trained.history[0].loss
    assert trained.history[-1].support_accuracy >= trained.history[0].support_accuracy
    assert not trained.stopped


@pytest.mark.parametrize("solver", ["exact", "adam"])
def test_the_order_of_classes_and_photos_changes_nothing_else(solver: str) -> None:
    support, text_CD, initial = few_shot_problem((3, 4, 2))
    config = FitConfig(solver=solver, lam=0.1, epochs=30)
    plain = prolip.fit(support, text_CD, initial, SCALE, config).projector.weight_PD
    order = torch.tensor([2, 0, 1])
    rows = torch.randperm(9, generator=torch.Generator().manual_seed(0))
    relabelled = torch.argsort(order)[support.labels_N]
    permuted_support = Support(support.pre_VNP[:, rows], relabelled[rows], tuple(range(9)), 3)
    permuted = prolip.fit(permuted_support, text_CD[order], initial, SCALE, config).projector.weight_PD
    assert torch.allclose(plain, permuted, atol=2e-3)


def test_stopping_is_told() -> None:
    support, text_CD, initial = few_shot_problem((4, 4, 4))
    trained = prolip.fit(support, text_CD, initial, SCALE, FitConfig(), lambda step: step.step == 2)
    assert trained.stopped
    assert len(trained.history) == 2


def test_auto_falls_back_to_one_over_n_with_two_photos_in_a_class() -> None:
    support, text_CD, initial = few_shot_problem((2, 5, 5))
    choice = lam.choose(support, initial, text_CD, SCALE, seed=0)
    assert choice.lam == pytest.approx(1 / 4)
    assert choice.tried == ()
    assert "the smallest class has 2" in choice.note.text


def test_near_duplicates_do_not_count_as_photos_for_auto() -> None:
    support, text_CD, initial = few_shot_problem((4, 4))
    copies = Support(support.pre_VNP, support.labels_N, (0, 0, 1, 1, 2, 3, 4, 5), 2)
    assert lam.choose(copies, initial, text_CD, SCALE, seed=0).tried == ()


def slow_held_out_loss(support: Support, text_CD: torch.Tensor, initial: Projector, factor: float, seed: int) -> float:
    """Cross-validation written out: train on a fold's fit side alone, in its own coordinates, measure on the held-out side."""
    per_class: dict[int, list[float]] = {k: [] for k in range(support.n_classes)}
    pairs = splits.folds(support.labels_N.tolist(), support.groups_N, support.n_classes, n_folds=lam.FOLDS, seed=seed)
    for fit, held in pairs:
        teaching = support.subset(torch.from_numpy(fit))
        reduced = solvers.reduce(teaching, initial, text_CD)
        value = factor / (len(fit) / support.n_classes)
        weight_PD = solvers.expand(reduced, solvers.exact(reduced, SCALE, value, tolerance=1e-10), initial).weight_PD
        for i in held.tolist():
            label = int(support.labels_N[i])
            image_D = torch.nn.functional.normalize(support.pre_VNP[0, i] @ weight_PD, dim=-1)
            log_probs = (SCALE * text_CD @ image_D).log_softmax(-1)
            per_class[label].append(-float(log_probs[label]))
    means = [sum(losses) / len(losses) for losses in per_class.values()]
    return sum(means) / len(means)


def test_auto_measures_on_held_out_photos_only() -> None:
    support, text_CD, initial = few_shot_problem((5, 6, 4), width=30)
    choice = lam.choose(support, initial, text_CD, SCALE, seed=3)
    assert len(choice.tried) >= 3
    for factor, (value, loss) in zip(lam.GRID, choice.tried, strict=False):
        assert value == pytest.approx(factor / support.mean_per_class)
        assert loss == pytest.approx(slow_held_out_loss(support, text_CD, initial, factor, 3), rel=0.02)
    assert choice.lam in [value for value, _ in choice.tried]


def test_auto_leaves_one_over_n_when_the_photos_clearly_say_so() -> None:
    """Labels that have nothing to do with the features: every move away from W₀ hurts on held-out photos."""
    support, text_CD, initial = few_shot_problem((20, 20, 20), width=60)
    noise = Support(torch.randn(support.pre_VNP.shape, generator=torch.Generator().manual_seed(1)), support.labels_N,
                    support.groups_N, 3)  # fmt: skip
    choice = lam.choose(noise, initial, text_CD, 30.0, seed=0)
    assert choice.lam > 1 / noise.mean_per_class


def test_a_setting_of_lam_is_used_as_it_is() -> None:
    support, text_CD, initial = few_shot_problem((4, 4))
    for setting, value in (("1/N", 0.25), ("1/N2", 0.0625), (0.7, 0.7), ("0", 0.0)):
        assert prolip.fit(support, text_CD, initial, SCALE, FitConfig(lam=setting)).lam == pytest.approx(value)
        assert spec.lam_value(setting, 4) == pytest.approx(value)
