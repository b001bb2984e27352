"""The studies of other conditions in plain words and tables, for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prolip_core.studies.certainty_text import Block, Result, Row
from prolip_core.studies.condition_words import NAMES, SECOND_TEST, TITLES, amount_text

Shown = Mapping[str, Any]


def facts(result: Result) -> list[str]:
    """What was measured on what."""
    taught = sum(result["images_per_class"].values())
    measured = result["measured_count"]
    of_all = f" of {result['query_count']}" if measured < result["query_count"] else ""
    both = " of both sets" if result["study"] == SECOND_TEST else of_all
    return [
        f"{len(result['class_names'])} classes, {taught} photos to learn from.",
        f"Measured on {measured} test photos{both}, which nothing was learnt or chosen from.",
    ]


def blocks(result: Result) -> list[Block]:
    """Tables, then what they mean."""
    of_kind = {"stress": _stress, "second_test": _second_test, "transfer": _transfer, "test_time": _test_time}
    return of_kind[result["study"]](result)


def _stress(result: Result) -> list[Block]:
    severities = [str(point["severity"]) for point in result["stress_curves"][0]["points"]]
    clean = {one["method"]: one for one in result["clean"]}
    rows: list[Row] = []
    amounts: list[Row] = []
    for curve in result["stress_curves"]:
        kind, method = curve["kind"], curve["method"]
        rows.append(
            (
                str(TITLES[kind]),
                _name(method),
                _percent(clean[method]),
                *map(_percent, curve["points"]),
                "–" if curve["breaks_at"] is None else f"severity {curve['breaks_at']}",
            )
        )
        row = (str(TITLES[kind]), *(str(amount_text(kind, one["amount"])) for one in curve["points"]))
        if row not in amounts:
            amounts.append(row)
    missing = [kind for kind in result["planned_kinds"] if kind not in {one["kind"] for one in result["stress_curves"]}]
    return [
        (("photos", "method", "clean", *severities, "breaks at"), rows),
        (("severity", *severities), amounts),
        f"It breaks at the first severity at which the loss against the same photos undistorted is likely more than "
        f"{100 * result['limit']:g} points (the 95 % interval of the paired difference lies below it). Each severity is a "
        "question of its own: of the eighty comparisons a few may be luck.",
        *([f"Stopped before: {', '.join(str(TITLES[kind]) for kind in missing)}."] if missing else []),
    ]


def _second_test(result: Result) -> list[Block]:
    methods: list[Row] = [
        (
            _name(one["method"]),
            _counted(one["first"]),
            _counted(one["second"]),
            f"{one['first_balanced']:.1%} ({_range(one['first_balanced_interval'])}), "
            f"{one['second_balanced']:.1%} ({_range(one['second_balanced_interval'])})",
            _difference(one),
        )
        for one in result["both_sets"]
    ]
    classes: list[Row] = [
        (one["class_name"], _counted(one["first"]), _counted(one["second"])) for one in result["second_classes"]
    ]
    left_out = [
        *(f"Left out, (nearly) a photo to learn from: {name}" for name in result["second_taught_files"]),
        *(f"Left out, (nearly) a photo of the first test set: {name}" for name in result["second_measured_files"]),
        *(f"Not taken: {file['photo']}. {file['reason']}" for file in result["second_rejected_files"]),
    ]
    return [
        f"The second set has {result['second_count']} test photos.",
        (("right", "first set", "second set", "every class the same", "difference of these (95 %)"), methods),
        (("ProLIP, class by class", "first set", "second set"), classes),
        *result["advice_text"],
        *left_out,
    ]


def _transfer(result: Result) -> list[Block]:
    answers: list[Row] = [(_name(one["method"]), _counted(one)) for one in result["answers"]]
    pairs: list[Row] = [
        (f"{_name(one['second'])} against {_name(one['first'])}", _difference(one), _flips(one))
        for one in result["pairs"]
    ]
    dropped = len(result["foreign_taught_files"])
    return [
        f"The other project was trained on: {', '.join(result['foreign_classes'])}.",
        *([f"{dropped} test photos were left out: it has learnt from them."] if dropped else []),
        (("", "right"), answers),
        (("on the same photos", "difference in points (95 %)", "photos"), pairs),
        *result["advice_text"],
    ]


def _test_time(result: Result) -> list[Block]:
    rows: list[Row] = [
        (
            _name(one["method"]),
            _counted(one["before"]),
            _counted(one["after"]),
            _difference(one),
            _flips(one),
            f"{one['step_ms']:.1f}",
        )
        for one in result["gains"]
    ]
    head: Row = (
        "starting from",
        "as it is",
        "one step per photo",
        "difference in points (95 %)",
        "photos",
        "ms per step",
    )
    return [(head, rows), *result["advice_text"]]


def _name(method: str) -> str:
    return str(NAMES[method])


def _percent(one: Shown) -> str:
    return f"{one['accuracy']:.0%}"


def _counted(one: Shown) -> str:
    if not one["count"]:
        return "no photo"
    return f"{one['right']} of {one['count']}, {one['accuracy']:.1%} ({_range(one['accuracy_interval'])})"


def _difference(one: Shown) -> str:
    low, high = one["difference_interval"]
    return f"{100 * one['difference']:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def _flips(one: Shown) -> str:
    return f"{one['put_right']} put right, {one['put_wrong']} put wrong"


def _range(interval: Sequence[float]) -> str:
    return f"{interval[0]:.0%} to {interval[1]:.0%}"
