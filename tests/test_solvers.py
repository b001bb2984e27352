"""Both solvers find the same minimum; the short cut through the span of the features loses nothing."""

from __future__ import annotations

import pytest
import torch

from prolip_core import classify, objective, solvers
from prolip_core.errors import NonFiniteLossError
from prolip_core.objective import Recorder, Support
from prolip_core.types import Projector
from tests.fakes import few_shot_problem

SCALE, LAM = 10.0, 0.05


def loss_of(support: Support, text_CD: torch.Tensor, initial: Projector, weight_PD: torch.Tensor) -> float:
    """The mean over views of the objective."""
    losses = [
        objective.objective(weight_PD, pre_NP, support.labels_N, initial, text_CD, SCALE, LAM)
        for pre_NP in support.pre_VNP
    ]
    return float(torch.stack(losses).mean())


def solve(support: Support, text_CD: torch.Tensor, initial: Projector) -> torch.Tensor:
    reduced = solvers.reduce(support, initial, text_CD)
    delta_RK = solvers.exact(reduced, SCALE, LAM, tolerance=1e-12, max_iterations=1000)
    return solvers.expand(reduced, delta_RK, initial).weight_PD


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    ("counts", "views", "width"),
    [((2, 2, 2), 1, 12), ((3, 1, 2), 2, 40), ((9, 9, 9), 1, 12), ((5, 5, 5), 3, 12)],
    ids=["fewer rows than P", "views, fewer rows", "more rows than P", "views, more rows"],
)
def test_exact_equals_adam_run_to_convergence(counts: tuple[int, ...], views: int, width: int, bias: bool) -> None:
    support, text_CD, initial = few_shot_problem(counts, views=views, width=width, bias=bias)
    found_PD = solve(support, text_CD, initial)

    weight_PD = initial.weight_PD.clone().requires_grad_()
    optimiser = torch.optim.Adam([weight_PD], lr=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 1500)
    for _ in range(1500):
        optimiser.zero_grad()
        losses = [
            objective.objective(weight_PD, pre_NP, support.labels_N, initial, text_CD, SCALE, LAM)
            for pre_NP in support.pre_VNP
        ]
        torch.stack(losses).mean().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()

    exact, patient = (
        loss_of(support, text_CD, initial, found_PD),
        loss_of(support, text_CD, initial, weight_PD.detach()),
    )
    assert exact == pytest.approx(patient, rel=1e-4)
    assert exact < 0.9 * loss_of(support, text_CD, initial, initial.weight_PD)


def test_the_gradient_vanishes_at_the_exact_solution() -> None:
    support, text_CD, initial = few_shot_problem((3, 3, 3))
    weight_PD = solve(support, text_CD, initial).requires_grad_()
    loss = objective.objective(weight_PD, support.pre_VNP[0], support.labels_N, initial, text_CD, SCALE, LAM)
    (gradient_PD,) = torch.autograd.grad(loss, weight_PD)
    assert gradient_PD.abs().max().item() < 1e-4


def test_the_change_lies_in_the_span_of_the_features() -> None:
    support, text_CD, initial = few_shot_problem((2, 2, 2), width=20)
    change_PD = solve(support, text_CD, initial) - initial.weight_PD
    basis_PN, _ = torch.linalg.qr(support.pre_VNP[0].T)
    outside_PD = change_PD - basis_PN @ (basis_PN.T @ change_PD)
    assert outside_PD.norm().item() < 1e-4 * change_PD.norm().item()


def test_a_larger_lam_stays_nearer_to_the_start() -> None:
    support, text_CD, initial = few_shot_problem((3, 3, 3))
    reduced = solvers.reduce(support, initial, text_CD)
    distances = [solvers.exact(reduced, SCALE, lam).norm().item() for lam in (0.01, 0.1, 1.0, 100.0)]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 0.1 * distances[0]


def test_the_curve_of_exact_never_rises_and_ends_at_the_loss_of_the_result() -> None:
    support, text_CD, initial = few_shot_problem((4, 4, 4))
    recorder = Recorder(200, None)
    reduced = solvers.reduce(support, initial, text_CD)
    delta_RK = solvers.exact(reduced, SCALE, LAM, recorder=recorder)
    losses = [step.loss for step in recorder.history]
    assert losses == sorted(losses, reverse=True)
    weight_PD = solvers.expand(reduced, delta_RK, initial).weight_PD
    assert losses[-1] == pytest.approx(loss_of(support, text_CD, initial, weight_PD), rel=1e-4)
    last = recorder.history[-1]
    assert last.penalty == pytest.approx(LAM * delta_RK.square().sum().item(), rel=1e-3)


