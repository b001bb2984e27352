"""Parts that are added behind the embeddings, ProLIP's variants, prompt tuning."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the name the whole field uses

from prolip_core import prolip
from prolip_core.baselines import adapters, closed_form, linear, projector_methods, prompt_tuning
from prolip_core.baselines.problem import ContextEncoder, Fitted, Problem, TextSide
from prolip_core.baselines.training import Recipe
from prolip_core.errors import Cancelled, FitError
from prolip_core.objective import Support, class_balanced_weights
from prolip_core.spec import FitConfig
from prolip_core.types import Projector
from tests.test_baselines_closed_form import SCALE, make_problem, new_photos
from tests.test_baselines_linear import double, slow_adam, slow_cross_entropy, slow_images, slow_sgd, slow_unit


def support_loss(problem: Problem, fitted: Fitted) -> float:
    labels_N = problem.support.labels_N
    losses_N = F.cross_entropy(fitted.logits(problem.support.pre_VNP[0]), labels_N, reduction="none")
    return float(losses_N @ class_balanced_weights(labels_N, problem.n_classes))


def slow_cache(problem: Problem, image: torch.Tensor, keys: torch.Tensor) -> list[torch.Tensor]:
    said = [torch.zeros((), dtype=torch.float64) for _ in range(problem.n_classes)]
    for key, label in zip(keys, problem.support.labels_N.tolist(), strict=True):
        said[label] = said[label] + torch.exp(-(1 - image @ key))
    return said


def test_tip_adapter_f_starts_as_tip_adapter(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = make_problem(views=2)
    monkeypatch.setattr(adapters, "TIP_F_RECIPE", Recipe("adamw", 1e-3, 0))
    pre_MP = new_photos(problem)
    expected = closed_form.tip_adapter(problem).logits(pre_MP)
    assert torch.allclose(adapters.tip_adapter_f(problem).logits(pre_MP), expected, atol=1e-5)


def test_tip_adapter_f_trains_its_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe("adam", 1e-2, 15, eps=1e-4)
    monkeypatch.setattr(adapters, "TIP_F_RECIPE", recipe)
    problem = make_problem((3, 2, 4))
    images, text = slow_images(problem), problem.text_CD.double()
    keys = double(torch.stack(images))

    def loss(_: int) -> torch.Tensor:
        rows = []
        for image in images:
            said = slow_cache(problem, image, keys)
            rows.append([SCALE * image @ text[k] + said[k] for k in range(3)])
        return slow_cross_entropy(problem, rows)

    slow_adam([keys], loss, recipe)
    fitted = adapters.tip_adapter_f(problem)
    pre_MP = new_photos(problem)
    for m, row in enumerate(fitted.logits(pre_MP)):
        image = slow_unit(pre_MP[m].double() @ problem.initial.weight_PD.double())
        said = slow_cache(problem, image, keys)
        expected = torch.stack([SCALE * image @ text[k] + said[k] for k in range(3)])
        assert torch.allclose(row.double(), expected, atol=2e-3)
    assert fitted.trained_parameters == keys.numel()
    assert not fitted.logits(pre_MP).requires_grad


def test_clip_adapter_blends_its_network_with_the_embedding(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = make_problem()
    monkeypatch.setattr(adapters, "ADAPTER_RECIPE", Recipe("sgd", 1e-3, 0))
    pre_MP = new_photos(problem)
    random = torch.Generator().manual_seed(problem.seed)
    # 8 → 2 → 8, uniform within ±1/√(inputs).
    down = (2 * torch.rand(8, 2, generator=random) - 1) / math.sqrt(8)
    up = (2 * torch.rand(2, 8, generator=random) - 1) / math.sqrt(2)
    for m, row in enumerate(adapters.clip_adapter(problem).logits(pre_MP)):
        image = problem.embed(pre_MP[m : m + 1])[0]
        inner = [max(0.0, sum(float(image[d] * down[d, e]) for d in range(8))) for e in range(2)]
        outer = [max(0.0, sum(inner[e] * float(up[e, d]) for e in range(2))) for d in range(8)]
        blended = slow_unit(torch.tensor([0.2 * outer[d] + 0.8 * float(image[d]) for d in range(8)]))
        assert torch.allclose(row, SCALE * problem.text_CD @ blended, atol=1e-4)


def test_clip_adapter_follows_its_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe("sgd", 0.1, 10, warm_up_epochs=1)
    monkeypatch.setattr(adapters, "ADAPTER_RECIPE", recipe)
    problem = replace(make_problem((3, 2, 4)), seed=1)
    images, text = slow_images(problem), problem.text_CD.double()
    random = torch.Generator().manual_seed(problem.seed)
    down = double((2 * torch.rand(8, 2, generator=random) - 1) / math.sqrt(8))
    up = double((2 * torch.rand(2, 8, generator=random) - 1) / math.sqrt(2))

    def row(image: torch.Tensor) -> list[torch.Tensor]:
        blended = slow_unit(0.2 * ((image @ down).clamp(min=0) @ up).clamp(min=0) + 0.8 * image)
        return [SCALE * blended @ text[k] for k in range(3)]

    start = torch.stack([torch.stack(row(image)) for image in images]).detach()
    slow_sgd([down, up], lambda _: slow_cross_entropy(problem, [row(image) for image in images]), recipe)
    expected = torch.stack([torch.stack(row(image)) for image in images]).detach()
    found = adapters.clip_adapter(problem).logits(problem.support.pre_VNP[0]).double()
    assert torch.allclose(found, expected, atol=2e-3) and not torch.allclose(found, start, atol=2e-2)


def test_clip_adapter_learns() -> None:
    problem = make_problem((6, 6, 6))
    fitted = adapters.clip_adapter(problem)
    assert support_loss(problem, fitted) < support_loss(problem, closed_form.zero_shot(problem))
    assert fitted.added_parameters == fitted.trained_parameters == 2 * 8 * 2


@pytest.mark.parametrize(
    ("method", "lam"),
    [
        (projector_methods.prolip_one_over_n, "1/N"),
        (projector_methods.prolip_one_over_n_squared, "1/N2"),
        (projector_methods.prolip_auto, "auto"),
    ],
)
def test_prolip_is_the_training_of_the_app(method: object, lam: str) -> None:
    problem = replace(make_problem((5, 6, 4), width=30, bias=True), seed=3)
    trained = prolip.fit(problem.support, problem.text_CD, problem.initial, SCALE, FitConfig(lam=lam, seed=3)).projector
    pre_MP = new_photos(problem)
    fitted: Fitted = method(problem)  # type: ignore[operator]
    expected = closed_form.zero_shot(replace(problem, initial=trained)).logits(pre_MP)
    assert torch.equal(fitted.logits(pre_MP), expected)
    assert (fitted.added_parameters, fitted.trained_parameters) == (0, 30 * 8)


def test_prolip_can_be_stopped_in_the_training_and_in_the_choice_of_lambda() -> None:
    problem = make_problem((5, 5, 5))
    for method in (projector_methods.prolip_one_over_n, projector_methods.prolip_auto):
        with pytest.raises(Cancelled):
            method(problem, lambda done, _: done >= 1)


def test_the_linear_adapter_is_prolip_behind_the_output() -> None:
    problem = make_problem((3, 4, 3), bias=True)
    assert problem.initial.bias_D is not None
    raw_NP = problem.support.pre_VNP[0] @ problem.initial.weight_PD + problem.initial.bias_D
    support = Support(raw_NP[None], problem.support.labels_N, problem.support.groups_N, 3)
    behind = Problem(support, problem.text_CD, Projector(torch.eye(8)), SCALE)
    pre_MP = new_photos(problem)
    expected = projector_methods.prolip_one_over_n(behind).logits(
        pre_MP @ problem.initial.weight_PD + problem.initial.bias_D
    )
    fitted = projector_methods.linear_adapter(problem)
    assert torch.allclose(fitted.logits(pre_MP), expected, atol=1e-4)
    assert fitted.added_parameters == fitted.trained_parameters == 64


@pytest.mark.parametrize("method", ["prolip_tip_adapter_f", "prolip_task_res"])
def test_the_combinations_follow_their_loss(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe("adam", 1e-2, 12, eps=1e-4)
    monkeypatch.setattr(projector_methods, "COMBINED_RECIPE", recipe)
    problem = make_problem((3, 3, 3))
    images, text, start = slow_images(problem), problem.text_CD.double(), problem.initial.weight_PD.double()
    weight_PD = double(problem.initial.weight_PD)
    extra = double(torch.stack(images) if method == "prolip_tip_adapter_f" else torch.zeros_like(text))

    def row(pre_P: torch.Tensor) -> list[torch.Tensor]:
        frozen, moved = slow_unit(pre_P.double() @ start), slow_unit(pre_P.double() @ weight_PD)
        if method == "prolip_tip_adapter_f":
            added = slow_cache(problem, frozen, extra)
        else:
            added = [0.1 * SCALE * frozen @ extra[k] for k in range(3)]
        return [SCALE * moved @ text[k] + added[k] for k in range(3)]

    def loss(_: int) -> torch.Tensor:
        rows = [row(pre_P) for pre_P in problem.support.pre_VNP[0]]
        return slow_cross_entropy(problem, rows) + 1 / 3 * ((weight_PD - start) ** 2).sum()

    slow_adam([weight_PD, extra], loss, recipe)
    fitted: Fitted = getattr(projector_methods, method)(problem)
    pre_MP = new_photos(problem)
    expected = torch.stack([torch.stack(row(pre_P)) for pre_P in pre_MP])
    assert torch.allclose(fitted.logits(pre_MP).double(), expected.detach(), atol=2e-2)
    assert fitted.trained_parameters == weight_PD.numel() + extra.numel()
    assert not fitted.logits(pre_MP).requires_grad


def test_the_combinations_do_not_decay_the_projector() -> None:
    assert projector_methods.COMBINED_RECIPE.weight_decay == 0.0


def with_text_side(problem: Problem) -> Problem:
    """Two sentences for each of the first two classes, one for the third."""
    random = torch.Generator().manual_seed(5)
    side = TextSide(
        torch.randn(5, 6, generator=random),
        torch.tensor([0, 0, 1, 1, 2]),
        Projector(torch.randn(6, 8, generator=random), 0.1 * torch.randn(8, generator=random)),
    )
    text_CD = projector_methods.class_vectors(side, side.projector.weight_PD, 3)
    return replace(problem, text_side=side, text_CD=text_CD)


def test_class_vectors_are_unit_means_of_unit_sentences() -> None:
    side = with_text_side(make_problem()).text_side
    assert side is not None and side.projector.bias_D is not None
    found = projector_methods.class_vectors(side, side.projector.weight_PD, 3)
    units = [slow_unit(pre @ side.projector.weight_PD + side.projector.bias_D) for pre in side.pre_SQ]
    expected = [slow_unit((units[0] + units[1]) / 2), slow_unit((units[2] + units[3]) / 2), units[4]]
    assert torch.allclose(found, torch.stack(expected), atol=1e-5)


def test_the_text_projector_follows_its_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe("adam", 1e-2, 12, eps=1e-4)
    monkeypatch.setattr(projector_methods, "TEXT_RECIPE", recipe)
    problem = with_text_side(make_problem((4, 4, 4)))
    side = problem.text_side
    assert side is not None
    images, start = slow_images(problem), side.projector.weight_PD.double()
    weight_QD = double(side.projector.weight_PD)

    def class_rows() -> torch.Tensor:
        assert side.projector.bias_D is not None
        units = [slow_unit(pre.double() @ weight_QD + side.projector.bias_D.double()) for pre in side.pre_SQ]
        owners = side.classes_S.tolist()
        rows = [
            sum((u for u, o in zip(units, owners, strict=True) if o == k), torch.zeros(8).double()) for k in range(3)
        ]
        return torch.stack([slow_unit(row / owners.count(k)) for k, row in enumerate(rows)])

    def loss(_: int) -> torch.Tensor:
        text = class_rows()
        rows = [[SCALE * image @ text[k] for k in range(3)] for image in images]
        return slow_cross_entropy(problem, rows) + 1 / 4 * ((weight_QD - start) ** 2).sum()

    slow_adam([weight_QD], loss, recipe)
    pre_MP = new_photos(problem)
    new = torch.stack([slow_unit(pre_P.double() @ problem.initial.weight_PD.double()) for pre_P in pre_MP])
    fitted = projector_methods.prolip_text(problem)
    assert torch.allclose(fitted.logits(pre_MP).double(), SCALE * new @ class_rows().T.detach(), atol=1e-3)
    assert (fitted.added_parameters, fitted.trained_parameters) == (0, 48)


def test_without_the_text_tower_the_methods_on_it_say_so() -> None:
    for method in (projector_methods.prolip_text, prompt_tuning.coop):
        with pytest.raises(FitError, match="handed in"):
            method(make_problem())


def with_context(problem: Problem) -> Problem:
    """A "text tower" that adds the mean of the context to every class vector."""

    def encode(context_LE: torch.Tensor) -> torch.Tensor:
        moved = torch.stack([context_LE.mean(dim=0) * k for k in (1.0, -1.0, 0.5)])
        return F.normalize(problem.text_CD + 20 * moved, dim=-1)

    return replace(problem, context=ContextEncoder(8, encode))


def test_coop_learns_a_context_and_nothing_else() -> None:
    problem = with_context(make_problem((5, 5, 5)))
    fitted = prompt_tuning.coop(problem)
    assert problem.context is not None
    random = torch.Generator().manual_seed(problem.seed)
    start = problem.context.encode(0.02 * torch.randn(16, 8, generator=random))
    before = support_loss(problem, closed_form.zero_shot(replace(problem, text_CD=start)))
    assert support_loss(problem, fitted) < before - 0.01
    assert fitted.added_parameters == fitted.trained_parameters == 16 * 8
    assert not fitted.logits(new_photos(problem)).requires_grad


def test_coop_follows_its_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = Recipe("sgd", 0.02, 8, batch=32, warm_up_epochs=1)
    monkeypatch.setattr(prompt_tuning, "recipe", lambda _: schedule)
    problem = with_context(make_problem((3, 2, 4)))
    images, text = slow_images(problem), problem.text_CD.double()
    random = torch.Generator().manual_seed(problem.seed)
    context = double(0.02 * torch.randn(16, 8, generator=random))

    def classes() -> list[torch.Tensor]:
        mean = sum(context[word] for word in range(16)) / 16
        return [slow_unit(text[k] + 20 * by * mean) for k, by in enumerate((1.0, -1.0, 0.5))]

    def rows() -> list[list[torch.Tensor]]:
        return [[SCALE * image @ one for one in classes()] for image in images]

    start = torch.stack([torch.stack(row) for row in rows()]).detach()
    slow_sgd([context], lambda _: slow_cross_entropy(problem, rows()), schedule)
    expected = torch.stack([torch.stack(row) for row in rows()]).detach()
    found = prompt_tuning.coop(problem).logits(problem.support.pre_VNP[0]).double()
    assert torch.allclose(found, expected, atol=2e-3) and not torch.allclose(found, start, atol=2e-2)


def test_the_recipes_are_those_that_the_docstrings_name() -> None:
    """The numbers of the papers, which every test of a training replaces by a shorter recipe."""
    for found, written in (
        (adapters.TIP_F_RECIPE, Recipe("adamw", 1e-3, 20, batch=256, eps=1e-4, weight_decay=0.01)),
        (linear.PROTOTYPE_RECIPE, Recipe("sgd", 0.1, 300, batch=256, warm_up_epochs=1, momentum=0.9, weight_decay=0.0)),
        (projector_methods.COMBINED_RECIPE, Recipe("adamw", 1e-4, 300, batch=None, eps=1e-4, weight_decay=0.0)),
        (projector_methods.TEXT_RECIPE, Recipe("adam", 1e-3, 300, batch=None, eps=1e-4, weight_decay=0.0)),
    ):
        assert found == written
    assert (adapters.ADAPTER_RATIO, adapters.ADAPTER_BOTTLENECK) == (0.2, 4)
    coop_trainer = Recipe("sgd", 2e-3, 200, batch=32, warm_up_epochs=1, momentum=0.9, weight_decay=5e-4)
    assert adapters.ADAPTER_RECIPE == prompt_tuning.recipe(16) == coop_trainer


@pytest.mark.parametrize(("photos", "epochs"), [(1, 50), (2, 100), (4, 100), (8, 200), (16, 200)])
def test_coop_trains_as_long_as_the_paper_says(photos: int, epochs: int) -> None:
    assert prompt_tuning.recipe(photos).epochs == epochs
