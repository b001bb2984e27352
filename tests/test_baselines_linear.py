"""Linear classifiers: each against a plain twin that is trained in double precision with losses written as loops."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pytest
import torch
from sklearn.linear_model import LogisticRegression

from prolip_core.baselines import linear
from prolip_core.baselines.problem import Problem
from prolip_core.baselines.training import Recipe
from tests.test_baselines_closed_form import SCALE, make_problem, new_photos

SlowLoss = Callable[[int], torch.Tensor]


def slow_unit(vector: torch.Tensor) -> torch.Tensor:
    unit: torch.Tensor = vector / sum(entry**2 for entry in vector) ** 0.5
    return unit


def slow_images(problem: Problem, view: int = 0) -> list[torch.Tensor]:
    weight_PD = problem.initial.weight_PD.double()
    return [slow_unit(pre_P.double() @ weight_PD) for pre_P in problem.support.pre_VNP[view]]


def slow_cross_entropy(problem: Problem, logits: Sequence[Sequence[torch.Tensor]]) -> torch.Tensor:
    """The mean over classes of the mean over their photos."""
    labels = problem.support.labels_N.tolist()
    total = torch.zeros((), dtype=torch.float64)
    for row, label in zip(logits, labels, strict=True):
        everything = sum((torch.exp(entry) for entry in row), torch.zeros((), dtype=torch.float64))
        total = total - (row[label] - torch.log(everything)) / labels.count(label) / problem.n_classes
    return total


def slow_rate(recipe: Recipe, epoch: int) -> float:
    if epoch < recipe.warm_up_epochs:
        return 1e-5
    return recipe.learning_rate * (1 + math.cos(math.pi * epoch / recipe.epochs)) / 2


def slow_sgd(parameters: Sequence[torch.Tensor], loss: SlowLoss, recipe: Recipe) -> None:
    """SGD with momentum, written out."""
    speed = [torch.zeros_like(one) for one in parameters]
    for epoch in range(recipe.epochs):
        gradients = torch.autograd.grad(loss(epoch), parameters)
        with torch.no_grad():
            for one, gradient, velocity in zip(parameters, gradients, speed, strict=True):
                velocity.mul_(recipe.momentum).add_(gradient)
                one -= slow_rate(recipe, epoch) * velocity


def slow_adam(parameters: Sequence[torch.Tensor], loss: SlowLoss, recipe: Recipe) -> None:
    """Adam (Kingma & Ba 2015, algorithm 1), written out."""
    first = [torch.zeros_like(one) for one in parameters]
    second = [torch.zeros_like(one) for one in parameters]
    for epoch in range(recipe.epochs):
        gradients = torch.autograd.grad(loss(epoch), parameters)
        with torch.no_grad():
            for one, gradient, mean, square in zip(parameters, gradients, first, second, strict=True):
                mean.mul_(0.9).add_(0.1 * gradient)
                square.mul_(0.999).add_(0.001 * gradient**2)
                step = mean / (1 - 0.9 ** (epoch + 1))
                size = (square / (1 - 0.999 ** (epoch + 1))).sqrt() + recipe.eps
                one -= slow_rate(recipe, epoch) * step / size


def double(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.double().clone().requires_grad_()


def cosine_logits(problem: Problem, weight_CD: torch.Tensor, pre_MP: torch.Tensor) -> torch.Tensor:
    images = [slow_unit(pre_P.double() @ problem.initial.weight_PD.double()) for pre_P in pre_MP]
    return torch.stack([torch.stack([SCALE * image @ slow_unit(w) for w in weight_CD]) for image in images])


@pytest.mark.parametrize("method", ["zs_lp", "clap"])
def test_prototypes_follow_their_loss(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe("sgd", 0.1, 6, warm_up_epochs=1)
    monkeypatch.setattr(linear, "PROTOTYPE_RECIPE", recipe)
    problem = make_problem((3, 2, 4), views=2)
    text = problem.text_CD.double()
    probs: list[list[float]] = [[], [], []]
    for view in range(2):
        for image, label in zip(slow_images(problem, view), problem.support.labels_N.tolist(), strict=True):
            scores = [math.exp(SCALE * float(image @ text[k])) for k in range(3)]
            probs[label].append(scores[label] / sum(scores))
    held = [sum(one) / len(one) if method == "clap" else 0.0 for one in probs]
    weight_CD = double(problem.text_CD)

    def loss(epoch: int) -> torch.Tensor:
        images = slow_images(problem, epoch % 2)
        rows = [[SCALE * image @ slow_unit(weight_CD[k]) for k in range(3)] for image in images]
        pull = sum(held[k] * ((weight_CD[k] - text[k]) ** 2).sum() for k in range(3)) / 3
        return slow_cross_entropy(problem, rows) + pull

    slow_sgd([weight_CD], loss, recipe)
    fitted = getattr(linear, method)(problem)
    pre_MP = new_photos(problem)
    assert torch.allclose(fitted.logits(pre_MP).double(), cosine_logits(problem, weight_CD, pre_MP), atol=1e-3)
    assert (weight_CD - text).abs().max() > 0.01
    assert fitted.trained_parameters == problem.text_CD.numel()


def test_clap_holds_tighter_what_zero_shot_knows() -> None:
    problem = make_problem((4, 4, 4))
    multipliers = linear.clap_multipliers(problem)
    assert ((multipliers > 0) & (multipliers < 1)).all()
    fitted, free = linear.clap(problem), linear.zs_lp(problem)
    pre_MP = problem.support.pre_VNP[0]
    zero = SCALE * problem.embed(pre_MP) @ problem.text_CD.T
    assert (fitted.logits(pre_MP) - zero).norm() < (free.logits(pre_MP) - zero).norm()


@pytest.mark.parametrize(("counts", "epochs"), [((4, 4), 100), ((5, 5), 200)])
def test_task_res_follows_its_loss(counts: tuple[int, ...], epochs: int) -> None:
    problem = make_problem(counts)
    residual_CD = double(torch.zeros_like(problem.text_CD))
    images, text = slow_images(problem), problem.text_CD.double()

    def loss(_: int) -> torch.Tensor:
        rows = [
            [SCALE * image @ slow_unit(text[k] + 0.5 * residual_CD[k]) for k in range(len(counts))] for image in images
        ]
        return slow_cross_entropy(problem, rows)

    slow_adam([residual_CD], loss, Recipe("adam", 2e-3, epochs))
    pre_MP = new_photos(problem)
    expected = cosine_logits(problem, text + 0.5 * residual_CD.detach(), pre_MP)
    assert torch.allclose(linear.task_res(problem).logits(pre_MP).double(), expected, atol=5e-3)


def test_lp_plus_plus_is_the_recipe_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "LPPP_STEPS", 24)
    problem = make_problem((3, 3, 3))
    images, labels, text = slow_images(problem), problem.support.labels_N.tolist(), problem.text_CD.double()
    count = len(images)
    mine = [[image for image, label in zip(images, labels, strict=True) if label == k] for k in range(3)]
    weight_CD = torch.stack([torch.stack(one).sum(dim=0) for one in mine]).requires_grad_()
    bias_C = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    start = sum(250 * float(torch.stack(mine[k]).mean(dim=0) @ text[k]) for k in range(3)) / 3
    alpha_C = torch.full((3,), start, dtype=torch.float64, requires_grad=True)
    rows_ND = torch.stack(images)
    rate_w = 4 * count / float(torch.linalg.eigvalsh(rows_ND.T @ rows_ND)[-1])
    rate_alpha = count / (4 * max(sum(float(image @ text[k]) ** 2 for image in images) for k in range(3)))
    speed_w, speed_b = torch.zeros_like(weight_CD), torch.zeros_like(bias_C)
    for step in range(24):
        logits = [[f @ weight_CD[k] + bias_C[k] + alpha_C[k] * (f @ text[k]) for k in range(3)] for f in images]
        grad_w, grad_b, grad_alpha = torch.autograd.grad(
            slow_cross_entropy(problem, logits), (weight_CD, bias_C, alpha_C)
        )
        with torch.no_grad():
            speed_w, speed_b = 0.9 * speed_w + grad_w, 0.9 * speed_b + grad_b
            weight_CD -= rate_w * speed_w
            bias_C -= rate_w * speed_b
            if step in (9, 19):
                alpha_C -= rate_alpha * grad_alpha
    pre_MP = new_photos(problem)
    fitted = linear.lp_plus_plus(problem)
    new = [slow_unit(pre_P.double() @ problem.initial.weight_PD.double()) for pre_P in pre_MP]
    expected = torch.stack([f @ weight_CD.T + bias_C + alpha_C * (f @ text.T) for f in new])
    assert torch.allclose(fitted.logits(pre_MP).double(), expected, rtol=2e-5, atol=2e-3)
    assert fitted.trained_parameters == weight_CD.numel() + 3 + 3


@pytest.mark.parametrize("counts", [(3, 5), (3, 5, 4)])
def test_the_linear_probe_sits_at_the_minimum(counts: tuple[int, ...]) -> None:
    """Its gradient is zero: C · Σ v_i · CE_i + ½ ‖w‖², classes balanced, views sharing a photo's weight."""
    problem = make_problem(counts, views=2)
    strength, n_classes = 2.0, len(counts)
    fitted = linear._logistic(problem, problem.embed, strength)
    basis = torch.eye(8)
    # Read w and b off the answers: embeddings are of unit length, so ask for ± every axis.
    inverse = torch.linalg.pinv(problem.initial.weight_PD)
    plus, minus = fitted.logits(basis @ inverse), fitted.logits(-basis @ inverse)
    weight_CD = ((plus - minus) / 2).T.double().requires_grad_()
    bias_C = ((plus + minus) / 2).mean(dim=0).double().requires_grad_()
    labels = problem.support.labels_N.tolist()
    objective = 0.5 * (weight_CD**2).sum() if n_classes > 2 else 0.5 * ((weight_CD[1] - weight_CD[0]) ** 2).sum()
    for view in range(2):
        rows = [list(image @ weight_CD.T + bias_C) for image in slow_images(problem, view)]
        objective = objective + strength * len(labels) / 2 * slow_cross_entropy(problem, rows)
    gradients = torch.autograd.grad(objective, (weight_CD, bias_C))
    assert max(float(gradient.abs().max()) for gradient in gradients) < 2e-2


