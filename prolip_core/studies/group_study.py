"""Is it fair to all? The answers of a finished run by the tags of its photos, from a table. Nothing is trained or read again."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from prolip_core import groups, runs, tag_table
from prolip_core.csv_text import cell
from prolip_core.errors import DatasetError, ImageError, RunError
from prolip_core.groups import TagReport
from prolip_core.image_files import read_file
from prolip_core.storage.records import Role
from prolip_core.tag_table import Known, TagTable
from prolip_core.types import Prediction


@dataclass(frozen=True)
class AnsweredRun:
    """What a run has answered. `result`: its result.json; the predictions are without probabilities, which no group needs;
    `photos`: all that taught or measured."""

    result: Mapping[str, Any]
    zero_shot: tuple[Prediction, ...]
    prolip: tuple[Prediction, ...]
    photos: tuple[Known[str], ...]

    @property
    def measured(self) -> Role:
        return "test" if self.result["evaluation"] == "test" else "train"


@dataclass(frozen=True)
class GroupStudy:
    """A run by the tags of a table, a report a tag in the order of its columns."""

    run: AnsweredRun
    table: TagTable[str]
    reports: tuple[TagReport, ...]
    seconds: float


def run(answered: AnsweredRun, tags: Path) -> GroupStudy:
    """Raises DatasetError if the table cannot be used, or says nothing about the measured photos."""
    start = time.monotonic()
    try:
        # Test photos often have the names of training photos in another folder; tags count for those that were measured.
        table = tag_table.read(read_file(tags), answered.photos, meant=answered.measured)
    except ImageError as error:  # whatever file it is, the reason fits
        raise DatasetError(
            "The table of tags {path} cannot be read: {cause}",
            remedy="Check the path.",
            path=tags,
            cause=error.reason_text,
        ) from error
    if not any(one.image_id in table.used for one in answered.prolip):
        raise DatasetError(
            "No line of the table {path} is about a photo that this run has measured.",
            remedy="Name the photos as the column “filename” of the run's {file} does, for example {example}.",
            path=tags,
            file=runs.PREDICTIONS,
            example=answered.photos[-1].folders[0] + "/" + answered.photos[-1].filename,
        )
    return GroupStudy(
        answered,
        table,
        tuple(
            groups.of_tag(
                name,
                {id_: of_photo[name] for id_, of_photo in table.used.items() if name in of_photo},
                answered.zero_shot,
                answered.prolip,
            )
            for name in table.names
        ),
        time.monotonic() - start,
    )


def read_run(folder: Path) -> AnsweredRun:
    """The answers in a run's folder. Raises RunError if it is none, or of another version."""
    try:
        result = json.loads((folder / runs.RESULT).read_text(encoding="utf-8"))
        if result["format"] != runs.FORMAT or "study" in result:
            raise ValueError("not a run of this version")
        place = {cell(name): label for label, name in enumerate(result["class_names"])}
        with (folder / runs.PREDICTIONS).open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.DictReader(file))
        answers = {
            method: tuple(
                Prediction(line["image_id"], place[line["true_class"]], place[line[f"{method}_class"]], ())
                for line in lines
            )
            for method in ("zero_shot", "prolip")
        }
        roles: tuple[tuple[str, Role], ...] = (("support", "train"), ("query", "test"))
        photos = [_known(photo, role) for part, role in roles for photo in result["photos"][part]]
        if not lines or not photos:
            raise ValueError("no answers")
    except (OSError, ValueError, KeyError, TypeError, csv.Error, RecursionError) as error:
        raise RunError(
            "{folder} is not the folder of a finished run: {path} is missing, damaged, or of another version.",
            remedy="Choose the folder that was given to --out.",
            folder=folder,
            path=f"{runs.RESULT} / {runs.PREDICTIONS}",
        ) from error
    return AnsweredRun(result, answers["zero_shot"], answers["prolip"], tuple(photos))


def _known(photo: Mapping[str, str], role: Role) -> Known[str]:
    """A photo by the name of its folder, or of its class where that is another one."""
    path = PurePosixPath(photo["filename"])
    return Known(photo["id"], path.name, tuple(dict.fromkeys((path.parent.name, photo["class"]))), role)
