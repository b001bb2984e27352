"""The end of a vision transformer, and fine-tuning of its last block against a slow twin."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the name the whole field uses

from prolip_core import features, vision_tail
from prolip_core.backbones import Backbone
from prolip_core.baselines import last_block
from prolip_core.baselines.problem import Problem, TokenSide
from prolip_core.errors import Cancelled, FitError, NonFiniteLossError
from prolip_core.objective import Support
from tests import fakes, image_factory

CPU = torch.device("cpu")
N, CLASSES = 10, 3
LABELS = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]
KINDS: dict[str, dict[str, Any]] = {
    "token": {},
    "mean": {"pool_type": "avg"},
    "norm last": {"pool_type": "avg", "final_ln_after_pool": True},
    "attention": {"attentional_pool": True, "attn_pooler_queries": 4, "attn_pooler_heads": 2},
}


def backbone(kind: str = "token") -> Backbone:
    config = copy.deepcopy(fakes.TINY_CONFIG)
    config["vision_cfg"] |= KINDS[kind]
    return fakes.tiny_backbone(config=config)


def pixels(count: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", list(KINDS))
def test_tokens_and_tail_together_are_the_tower(kind: str) -> None:
    model = backbone(kind)
    tail = model.tail()
    assert tail is not None
    pixels_B3HW = pixels(3)
    with torch.no_grad():
        pre_BP = tail(model.encode_tokens(pixels_B3HW))
    torch.testing.assert_close(pre_BP, model.encode_pre(pixels_B3HW))
    assert model.encode_tokens(pixels_B3HW).shape == (3, 1 + (32 // 8) ** 2, 48)


def test_the_tail_is_a_copy_and_the_tower_stays_whole() -> None:
    model = backbone()
    before = model.encode_pre(pixels(2))
    tail = model.tail()
    assert tail is not None
    with torch.no_grad():
        for parameter in tail.block.parameters():
            parameter.zero_()
    torch.testing.assert_close(model.encode_pre(pixels(2)), before)
    assert sum(p.numel() for p in tail.block.parameters()) < sum(p.numel() for p in tail.parameters())


def test_a_tower_without_transformer_has_no_tail() -> None:
    assert vision_tail.take(torch.nn.Conv2d(3, 4, 1)) is None


def test_tokens_of_photos_are_those_of_their_pixels() -> None:
    model = backbone()
    photos = {f"{number}": image_factory.jpeg(number) for number in range(3)}

    class Source:
        def read(self, image_id: str) -> bytes:
            return photos[image_id]

    found = features.extract_tokens(model, Source(), list(photos))
    tail = model.tail()
    assert tail is not None
    expected = features.extract(model, Source(), list(photos)).pre_VNP[0]
    with torch.no_grad():
        torch.testing.assert_close(tail(found), expected)
    with pytest.raises(Cancelled):
        features.extract_tokens(model, Source(), list(photos), on_progress=lambda progress: progress.done > 0)


@pytest.fixture
def problem() -> Problem:
    model = backbone()
    tail = model.tail()
    assert tail is not None
    tokens_NTW = model.encode_tokens(pixels(N, seed=1))
    with torch.no_grad():
        pre_NP = tail(tokens_NTW)
    text_CD = F.normalize(torch.randn(CLASSES, 16, generator=torch.Generator().manual_seed(2)), dim=-1)
    support = Support(pre_NP[None], torch.tensor(LABELS), tuple(range(N)), CLASSES)
    return Problem(support, text_CD, model.projector, 10.0, tokens=TokenSide(tokens_NTW, tail, CPU))


def test_it_is_the_slow_twin_step_by_step(problem: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole batches, class-balanced cross-entropy by hand, AdamW by hand."""
    steps = 3
    monkeypatch.setattr(last_block, "RECIPE", replace(last_block.RECIPE, epochs=steps, learning_rate=1e-3))
    monkeypatch.setattr(last_block, "CHUNK", 4)
    side = problem.tokens
    assert side is not None
    fitted = last_block.last_block(problem)

    tail: Any = copy.deepcopy(side.tail)
    parameters = list(tail.block.requires_grad_(True).parameters())
    means = [torch.zeros_like(p) for p in parameters]
    squares = [torch.zeros_like(p) for p in parameters]
    for step in range(1, steps + 1):
        image_ND = F.normalize(tail(side.tokens_NTW) @ problem.initial.weight_PD, dim=-1)
        losses = -(10.0 * image_ND @ problem.text_CD.T).log_softmax(dim=-1)[range(N), LABELS]
        shares = [1 / LABELS.count(label) / CLASSES for label in LABELS]
        loss = (losses * torch.tensor(shares)).sum()
        gradients = torch.autograd.grad(loss, parameters)
        rate = 1e-3 * 0.5 * (1 + torch.cos(torch.tensor(torch.pi * (step - 1) / steps)))
        with torch.no_grad():
            for p, g, m, v in zip(parameters, gradients, means, squares, strict=True):
                p.mul_(1 - rate * 0.1)
                m.mul_(0.9).add_(0.1 * g)
                v.mul_(0.999).add_(0.001 * g * g)
                p.sub_(rate * (m / (1 - 0.9**step)) / ((v / (1 - 0.999**step)).sqrt() + 1e-8))
    tokens_MTW = backbone().encode_tokens(pixels(5, seed=9))
    with torch.no_grad():
        expected = 10.0 * F.normalize(tail(tokens_MTW) @ problem.initial.weight_PD, dim=-1) @ problem.text_CD.T
    torch.testing.assert_close(fitted.logits(tokens_MTW), expected, atol=1e-4, rtol=1e-4)
    assert (fitted.added_parameters, fitted.trained_parameters) == (0, sum(p.numel() for p in parameters))


def test_it_learns_and_leaves_what_it_was_given(problem: Problem) -> None:
    side = problem.tokens
    assert side is not None
    before = copy.deepcopy(side.tail.state_dict())
    rates = []
    for epochs in (0, 100):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(last_block, "RECIPE", replace(last_block.RECIPE, epochs=epochs, learning_rate=1e-3))
            answers = last_block.last_block(problem).logits(side.tokens_NTW).argmax(dim=-1)
        rates.append(int((answers == torch.tensor(LABELS)).sum()))
    assert rates[1] >= N - 1 > rates[0]
    assert all(torch.equal(value, before[name]) for name, value in side.tail.state_dict().items())


def test_it_stops_fails_and_is_refused(problem: Problem) -> None:
    with pytest.raises(Cancelled):
        last_block.last_block(problem, lambda done, _total: done == 2)
    with pytest.raises(FitError, match="tokens of a vision transformer"):
        last_block.last_block(replace(problem, tokens=None))
    with pytest.raises(NonFiniteLossError):
        last_block.last_block(replace(problem, logit_scale=float("inf")))


def test_a_draw_has_the_tokens_of_its_photos(problem: Problem) -> None:
    rows = torch.tensor([0, 5, 8])
    drawn = problem.subset(rows)
    assert drawn.tokens is not None and problem.tokens is not None
    assert torch.equal(drawn.tokens.tokens_NTW, problem.tokens.tokens_NTW[rows])
    assert drawn.support.labels_N.tolist() == [0, 1, 2]