def test_two_classes_get_scikit_learns_own_probabilities() -> None:
    problem = make_problem((4, 4))
    image_ND = problem.image_MD.double().numpy()
    twin = LogisticRegression(C=5.0, max_iter=1000).fit(image_ND, problem.support.labels_N.numpy())
    logits_NC = linear._logistic(problem, problem.embed, 5.0).logits(problem.support.pre_VNP[0])
    assert torch.allclose(logits_NC.softmax(dim=-1).double(), torch.from_numpy(twin.predict_proba(image_ND)), atol=1e-3)


def test_the_probe_before_the_projector_does_not_use_it() -> None:
    problem = make_problem((4, 4, 4))
    fitted = linear.linear_probe_pre(problem)
    assert fitted.added_parameters == 3 * (12 + 1)
    pre_MP = new_photos(problem)
    assert torch.allclose(fitted.logits(pre_MP), fitted.logits(3 * pre_MP), atol=1e-4)
    assert linear.linear_probe(problem).added_parameters == 3 * (8 + 1)


def test_the_strength_is_told() -> None:
    few, enough = linear.linear_probe(make_problem((2, 2))), linear.linear_probe(make_problem((6, 6)))
    assert few.note is not None and few.note.text == "C = 31.6, fixed: too few photos to choose it from"
    assert enough.note is not None and "chosen by cross-validation" in enough.note.text
