"""Made-up runs for the report: any number of classes, any names, with every key that a real result.json has."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from PIL import Image

from prolip_core import comparison
from prolip_core.business import Inputs
from prolip_core.reports.run_folder import fingerprint
from prolip_core.reports.source import Choices, Source, sure_of
from prolip_core.storage.records import RunRecord, RunSummary
from prolip_core.types import Prediction

MOMENT = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
HOSTILE = (
    "<script>alert(1)</script>",
    "שלום עולם",
    "قطعة معدنية",
    "🦊🦊🦊",
    "とても長い名前" * 12,
    "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen" * 2,
    "\u202eevil",
    "=1+1",
    "{count} {0}",
    "𠮷野家の髙﨑",
    "ไทย",
    "no\ufffe character\uffff",
    "a & b < c > \"d\" 'e'",
)
NOTE = "No test photo of: {names}. Nothing is known about how well they are recognised."
FILLED = Inputs("¥", 4000, 240, 6, 55, 0.01, 80, (), 0.05, 900, 40, 300, 40, 24)


def run(
    names: Sequence[str],
    *,
    per_class: int = 8,
    skill: float = 0.8,
    seed: int = 0,
    evaluation: str = "test",
    sure: bool = True,
) -> RunRecord:
    """A run whose training is right with a probability of `skill`, and zero-shot half as often."""
    dice = random.Random(seed)
    labels = [label for label in range(len(names)) for _ in range(per_class)]
    ids = [f"{seed:08x}{place:056x}" for place in range(len(labels))]

    def answers(chance: float) -> tuple[Prediction, ...]:
        found = []
        for id_, label in zip(ids, labels, strict=True):
            answer = label if dice.random() < chance else dice.randrange(len(names))
            confidence = 0.5 + 0.49 * dice.random()
            rest = (1 - confidence) / max(1, len(names) - 1)
            found.append(
                Prediction(id_, label, answer, tuple(confidence if k == answer else rest for k in range(len(names))))
            )
        return tuple(found)

    zero_shot, prolip = answers(skill / 2), answers(skill)
    result = result_of(names, ids, labels, evaluation, sure)
    summary = RunSummary(
        id="run1",
        project_id="p",
        number=7,
        name="",
        created_at=MOMENT,
        evaluation=evaluation,
        count=len(labels),
        zero_shot_correct=sum(one.predicted == one.label for one in zero_shot),
        prolip_correct=sum(one.predicted == one.label for one in prolip),
        backbone="starter",
        fingerprint=fingerprint(result),
        stopped=False,
    )
    return RunRecord(summary, result, zero_shot, prolip, {id_: f"{id_[-4:]}.jpg" for id_ in ids})


def result_of(
    names: Sequence[str], ids: Sequence[str], labels: Sequence[int], evaluation: str, sure: bool
) -> dict[str, Any]:
    """As docs/result-format.md has it, as far as a report reads it."""
    crossed = evaluation == "cross_validation"
    measured = [
        {"id": id_, "filename": f"{id_[-4:]}.jpg", "class": names[k]} for id_, k in zip(ids, labels, strict=True)
    ]
    rule = {
        "temperature": 1.0,
        "threshold": 0.6,
        "limit": 0.05,
        "assured": False,
        "support_answered": 40,
        "support_wrong": 1,
        "upper_bound": 0.11,
        "least_answers": 59,
    }
    return {
        "format": 1,
        "created": MOMENT.isoformat(),
        "class_names": list(names),
        "images_per_class": {name: 4 + place % 3 for place, name in enumerate(names)},
        "backbone": "starter",
        "device": "CPU, 2 threads (float32)",
        "solver": "exact",
        "lam": 0.0625,
        "evaluation": evaluation,
        "cross_validation": {"folds": 4, "accuracies": [0.71, 0.74, 0.78], "reported_repeat": 1, "planned_repeats": 3}
        if crossed
        else None,
        "notes": [{"message": NOTE, "values": {"names": names[0]}}],
        "prompts": [[f"a photo of a {name}."] for name in names],
        "rejected_files": [],
        "seconds": {"features": 1.5, "fit": 0.5, "total": 12.0},
        "settings": {
            "backbone": {"title": "Starter (built in)", "licence": "Apache-2.0"},
            "stopped_early": False,
        },
        "photos": {"support": measured if crossed else [], "query": [] if crossed else measured},
        "versions": {"prolip_studio": "0.1.0"},
        "sure": rule if sure else None,
    }  # fmt: skip


def source(
    found: RunRecord,
    *,
    inputs: Inputs | None = None,
    photo: Callable[[str], bytes | None] | None = None,
    **changes: Any,
) -> Source:
    """With the photos of the run as small coloured squares."""
    return Source(
        **{
            "run": found,
            "compared": comparison.of_run(found),
            "project": "工場の部品",
            "fingerprint": found.summary.fingerprint,
            "moment": MOMENT,
            "choices": Choices(organisation="株式会社サンプル", author="Quality <team>"),
            "inputs": FILLED if inputs is None else inputs,
            "sure_N": sure_of(found),
            "photo": photo or square,
            **changes,
        }
    )


def square(image_id: str) -> bytes | None:
    """A JPEG of the colour of its id; every fifth is gone."""
    value = int(image_id[-6:], 16)
    if value % 5 == 4:
        return None
    buffer = io.BytesIO()
    Image.new("RGB", (60, 40), (value * 37 % 255, value * 59 % 255, value * 83 % 255)).save(buffer, "JPEG")
    return buffer.getvalue()


def plain(count: int) -> tuple[str, ...]:
    return tuple(f"Part {chr(65 + place % 26)}{'x' * (place // 26)}" for place in range(count))


def hostile(count: int) -> tuple[str, ...]:
    return (*HOSTILE, *plain(count))[:count]


CASES: dict[str, Callable[[], Source]] = {
    "five": lambda: source(run(plain(5), per_class=20, skill=0.97)),
    "two, held out": lambda: source(
        run(("Good", "良品ではない"), per_class=4, evaluation="cross_validation"), inputs=Inputs()
    ),
    "forty hostile": lambda: source(run(hostile(40), per_class=3, skill=0.6, seed=3)),
    "all right": lambda: source(run(plain(3), per_class=30, skill=5.0, sure=False)),
    "defects": lambda: source(
        run(("Good", "Scratch", "Crack"), per_class=15),
        inputs=Inputs("€", 1000, 230, 8, 0.8, 0.02, 10, ("Scratch", "Crack"), 0.03, 200.5, 5, 100, 30, 10),
    ),
}
