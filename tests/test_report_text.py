"""The printed result: its numbers are the run's, each with its count and range, and user text stays text."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from prolip_core import dataset, metrics, report_text
from prolip_core.dataset import PhotoSet
from prolip_core.errors import ImageError
from prolip_core.pilot import PilotRun
from prolip_core.prompts import make_class
from prolip_core.types import Note, Prediction, RejectedFile
from tests import fakes

CLASSES = ("bolt", "nut", "washer")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> PhotoSet:
    root = tmp_path_factory.mktemp("photos")
    train = fakes.write_photos(root / "train", {"bolt": range(3), "nut": range(4), "washer": range(3)})
    return dataset.read_folders(train, fakes.write_photos(root / "test", {"bolt": range(20, 27), "nut": range(20, 24)}))


@pytest.fixture(scope="module")
def run(photos: PhotoSet) -> PilotRun:
    return fakes.tiny_run(photos)


def _text(run: PilotRun) -> str:
    stream = io.StringIO()
    report_text.write(run, Path("some where/result.json"), stream)
    return stream.getvalue()


def _row(text: str, first: str) -> list[str]:
    """The cells of the table row that begins with this cell."""
    (line,) = [line for line in text.splitlines() if re.match(rf"[│|]\s*{re.escape(first)}\s*[│|]", line)]
    return [cell.strip() for cell in re.split("[│|]", line)[1:-1]]


def _with_answers(run: PilotRun, zero_shot: Sequence[int], prolip: Sequence[int]) -> PilotRun:
    """The same run with other answers to its 11 test photos (7 bolts, 4 nuts)."""

    def answers(labels: Sequence[int]) -> tuple[Prediction, ...]:
        return tuple(
            replace(old, predicted=label, probabilities=tuple(0.8 if k == label else 0.1 for k in range(3)))
            for old, label in zip(run.answers.prolip, labels, strict=True)
        )

    before, after = answers(zero_shot), answers(prolip)
    return replace(
        run,
        answers=replace(run.answers, zero_shot=before, prolip=after),
        zero_shot=metrics.evaluate(before, CLASSES),
        prolip=metrics.evaluate(after, CLASSES),
        mcnemar_p=metrics.mcnemar_p(before, after),
    )


def test_the_summary_has_count_range_and_every_measure_of_both_methods(run: PilotRun) -> None:
    text = _text(_with_answers(run, [0] * 11, [0] * 7 + [1, 1, 1, 2]))
    # Wilson's interval of 7 and of 10 out of 11: 0.3538 … 0.8483, 0.6226 … 0.9838 (by the formula of Wilson 1927).
    # F1: bolt 14/18 and nut 0; then bolt 1 and nut 6/7. Calibration: |0.8 − accuracy|, all answers being equally sure.
    assert _row(text, "Zero-shot")[1:] == ["7 of 11", "63.6%", "35.4% to 84.8%", "50.0%", "0.389", "0.164"]
    assert _row(text, "ProLIP")[1:] == ["10 of 11", "90.9%", "62.3% to 98.4%", "87.5%", "0.929", "0.109"]


def test_the_numbers_are_those_of_the_run(run: PilotRun) -> None:
    text = _text(run)
    for title, evaluation in (("Zero-shot", run.zero_shot), ("ProLIP", run.prolip)):
        low, high = evaluation.accuracy_interval
        assert _row(text, title)[1:4] == [
            f"{evaluation.correct} of 11",
            f"{evaluation.accuracy:.1%}",
            f"{low:.1%} to {high:.1%}",
        ]
    assert f"λ = {run.trained.lam:.4g} ({run.trained.lam_note})" in text
    assert "exact solver" in text
    assert f"Backbone tiny on {run.backbone.device.title}." in text
    seconds = run.seconds
    assert (
        f"reading photos {seconds['features']:.1f}, fine-tuning {seconds['fit']:.2f}, in all {seconds['total']:.1f}"
        in text
    )
    assert "10 photos to learn from (3 classes, 3 to 4 each), 11 photos to test on." in text


def test_every_class_has_its_count_and_a_dash_where_nothing_was_measured(run: PilotRun) -> None:
    text = _text(_with_answers(run, [0] * 11, [0] * 7 + [1, 1, 1, 2]))
    assert _row(text, "bolt")[1:] == ["7", "100%", "100%", "100%", "1.000"]
    assert _row(text, "nut")[1:] == ["4", "0%", "75%", "100%", "0.857"]
    assert _row(text, "washer")[1:] == ["0", "–", "–", "0%", "–"]


def test_the_most_confused_come_first_and_five_are_enough(run: PilotRun) -> None:
    text = _text(_with_answers(run, [0] * 11, [1, 1, 2, 0, 0, 0, 0, 2, 2, 2, 1]))
    listed = text.split("Most often confused by ProLIP:\n")[1].splitlines()[:3]
    assert [line.strip() for line in listed] == [
        "nut taken for washer: 3",
        "bolt taken for nut: 2",
        "bolt taken for washer: 1",
    ]
    assert "Most often confused" not in _text(_with_answers(run, [0] * 11, [0] * 7 + [1] * 4))
    matrix = metrics.evaluate(fakes.predictions([0] * 7 + [1] * 7, [*range(7)] * 2, 7), [str(k) for k in range(7)])
    assert len(report_text._confusions(matrix, tuple("abcdefg"))) == 1 + report_text.MOST_CONFUSED


@pytest.mark.parametrize(
    ("zero_shot", "prolip", "expected"),
    [
        # 7 bolts, then 4 nuts. p of the exact test: 2 · 0.5⁷ = 0.0156; 2 · 0.5¹¹ = 0.00098; 1.
        (
            [1] * 11,
            [0] * 7 + [1] * 4,
            r"\+63\.6 points; 7 photos put right, 0 put wrong; unlikely to be luck .* p = 0\.016",
        ),
        (
            [2] * 11,
            [0] * 7 + [1] * 4,
            r"\+100\.0 points; 11 photos put right, 0 put wrong; very unlikely .* p = 0\.00098",
        ),
        ([0] * 7 + [1] * 4, [1] * 11, r"-63\.6 points; 0 photos put right, 7 put wrong; unlikely to be luck"),
        ([0] * 11, [0] * 11, "no difference, the same photos are right"),
        # Wrong before and wrong after is neither.
        ([1] * 7 + [2] * 4, [2] * 7 + [1] * 4, r"\+36\.4 points; 4 photos put right, 0 put wrong; could well be luck"),
    ],
)
def test_the_verdict_counts_pairs_and_does_not_oversell(
    run: PilotRun, zero_shot: Sequence[int], prolip: Sequence[int], expected: str
) -> None:
    assert re.search(expected, report_text.verdict(_with_answers(run, zero_shot, prolip)))


def test_it_says_on_which_photos_it_was_measured(run: PilotRun, photos: PhotoSet) -> None:
    assert "Measured on 11 test photos that nothing was learnt or chosen from." in _text(run)
    spec = replace(fakes.TINY_SPEC, fit=replace(fakes.TINY_SPEC.fit, lam=1.0))
    crossed = fakes.tiny_run(replace(photos, query=()), spec)
    assert crossed.answers.cross_validation is not None
    low, high = (choose(crossed.answers.cross_validation.accuracies) for choose in (min, max))
    text = _text(crossed)
    assert "Measured by 3-fold cross-validation on the 10 training photos" in text
    assert f"Over 3 repeats ProLIP was right on {low:.1%} to {high:.1%}" in text
    assert "to test on" not in text


def test_warnings_refused_files_and_the_path_are_told(run: PilotRun) -> None:
    error = ImageError("{filename} is odd.", filename="bolt/x.jpg", remedy="Take it out.")
    told = replace(
        run,
        warnings=(Note("Mind the step."), Note("Mind the gap.")),
        photos=replace(run.photos, rejected=(RejectedFile("bolt/x.jpg", error),)),
    )
    text = _text(told)
    assert "Note: Mind the step.\nNote: Mind the gap.\n" in text
    assert "Files that were not used (number: 1):\n  bolt/x.jpg is odd. Take it out.\n" in text
    assert f"Details in {Path('some where/result.json')}\n" in text
    assert "not used" not in _text(run)


def test_long_lines_are_not_broken_so_that_a_path_can_be_copied(run: PilotRun) -> None:
    path = Path("/results of the spring pilot") / ("very long folder name " * 8) / "result.json"
    stream = io.StringIO()
    report_text.write(run, path, stream)
    assert str(path) in stream.getvalue()


EVIL = "[red]x[/red] \x1b[2J\x9b31m\u202ejpg.exe\x07"


def test_markup_and_control_characters_in_names_are_shown_and_not_obeyed(run: PilotRun) -> None:
    """A name such as ESC [2J would clear the screen of the person who looks."""
    names = (EVIL, "nut", "[bold]washer")
    error = ImageError("{filename} is odd.", filename=f"{EVIL}\nfake line", remedy="")
    prompts = replace(run.class_vectors.prompts, class_names=names)
    evil: Any = replace(
        run,
        class_vectors=replace(run.class_vectors, prompts=prompts),
        photos=replace(
            run.photos,
            classes=tuple(make_class(name) for name in names),
            rejected=(RejectedFile(error.filename, error),),
        ),
        warnings=(Note("No test photo of: {names}.", {"names": EVIL}),),
    )
    evil = _with_answers(evil, [0] * 11, [1] * 7 + [0] * 4)
    text = _text(evil)
    assert not re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
    shown = "[red]x[/red] �[2J�31m�jpg.exe�"
    assert f"Note: No test photo of: {shown}." in text
    assert f"  {shown} taken for nut: 7" in text
    assert f"{shown}�fake line is odd." in text
    assert "│ [red]x[/red]" in text  # the table folds the rest of the name
    assert _row(text, "[bold]washer")[1] == "0"


@pytest.mark.parametrize("text", ["傷あり（小）", "Öl – 5 µm", "👩‍🔧", "a_b-c.JPG", "e\u0301", "ระวัง", "\u200fאבג"])
def test_ordinary_text_of_any_language_stays_as_it_is(text: str) -> None:
    assert report_text.plain(text) == text


@pytest.mark.parametrize(
    "character", ["\x00", "\x1b", "\n", "\r", "\t", "\x7f", "\x9b", "\u2028", "\u202e", "\u2066", "\udcff"]
)
def test_what_would_steer_a_terminal_is_replaced(character: str) -> None:
    assert report_text.plain(f"a{character}b") == "a\ufffdb"
