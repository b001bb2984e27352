"""Writes docs/results.md from the results of studies.

    python -m prolip_core.studies.results_page --figures docs/images NAME=RESULT.json … > docs/results.md

NAME is the photo folder that the commands on the page name. Every figure and every sentence about who is ahead comes from the
result files, so the page is written anew by one command when the backbone or a method changes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from prolip_core import figure_files
from prolip_core.baselines.methods import METHODS
from prolip_core.errors import ConfigError, ProLIPError
from prolip_core.studies import names, results_figures, study_files, study_text

INTRODUCTION = """# Results

ProLIP compared with other ways to learn from a few photos, and how much its learning rate matters. This page is written by
`prolip_core.studies.results_page` from the results of the commands below; the photos are development photos that are not part of
the product. How each method is computed, with its source, stands in the docstrings of `prolip_core/baselines`.

- Every method sees the same photos, class vectors and random draws, and none sees a test photo. What a paper tunes on a
  validation set is fixed at a published default, or chosen by cross-validation on the photos to learn from.
- A test photo that is the same as, or a near-duplicate of, any photo to learn from is left out.
- Accuracies are means over the draws. Two kinds of chance have a 95 % interval each, and neither holds the other. "Test photos":
  as many other test photos (Wilson's interval; of "balanced", the mean over classes, Wilson's put together). "Draws": other
  photos of the same kind to learn from. The draws of a set share photos, so that plain Student would be far too narrow; the
  interval is corrected for it (Nadeau and Bengio 2003), and wide where a draw takes most of the photos.
