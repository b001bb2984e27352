"""What holds for every method of the list."""

from __future__ import annotations

import ast
import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from prolip_core.baselines import methods, projector_methods
from prolip_core.baselines.methods import METHODS, Method
from prolip_core.baselines.problem import Problem, TokenSide
from prolip_core.errors import Cancelled, ConfigError
from prolip_core.objective import Support
from tests.conftest import REPOSITORY
from tests.test_baselines_adapters import with_context, with_text_side
from tests.test_baselines_closed_form import make_problem, new_photos

CLOSED = {"zero_shot", "nearest_class_mean", "tip_adapter", "ss_text"}
"""Methods that are over before anybody could stop them."""


class FlatTail(nn.Module):
    """A tail whose tokens are the features themselves, so that one test serves all methods."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.block = nn.Linear(width, width)
        nn.init.eye_(self.block.weight)
        nn.init.zeros_(self.block.bias)

    def forward(self, tokens_B1P: torch.Tensor) -> torch.Tensor:
        pre_BP: torch.Tensor = self.block(tokens_B1P.flatten(1))
        return pre_BP


def whole_problem(counts: tuple[int, ...] = (4, 5, 4), **options: object) -> Problem:
    problem = with_context(with_text_side(make_problem(counts, **options)))
    pre_NP = problem.support.pre_VNP[0]
    return replace(problem, tokens=TokenSide(pre_NP[:, None], FlatTail(pre_NP.shape[1]), torch.device("cpu")))


each = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.key)


@each
def test_the_same_seed_gives_the_same_answers_and_nothing_is_changed(method: Method) -> None:
    problem = whole_problem(views=2)
    before = copy.deepcopy(
        (problem.support.pre_VNP, problem.text_CD, problem.initial.weight_PD, problem.support.labels_N)
    )
    pre_MP = new_photos(problem)
    torch.manual_seed(0)
    first = method.fit(problem, None).logits(pre_MP)
    torch.manual_seed(1)
    again = method.fit(problem, None).logits(pre_MP)
    assert torch.equal(first, again)
    assert first.shape == (7, 3) and first.dtype == torch.float32 and torch.isfinite(first).all()
    after = (problem.support.pre_VNP, problem.text_CD, problem.initial.weight_PD, problem.support.labels_N)
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


@each
def test_a_photo_is_answered_on_its_own(method: Method) -> None:
    """What else is asked at the same time does not matter: no statistics of the photos that are asked about."""
    problem = whole_problem()
    fitted = method.fit(problem, None)
    pre_MP = new_photos(problem)
    assert torch.allclose(fitted.logits(pre_MP)[2:3], fitted.logits(pre_MP[2:3]), atol=1e-4)


@each
def test_the_order_of_the_classes_changes_nothing_else(method: Method) -> None:
    """With two photos per class, where nothing is chosen by folds."""
    problem = whole_problem((2, 2, 2))
    order = torch.tensor([2, 0, 1])
    support = problem.support
    assert problem.text_side is not None and problem.context is not None
    encode, rank = problem.context.encode, torch.argsort(order)
    turned = replace(
        problem,
        support=Support(support.pre_VNP, rank[support.labels_N], support.groups_N, 3),
        text_CD=problem.text_CD[order],
        text_side=replace(problem.text_side, classes_S=rank[problem.text_side.classes_S]),
        context=replace(problem.context, encode=lambda context_LE: encode(context_LE)[order]),
    )
    pre_MP = new_photos(problem)
    plain, permuted = method.fit(problem, None).logits(pre_MP), method.fit(turned, None).logits(pre_MP)
    assert torch.allclose(plain[:, order], permuted, atol=5e-3)


@each
def test_every_method_but_the_instant_ones_can_be_stopped(method: Method) -> None:
    problem = whole_problem()
    if method.key in CLOSED:
        method.fit(problem, lambda *_: True)
        return
    with pytest.raises(Cancelled):
        method.fit(problem, lambda *_: True)


@each
def test_photos_teach_every_method_but_zero_shot(method: Method) -> None:
    problem = whole_problem((12, 12, 12), width=24)
    labels_N, pre_NP = problem.support.labels_N, problem.support.pre_VNP[0]
    right = (method.fit(problem, None).logits(pre_NP).argmax(dim=-1) == labels_N).float().mean()
    zero = (METHODS[0].fit(problem, None).logits(pre_NP).argmax(dim=-1) == labels_N).float().mean()
    # The learning rates of CLIP-Adapter and the last block are too small for so few steps; that they learn is tested on its own.
    if method.key not in {"zero_shot", "clip_adapter", "last_block"}:
        assert right > zero


@each
def test_the_source_stands_in_the_docstring(method: Method) -> None:
    text = method.fit.__doc__ or ""
    if method.source and method.key not in {"linear_probe_pre", "prolip_auto", "linear_adapter", "prolip_text"}:
        assert method.source.partition("arXiv ")[2] in text


def test_keys_and_titles_are_there_once() -> None:
    for names in ([method.key for method in METHODS], [method.title for method in METHODS]):
        assert len(set(names)) == len(names)
    assert methods.REFERENCE in {method.key for method in METHODS}


def test_methods_are_found_by_key_in_the_order_of_the_list() -> None:
    assert [method.key for method in methods.by_keys(["clap", "zero_shot"])] == ["zero_shot", "clap"]
    with pytest.raises(ConfigError, match="clop"):
        methods.by_keys(["clop"])


def test_what_a_method_needs_is_looked_at() -> None:
    bare, whole = make_problem(), whole_problem()
    missing = {method.key: reason.text for method in METHODS if (reason := method.why_not(bare)) is not None}
    assert list(missing) == ["coop", "last_block", "prolip_text"]
    assert "graphics card" in missing.pop("last_block")
    assert all("text part" in reason for reason in missing.values())
    assert all(method.why_not(whole) is None for method in METHODS)


def test_only_zero_shot_does_not_learn() -> None:
    assert [method.key for method in METHODS if not method.learns] == ["zero_shot"]


def test_every_public_function_that_fits_is_in_the_list() -> None:
    listed = {method.fit.__name__ for method in METHODS}
    defined = {
        node.name
        for path in (REPOSITORY / "prolip_core" / "baselines").glob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
        and [argument.arg for argument in node.args.args] == ["problem", "on_step"]
        and not node.name.startswith("_")
    }
    assert defined == listed
    assert projector_methods.prolip_auto.__name__ in defined