def test_exact_stops_where_it_was_asked_to() -> None:
    support, text_CD, initial = few_shot_problem((4, 4, 4))
    reduced = solvers.reduce(support, initial, text_CD)
    recorder = Recorder(200, lambda step: step.step == 3)
    delta_RK = solvers.exact(reduced, SCALE, LAM, recorder=recorder)
    assert len(recorder.history) == 3
    weight_PD = solvers.expand(reduced, delta_RK, initial).weight_PD
    assert recorder.history[-1].loss == pytest.approx(loss_of(support, text_CD, initial, weight_PD), rel=1e-4)


def run_adam(
    support: Support,
    text_CD: torch.Tensor,
    initial: Projector,
    recorder: Recorder,
    *,
    rate: float = 1e-2,
    epochs: int = 40,
) -> Projector:
    return solvers.adam(support, initial, text_CD, SCALE, LAM, learning_rate=rate, epochs=epochs, recorder=recorder)


def test_adam_follows_the_recipe_of_the_paper() -> None:
    """A slow twin: full batch, eps 1e-4, cosine to zero, view e mod V, Adam written out (Kingma & Ba 2015, algorithm 1)."""
    support, text_CD, initial = few_shot_problem((2, 2), views=2)
    trained = run_adam(support, text_CD, initial, Recorder(40, None))
    weight = initial.weight_PD.double()
    first, second = torch.zeros_like(weight), torch.zeros_like(weight)
    start = Projector(initial.weight_PD.double())
    for epoch in range(40):
        variable = weight.clone().requires_grad_()
        pre_NP = support.pre_VNP[epoch % 2].double()
        loss = objective.objective(variable, pre_NP, support.labels_N, start, text_CD.double(), SCALE, LAM)
        (gradient,) = torch.autograd.grad(loss, variable)
        rate = 1e-2 * 0.5 * (1 + torch.cos(torch.tensor(torch.pi * epoch / 40, dtype=torch.float64)))
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        corrected = first / (1 - 0.9 ** (epoch + 1))
        weight = weight - rate * corrected / ((second / (1 - 0.999 ** (epoch + 1))).sqrt() + 1e-4)
    assert torch.allclose(trained.weight_PD.double(), weight, atol=1e-4)


def test_adam_stopped_early_gives_the_best_so_far() -> None:
    support, text_CD, initial = few_shot_problem((4, 4, 4))
    recorder = Recorder(100, lambda step: step.step == 60)
    # A rate this large overshoots, so the last weights are not the best ones.
    trained = run_adam(support, text_CD, initial, recorder, rate=1.0, epochs=100)
    losses = [step.loss for step in recorder.history]
    assert len(losses) == 60
    assert min(losses) < losses[-1]
    assert loss_of(support, text_CD, initial, trained.weight_PD) == pytest.approx(min(losses), rel=1e-4)


def test_a_loss_that_is_not_finite_is_an_error() -> None:
    support, text_CD, initial = few_shot_problem((2, 2))
    broken = Projector(initial.weight_PD * float("inf"))
    with pytest.raises(NonFiniteLossError, match="nothing was saved"):
        run_adam(support, text_CD, broken, Recorder(5, None))
    with pytest.raises(NonFiniteLossError, match="nothing was saved"):
        solvers.exact(solvers.reduce(support, broken, text_CD), SCALE, LAM, recorder=Recorder(5, None))


@pytest.mark.parametrize("solver", ["exact", "adam"])
def test_nothing_that_was_passed_in_is_changed(solver: str) -> None:
    support, text_CD, initial = few_shot_problem((3, 3), bias=True)
    assert initial.bias_D is not None
    before = [support.pre_VNP.clone(), text_CD.clone(), initial.weight_PD.clone(), initial.bias_D.clone()]
    if solver == "exact":
        reduced = solvers.reduce(support, initial, text_CD)
        trained = solvers.expand(reduced, solvers.exact(reduced, SCALE, LAM), initial)
    else:
        trained = run_adam(support, text_CD, initial, Recorder(5, None), epochs=5)
    after = [support.pre_VNP, text_CD, initial.weight_PD, initial.bias_D]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert trained.weight_PD.data_ptr() != initial.weight_PD.data_ptr()
    assert trained.bias_D is not None
    assert torch.equal(trained.bias_D, initial.bias_D)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("joint", [8, 40], ids=["U is the identity", "U shrinks the joint space"])