- "Against ProLIP" is the mean difference in points on the same draws and the same test photos, with both kinds of interval
  (of test photos: Newcombe's for paired shares, averaged over draws). p: how likely so large a difference would be on other test
  photos if there were none, with the same trainings (exact sign-flip test, McNemar's for several draws), corrected for the
  number of methods (Holm).
- Seconds are one fit on one thread of a shared processor, choices included. "Added numbers" are those that the answers need
  and the backbone does not have; "trained numbers" those that gradient descent moves.
- Where the sentences are not those of the default, they were given with `--classes` and `--templates`.
"""

LIMITS = """## What these figures do not say

- One small backbone: the order of methods may be another one with a real CLIP. Learning rates and step counts of ZS-LP, CLAP,
  CLIP-Adapter, TaskRes, Tip-Adapter-F and CoOp were published for CLIP with a logit scale of 100; a smaller one makes their steps
  smaller, CLIP-Adapter's most of all. The weight 1 of Tip-Adapter's cache counts for more with a smaller scale.
- λ = 1/N² depends on the scale of features and embeddings, which a backbone is free to choose; the paper's figures are of CLIP.
- CLIP-Adapter and Tip-Adapter are usually shown tuned on validation photos, and are better then.
- Two photo sets, of everyday clothing and of one kind of part.
"""


DRAWN = (names.METHODS, names.LEARNING_RATES)
"""The kinds of study that the page has tables for; any other is refused."""

LEVEL = 0.05
"""Of the p-values, which are corrected for the number of methods."""

PAPER_RATES = (1e-5, 1e-2)
"""Learning rates that arXiv 2410.05270 reports on, section 4.2."""


def main(arguments: Sequence[str]) -> int:
    """Writes the page to stdout; 2 and one line on stderr for wrong input."""
    parser = argparse.ArgumentParser(prog="results_page", description=__doc__)
    parser.add_argument("results", nargs="+", metavar="NAME=RESULT.json")
    parser.add_argument("--figures", type=Path, help="folder for the figures, beside the page")
    asked = parser.parse_args(arguments)
    try:
        results = [(name, study_files.load(path, DRAWN)) for name, path in _parse(asked.results)]
    except ProLIPError as error:
        sys.stderr.write(f"results_page: {error}\n")
        return 2
    if asked.figures is not None:
        for name, result in results:
            (asked.figures / _figure(name, result)).write_bytes(figure_files.svg(results_figures.draw(result)))
    sys.stdout.write(page(results, asked.figures.name if asked.figures is not None else None))
    return 0


def _parse(arguments: Sequence[str]) -> list[tuple[str, Path]]:
    pairs = []
    for argument in arguments:
        name, found, path = argument.partition("=")
        if not (name and found and path):
            raise ConfigError("“{value}” is not NAME=RESULT.json.", value=argument)
        pairs.append((name, Path(path)))
    return pairs


def page(results: Iterable[tuple[str, Mapping[str, Any]]], figures: str | None = None) -> str:
    """The whole page in Markdown, one section per result; `figures`: the folder beside it that holds theirs, None without any."""
    parts = [INTRODUCTION]
    for name, result in results:
        parts.append(_section(name, result, figures))
    parts.append(LIMITS)
    return "\n".join(parts)


def _figure(name: str, result: Mapping[str, Any]) -> str:
    return f"results-{name}-{result['study'].replace('_', '-')}.svg"


def _section(name: str, result: Mapping[str, Any], figures: str | None) -> str:
    of_methods = result["study"] == names.METHODS
    title = f"{name}: methods" if of_methods else f"{name}: learning rates"
    command = result["study"].replace("_", "-")
    lines = [
        f"## {title}",
        "",
        f"{result['created'][:10]}, `backbone_sha256` {result['backbone_sha256'][:12]}…, {result['seconds']:.0f} seconds.",
        "",
        f"    python -m prolip_core study {command} {name}/train --test {name}/test --shots {result['shots']} "
        f"--draws {result['planned_draws']} --views {result['views']} --seed {result['seed']} --out R",
        "",
        *_list(study_text.facts(result)),
        f"- Sentences, the first of {len(result['prompts'][0])} for each class: "
        + " ".join(of_class[0] for of_class in result["prompts"]),
        "",
        *([f"![{title}]({figures}/{_figure(name, result)})", ""] if figures else []),
        *markdown(*study_text.table(result)),
        "",
        *_list(
            [*study_text.remarks(result), *([*left_out(result), *placement(result)] if of_methods else spread(result))]
        ),
        "",
    ]
    return "\n".join(lines)


def _list(lines: Iterable[str]) -> list[str]:
    return [f"- {line}" for line in lines]


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table in Markdown."""
    return [_row(head), _row(["---"] * len(head)), *map(_row, rows)]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def left_out(result: Mapping[str, Any]) -> list[str]:
    """The methods that were not asked for, in a sentence."""
    there = {one["key"] for one in (*result["methods"], *result["not_run"])}
    absent = [method.title for method in METHODS if method.key not in there]
    return [f"Left out of this run, as they were not asked for: {', '.join(absent)}."] if absent else []


def placement(result: Mapping[str, Any]) -> list[str]:
    """Where the reference method stands, in sentences."""
    ranked = study_text.by_accuracy(result)
    mine = next((one for one in ranked if one["key"] == result["reference"]), None)
    if mine is None:
        return []
    place = 1 + sum(one["accuracy"] > mine["accuracy"] for one in ranked)
    others = [one for one in ranked if one is not mine]
    low, high = mine["photo_interval"]
    lines = [
        f"**{mine['title']}: place {place} of {len(ranked)}**, with {mine['accuracy']:.1%} ({100 * low:.1f}–{100 * high:.1f}) of "
        f"{result['query_count']} test photos."
    ]
    for words, side in (
        ("Better than it by more than the test photos explain (p < 0.05)", 1),
        ("Not told apart from it on these test photos", 0),
        ("Worse than it by more than the test photos explain (p < 0.05)", -1),
    ):
        group = [one for one in others if _side(one) == side]
        named = ", ".join(f"{one['title']} ({100 * one['difference']:+.1f})" for one in group)
        lines.append(f"{words}: {named or 'none'}.")
    apart = ", ".join(f"{one['title']} ({100 * one['difference']:+.1f})" for one in others if _over_draws(one))
    lines.append(f"Different by more than the draws explain, each by itself: {apart or 'none'}.")
    if mine["notes"]:
        lines.append(f"λ in the draws: {'; '.join(mine['notes'])}.")
    light = [one["title"] for one in ranked if one["added_parameters"] == 0]
    return [*lines, f"Methods that add nothing to the model, best first: {', '.join(light)}."]


def _side(one: Mapping[str, Any]) -> int:
    """1 or -1 where the test photos tell the method apart from the reference, 0 where they do not."""
    if one["p"] is None or one["p"] >= LEVEL:
        return 0
    return 1 if one["difference"] > 0 else -1


def _over_draws(one: Mapping[str, Any]) -> bool:
    """Whether the interval over draws of the difference leaves 0 out."""
    interval = one["difference_interval"]
    return interval is not None and (interval[0] > 0 or interval[1] < 0)


def spread(result: Mapping[str, Any]) -> list[str]:
    """How far apart the learning rates are for every λ, in all and within the range that the paper calls stable; trainings whose
    loss left the numbers are counted beside it."""
    widths = []
    for lam in dict.fromkeys(cell["lam"] for cell in result["cells"]):
        arrived = {
            cell["learning_rate"]: cell["accuracy"]
            for cell in result["cells"]
            if cell["lam"] == lam and cell["learning_rate"] is not None and cell["accuracy"] is not None
        }
        inside = [accuracy for rate, accuracy in arrived.items() if PAPER_RATES[0] <= rate <= PAPER_RATES[1]]
        lost = sum(cell["diverged"] for cell in result["cells"] if cell["lam"] == lam)
        failed = f", and {lost} trainings diverged" if lost else ""
        widths.append(f"λ = {lam}: {_width(list(arrived.values()))} ({_width(inside)}){failed}")
    head = "Between the best and the worst learning rate lie, in points (in brackets: from 1e-5 to 1e-2, the paper's range)"
    return [f"{head}: {'; '.join(widths)}."]


def _width(accuracies: Sequence[float]) -> str:
    """The distance of the best from the worst, in points."""
    return f"{100 * (max(accuracies) - min(accuracies)):.1f}" if accuracies else "–"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
