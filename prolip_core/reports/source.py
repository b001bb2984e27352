"""What a report is made from: a finished run, what was found out besides, and what the user chose for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any

from prolip_core import sure_rule
from prolip_core.business import Inputs
from prolip_core.comparison import Comparison
from prolip_core.groups import TagReport
from prolip_core.storage.records import RunRecord, StudyRecord
from prolip_core.sure_rule import SureRule

SECTIONS = ("photos", "classes", "evidence", "cost", "production")
"""Parts that may be left out; what was asked, found, measured, and what it does not say always stands in a report."""

WANTED = 0.9
"""So often it shall be right, unless the user says otherwise."""

MAX_TEXT = 200


@dataclass(frozen=True)
class Choices:
    """Of the user, kept per project. Empty texts: the report's own words. `wanted`: how often it shall be right, 0.5 … 0.999."""

    title: str = ""
    organisation: str = ""
    author: str = ""
    wanted: float = WANTED
    sections: tuple[str, ...] = SECTIONS


@dataclass(frozen=True)
class Source:
    """studies: finished ones about the same photos and the same model as the run, or about the run itself, one of a kind;
    groups: the run by tags; photo: the JPEG of a photo by its id, None where it is not there; sure_N: which measured photos
    ProLIP answers alone by the rule of the run, None without a rule; fingerprint: of the data."""

    run: RunRecord
    compared: Comparison
    project: str
    fingerprint: str
    moment: datetime
    choices: Choices = field(default_factory=Choices)
    inputs: Inputs = field(default_factory=Inputs)
    studies: Mapping[str, StudyRecord] = field(default_factory=dict)
    groups: Sequence[TagReport] = ()
    sure_N: tuple[bool, ...] | None = None
    photo: Callable[[str], bytes | None] = lambda _id: None


def sure_of(run: RunRecord) -> tuple[bool, ...] | None:
    """Which of its measured photos the run answers alone, by its own rule or the threshold that a person has set; None where it
    has no rule."""
    import numpy as np

    rule = rule_of(run)
    if rule is None:
        return None
    corrected_NC = rule.corrected(np.array([one.probabilities for one in run.prolip]))
    return tuple(rule.is_sure(float(row_C.max())) for row_C in corrected_NC)


def rule_of(run: RunRecord) -> SureRule | None:
    """The rule of the run as it is used now; None where it has none."""
    return sure_rule.of_result(run.result, run.summary.threshold)


def was_chosen_on_the_measured(source: Source) -> bool:
    """Whether the threshold was chosen on the very answers that are counted: a run without test photos has no others."""
    summary, rule = source.run.summary, rule_of(source.run)
    if source.sure_N is None or rule is None or rule.all_to_a_person:
        return False
    return summary.evaluation == "cross_validation" and summary.threshold is None


def as_dict(choices: Choices) -> dict[str, Any]:
    """Ready for JSON."""
    return {**asdict(choices), "sections": list(choices.sections)}


def from_dict(kept: Mapping[str, Any]) -> Choices:
    """What was kept, also by another version: unknown entries are dropped, what does not fit falls back to the default."""
    empty = Choices()
    values: dict[str, Any] = {}
    for one in fields(Choices):
        value = kept.get(one.name)
        if one.name == "sections":
            values[one.name] = (
                tuple(key for key in SECTIONS if key in value) if isinstance(value, list | tuple) else SECTIONS
            )
        elif one.name == "wanted":
            fits = isinstance(value, int | float) and 0.5 <= value <= 0.999
            values[one.name] = float(value) if fits and value is not None else empty.wanted
        else:
            values[one.name] = str(value)[:MAX_TEXT] if value else ""
    return Choices(**values)
