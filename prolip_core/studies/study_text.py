"""A study's result as tables: for a terminal, and as rows for documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from prolip_core import metrics
from prolip_core.report_text import plain
from prolip_core.studies import certainty_text, conditions_text, group_text, look_text, power_law
from prolip_core.studies.certainty_text import Block
from prolip_core.studies.condition_words import CONDITIONS
from prolip_core.studies.group_files import GROUPS
from prolip_core.studies.names import CERTAINTY, CURVE, LOOK, METHODS, NEW_CLASSES

WIDTH = 130

Row = tuple[str, ...]


def write(result: Mapping[str, Any], path: Path, stream: TextIO) -> None:
    """Prints the study; user text goes through `plain`, never through rich's markup."""
    terminal = Console(file=stream).width if stream.isatty() else 0
    console = Console(file=stream, highlight=False, width=max(WIDTH, terminal))
    blocks = group_text.blocks(result) if result["study"] == GROUPS else [*facts(result), *_blocks(result)]
    for block in blocks:
        if isinstance(block, str):
            console.print(Text(plain(block)), soft_wrap=True)
        else:
            drawn = Table(*(Column(Text(plain(cell))) for cell in block[0]))
            for row in block[1]:
                drawn.add_row(*(Text(plain(cell)) for cell in row))
            console.print(drawn)
    console.print(Text(plain(f"Seconds in all: {result['seconds']:.0f}. Details in {path}")), soft_wrap=True)


def _blocks(result: Mapping[str, Any]) -> list[Block]:
    if result["study"] == CERTAINTY:
        return certainty_text.blocks(result)
    if result["study"] == LOOK:
        return look_text.blocks(result)
    if result["study"] in CONDITIONS:
        return conditions_text.blocks(result)
    return [table(result), *remarks(result)]


def facts(result: Mapping[str, Any]) -> list[str]:
    """What was measured on what, in sentences."""
    if result["study"] == CERTAINTY:
        measured = _answered_once(result)
    elif result["study"] == LOOK:
        measured = _looked_at(result)
    elif result["study"] in CONDITIONS:
        measured = conditions_text.facts(result)
    elif result["study"] in (CURVE, NEW_CLASSES):
        measured = _facts_of_new(result)
    else:
        measured = _drawn(result)
    lines = [
        *measured,
        f"Backbone {result['backbone']} on {result['device']}, logit scale {result['logit_scale']:.3g}.",
    ]
    if result["dropped_test_files"]:
        lines.append(
            f"{len(result['dropped_test_files'])} more test photos were left out: they are the same as, or "
            "near-duplicates of, photos to learn from."
        )
    return lines


def _drawn(result: Mapping[str, Any]) -> list[str]:
    planned = f" of {result['planned_draws']} planned" if result["draws"] < result["planned_draws"] else ""
    return [
        f"{len(result['class_names'])} classes, {result['shots']} photos per class to learn from, "
        f"{result['draws']} random draws{planned} from {sum(result['images_per_class'].values())} photos.",
        f"Measured on {result['query_count']} test photos that no method learnt from, the same for every draw.",
    ]


def _facts_of_new(result: Mapping[str, Any]) -> list[str]:
    planned = f" of {result['planned_draws']} planned" if result["draws"] < result["planned_draws"] else ""
    photos = f"{len(result['class_names'])} classes, {sum(result['images_per_class'].values())} photos to learn from"
    if result["study"] == NEW_CLASSES:
        return [
            f"{photos}; {result['draws']} random halves{planned} of the classes were trained, the others known by name alone.",
            f"Measured on {result['query_count']} test photos.",
        ]
    where = (
        f"{result['query_count']} test photos"
        if result["evaluation"] == "test"
        else "training photos that were held out, never beside a near-duplicate that taught"
    )
    return [f"{photos}; {result['draws']} random draws{planned}.", f"Measured on {where}."]


def _answered_once(result: Mapping[str, Any]) -> list[str]:
    low, high = result["accuracy_interval"]
    return [
        f"{len(result['class_names'])} classes, {result['support_count']} photos to learn from; each was also answered by a "
        f"training that had not seen it ({result['folds']} folds): {_percent(result['support_accuracy'])} right.",
        f"Measured on {result['query_count']} test photos that nothing was learnt or chosen from: "
        f"{_percent(result['accuracy'])} right ({_percent(low)} to {_percent(high)}).",
    ]


def _looked_at(result: Mapping[str, Any]) -> list[str]:
    return [
        f"{len(result['class_names'])} classes, {sum(result['images_per_class'].values())} photos to learn from.",
        f"{result['measured_count']} of {result['query_count']} test photos were looked at, {len(result['looks'])} of them for "
        "maps; none of them taught.",
    ]


def table(result: Mapping[str, Any]) -> tuple[Row, list[Row]]:
    """Head and rows: methods from the best to the worst, learning rates by λ, classes by photos, or rates."""
    if result["study"] == CURVE:
        return _curves(result)
    if result["study"] == NEW_CLASSES:
        return _new_classes(result)
    return _methods(result) if result["study"] == METHODS else _learning_rates(result)


