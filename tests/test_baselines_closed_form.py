"""The methods that are a line of algebra, each against its formula written as loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the name the whole field uses

from prolip_core.baselines import closed_form, selection
from prolip_core.baselines.problem import Fitted, Problem
from prolip_core.errors import Cancelled
from prolip_core.objective import Support
from prolip_core.types import Projector
from tests.fakes import few_shot_problem

SCALE = 10.0


def make_problem(counts: tuple[int, ...] = (3, 2, 4), **options: object) -> Problem:
    support, text_CD, initial = few_shot_problem(counts, **options)  # type: ignore[arg-type]
    return Problem(support, text_CD, initial, SCALE)


def new_photos(problem: Problem, count: int = 7) -> torch.Tensor:
    return torch.randn(count, problem.support.pre_VNP.shape[-1], generator=torch.Generator().manual_seed(9))


def slow_embedding(problem: Problem, pre_P: torch.Tensor) -> np.ndarray:
    """One photo through the projector, number by number."""
    weight_PD = problem.initial.weight_PD.double().numpy()
    bias_D = problem.initial.bias_D
    raw = np.array(
        [
            sum(float(pre_P[p]) * weight_PD[p, d] for p in range(len(pre_P)))
            + (0.0 if bias_D is None else float(bias_D[d]))
            for d in range(weight_PD.shape[1])
        ]
    )
    return np.asarray(raw / math.sqrt(float((raw**2).sum())))


def slow_keys(problem: Problem) -> np.ndarray:
    """One embedding per photo: mean over views, unit norm."""
    pre_VNP = problem.support.pre_VNP
    keys = []
    for i in range(pre_VNP.shape[1]):
        mean = np.mean([slow_embedding(problem, pre_VNP[v, i]) for v in range(pre_VNP.shape[0])], axis=0)
        keys.append(mean / np.linalg.norm(mean))
    return np.array(keys)


@pytest.mark.parametrize("bias", [False, True])
def test_zero_shot_is_the_scaled_cosine(bias: bool) -> None:
    problem = make_problem(bias=bias)
    pre_MP = new_photos(problem)
    logits_MC = closed_form.zero_shot(problem).logits(pre_MP)
    for m in range(len(pre_MP)):
        image = slow_embedding(problem, pre_MP[m])
        for k in range(3):
            assert float(logits_MC[m, k]) == pytest.approx(SCALE * float(image @ problem.text_CD[k].numpy()), abs=1e-4)


def test_the_nearest_mean_on_a_toy_with_a_known_answer() -> None:
    pre_VNP = torch.tensor([[[2.0, 0.0], [1.0, 0.0], [0.0, 3.0]]])
    support = Support(pre_VNP, torch.tensor([0, 0, 1]), (0, 1, 2), 2)
    wrong_text_CD = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    fitted = closed_form.nearest_class_mean(Problem(support, wrong_text_CD, Projector(torch.eye(2)), SCALE))
    diagonal = 1 / math.sqrt(2)
    expected = SCALE * torch.tensor([[1.0, 0.0], [0.0, 1.0], [diagonal, diagonal]])
    assert torch.allclose(fitted.logits(torch.tensor([[5.0, 0.0], [0.0, 0.1], [4.0, 4.0]])), expected, atol=1e-5)
    assert (fitted.added_parameters, fitted.trained_parameters) == (4, 0)


def test_the_mean_counts_every_photo_once_whatever_its_class() -> None:
    problem = make_problem((1, 5, 2), views=2)
    mean_CD = closed_form.class_means(problem)
    pre_VNP = problem.support.pre_VNP
    for k in range(3):
        rows = [i for i, label in enumerate(problem.support.labels_N.tolist()) if label == k]
        slow = np.mean([slow_embedding(problem, pre_VNP[v, i]) for v in range(2) for i in rows], axis=0)
        assert np.allclose(mean_CD[k].numpy(), slow, atol=1e-5)


def test_tip_adapter_adds_what_the_cache_says() -> None:
    problem = make_problem(views=2)
    keys, labels = slow_keys(problem), problem.support.labels_N.tolist()
    pre_MP = new_photos(problem)
    fitted = closed_form.tip_adapter(problem)
    logits_MC = fitted.logits(pre_MP)
    for m in range(len(pre_MP)):
        image = slow_embedding(problem, pre_MP[m])
        expected = [SCALE * float(image @ problem.text_CD[k].numpy()) for k in range(3)]
        for key, label in zip(keys, labels, strict=True):
            expected[label] += 1.0 * math.exp(-1.0 * (1 - float(image @ key)))
        assert np.allclose(logits_MC[m].numpy(), expected, atol=1e-4)
    assert fitted.added_parameters == keys.size + len(keys)


def test_gda_is_the_formula_of_the_paper() -> None:
    problem = make_problem(views=2)
    pre_VNP, labels = problem.support.pre_VNP, problem.support.labels_N.tolist()
    rows = np.array([slow_embedding(problem, pre_VNP[v, i]) for v in range(2) for i in range(len(labels))])
    owner = labels * 2
    means = np.array([rows[[o == k for o in owner]].mean(axis=0) for k in range(3)])
    centred = np.array([row - means[o] for row, o in zip(rows, owner, strict=True)])
    covariance = np.cov(centred.T)
    width, count = rows.shape[1], len(rows)
    precision = width * np.linalg.pinv((count - 1) * covariance + np.trace(covariance) * np.eye(width))
    weight_CD, bias_C = closed_form.gaussian_classifier(
        problem.image_MD, closed_form.class_means(problem), problem.labels_M
    )
    for k in range(3):
        assert np.allclose(weight_CD[k].numpy(), precision @ means[k], rtol=1e-3, atol=1e-3)
        assert float(bias_C[k]) == pytest.approx(math.log(1 / 3) - 0.5 * means[k] @ precision @ means[k], rel=1e-3)
    pre_MP = new_photos(problem)
    images = np.array([slow_embedding(problem, pre_P) for pre_P in pre_MP])
    expected = SCALE * images @ problem.text_CD.numpy().T + 0.1 * (images @ weight_CD.numpy().T + bias_C.numpy())
    assert np.allclose(closed_form._gda(problem, 0.1).logits(pre_MP).numpy(), expected, atol=1e-3)


def test_gda_with_one_photo_per_class_is_zero_shot() -> None:
    problem = make_problem((1, 1, 1))
    pre_MP = new_photos(problem)
    fitted = closed_form.gda(problem)
    assert torch.equal(
        fitted.logits(pre_MP).argmax(dim=-1), closed_form.zero_shot(problem).logits(pre_MP).argmax(dim=-1)
    )
    assert fitted.note is not None and "fixed" in fitted.note.message


def test_ss_text_is_the_formula_also_for_unequal_classes() -> None:
    problem = make_problem((1, 5, 2))
    keys, labels = slow_keys(problem), problem.support.labels_N.tolist()
    weights = []
    for k in range(3):
        mine = [key for key, label in zip(keys, labels, strict=True) if label == k]
        lam = 1 / len(mine)
        weights.append(problem.text_CD[k].numpy() + 1 / (len(labels) * lam) * sum(mine) * SCALE)
    mean = np.mean(weights, axis=0)
    moved = []
    for weight in weights:
        away = 2 * weight - mean
        weight = weight - away / np.linalg.norm(away)
        moved.append(weight / np.linalg.norm(weight))
    pre_MP = new_photos(problem)
    images = np.array([slow_embedding(problem, pre_P) for pre_P in pre_MP])
    logits_MC = closed_form.ss_text(problem).logits(pre_MP)
    assert np.allclose(logits_MC.numpy(), SCALE * images @ np.array(moved).T, atol=1e-3)


def test_proker_is_the_formula() -> None:
    problem = make_problem((2, 3, 2), views=2)
    beta, lam = 3.0, 0.3
    pre_VNP, labels = problem.support.pre_VNP, problem.support.labels_N.tolist()
    keys = [slow_embedding(problem, pre_VNP[v, i]) for v in range(2) for i in range(len(labels))]
    owner = labels * 2
    text = problem.text_CD.double().numpy()
    kernel = np.array([[math.exp(-beta * (1 - a @ b)) for b in keys] for a in keys])
    rest = np.array([[float(o == k) - key @ text[k] for k in range(3)] for key, o in zip(keys, owner, strict=True)])
    answer = np.linalg.inv(kernel / lam + np.eye(len(keys))) @ rest
    pre_MP = new_photos(problem)
    logits_MC = closed_form._proker(problem, (beta, lam)).logits(pre_MP)
    for m in range(len(pre_MP)):
        image = slow_embedding(problem, pre_MP[m])
        near = np.array([math.exp(-beta * (1 - image @ key)) for key in keys])
        assert np.allclose(logits_MC[m].numpy(), SCALE * (text @ image + near @ answer), atol=1e-3)


# The choice on the support.


def planted(problem: Problem, goodness: float) -> Fitted:
    """Answers that are right for a share of the photos: the true class shows in the sign of the first feature."""
    del problem

    def logits(pre_MP: torch.Tensor) -> torch.Tensor:
        right = torch.arange(len(pre_MP)) < round(goodness * len(pre_MP))
        says_one = (pre_MP[:, 0] > 0) == right
        return F.one_hot(says_one.long(), 2).float()

    return Fitted(logits, 0, 0)


def signed_problem(per_class: int, groups: tuple[int, ...] | None = None) -> Problem:
    pre_NP = torch.cat([-torch.ones(per_class, 2), torch.ones(per_class, 2)])
    labels_N = torch.tensor([0] * per_class + [1] * per_class)
    support = Support(pre_NP[None], labels_N, groups or tuple(range(2 * per_class)), 2)
    return Problem(support, torch.eye(2), Projector(torch.eye(2)), SCALE)


def test_the_candidate_that_is_right_most_often_is_chosen() -> None:
    assert selection.choose(signed_problem(8), planted, (0.5, 1.0, 0.75), 0.5) == (1.0, True)


def test_without_enough_different_photos_the_default_is_taken() -> None:
    assert selection.choose(signed_problem(2), planted, (0.5, 1.0), 0.5) == (0.5, False)
    copies = signed_problem(4, (0, 0, 1, 1, 2, 2, 3, 3))
    assert selection.choose(copies, planted, (0.5, 1.0), 0.5) == (0.5, False)


def test_held_out_photos_and_their_near_duplicates_are_not_fitted_on() -> None:
    problem = signed_problem(8, tuple(i // 2 for i in range(16)))
    pre_VNP = torch.arange(16.0).repeat(2, 1).T[None]
    problem = Problem(
        Support(pre_VNP, problem.support.labels_N, problem.support.groups_N, 2),
        torch.eye(2),
        Projector(torch.eye(2)),
        SCALE,
    )
    held: list[float] = []

    def fit(part: Problem, _: float) -> Fitted:
        taught = {int(value) // 2 for value in part.support.pre_VNP[0, :, 0]}

        def logits(pre_MP: torch.Tensor) -> torch.Tensor:
            held.extend(pre_MP[:, 0].tolist())
            assert not taught & {int(value) // 2 for value in pre_MP[:, 0]}
            return torch.zeros(len(pre_MP), 2)

        return Fitted(logits, 0, 0)

    selection.choose(problem, fit, (1.0,), 1.0)
    assert sorted(held) == [float(i) for i in range(16)]


def test_a_tie_goes_to_the_smaller_loss() -> None:
    def fit(_: Problem, sharpness: float) -> Fitted:
        return Fitted(lambda pre_MP: sharpness * torch.stack([-pre_MP[:, 0], pre_MP[:, 0]], dim=1), 0, 0)

    assert selection.choose(signed_problem(6), fit, (0.1, 5.0, 1.0), 0.1) == (5.0, True)


def test_the_choice_can_be_stopped() -> None:
    with pytest.raises(Cancelled):
        selection.choose(signed_problem(8), planted, (0.5, 1.0), 0.5, lambda done, _: done == 3)
