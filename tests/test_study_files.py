"""A study on disk and as text, and the command that makes it."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from prolip_core import backbones, cli, dataset, runs
from prolip_core.errors import RunError
from prolip_core.studies import (
    compare_methods,
    learning_curve,
    learning_rates,
    material,
    names,
    new_classes,
    results_page,
    study_files,
    study_text,
)
from prolip_core.studies.compare_methods import MethodStudy
from prolip_core.studies.kinds import Study
from prolip_core.studies.learning_curve import CurveStudy
from prolip_core.studies.learning_rates import LearningRateStudy
from prolip_core.studies.new_classes import NewClassesStudy
from tests import fakes
from tests.test_docs import document, flat, has_type, section, table


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(backbones, "load", fakes.load_tiny)
    fakes.write_photos(tmp_path / "train", {"bolt": range(4), "nut": range(4)})
    fakes.write_photos(tmp_path / "test", {"bolt": [0, 20, 21], "nut": [20, 21]})
    return tmp_path


@pytest.fixture
def studies(folders: Path) -> tuple[MethodStudy, LearningRateStudy]:
    """One of each kind, with a method that cannot run and a draw that a person stopped."""
    prepared = material.prepare(fakes.TINY_SPEC, dataset.read_folders(folders / "train", folders / "test"))
    keys = ["zero_shot", "coop", "prolip_auto"]
    without_text = replace(prepared, context=None)
    return (
        compare_methods.run(without_text, shots=3, n_draws=2, keys=keys),
        learning_rates.run(prepared, shots=3, n_draws=2, learning_rates=(1e-3,), lams=("0", "1/N"), epochs=3),
    )


@pytest.fixture
def others(tmp_path: Path, folders: Path) -> tuple[CurveStudy, CurveStudy, NewClassesStudy]:
    """Two learning curves of enough photos for a forecast, with and without test photos, and a study of new classes."""
    names = ("bolt", "gear", "nut", "pin")
    fakes.write_photos(tmp_path / "many", {name: range(8) for name in names})
    fakes.write_photos(tmp_path / "measure", {name: [20, 21] for name in names})
    prepared = material.prepare(fakes.TINY_SPEC, dataset.read_folders(tmp_path / "many", tmp_path / "measure"))
    untested = material.prepare(fakes.TINY_SPEC, dataset.read_folders(tmp_path / "many"), needs_test=False)
    return (
        learning_curve.run(prepared, n_draws=3),
        learning_curve.run(untested, n_draws=3),
        new_classes.run(prepared, n_draws=2),
    )


def test_results_have_the_documented_keys_and_types(
    studies: tuple[MethodStudy, LearningRateStudy],
    others: tuple[CurveStudy, CurveStudy, NewClassesStudy],
    tmp_path: Path,
) -> None:
    rows = table(section(document("result-format.md"), "result.json of a study"))
    documented = {row[0].strip("`"): row[1] for row in rows}
    written: list[tuple[str, Any]] = []
    paths: list[Path] = [
        study_files.save(studies[0], tmp_path / "methods"),
        study_files.save(studies[1], tmp_path / "rates"),
    ]
    more: tuple[Study, ...] = others
    paths += [study_files.save(one, tmp_path / f"more-{number}") for number, one in enumerate(more)]
    for path in paths:
        assert [entry.name for entry in path.parent.iterdir()] == ["result.json"]
        assert study_files.load(path) == json.loads(path.read_text(encoding="utf-8"))
        written += flat(json.loads(path.read_text(encoding="utf-8")))
    # Class names as keys, as in `images_per_class`.
    written = [(re.sub(r"\.(bolt|gear|nut|pin)$", ".<class>", key), value) for key, value in written]
    assert sorted({key for key, _ in written} ^ set(documented)) == []
    wrong = sorted({f"{key}: {value!r}" for key, value in written if not has_type(value, documented[key])})
    assert not wrong, "\n".join(wrong)


def test_a_stopped_or_small_study_leaves_nulls_where_they_are_documented(folders: Path) -> None:
    prepared = material.prepare(fakes.TINY_SPEC, dataset.read_folders(folders / "train", folders / "test"))
    content = study_files.as_dict(learning_curve.run(prepared, n_draws=1))
    assert {one["forecast"] for one in content["curves"]} == {None}
    assert {point["draw_interval"] for one in content["curves"] for point in one["points"]} == {None}
    assert content["evaluation"] == "test"


def test_the_results_page_refuses_studies_that_it_has_no_table_for(
    others: tuple[CurveStudy, CurveStudy, NewClassesStudy], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more: tuple[Study, ...] = others
    for number, one in enumerate(more):
        path = study_files.save(one, tmp_path / str(number))
        assert results_page.main([f"photos={path}"]) == 2
        said = capsys.readouterr()
        assert said.out == "" and "not the result of a study" in said.err


def test_the_result_says_what_was_measured(studies: tuple[MethodStudy, LearningRateStudy]) -> None:
    content = study_files.methods_as_dict(studies[0])
    assert content["query_count"] == 4
    assert content["dropped_test_files"] == ["bolt/0.jpg"]
    assert content["test_images_per_class"] == {"bolt": 2, "nut": 2}
    assert [one["key"] for one in content["methods"]] + [one["key"] for one in content["not_run"]] != []


def test_a_study_and_a_run_do_not_replace_each_other(
    studies: tuple[MethodStudy, LearningRateStudy], tmp_path: Path
) -> None:
    first = study_files.save(studies[0], tmp_path / "study")
    assert study_files.save(studies[0], tmp_path / "study") == first
    for refused in (
        lambda: study_files.save(studies[1], tmp_path / "study"),
        lambda: runs.prepare_folder(tmp_path / "study"),
    ):
        with pytest.raises(RunError, match="no earlier run"):
            refused()
    pilot_folder = tmp_path / "run"
    pilot_folder.mkdir()
    (pilot_folder / "result.json").write_text('{"format": 1, "class_names": [], "backbone": "x"}', encoding="utf-8")
    runs.prepare_folder(pilot_folder)
    with pytest.raises(RunError, match="no earlier run"):
        study_files.save(studies[0], pilot_folder)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', '{"format": 2, "study": "methods"}'])
def test_another_file_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RunError, match="not the result of a study"):
        study_files.load(path)


def score(key: str, accuracy: float, **options: Any) -> dict[str, Any]:
    return {
        "key": key,
        "title": key.upper(),
        "accuracy": accuracy,
        "draw_interval": [accuracy - 0.1, accuracy + 0.1],
        "photo_interval": [accuracy - 0.05, accuracy + 0.05],
        "difference": accuracy - 0.5,
        "difference_interval": [-0.05, 0.25],
        "photo_difference_interval": [-0.01, 0.21],
        "p": 0.5,
        "balanced_accuracy": 0.4,
        "balanced_interval": [0.3, 0.52],
        "seconds": 1.234,
        "added_parameters": 5120,
        "trained_parameters": 0,
        "notes": [],
        **options,
    }


def test_methods_are_ranked_with_their_ranges() -> None:
    result = {
        "study": "methods",
        "reference": "mine",
        "methods": [score("mine", 0.5), score("other", 0.6), score("alone", 0.1, draw_interval=None, difference=None)],
        "not_run": [],
    }
    head, rows = study_text.table(result)
    assert len(head) == len(rows[0])
    assert rows[0] == (
        "OTHER",
        "60.0% (55.0–65.0)",
        "50.0 to 70.0",
        "+10.0 (-1.0 to +21.0)",
        "-5.0 to +25.0",
        "0.5",
        "40.0% (30.0–52.0)",
        "1.23",
        "5,120",
        "0",
    )
    assert [row[0] for row in rows] == ["OTHER", "MINE", "ALONE"]
    assert rows[1][3:5] == ("–", "–")
    assert rows[2][2:4] == ("–", "–")


def test_learning_rates_are_a_grid() -> None:
    def cell(lam: str, rate: float | None, accuracy: float | None) -> dict[str, Any]:
        return {"lam": lam, "learning_rate": rate, "accuracy": accuracy, "diverged": 0 if accuracy else 3}

    result: dict[str, Any] = {
        "study": "learning_rates",
        "cells": [
            cell("0", 1e-4, 0.5),
            cell("0", 1e-2, None),
            cell("1", 1e-4, 0.6),
            cell("1", 1e-2, 0.7),
            cell("1", None, 0.8),
        ],
        "zero_shot_accuracy": 0.25,
        "query_count": 20,
    }
    result["cells"][3]["diverged"] = 1
    head, rows = study_text.table(result)
    assert head == ("λ", "1e-04", "1e-02", "exact solver")
    assert rows == [
        ("0", "50.0% (29.9–70.1)", "diverged", "–"),
        ("1", "60.0% (38.7–78.1)", "70.0% (48.1–85.5), 1 diverged", "80.0% (58.4–91.9)"),
    ]
    assert study_text.remarks(result) == [
        "Zero-shot on the same test photos: 25.0%.",
        "Trainings whose loss left the numbers: 4.",
    ]


def test_a_curve_has_a_line_per_class_and_the_recommendation(
    others: tuple[CurveStudy, CurveStudy, NewClassesStudy], tmp_path: Path
) -> None:
    for one in others[:2]:
        content = study_files.as_dict(one)
        head, rows = study_text.table(content)
        assert head[2:-1] == tuple(
            f"{round(size.photos, 1):g}{' (all)' if size.everything else ''}" for size in one.sizes
        )
        assert [row[0].partition(" (")[0] for row in rows] == [
            "all classes",
            "  95 % over draws",
            "bolt",
            "gear",
            "nut",
            "pin",
        ]
        assert rows[0][0].endswith(f" ({one.overall.count} photos)")
        assert {len(row) for row in rows} == {len(head)}
        low, high = one.overall.photo_intervals[0]
        assert rows[0][2] == f"{one.overall.accuracies[0]:.1%} ({100 * low:.1f}–{100 * high:.1f})"
        assert rows[2][-1].startswith("+")
        assert study_text.remarks(content) == content["advice_text"] != []
        for text, parts in zip(content["advice_text"], content["advice_parts"], strict=True):
            assert parts["message"].format(**parts["values"]) == text
    stream = io.StringIO()
    study_text.write(study_files.as_dict(others[1]), tmp_path, stream)
    assert "Measured on training photos that were held out" in stream.getvalue()


def test_new_classes_have_four_rates(others: tuple[CurveStudy, CurveStudy, NewClassesStudy], tmp_path: Path) -> None:
    content = study_files.as_dict(others[2])
    head, rows = study_text.table(content)
    assert [row[0] for row in rows] == [
        f"{study_text.RATES[one.rate]} ({one.classes} classes)" for one in others[2].summary
    ]
    assert {len(row) for row in rows} == {len(head)}
    assert rows[1][3].startswith(f"{100 * others[2].summary[1].difference:+.1f}")
    stream = io.StringIO()
    study_text.write(content, tmp_path, stream)
    assert "2 random halves of the classes were trained" in stream.getvalue()


def test_user_text_is_no_markup(studies: tuple[MethodStudy, LearningRateStudy], tmp_path: Path) -> None:
    content = study_files.methods_as_dict(studies[0])
    content["backbone"] = "[red]x\x1b"
    stream = io.StringIO()
    study_text.write(content, tmp_path / "result.json", stream)
    assert "Backbone [red]x� on" in stream.getvalue()


def test_a_class_name_cannot_steer_the_terminal(
    others: tuple[CurveStudy, CurveStudy, NewClassesStudy], tmp_path: Path
) -> None:
    content = study_files.as_dict(others[0])
    content["curves"][-1]["classes"] = ["a\x1b[31mEVIL"]
    stream = io.StringIO()
    study_text.write(content, tmp_path / "result.json", stream)
    assert "EVIL" in stream.getvalue() and "\x1b" not in stream.getvalue()


# The command.


def study(folders: Path, *arguments: object) -> int:
    name, *rest = arguments
    fixed = [folders / "train", "--test", folders / "test", "--device", "cpu", "--precision", "float32"]
    try:
        return cli.main(["study", str(name), *map(str, [*fixed, *rest])])
    except SystemExit as stopped:
        assert isinstance(stopped.code, int)
        return stopped.code


def test_the_command_writes_the_result_and_prints_the_table(
    folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert study(folders, "methods", "--draws", 2, "--method", "zero_shot", "--method", "clap", "--out", out) == 0
    content = json.loads((out / "result.json").read_text(encoding="utf-8"))
    assert [one["key"] for one in content["methods"]] == ["zero_shot", "clap"]
    assert (content["shots"], content["draws"]) == (4, 1)
    printed = capsys.readouterr().out
    assert "CLAP" in printed and "Measured on 4 test photos" in printed and str(out / "result.json") in printed


def test_the_learning_rates_have_a_command_too(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(learning_rates, "LEARNING_RATES", (1e-3,))
    out = tmp_path / "out"
    assert study(folders, "learning-rates", "--shots", 2, "--draws", 1, "--out", out) == 0
    content = json.loads((out / "result.json").read_text(encoding="utf-8"))
    assert content["study"] == "learning_rates"
    assert "exact solver" in capsys.readouterr().out


def test_the_curve_and_the_new_classes_have_commands(
    tmp_path: Path, folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fakes.write_photos(folders / "train", {"gear": range(4), "pin": range(4)})
    fakes.write_photos(folders / "test", {"gear": [20], "pin": [20]})
    assert study(folders, "curve", "--draws", 2, "--out", tmp_path / "curve") == 0
    assert "all classes" in capsys.readouterr().out
    assert study(folders, "new-classes", "--draws", 2, "--out", tmp_path / "new") == 0
    assert "harmonic mean" in capsys.readouterr().out
    held = ["study", "curve", folders / "train", "--device", "cpu", "--draws", 1, "--out", tmp_path / "held"]
    assert cli.main(list(map(str, held))) == 0
    content = json.loads((tmp_path / "held" / "result.json").read_text(encoding="utf-8"))
    assert (content["study"], content["evaluation"], content["query_count"]) == ("curve", "cross_validation", 0)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["new-classes"], "There are 2 classes"),
        (["curve", "--draws", "101"], "The number of draws is 101"),
        (["curve", "--shots", "2"], "unrecognized arguments"),
        (["methods", "--draws", "0"], "The number of draws is 0"),
        (["methods", "--method", "clop"], "There is no method “clop”"),
        (["methods", "--shots", "9"], "the smallest class has 4"),
        (["methods", "--shots", "-1"], "photos per class is -1"),
        (["learning-rates", "--seed", "-1"], "The seed is -1"),
        (["nonsense"], "invalid choice"),
    ],
)
def test_wrong_options_end_with_one_line(
    options: list[str], said: str, folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert study(folders, *options, "--out", tmp_path / "out") == cli.EXIT_WRONG_INPUT
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and said in lines[0]


def test_the_defaults_of_the_command_are_those_of_the_studies() -> None:
    parser = cli.build_parser()
    base = ["TRAIN", "--test", "TEST", "--out", "R"]
    assert parser.parse_args(["study", "methods", *base]).draws == compare_methods.DRAWS
    assert parser.parse_args(["study", "learning-rates", *base]).draws == learning_rates.DRAWS
    assert parser.parse_args(["study", "new-classes", *base]).draws == new_classes.DRAWS
    assert parser.parse_args(["study", "curve", "TRAIN", "--out", "R"]).draws is None
    needed = {"second_test": ["--second", "SECOND"], "transfer": ["--run", "RUN"]}
    for name in names.KINDS:
        assert parser.parse_args(["study", name.replace("_", "-"), *base, *needed.get(name, [])]).study == name
