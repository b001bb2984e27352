"""The starter's accuracy: every figure of its model card, by the product's own code.

    python -m tests.benchmarks.starter_figures ../shared/data [--cache FOLDER] [--backbone NAME]

The folder holds `clothing` and `magnetic-tile` (train/CLASS, test/CLASS) and `imagenet-one-per-class` (WNID_name.jpg). Test
photos are answered and never chosen on. N photos a class are drawn anew from the train folder for every seed.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegressionCV
from torch.nn.functional import normalize

from prolip_core import backbones, catalogue, classify, devices, duplicates, features, image_files, prolip
from prolip_core.objective import Support
from prolip_core.spec import FitConfig
from prolip_core.starter.vocabulary import read_names
from prolip_core.types import PromptSet

TEMPLATE = ("a photo of a {}.",)
SEEDS = range(5)
TILE_NAMES = {
    "blowhole": "a metal tile with a blowhole",
    "break": "a broken metal tile",
    "crack": "a cracked metal tile",
    "fray": "a frayed metal tile",
    "free": "a flawless metal tile",
    "uneven": "an unevenly lit metal tile",
}


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


@dataclass(frozen=True)
class Photos:
    """Features (N, P), labels, near-duplicate groups of the photos of one or more folders."""

    pre_NP: torch.Tensor
    labels_N: torch.Tensor
    groups_N: tuple[int, ...]
    is_test_N: torch.Tensor


class Bench:
    """A loaded backbone with its feature cache."""

    def __init__(self, name: str, cache: Path | None) -> None:
        self.backbone = backbones.load(catalogue.parse(name), devices.choose("cpu"))
        self.cache = cache

    def read(self, labelled: list[tuple[Path, int, bool]]) -> Photos:
        result, paths = image_files.import_files([path for path, _, _ in labelled])
        of_path = {path.resolve(): (label, is_test) for path, label, is_test in labelled}
        known = [of_path[Path(paths[record.image_id]).resolve()] for record in result.accepted]
        source = image_files.FolderSource(paths)
        ids = [record.image_id for record in result.accepted]
        start = time.perf_counter()
        batch = features.extract(self.backbone, source, ids, cache_folder=self.cache)
        say(f"  {len(ids)} photos, {len(ids) / (time.perf_counter() - start):.0f} a second (cached ones count)")
        return Photos(
            batch.pre_VNP[0],
            torch.tensor([label for label, _ in known]),
            duplicates.groups(result.accepted),
            torch.tensor([is_test for _, is_test in known]),
        )

    def text(self, names: list[str]) -> torch.Tensor:
        # By hand: two ImageNet classes are called "crane", which a project would refuse.
        sentences = tuple(tuple(template.format(name) for template in TEMPLATE) for name in names)
        return self.backbone.encode_prompts(PromptSet(tuple(names), sentences)).text_CD

    def zero_shot(self, pre_NP: torch.Tensor, text_CD: torch.Tensor) -> torch.Tensor:
        return classify.logits(pre_NP, self.backbone.projector, text_CD, self.backbone.logit_scale)


def balanced(best_N: torch.Tensor, labels_N: torch.Tensor) -> float:
    """Mean over classes of the share that is right, in per cent."""
    right_N = (best_N == labels_N).float()
    return 100 * float(np.mean([float(right_N[labels_N == c].mean()) for c in sorted(set(labels_N.tolist()))]))


def folder_figures(bench: Bench, folder: Path, names: dict[str, str], shots: tuple[int, ...]) -> None:
    classes = sorted(path.name for path in (folder / "train").iterdir() if path.is_dir())
    labelled = [
        (path, label, part == "test")
        for label, name in enumerate(classes)
        for part in ("train", "test")
        for path in sorted((folder / part / name).iterdir())
    ]
    photos = bench.read(labelled)
    text_CD = bench.text([names.get(name, name) for name in classes])
    test_N = torch.nonzero(photos.is_test_N)[:, 0]
    labels_N = photos.labels_N[test_N]
    logits_NC = bench.zero_shot(photos.pre_NP[test_N], text_CD)
    best_N = logits_NC.argmax(1)
    by_class = [
        f"{name} {100 * float((best_N[labels_N == c] == c).float().mean()):.0f}" for c, name in enumerate(classes)
    ]
    loss = float(torch.nn.functional.cross_entropy(logits_NC, labels_N))
    say(f"{folder.name}: zero-shot {balanced(best_N, labels_N):.1f} % balanced, loss {loss:.2f}; {', '.join(by_class)}")
    for shot in shots:
        rows = [_draw(bench, photos, text_CD, test_N, shot, seed) for seed in SEEDS]
        for column, what in enumerate(
            ("ProLIP, λ = auto", "ProLIP, λ = 1/N", "logistic regression", "auto, no likenesses")
        ):
            values = [row[column] for row in rows]
            say(f"  {shot:>2} a class  {what:20}  {np.mean(values):.1f} %  (spread {np.std(values):.1f})")


def _draw(
    bench: Bench, photos: Photos, text_CD: torch.Tensor, test_N: torch.Tensor, shot: int, seed: int
) -> tuple[float, ...]:
    """Balanced accuracies of one draw; the last one without test photos that look like a training photo."""
    random = np.random.default_rng(seed)
    support_N = torch.tensor(
        [
            int(row)
            for c in range(len(text_CD))
            for row in random.permutation(np.flatnonzero((photos.labels_N == c) & ~photos.is_test_N))[:shot]
        ]
    )
    taught = {photos.groups_N[row] for row in support_N.tolist()}
    alone_N = torch.tensor([photos.groups_N[row] not in taught for row in test_N.tolist()])
    labels_N, pre_NP = photos.labels_N[test_N], photos.pre_NP[test_N]
    support = Support(
        photos.pre_NP[support_N][None],
        photos.labels_N[support_N],
        tuple(photos.groups_N[row] for row in support_N.tolist()),
        len(text_CD),
    )
    backbone = bench.backbone
    figures, answers = [], []
    for lam in ("auto", "1/N"):
        trained = prolip.fit(
            support, text_CD, backbone.projector, backbone.logit_scale, FitConfig(lam=lam, seed=seed)
        ).projector
        answers.append(classify.logits(pre_NP, trained, text_CD, backbone.logit_scale).argmax(1))
        figures.append(balanced(answers[-1], labels_N))
    probe = LogisticRegressionCV(
        Cs=np.logspace(-1, 5, 13), cv=max(2, min(4, shot)), max_iter=500, scoring="neg_log_loss"
    )
    probe.fit(normalize(photos.pre_NP[support_N], dim=1).numpy(), photos.labels_N[support_N].numpy())
    figures.append(balanced(torch.tensor(probe.predict(normalize(pre_NP, dim=1).numpy())), labels_N))
    figures.append(balanced(answers[0][alone_N], labels_N[alone_N]))
    return tuple(figures)


def imagenet_figures(bench: Bench, folder: Path) -> None:
    names = read_names()
    index = {synset: c for c, synset in enumerate(names.classes)}
    photos = bench.read([(path, index[path.name.split("_")[0]], True) for path in sorted(folder.iterdir())])
    text_CD = bench.text([names.lemmas[synset][0] for synset in names.classes])
    right = (bench.zero_shot(photos.pre_NP, text_CD).argmax(1) == photos.labels_N).float().mean()
    say(f"{folder.name}: zero-shot over 1000 names {100 * float(right):.1f} %")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--backbone", default="starter")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", module="sklearn")
    start = time.perf_counter()
    bench = Bench(arguments.backbone, arguments.cache)
    say(f"loaded in {time.perf_counter() - start:.2f} s")
    imagenet_figures(bench, arguments.data / "imagenet-one-per-class")
    folder_figures(bench, arguments.data / "clothing", {}, (2, 4, 16))
    folder_figures(bench, arguments.data / "magnetic-tile", TILE_NAMES, (4, 16))


if __name__ == "__main__":
    main()
