"""Project, normalise, compare, soften."""

from __future__ import annotations

import math

import pytest
import torch

from prolip_core import classify
from prolip_core.types import Projector
from tests.fakes import few_shot_problem


def test_probabilities_against_a_slow_loop() -> None:
    support, text_CD, projector = few_shot_problem((2, 2, 2), width=5, joint=4, bias=True)
    assert projector.bias_D is not None
    pre_NP = support.pre_VNP[0]
    ids = [f"photo-{i}" for i in range(6)]
    predictions = classify.predict(ids, pre_NP, [0, 0, 1, 1, 2, -1], projector, text_CD, 9.0)
    for row, prediction in zip(pre_NP.tolist(), predictions, strict=True):
        image = [
            projector.bias_D.tolist()[d] + sum(row[p] * projector.weight_PD.tolist()[p][d] for p in range(5))
            for d in range(4)
        ]
        norm = math.sqrt(sum(v * v for v in image))
        scores = [math.exp(9.0 * sum(image[d] / norm * t[d] for d in range(4))) for t in text_CD.tolist()]
        expected = [score / sum(scores) for score in scores]
        assert prediction.probabilities == pytest.approx(expected, rel=1e-4)
        assert prediction.predicted == expected.index(max(expected))
        assert prediction.confidence == pytest.approx(max(expected), rel=1e-4)
        assert sum(prediction.probabilities) == pytest.approx(1.0, abs=1e-12)
    assert [p.image_id for p in predictions] == ids
    assert [p.label for p in predictions] == [0, 0, 1, 1, 2, -1]


def test_embeddings_have_unit_norm_and_ignore_the_scale_of_the_projector() -> None:
    support, _, projector = few_shot_problem((3, 3))
    once = classify.image_embeddings(support.pre_VNP[0], projector)
    twice = classify.image_embeddings(support.pre_VNP[0], Projector(2 * projector.weight_PD))
    assert torch.allclose(once.norm(dim=-1), torch.ones(6), atol=1e-6)
    assert torch.allclose(once, twice, atol=1e-6)


def test_permuting_the_classes_permutes_the_answers_and_nothing_else() -> None:
    support, text_CD, projector = few_shot_problem((2, 2, 2))
    order = [2, 0, 1]
    ids = [str(i) for i in range(6)]
    plain = classify.predict(ids, support.pre_VNP[0], [0] * 6, projector, text_CD, 9.0)
    permuted = classify.predict(ids, support.pre_VNP[0], [0] * 6, projector, text_CD[order], 9.0)
    for a, b in zip(plain, permuted, strict=True):
        assert order[b.predicted] == a.predicted
        assert [b.probabilities[order.index(k)] for k in range(3)] == pytest.approx(list(a.probabilities))


def test_likeness_of_texts_is_the_cosine_where_the_projector_reaches_everything() -> None:
    _, text_CD, projector = few_shot_problem((2, 2, 2))
    assert torch.allclose(classify.text_likeness(text_CD, projector), text_CD @ text_CD.T, atol=1e-5)


def test_likeness_of_texts_leaves_out_what_no_photo_can_have() -> None:
    # Two texts that differ only where the projector is empty are one and the same to every photo.
    weight_PD = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    half = 0.5**0.5
    text_CD = torch.tensor([[half, 0.0, half], [half, 0.0, -half], [0.0, half, half]])
    likeness_CC = classify.text_likeness(text_CD, Projector(weight_PD))
    assert likeness_CC[0, 1] == pytest.approx(1.0)
    # A photo of class 0 has logits s·half and 0 for the classes 0 and 2: apart by s·half·(1 − 0).
    assert likeness_CC[0, 2] == pytest.approx(1 - half)
