"""A finished run by the tags of a table: on disk, on the terminal, and what is told of a table or a folder that is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from prolip_core import backbones, cli, groups, runs
from prolip_core.errors import RunError
from prolip_core.studies import group_files, group_study, study_files
from tests import fakes
from tests.test_docs import document, flat, has_type, section, table


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run on 16 + 14 test photos of two classes; `1.jpg` is there for training and for testing."""
    monkeypatch.setattr(backbones, "load", fakes.load_tiny)
    fakes.write_photos(tmp_path / "train", {"bolt": [*range(3), 20], "nut": range(3)})
    fakes.write_photos(tmp_path / "test", {"bolt": range(20, 37), "nut": range(20, 34)})
    arguments = ["pilot", tmp_path / "train", "--test", tmp_path / "test", "--out", tmp_path / "run"]
    assert cli.main([str(one) for one in (*arguments, "--lam", "1/N")]) == 0
    return tmp_path / "run"


def write_tags(run: Path, line_of: Any = lambda number: "AB"[number % 2], more: str = "") -> Path:
    rows = [f"{name}/{n}.jpg,{line_of(n)},x" for name, count in (("bolt", 37), ("nut", 34)) for n in range(20, count)]
    path = run.parent / "tags.csv"
    path.write_text("\n".join(["file,line,camera", *rows, more]), encoding="utf-8")
    return path


def command(run: Path, tags: Path, out: Path) -> int:
    return cli.main(["study", "groups", str(run), "--tags", str(tags), "--out", str(out)])


def test_the_result_is_that_of_the_engine_and_as_documented(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tags = write_tags(run, lambda n: "" if n > 32 else "AB"[n % 2] if n > 21 else "C", "gone.jpg,A,x")
    capsys.readouterr()
    assert command(run, tags, tmp_path / "out") == 0
    said = capsys.readouterr()
    path = tmp_path / "out" / "result.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    assert study_files.load(path, (group_files.GROUPS,)) == content
    assert [entry.name for entry in path.parent.iterdir()] == ["result.json"]

    answered = group_study.read_run(run)
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    assert sum(p.predicted == p.label for p in answered.prolip) == result["prolip"]["correct"]
    assert sum(p.predicted == p.label for p in answered.zero_shot) == result["zero_shot"]["correct"]
    assert [p.image_id for p in answered.prolip] == [photo["id"] for photo in result["photos"]["query"]]
    names = {photo["id"]: int(Path(photo["filename"]).stem) for photo in result["photos"]["query"]}
    lines = {id_: "AB"[n % 2] if n > 21 else "C" for id_, n in names.items() if n <= 32}
    report = groups.of_tag("line", lines, answered.zero_shot, answered.prolip)
    (of_line, of_camera) = content["tags"]
    assert [one["value"] for one in of_line["groups"]] == ["A", "B", "C", None]
    assert [one["count"] for one in of_line["groups"]] == [one.count for one in report.groups]
    assert [one["prolip"]["correct"] for one in of_line["groups"]] == [one.prolip.correct for one in report.groups]
    # One line alone has photos enough, and there is one camera alone.
    assert [(one["count"], one["small"]) for one in of_line["groups"]] == [
        (12, False),
        (10, True),
        (3, True),
        (5, True),
    ]
    assert of_line["prolip"]["gap"] is of_camera["prolip"]["gap"] is None
    assert content["rows_used"] == 31  # one of them about a test photo that was left out, whose double taught
    assert [one["line"] for one in content["rows_not_used"]] == [33]

    assert said.err == ""
    assert "Measured on 30 test photos" in said.out
    assert "gone.jpg: There is no photo of this name." in said.out
    assert "(too few to tell)" in said.out and "photos without this tag" in said.out


def test_keys_and_types_are_the_documented_ones(run: Path, tmp_path: Path) -> None:
    assert command(run, write_tags(run, more="gone.jpg,A,x"), tmp_path / "out") == 0
    content = json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))
    assert content["tags"][0]["prolip"]["gap"] is not None
    documented = {
        row[0].strip("`"): row[1] for row in table(section(document("result-format.md"), "result.json of study groups"))
    }
    written = flat(content)
    assert sorted({key for key, _ in written} ^ set(documented)) == []
    assert not sorted({f"{key}: {value!r}" for key, value in written if not has_type(value, documented[key])})
    assert content["min_photos"] == groups.MIN_PHOTOS


def test_a_run_by_cross_validation_is_read_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backbones, "load", fakes.load_tiny)
    fakes.write_photos(tmp_path / "train", {"=bolt": range(4), "nut": range(4)})
    arguments = ["pilot", tmp_path / "train", "--out", tmp_path / "run", "--lam", "1/N"]
    assert cli.main([str(one) for one in arguments]) == 0
    answered = group_study.read_run(tmp_path / "run")
    assert len(answered.prolip) == 8 and {photo.role for photo in answered.photos} == {"train"}
    tags = tmp_path / "tags.csv"
    tags.write_text("file,line\n'=bolt/1.jpg,A\nnut/1.jpg,B\n", encoding="utf-8")
    study = group_study.run(answered, tags)
    assert [(one.value, one.count) for one in study.reports[0].groups] == [("A", 1), ("B", 1), (None, 6)]


def test_a_wrong_folder_or_table_ends_with_one_line(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tags = write_tags(run)
    strange = tmp_path / "strange.csv"
    strange.write_text("file,line\ngone.jpg,A\n", encoding="utf-8")
    empty = tmp_path / "empty.csv"
    empty.write_text("", encoding="utf-8")
    capsys.readouterr()
    cases = [
        (tmp_path / "train", tags, tmp_path / "out", "not the folder of a finished run"),
        (run, tmp_path / "gone.csv", tmp_path / "out", "cannot be read"),
        (run, tmp_path / "train", tmp_path / "out", "cannot be read"),
        (run, empty, tmp_path / "out", "is empty"),
        (run, strange, tmp_path / "out", "No line of the table"),
        (run, tags, run, "holds no earlier run"),
    ]
    for folder, table_, out, reason in cases:
        assert command(folder, table_, out) == 2
        said = capsys.readouterr()
        assert said.out == "" and reason in said.err and said.err.count("\n") == 1
    assert command(run, tags, tmp_path / "out") == 0
    assert command(run, tags, tmp_path / "out") == 0  # an earlier one of the same kind may be replaced
    with pytest.raises(RunError):
        group_study.read_run(tmp_path / "out")


def test_a_damaged_run_is_told(run: Path) -> None:
    predictions = run / runs.PREDICTIONS
    whole = predictions.read_text(encoding="utf-8-sig")
    for damaged in (whole.replace("prolip_class", "other"), whole.replace("bolt", "wing"), whole.splitlines()[0]):
        predictions.write_text(damaged, encoding="utf-8-sig")
        with pytest.raises(RunError, match="not the folder of a finished run"):
            group_study.read_run(run)


def test_names_cannot_steer_the_terminal(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tags = write_tags(run, lambda n: "[red]\x1b[31m" if n % 2 else "[/]")
    tags.write_text(tags.read_text().replace("line,", "[bold]line,", 1), encoding="utf-8")
    assert command(run, tags, tmp_path / "out") == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said and "[red]" in said and "[bold]line" in said