def test_the_written_out_gradient_equals_automatic_differentiation(joint: int, bias: bool) -> None:
    support, text_CD, initial = few_shot_problem((3, 1, 2), views=2, width=20, joint=joint, bias=bias)
    reduced = solvers.reduce(support, initial, text_CD)
    assert (reduced.rotation_DK is None) == (joint == 8)
    delta_RK = 0.2 * torch.randn(reduced.coordinates_MR.shape[1], reduced.base_MK.shape[1])
    weights_M = objective.class_balanced_weights(reduced.labels_M, 3)
    data, penalty, logits_MC, gradient_RK = solvers.loss_and_gradient(reduced, delta_RK, weights_M, SCALE, LAM)

    variable = delta_RK.clone().requires_grad_()
    losses = [
        objective.objective(
            solvers.expand(reduced, variable, initial).weight_PD, pre, support.labels_N, initial, text_CD, SCALE, LAM
        )
        for pre in support.pre_VNP
    ]
    loss = torch.stack(losses).mean()
    (expected_RK,) = torch.autograd.grad(loss, variable)
    assert data + penalty == pytest.approx(loss.item(), rel=1e-5)
    assert torch.allclose(gradient_RK, expected_RK, atol=1e-5)
    trained = solvers.expand(reduced, delta_RK, initial)
    expected_MC = classify.logits(support.pre_VNP.flatten(0, 1), trained, text_CD, SCALE)
    assert torch.allclose(logits_MC, expected_MC, atol=1e-4)


def test_photos_that_are_copies_of_each_other_do_not_break_the_basis() -> None:
    support, text_CD, initial = few_shot_problem((2, 2), width=20)
    doubled = Support(support.pre_VNP.repeat(1, 3, 1), support.labels_N.repeat(3), tuple(range(12)), 2)
    weight_PD = solve(doubled, text_CD, initial)
    assert torch.isfinite(weight_PD).all()
    assert torch.allclose(weight_PD, solve(support, text_CD, initial), atol=2e-3)


def test_without_a_penalty_it_still_ends() -> None:
    support, text_CD, initial = few_shot_problem((2, 2))
    reduced = solvers.reduce(support, initial, text_CD)
    recorder = Recorder(200, None)
    solvers.exact(reduced, SCALE, 0.0, recorder=recorder)
    assert recorder.history[-1].support_accuracy == 1.0


def wide_problem() -> tuple[Support, torch.Tensor, Projector]:
    """Wide enough for the narrow problem to come first: K > 2 · (C + NARROW_WIDTH)."""
    return few_shot_problem((40, 40, 40), width=200, joint=100)


def test_the_narrow_problem_has_the_losses_of_the_whole_one() -> None:
    """For a change within its directions: the same loss, penalty and logits, number by number."""
    support, text_CD, initial = wide_problem()
    reduced = solvers.reduce(support, initial, text_CD)
    small, basis_KJ = solvers.narrow(reduced)
    assert small.base_MK.shape[1] == 3 + solvers.NARROW_WIDTH + 1
    delta_RJ = 0.05 * torch.randn(small.coordinates_MR.shape[1], small.base_MK.shape[1])
    delta_RJ[:, -1] = 0
    weights_M = objective.class_balanced_weights(reduced.labels_M, 3)
    one = solvers.loss_and_gradient(small, delta_RJ, weights_M, SCALE, LAM)
    two = solvers.loss_and_gradient(reduced, delta_RJ[:, :-1] @ basis_KJ.T, weights_M, SCALE, LAM)
    assert one[0] == pytest.approx(two[0], rel=1e-4)
    assert one[1] == pytest.approx(two[1], rel=1e-4)
    assert torch.allclose(one[2], two[2], atol=1e-3)


def test_the_narrow_problem_is_only_a_start() -> None:
    """The end is the optimum of the whole problem, and the curve goes on where the narrow one ended."""
    support, text_CD, initial = wide_problem()
    reduced = solvers.reduce(support, initial, text_CD)
    recorder = Recorder(1000, None)
    found_RK = solvers.exact(reduced, SCALE, LAM, tolerance=1e-10, max_iterations=1000, recorder=recorder)
    direct_RK = solvers.exact(
        reduced, SCALE, LAM, start_RK=torch.zeros_like(found_RK), tolerance=1e-10, max_iterations=1000
    )
    end = [
        loss_of(support, text_CD, initial, solvers.expand(reduced, d, initial).weight_PD) for d in (found_RK, direct_RK)
    ]
    assert end[0] == pytest.approx(end[1], rel=1e-3)
    losses = [step.loss for step in recorder.history]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] == pytest.approx(end[0], rel=1e-4)


@pytest.mark.parametrize("limit", [3, 30])
def test_the_limit_of_steps_holds_over_both_parts(limit: int) -> None:
    support, text_CD, initial = wide_problem()
    recorder = Recorder(limit, None)
    solvers.exact(
        solvers.reduce(support, initial, text_CD), SCALE, LAM, tolerance=1e-12, max_iterations=limit, recorder=recorder
    )
    assert len(recorder.history) == limit