def _methods(result: Mapping[str, Any]) -> tuple[Row, list[Row]]:
    head: Row = (
        "method",
        "accuracy (95 %: test photos)",
        "95 %: draws",
        "against ProLIP (95 %: test photos)",
        "95 %: draws of it",
        "p",
        "balanced (95 %: test photos)",
        "seconds",
        "added numbers",
        "trained numbers",
    )
    rows: list[Row] = [
        (
            str(one["title"]),
            _share(one["accuracy"], one["photo_interval"]),
            _range(one["draw_interval"]),
            _points(one["difference"], one.get("photo_difference_interval"), one["key"] == result["reference"]),
            _range(None if one["key"] == result["reference"] else one["difference_interval"], sign="+"),
            "–" if one.get("p") is None else f"{one['p']:.2g}",
            _share(one["balanced_accuracy"], one.get("balanced_interval")),
            f"{one['seconds']:.2f}",
            f"{one['added_parameters']:,}",
            f"{one['trained_parameters']:,}",
        )
        for one in by_accuracy(result)
    ]
    return head, rows


def by_accuracy(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The methods from the best to the worst; ties in the order of the list."""
    ranked: Sequence[Mapping[str, Any]] = sorted(result["methods"], key=lambda one: -one["accuracy"])
    return list(ranked)


def _learning_rates(result: Mapping[str, Any]) -> tuple[Row, list[Row]]:
    rates = list(dict.fromkeys(cell["learning_rate"] for cell in result["cells"] if cell["learning_rate"] is not None))
    found = {(cell["lam"], cell["learning_rate"]): cell for cell in result["cells"]}
    head: Row = ("λ", *(f"{rate:.0e}" for rate in rates), "exact solver")
    rows: list[Row] = [
        (str(lam), *(_cell(found.get((lam, rate)), result["query_count"]) for rate in (*rates, None)))
        for lam in dict.fromkeys(cell["lam"] for cell in result["cells"])
    ]
    return head, rows


def _curves(result: Mapping[str, Any]) -> tuple[Row, list[Row]]:
    """A line per class, and two for all: the mean with its range for other test photos, and its range over draws."""
    overall, rows = result["curves"][0], []
    head: Row = (
        "class / photos per class",
        "zero-shot",
        *(f"{round(point['photos'], 1):g}{' (all)' if point['everything'] else ''}" for point in overall["points"]),
        "likely gain in points",
    )
    for curve in result["curves"]:
        if curve["of"] == "weakest":
            continue
        name = f"{'all classes' if curve['of'] == 'all' else curve['classes'][0]} ({curve['count']} photos)"
        zero_shot = _share(curve["zero_shot_accuracy"], curve.get("zero_shot_interval"))
        accuracies = [_share(point["accuracy"], point.get("photo_interval")) for point in curve["points"]]
        rows.append((name, zero_shot, *accuracies, _forecast(curve["forecast"])))
        if curve["of"] == "all":
            rows.append(("  95 % over draws", "", *(_range(point["draw_interval"]) for point in curve["points"]), ""))
    return head, rows


def _forecast(forecast: Mapping[str, Any] | None) -> str:
    if forecast is None:
        return "–"
    return " to ".join(power_law.points(forecast["gain_interval"]))


RATES = {
    "base": "trained classes, among themselves",
    "new": "new classes, among themselves",
    "harmonic": "harmonic mean of the two",
    "together": "all test photos, all names",
}


def _new_classes(result: Mapping[str, Any]) -> tuple[Row, list[Row]]:
    head: Row = ("accuracy (95 % over classes)", "zero-shot", "ProLIP", "difference in points")
    rows: list[Row] = [
        (
            f"{RATES[one['rate']]} ({one['classes']} classes)",
            _share(one["zero_shot"], one["zero_shot_interval"]),
            _share(one["prolip"], one["prolip_interval"]),
            _points(one["difference"], one["difference_interval"]),
        )
        for one in result["summary"]
    ]
    return head, rows


def remarks(result: Mapping[str, Any]) -> list[str]:
    """What the table does not say by itself."""
    if result["study"] in (CURVE, NEW_CLASSES):
        return list(result["advice_text"])
    if result["study"] == METHODS:
        return [f"Not run: {one['title']}. {one['reason']}" for one in result["not_run"]]
    diverged = sum(cell["diverged"] for cell in result["cells"])
    lines = [f"Zero-shot on the same test photos: {_percent(result['zero_shot_accuracy'])}."]
    return [*lines, f"Trainings whose loss left the numbers: {diverged}."] if diverged else lines


def _cell(cell: Mapping[str, Any] | None, count: int) -> str:
    """A rate with its range for as many other test photos, and in how many draws it failed."""
    if cell is None:
        return "–"
    if cell["accuracy"] is None:
        return "diverged"
    lost = f", {cell['diverged']} diverged" if cell["diverged"] else ""
    return _share(cell["accuracy"], metrics.wilson_interval(round(cell["accuracy"] * count), count)) + lost


def _percent(fraction: float) -> str:
    return f"{fraction:.1%}"


def _share(fraction: float, interval: Sequence[float] | None) -> str:
    """Percentages: 62.5% (30.6–86.3). An interval may reach beyond what a share can be; shown is what it can."""
    if interval is None:
        return _percent(fraction)
    low, high = (100 * min(1.0, max(0.0, end)) for end in interval)
    return f"{_percent(fraction)} ({low:.1f}–{high:.1f})"


def _range(interval: Sequence[float] | None, sign: str = "") -> str:
    """Percentages or, with the sign "+", points."""
    if interval is None:
        return "–"
    ends = interval if sign else [min(1.0, max(0.0, end)) for end in interval]
    return " to ".join(f"{100 * end:{sign}.1f}" for end in ends)


def _points(difference: float | None, interval: Sequence[float] | None, is_reference: bool = False) -> str:
    """In points, with its range."""
    if is_reference or difference is None:
        return "–"
    points = f"{100 * difference:+.1f}"
    return points if interval is None else f"{points} ({_range(interval, sign='+')})"
