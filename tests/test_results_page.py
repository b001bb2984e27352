"""The page of results says what the result files say, and nothing by itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from prolip_core.baselines.methods import METHODS
from prolip_core.studies import results_page
from tests.test_docs import table
from tests.test_study_files import score

HEAD = {
    "format": 1,
    "created": "2026-01-02T03:04:05+00:00",
    "backbone": "tiny",
    "backbone_sha256": "0123456789abcdef",
    "device": "CPU",
    "logit_scale": 12.0,
    "class_names": ["a", "b"],
    "images_per_class": {"a": 5, "b": 6},
    "dropped_test_files": ["a/1.jpg"],
    "prompts": [["a photo of an a."], ["a photo of a b."]],
    "views": 1,
    "seed": 7,
    "shots": 4,
    "draws": 2,
    "planned_draws": 3,
    "query_count": 40,
    "seconds": 9.0,
}


def methods_result() -> dict[str, Any]:
    return {
        **HEAD,
        "study": "methods",
        "reference": "mine",
        "methods": [
            score("mine", 0.5, added_parameters=0, notes=["1/N", "3/N"]),
            score("ahead", 0.7, p=0.01),
            score("level", 0.6, p=0.05, difference_interval=[0.01, 0.3]),
            score("behind", 0.4, p=0.049),
            score("once", 0.3, difference_interval=None, p=1.0, added_parameters=0),
        ],
        "not_run": [{"key": "x", "title": "X", "reason": "No tower."}],
    }


def rates_result() -> dict[str, Any]:
    cells = [
        ("0", 1e-4, 0.5),
        ("0", 1e-1, 0.2),
        ("0", 1e-2, None),
        ("1", 1e-6, 0.1),
        ("1", 1e-4, 0.6),
        ("1", 1e-2, 0.61),
        ("1", None, 0.9),
        ("2", 1e-4, None),
    ]
    return {
        **HEAD,
        "study": "learning_rates",
        "zero_shot_accuracy": 0.25,
        "cells": [
            {"lam": lam, "learning_rate": rate, "accuracy": accuracy, "diverged": 0 if accuracy else 2}
            for lam, rate, accuracy in cells
        ],
    }


def test_the_placement_goes_by_the_tests_on_the_same_photos() -> None:
    assert results_page.placement(methods_result()) == [
        "**MINE: place 3 of 5**, with 50.0% (45.0–55.0) of 40 test photos.",
        "Better than it by more than the test photos explain (p < 0.05): AHEAD (+20.0).",
        "Not told apart from it on these test photos: LEVEL (+10.0), ONCE (-20.0).",
        "Worse than it by more than the test photos explain (p < 0.05): BEHIND (-10.0).",
        "Different by more than the draws explain, each by itself: LEVEL (+10.0).",
        "λ in the draws: 1/N; 3/N.",
        "Methods that add nothing to the model, best first: MINE, ONCE.",
    ]


def test_methods_that_were_not_asked_for_are_named() -> None:
    result = methods_result()
    result["methods"] = [score(method.key, 0.5) for method in METHODS if method.key not in {"coop", "clap"}]
    result["not_run"] = [{"key": "clap", "title": "CLAP", "reason": "No."}]
    assert results_page.left_out(result) == ["Left out of this run, as they were not asked for: CoOp."]
    result["methods"].append(score("coop", 0.5))
    assert results_page.left_out(result) == []


def test_without_the_reference_there_is_no_placement() -> None:
    assert results_page.placement({**methods_result(), "reference": "gone"}) == []


def test_the_spread_is_that_of_the_learning_rates_alone() -> None:
    (line,) = results_page.spread(rates_result())
    assert line.endswith(
        "range): λ = 0: 30.0 (0.0), and 2 trainings diverged; λ = 1: 51.0 (1.0); λ = 2: – (–), and 2 trainings diverged."
    )


def test_the_page_has_a_section_for_every_result() -> None:
    text = results_page.page([("parts", methods_result()), ("parts", rates_result())])
    assert "## parts: methods\n" in text and "## parts: learning rates\n" in text
    command = "python -m prolip_core study learning-rates parts/train --test parts/test --shots 4 --draws 3 --views 1 --seed 7"
    assert f"    {command} --out R\n" in text
    assert "2 random draws of 3 planned from 11 photos" in text and "Not run: X. No tower." in text
    rows = table(text.partition("## parts: methods")[2].partition("\n## ")[0])
    assert [row[0] for row in rows] == ["AHEAD", "LEVEL", "MINE", "BEHIND", "ONCE"]
    assert text.startswith("# Results\n") and text.endswith("one kind of part.\n")


def test_names_cannot_break_a_table() -> None:
    assert results_page.markdown(["a|b"], [["c"]]) == ["| a\\|b |", "| --- |", "| c |"]


def test_the_command_writes_the_page_or_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "result.json"
    path.write_text(json.dumps(methods_result()), encoding="utf-8")
    assert results_page.main([f"parts={path}"]) == 0
    assert capsys.readouterr().out == results_page.page([("parts", methods_result())])
    for wrong in ("parts", f"={path}", f"parts={tmp_path / 'gone.json'}"):
        assert results_page.main([wrong]) == 2
        said = capsys.readouterr()
        assert said.out == "" and len(said.err.splitlines()) == 1


def test_the_figures_show_what_the_tables_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--figures", str(tmp_path)]
    for name, result in (("methods", methods_result()), ("rates", rates_result())):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(result), encoding="utf-8")
        arguments.append(f"parts={path}")
    assert results_page.main(arguments) == 0
    page = capsys.readouterr().out
    drawn = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.glob("*.svg")}
    assert set(drawn) == {"results-parts-methods.svg", "results-parts-learning-rates.svg"}
    assert all(f"]({tmp_path.name}/{name})" in page for name in drawn)
    ranks = [
        drawn["results-parts-methods.svg"].index(f">{name}<") for name in ("AHEAD", "LEVEL", "MINE", "BEHIND", "ONCE")
    ]
    assert ranks == sorted(ranks)
    assert (
        "λ = 2" in drawn["results-parts-learning-rates.svg"]
        and "zero-shot" in drawn["results-parts-learning-rates.svg"]
    )
