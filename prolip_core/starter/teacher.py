"""Where a piece of text should land in the starter's joint space: the targets of the text tower. Build time only.

The joint space is visual: the leading directions of the ImageNet classifier's weights. A class name that ImageNet knows has
a prototype there, the row of the classifier. Everything else is predicted from the 1000 prototypes by kernel ridge
regression, on sentence vectors and on the WordNet graph.

Beside this visual part every text has a part of its own, in OWN_WIDTH dimensions that no photo reaches before a training: the
projector's columns are zero there. Names that look alike (shirt and T-shirt) so keep class vectors that a training can tell
apart, and zero-shot answers do not change.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse
import torch
from torch.nn.functional import normalize

from prolip_core.starter.vocabulary import ARTIFACT_FILES, Names, Nouns, plural

OWN_WIDTH = 96
"""Dimensions of a text's own part."""

OWN_SHARE = 0.5
"""Share of a text vector's squared length that its own part has."""

UNTOLD = frozenset(["a", "an", "the", "of", "some", ".", ",", ":", "-", "'", "'s"])
"""Tokens that tell nothing about a name."""

NAME_POWER, NAME_RIDGE = 4, 0.3
SYNSET_POWER, SYNSET_RIDGE, GRAPH_SHARE = 3, 0.2, 0.3


@dataclass(frozen=True)
class JointSpace:
    """image = pre @ weight_PD + bias_D; `prototype_CD` are unit vectors of the 1000 ImageNet classes."""

    weight_PD: torch.Tensor
    bias_D: torch.Tensor
    prototype_CD: torch.Tensor


def joint_space(classifier_CP: torch.Tensor, mean_P: torch.Tensor, width: int, scale: float) -> JointSpace:
    """The leading right singular vectors of the centred classifier, times `scale`; the bias takes the mean image away."""
    centred_CP = classifier_CP - classifier_CP.mean(0)
    basis_PD = torch.linalg.svd(centred_CP.double(), full_matrices=False)[2][:width].T.float()
    # A singular vector is known up to its sign: fix it, so that every machine builds the same space.
    strongest_D = basis_PD.gather(0, basis_PD.abs().argmax(0, keepdim=True)).squeeze(0)
    basis_PD = basis_PD * strongest_D.sign()
    prototype_CD = normalize(centred_CP @ basis_PD, dim=1)
    return JointSpace(scale * basis_PD, -scale * (mean_P @ basis_PD), prototype_CD)


def mean_feature(weight_P: torch.Tensor, bias_P: torch.Tensor) -> torch.Tensor:
    """Mean of the pooled features, from the last batch normalisation alone (P,).

    After batch normalisation, channel p has mean `bias` and standard deviation `|weight|` over the training images; taken
    as Gaussian, the mean of ReLU6 of it has a closed form. No photo is needed.
    """
    spread_P = weight_P.abs().clamp_min(1e-6)
    low_P, high_P = -bias_P / spread_P, (6.0 - bias_P) / spread_P
    below_P, above_P = torch.special.ndtr(low_P), 1 - torch.special.ndtr(high_P)
    edge_P = (torch.exp(-low_P.square() / 2) - torch.exp(-high_P.square() / 2)) / math.sqrt(2 * math.pi)
    mean_P: torch.Tensor = bias_P * (1 - below_P - above_P) + spread_P * edge_P + 6.0 * above_P
    return mean_P


def own_codes(encoder: dict[str, int], seed: int) -> torch.Tensor:
    """A random unit vector for every token (vocabulary, OWN_WIDTH); zero for those that tell nothing about a name."""
    generator = torch.Generator().manual_seed(seed)
    code_VO = normalize(torch.randn(len(encoder), OWN_WIDTH, generator=generator), dim=1)
    marks = ("<start_of_text>", "<end_of_text>")
    silent = [i for token, i in encoder.items() if token.removesuffix("</w>") in UNTOLD or token in marks]
    code_VO[silent] = 0.0
    return code_VO


def own_parts(tokens_NL: torch.Tensor, code_VO: torch.Tensor) -> torch.Tensor:
    """The own part of bare texts, (N, OWN_WIDTH): the sum of their tokens' codes, unit length. Token 0 is padding."""
    return normalize((code_VO[tokens_NL] * (tokens_NL > 0).unsqueeze(-1)).sum(1), dim=1)


