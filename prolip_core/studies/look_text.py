"""Where it looked, in plain words: sentences that a screen can translate, and the study for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prolip_core.report_text import plain
from prolip_core.studies.certainty_text import Block, Row
from prolip_core.studies.look_rim import ClassEvidence
from prolip_core.studies.look_study import RANDOM_ORDERS, Deletion
from prolip_core.types import Note

TITLES = {"zero_shot": "Zero-shot", "prolip": "ProLIP"}


def deletion_note(deletion: Deletion) -> Note:
    """What covering the marked fifth does, against a random fifth."""
    return Note(
        "Covering the marked fifth of the photo changed the answer in {changed} of {count} photos; covering a random fifth did "
        "so in {by_chance} of {tries} tries.",
        {
            "changed": deletion.changed.count,
            "count": deletion.changed.total,
            "by_chance": deletion.changed_by_chance,
            "tries": RANDOM_ORDERS * deletion.count,
        },
    )


def trust_note(deletion: Deletion) -> Note:
    """Whether the maps found what counts: the range of the gain lies above 0."""
    if deletion.gain_interval is None:
        return Note("Whether the maps can be trusted takes more than one photo.")
    if deletion.gain_interval[0] > 0:
        return Note(
            "The maps found what counts: the answer's probability falls faster when areas are covered by the map than at random, "
            "beyond what chance explains."
        )
    return Note(
        "On these photos it is not shown that the maps found what counts: covering by the map takes the answer away no faster "
        "than covering at random, within what chance explains."
    )


def class_note(one: ClassEvidence, name: str) -> Note:
    """The verdict on a class. "Middle" and "rim" are of the picture: where the object lies is not known."""
    values = {
        "class_name": name,
        "count": one.whole.total,
        "rim": one.by_rim.count,
        "middle": one.by_middle.count,
    }
    if one.verdict == "rim":
        return Note(
            "“{class_name}” is recognised by the rim of the picture rather than by its middle: of {count} photos {rim} were "
            "right with the middle covered, {middle} with the rim covered. It may have learnt the background. Add photos of it "
            "in other places, or with less around it.",
            values,
        )
    if one.verdict == "middle":
        return Note(
            "“{class_name}” is recognised by the middle of the picture: of {count} photos {middle} were right with the rim "
            "covered, {rim} with the middle covered.",
            values,
        )
    return Note(
        "“{class_name}”: whether the middle or the rim of the picture counts more cannot be told. Of {count} photos {middle} "
        "were right with the rim covered, {rim} with the middle covered.",
        values,
    )


def blocks(result: Mapping[str, Any]) -> list[Block]:
    """Everything between the facts and the last line."""
    return [*_photos(result), *_classes(result)]


def _photos(result: Mapping[str, Any]) -> list[Block]:
    rows: list[Row] = [
        (
            f"{number:03}" if method == "zero_shot" else "",
            plain(look["filename"]) if method == "zero_shot" else "",
            title,
            plain(look[method]["answer"]) + ("" if look[method]["right"] else " (wrong)"),
            look[method]["caption_text"],
        )
        for number, look in enumerate(result["looks"], 1)
        for method, title in TITLES.items()
    ]
    lines: list[Block] = ["", "WHERE DID IT LOOK?", (("map", "test photo", "method", "answer", "in words"), rows)]
    for method, title in TITLES.items():
        one = result["deletion"][method]
        gain = f"Area under the deletion curve against random: {-one['gain']:+.3f}"
        if one["gain_interval"] is not None:
            low, high = one["gain_interval"]
            gain += f" ({-high:+.3f} to {-low:+.3f}, 95 % over photos)"
        lines.append(f"{title}: {one['summary_text']} {one['trust_text']} {gain}.")
    return lines


def _classes(result: Mapping[str, Any]) -> list[Block]:
    if not result["classes"]:
        return []
    rows: list[Row] = [
        (
            plain(one["class"]),
            *(
                f"{one[key]} of {one['count']} ({_range(one[f'{key}_interval'])})"
                for key in ("whole", "by_middle", "by_rim")
            ),
            f"{one['others_by_rim']} of {one['others_count']}",
            f"{one['p']:.2g}",
        )
        for one in result["classes"]
    ]
    head: Row = ("class", "right", "rim covered", "middle covered", "others by rim", "p")
    warnings = [f"WARNING: {one['verdict_text']}" for one in result["classes"] if one["verdict"] == "rim"]
    return [
        "",
        "MIDDLE OR RIM? (ProLIP)",
        (head, rows),
        *(warnings or ["No class is shown to be recognised by the rim of its photos rather than by their middle."]),
    ]


def _range(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.0%} to {interval[1]:.0%}"
