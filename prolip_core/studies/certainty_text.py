"""A study of certainty in plain words: what happens to 1,000 photos, then the measure behind it in brackets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Row = tuple[str, ...]
Block = str | tuple[Row, list[Row]]
"""A line, or the head and the rows of a table."""

PHOTOS = 1000
SHOWN = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Thresholds in the table; result.json has a hundred."""

Result = Mapping[str, Any]


def blocks(result: Result) -> list[Block]:
    """Everything between the facts and the last line."""
    return [*_calibration(result), *_person(result), *_sets(result), *_foreign(result)]


def _calibration(result: Result) -> list[Block]:
    before, after = result["calibration"]["before"], result["calibration"]["after"]
    rows: list[Row] = [
        (
            f"over {one['low']:.0%} to {one['high']:.0%}",
            str(one["count"]),
            f"{one['confidence']:.0%}",
            f"{one['accuracy']:.0%}",
            _range(one["accuracy_interval"]),
        )
        for one in after["bins"]
        if one["count"]
    ]
    return [
        "",
        "HOW SURE IS SURE?",
        f"What it states and how often it is right differ by {_points(before['error'])} on average as trained, and by "
        f"{_points(after['error'])} with one correction that was chosen without the test photos (expected calibration "
        f"error; temperature {result['temperature']:.2f}).",
        (("it says", "test photos", "on average", "right", "likely range (95 %)"), rows),
    ]


def _person(result: Result) -> list[Block]:
    suggestion, suggested, curve = result["suggestion"], result["suggested"], result["risk_coverage"]
    limit = f"{result['limit']:.1%}"
    lines: list[Block] = ["", "NOT SURE: ASK A PERSON"]
    if suggestion["threshold"] is None:
        lines.append(
            f"No threshold keeps wrong answers within {limit} of the answers given; everything should go to a person."
        )
    else:
        lines.append(
            f"Suggested: let it answer alone from a confidence of {suggestion['threshold']:.1%} on. Of 1,000 photos in the "
            f"mixture of the test photos {_parts(suggested, 'answered', result)} are then answered alone, "
            f"{_parts(suggested, 'wrong', result)} of them wrongly, and {_parts(suggested, 'to_person', result)} go to a person. "
            f"Among the answers given {_share(suggested['error'])} are wrong ({_range(suggested['error_interval'])})."
        )
        found = (
            f"{suggestion['support_wrong']} of {suggestion['support_answered']} answers about held-out photos to learn from "
            "(near-duplicates counted once)"
        )
        if suggestion["assured"]:
            lines.append(
                f"It was chosen so that at most {limit} of the answers are wrong: {found} were, which means "
                f"at most {suggestion['upper_bound']:.1%} with 95 % confidence (Clopper and Pearson)."
            )
        else:
            lines.append(
                f"At most {limit} wrong is NOT assured: {found} were wrong, which may mean up to "
                f"{suggestion['upper_bound']:.1%}. Promising it takes at least {suggestion['least_answers']} answers "
                "without a mistake: more photos to learn from, or a higher limit."
            )
    if suggested["answered"] and suggested["error_interval"][0] > result["limit"]:
        lines.append(f"On the test photos that is more than the {limit} wanted, beyond what chance explains.")
    head: Row = (
        "answers alone from",
        "of 1,000 photos: alone",
        "of them wrong",
        "to a person",
        "wrong among answers",
        "held-out training photos",
    )
    pairs = zip(result["thresholds"], result["support_thresholds"], strict=True)
    rows = [_threshold(one, held_out, result) for one, held_out in pairs if one["threshold"] in SHOWN]
    return [
        *lines,
        (head, rows),
        "Only the training photos suggest a threshold. One that is chosen by this table needs new photos to be confirmed.",
        f"Averaged over all thresholds, {curve['area']:.1%} of the answers are wrong (AURC); {curve['best']:.1%} would be the "
        f"least with as many mistakes in all, {curve['chance']:.1%} what a confidence without meaning gives.",
    ]


def _threshold(one: Result, held_out: Result, result: Result) -> Row:
    return (
        f"{one['threshold']:.0%}",
        _parts(one, "answered", result),
        _parts(one, "wrong", result),
        _parts(one, "to_person", result),
        _error(one),
        _error(held_out),
    )