class NameRegression:
    """Any text → joint space, from its sentence vector: kernel (cosine ** 4) ridge regression on the class names."""

    def __init__(self, name_vectors_NE: torch.Tensor, target_ND: torch.Tensor) -> None:
        self._known_NE = name_vectors_NE
        kernel_NN = (name_vectors_NE @ name_vectors_NE.T).clamp_min(0) ** NAME_POWER
        self._coef_ND = torch.linalg.solve(kernel_NN + NAME_RIDGE * torch.eye(len(kernel_NN)), target_ND)

    def __call__(self, vectors_ME: torch.Tensor) -> torch.Tensor:
        """Unit vectors (M, D)."""
        kernel_MN = (vectors_ME @ self._known_NE.T).clamp_min(0) ** NAME_POWER
        return normalize(kernel_MN @ self._coef_ND, dim=1)


def graph_features(synsets: list[str], nouns: Nouns) -> sparse.csr_matrix:
    """Unit rows: a synset is described by all its ancestors, each weighted by the information that it adds to its parent.

    Information content = -log(share of all noun synsets below a node), as in Resnik (1995, arXiv cmp-lg/9511007) with
    counts of synsets in place of word counts.
    """
    counts: Counter[str] = Counter()
    for synset in nouns.parents:
        counts.update(nouns.ancestors(synset))
    information = {s: -math.log(c / len(nouns.parents)) for s, c in counts.items()}
    columns: dict[str, int] = {}
    rows, cols, values = [], [], []
    for row, synset in enumerate(synsets):
        for node in sorted(nouns.ancestors(synset)):
            above = max((information[parent] for parent in nouns.parents[node]), default=0.0)
            rows.append(row)
            cols.append(columns.setdefault(node, len(columns)))
            values.append(math.sqrt(max(information[node] - above, 0.0)))
    matrix = sparse.csr_matrix((values, (rows, cols)), shape=(len(synsets), len(columns)))
    length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return sparse.csr_matrix(sparse.diags(1 / np.maximum(length, 1e-9)) @ matrix)


def synset_targets(
    names: Names, nouns: Nouns, synsets: list[str], sentence_SE: torch.Tensor, prototype_CD: torch.Tensor
) -> torch.Tensor:
    """Unit vectors (S, D) for all synsets: prototypes where ImageNet has the class, a regression elsewhere.

    A synset above classes that ImageNet has (shoe: loafer, running shoe, sandal) is pulled to the mean of their prototypes.
    """
    index = {synset: i for i, synset in enumerate(synsets)}
    known = [index[c] for c in names.classes]
    graph = graph_features(synsets, nouns)
    graph_SC = torch.tensor((graph @ graph[known].T).toarray(), dtype=torch.float32) ** 2
    text_SC = (sentence_SE @ sentence_SE[known].T).clamp_min(0) ** SYNSET_POWER
    kernel_SC = GRAPH_SHARE * graph_SC + (1 - GRAPH_SHARE) * text_SC
    coef_CD = torch.linalg.solve(kernel_SC[known] + SYNSET_RIDGE * torch.eye(len(known)), prototype_CD)
    target_SD = normalize(kernel_SC @ coef_CD, dim=1)
    below: dict[str, list[int]] = defaultdict(list)
    for c, synset in enumerate(names.classes):
        for node in nouns.ancestors(synset) - {synset}:
            below[node].append(c)
    for node, classes in below.items():
        if node in index:
            mean_D = normalize(prototype_CD[classes].mean(0), dim=0)
            target_SD[index[node]] = normalize(target_SD[index[node]] + mean_D, dim=0)
    target_SD[known] = prototype_CD
    return target_SD


def lemma_targets(names: Names, nouns: Nouns, synsets: list[str], target_SD: torch.Tensor) -> dict[str, torch.Tensor]:
    """Unit vector of each name: the mean over its senses; frequent senses, made things and ImageNet classes weigh more.

    Plural forms are names too: WordNet lists "shoes" only as an idiom.
    """
    classes = set(names.classes)
    sums: dict[str, torch.Tensor] = {}
    for i, synset in enumerate(synsets):
        for lemma in names.lemmas[synset]:
            name = lemma.lower()
            senses = nouns.senses.get(name, ())
            rank = senses.index(synset) if synset in senses else 3
            weight = (2 if nouns.topic[synset] in ARTIFACT_FILES else 1) * (2 if synset in classes else 1) / (1 + rank)
            for form, share in ((name, weight), (plural(name), 2 * weight)):
                sums[form] = sums.get(form, torch.zeros(target_SD.shape[1])) + share * target_SD[i]
    return {name: normalize(vector, dim=0) for name, vector in sums.items()}
