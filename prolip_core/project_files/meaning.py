"""What the rows of a project file mean, table by table: names, roles, models, results. A table without a function here is held to
its columns alone (`storage.project_rows.Checker`)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from prolip_core import class_table, prompts, spec, tags
from prolip_core.errors import ProLIPError, PromptError
from prolip_core.project_files import layout, shapes
from prolip_core.project_files.harmless import cleaned
from prolip_core.storage import report_choices
from prolip_core.storage.names import check_name
from prolip_core.storage.project_rows import BadRowError
from prolip_core.storage.studies import KEEPS

_SUM_OFF_BY = 1e-3
_MANY_TAGS = 10 * tags.MAX_TAGS
"""A photo may have come to more than `tags.MAX_TAGS`; a saved project must open again."""

_MANY_TEMPLATES = 100
_MANY_PHOTOS = 2 * layout.MAX_PHOTOS
"""Rows of photos: one photo may stand in two classes, which a screen points out."""

_HASH = re.compile(r"[0-9a-f]{64}")
_KIND = re.compile(r"[a-z_]{1,32}")


@dataclass
class Project:
    """What the rows before have told. `photos`: those that the file has; `needed`: those that rows name."""

    photos: frozenset[str]
    needed: set[str] = field(default_factory=set)
    filenames: dict[str, str] = field(default_factory=dict)
    runs: dict[str, int] = field(default_factory=dict)
    class_names: set[str] = field(default_factory=set)
    n_projects: int = 0
    places: set[tuple[int, str]] = field(default_factory=set)
    tags_of: Counter[int] = field(default_factory=Counter)


def check(table: str, row: dict[str, Any], project: Project) -> dict[str, Any]:
    """The row with its sentences and models made harmless. Raises BadRowError."""
    for name, value in row.items():
        if isinstance(value, dict | list):
            row[name] = _harmless(name, value)
    if "image_id" in row:
        _photo(row, project)
    function = _OF_TABLE.get(table)
    if function is not None:
        function(row, project)
    return row


def _harmless(name: str, value: Any) -> Any:
    try:
        return cleaned(value)
    except ValueError as error:
        raise BadRowError(f"{name}: {error}") from error


def _need(is_right: object, column: str) -> None:
    if not is_right:
        raise BadRowError(column)


def _project(row: dict[str, Any], project: Project) -> None:
    project.n_projects += 1
    _need(project.n_projects == 1, "id")
    try:
        row["name"] = check_name(row["name"])
        choices = spec.from_dict(row["spec"])
        templates = [prompts.check_template(one) for one in choices.templates]
    except (ProLIPError, OverflowError) as error:
        raise BadRowError("spec") from error
    _need(1 <= len(templates) <= _MANY_TEMPLATES and 1 <= choices.n_views <= 300 and 0 <= choices.seed < 2**31, "spec")
    # As it was and not as it was read: sentences as they stand are part of the fingerprint.
    row["spec"] = {**spec.as_dict(choices), **{key: row["spec"][key] for key in ("templates",) if key in row["spec"]}}


def _class(row: dict[str, Any], project: Project) -> None:
    names = row["prompt_names"]
    _need(isinstance(names, list) and names and all(isinstance(one, str) for one in names), "prompt_names")
    try:
        made = prompts.make_class(row["display_name"], names)
    except ProLIPError as error:
        raise BadRowError("display_name") from error
    _need((made.display_name, list(made.prompt_names)) == (row["display_name"], names), "display_name, prompt_names")
    _need(row["display_name"] not in project.class_names, "display_name")
    _need(row["position"] >= 0, "position")
    project.class_names.add(row["display_name"])
    _need(len(project.class_names) <= class_table.MAX_CLASSES, "id")


def _photo(row: dict[str, Any], project: Project) -> None:
    """Of any table that names a photo."""
    _need(row["image_id"] in project.photos, "image_id")
    project.needed.add(row["image_id"])
    project.filenames.setdefault(row["image_id"], str(row.get("filename", "")))


def _project_photo(row: dict[str, Any], project: Project) -> None:
    _need(row["role"] in ("train", "test"), "role")
    place = (row["class_id"], row["image_id"])
    _need(place not in project.places, "class_id, image_id")
    project.places.add(place)
    _need(len(project.places) <= _MANY_PHOTOS, "id")


def _tag(row: dict[str, Any], project: Project) -> None:
    try:
        is_clean = (tags.check_name(row["name"]), tags.check_value(row["value"])) == (row["name"], row["value"])
    except ProLIPError as error:
        raise BadRowError("name, value") from error
    project.tags_of[row["photo_id"]] += 1
    _need(is_clean and project.tags_of[row["photo_id"]] <= _MANY_TAGS, "name, value")


def _run(row: dict[str, Any], project: Project) -> None:
    result, answers = row["result"], row["answers"]
    _need(row["number"] >= 1 and row["number"] not in project.runs.values(), "number")
    project.runs[row["id"]] = row["number"]
    _need(len(project.runs) <= layout.MAX_RUNS, "id")
    if row["name"]:
        try:
            row["name"] = check_name(row["name"])
        except ProLIPError as error:
            raise BadRowError("name") from error
    _need(row["evaluation"] in ("test", "cross_validation"), "evaluation")
    _need(_HASH.fullmatch(row["fingerprint"]), "fingerprint")
    _need(0.0 <= row["threshold"] <= 1.0 if row.get("threshold") is not None else True, "threshold")
    for name, value, shape in (("result", result, shapes.RESULT), ("answers", answers, shapes.ANSWERS)):
        where = shapes.misfit(value, shape)
        _need(where is None, f"{name}: {where}")
    headline = (row["evaluation"], row["count"], row["backbone"], row["stopped"])
    told = (result["evaluation"], result["prolip"]["count"], result["backbone"], result["settings"]["stopped_early"])
    _need(headline == told, "result")
    _classes_of(result)
    _templates_of(result)
    sure = result.get("sure")
    if sure is not None:
        where = "" if shapes.misfit(sure, "object") is not None else shapes.misfit(sure, shapes.SURE)
        _need(where is None and sure.keys() == shapes.SURE.keys(), f"result: sure.{where}")
    for method, correct in (("zero_shot", row["zero_shot_correct"]), ("prolip", row["prolip_correct"])):
        _method(method, result[method], answers, correct, len(result["class_names"]))


def _classes_of(result: Mapping[str, Any]) -> None:
    names = result["class_names"]
    _need(len(set(names)) == len(names) and 2 <= len(names) <= class_table.MAX_CLASSES, "result: class_names")
    _need(len(result["prompts"]) == len(names) and set(result["images_per_class"]) == set(names), "result: prompts")
    counts = result["images_per_class"].values()
    _need(all(type(one) is int and one >= 0 for one in counts), "result: images_per_class")
    _need(all(isinstance(one, str) for one in result["versions"].values()), "result: versions")
    dropped = result["photos"].get("dropped", [])  # older results have none
    _need(shapes.misfit(dropped, [shapes.PHOTO]) is None, "result: photos.dropped")
    photos = (*result["photos"]["support"], *result["photos"]["query"], *dropped)
    _need(all(one["class"] in names for one in photos), "result: photos")
    _need(result["history"], "result: history")
    crossed = result["cross_validation"]
    _need(crossed is None or crossed["accuracies"], "result: cross_validation.accuracies")


def _templates_of(result: Mapping[str, Any]) -> None:
    templates = result["settings"]["templates"]
    try:
        checked = [prompts.check_template(one) for one in templates]
    except PromptError as error:
        raise BadRowError("result: settings.templates") from error
    _need(1 <= len(checked) <= _MANY_TEMPLATES, "result: settings.templates")


def _method(method: str, figures: Mapping[str, Any], answers: Mapping[str, Any], correct: int, n_classes: int) -> None:
    """The figures are those of the answers, so far as they are counts."""
    labels, probabilities = answers["labels"], answers[method]
    _need(len(labels) == len(probabilities) == len(answers["image_ids"]) == figures["count"] >= 1, f"answers: {method}")
    _need(all(one < n_classes for one in labels), "answers: labels")
    _need(all(len(one) == n_classes and abs(sum(one) - 1) < _SUM_OFF_BY for one in probabilities), f"answers: {method}")
    counts = [[0] * n_classes for _ in range(n_classes)]
    for label, one in zip(labels, probabilities, strict=True):
        counts[label][max(range(n_classes), key=one.__getitem__)] += 1
    right = sum(counts[k][k] for k in range(n_classes))
    _need(counts == figures["confusion"], f"result: {method}.confusion")
    _need(right == figures["correct"] == correct, f"result: {method}.correct")
    _need(
        len(figures["per_class"]) == n_classes and len(figures["accuracy_interval"]) == 2, f"result: {method}.per_class"
    )


def _study(row: dict[str, Any], project: Project) -> None:
    _need(_KIND.fullmatch(row["kind"]), "kind")
    _need(_HASH.fullmatch(row["fingerprint"]), "fingerprint")
    settings, result = row["settings"], row["result"]
    _need(isinstance(settings, dict) and isinstance(result, dict), "settings, result")
    _need(shapes.misfit(result.get("class_names"), ["text"]) is None, "result: class_names")
    for key in ("photos", "foreign"):
        if isinstance(settings.get(key), list):  # of some kinds it is a number
            where = shapes.misfit(settings[key], [shapes.IMAGE_RECORD])
            _need(where is None, f"settings: {key}{where}")
    if KEEPS in settings:
        _need(shapes.misfit(settings[KEEPS], ["hash"]) is None, f"settings: {KEEPS}")
        settings[KEEPS] = [image_id for image_id in settings[KEEPS] if image_id in project.photos]
        project.needed.update(settings[KEEPS])


def _report_choice(row: dict[str, Any], _project: Project) -> None:
    """Who reads them takes what fits and leaves the rest."""
    _need(row["part"] in get_args(report_choices.Part), "part")
    _need(isinstance(row["content"], dict), "content")


_OF_TABLE: Mapping[str, Callable[[dict[str, Any], Project], None]] = {
    "project": _project,
    "class": _class,
    "photo": _project_photo,
    "photo_tag": _tag,
    "run": _run,
    "study": _study,
    "report_choice": _report_choice,
}