def _error(one: Result) -> str:
    """The wrong ones among the answers given."""
    if one["error"] is None:
        return "–"
    return f"{one['wrong']} of {one['answered']}, {one['error']:.1%} ({_range(one['error_interval'])})"


def _sets(result: Result) -> list[Block]:
    sets = result["sets"]
    cross, single, total = sets["cross"], sets["single"], result["query_count"]
    sizes = [(size, count) for size, count in enumerate(cross["sizes"]) if count]
    named = ", ".join(f"{_classes(size)}: {_of_1000(count, total)}" for size, count in sizes)
    limit = "none" if sets["score_limit"] is None else f"{1 - sets['score_limit']:.1%}"
    return [
        "",
        "ONE OF THESE FEW",
        f"Asked for the few classes that hold the right one {result['coverage']:.0%} of the time, it names "
        f"{cross['mean_size']:.1f} on average. For {_of_1000(cross['covered'], total)} of 1,000 photos the right one is among "
        f"them ({_thousands(cross['coverage_interval'])}); {_of_1000(cross['alone'], total)} get one class alone, "
        f"{_of_1000(cross['alone_right'], total)} of them the right one (conformal sets, cross-validation+).",
        *_too_few(result),
        f"Of 1,000 photos by number of classes named: {named}.",
        f"Promised, approximately: {sets['guaranteed_coverage']:.1%}, if new photos come from the same source in the same "
        "mixture (exchangeable); for all classes together, not for each.",
        f"By the trained projector alone, naming every class with at least {limit} (as trained): "
        f"{_of_1000(single['covered'], total)} of 1,000 hold the right one, {single['mean_size']:.1f} classes on average; "
        "nothing is promised.",
    ]


def _too_few(result: Result) -> list[str]:
    """Where even the upper end of the range is below what was asked for."""
    if result["sets"]["cross"]["coverage_interval"][1] >= result["coverage"]:
        return []
    return [
        f"That is less often than {result['coverage']:.0%}, beyond what chance in the test photos explains: the photos to learn "
        "from were few, or the test photos are of another kind or another mixture of classes."
    ]


def _foreign(result: Result) -> list[Block]:
    found = result["foreign"]
    if found is None:
        return []
    lines: list[Block] = [
        "",
        "PHOTOS OF SOMETHING ELSE",
        f"Of {found['count']} photos of other things {found['turned_away']} go to a person at the suggested confidence "
        f"({_range(found['turned_away_interval'])}), as do {found['test_turned_away']} of {result['query_count']} test photos "
        f"({_range(found['test_turned_away_interval'])}).",
        f"A test photo ranks above a photo of something else {found['confidence_auroc']:.1%} of the time by confidence, "
        f"{found['cosine_auroc']:.1%} by its likeness to the nearest class (maximum cosine), {found['energy_auroc']:.1%} by "
        "energy (AUROC; 50 % is chance).",
    ]
    left_out = len(found["dropped_files"])
    if left_out:
        lines.append(
            f"{left_out} more were left out: they are the same as, or near-duplicates of, photos of the classes."
        )
    lines += [f"Not taken: {file['photo']}. {file['reason']}" for file in found["rejected_files"]]
    return lines


def _parts(one: Mapping[str, Any], key: str, result: Result) -> str:
    return f"{_of_1000(one[key], result['query_count'])} ({_thousands(one[f'{key}_interval'])})"


def _of_1000(count: int, total: int) -> int:
    return round(PHOTOS * count / total)


def _thousands(interval: Sequence[float]) -> str:
    return f"{PHOTOS * interval[0]:.0f} to {PHOTOS * interval[1]:.0f}"


def _classes(size: int) -> str:
    return "no class" if size == 0 else "1 class" if size == 1 else f"{size} classes"


def _points(error: float) -> str:
    return f"{100 * error:.1f} points"


def _share(fraction: float | None) -> str:
    return "none" if fraction is None else f"{fraction:.1%}"


def _range(interval: Sequence[float]) -> str:
    return f"{interval[0]:.1%} to {interval[1]:.1%}"
