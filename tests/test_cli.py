"""The command line as a person or a script meets it: exit codes, one line for anything wrong, data on stdout."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from prolip_core import __version__, backbones, catalogue, cli, image_files, progress_bars, prompts, runs, sample
from prolip_core.spec import FitConfig, PilotSpec
from prolip_core.types import Progress, Step
from tests import fakes, image_factory
from tests.conftest import REPOSITORY


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backbones, "load", fakes.load_tiny)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with train and test."""
    root = tmp_path / "parts"
    fakes.write_photos(root / "train", {"bolt": range(3), "nut": range(3)})
    fakes.write_photos(root / "test", {"bolt": range(20, 24), "nut": range(20, 23)})
    return root


def _run(*arguments: object) -> int:
    """The exit code, whether it is returned or raised."""
    try:
        return cli.main([str(one) for one in arguments])
    except SystemExit as stopped:
        assert isinstance(stopped.code, int)
        return stopped.code


def _pilot(photos: Path, out: Path, *options: object) -> int:
    return _run("pilot", photos / "train", "--out", out, "--device", "cpu", "--precision", "float32", *options)


# What is wrong


def _wrong_arguments() -> list[tuple[list[str], str]]:
    """Options of `pilot` that are wrong, and what the line must say."""
    return [
        (["--lam", "x"], "λ cannot be “x”"),
        (["--lam", "-1"], "λ cannot be “-1”"),
        (["--lam", "nan"], "λ cannot be “nan”"),
        (["--solver", "magic"], "no solver “magic”"),
        (["--solver", "adam", "--epochs", "0"], "number of epochs is 0"),
        (["--lr", "0"], "learning rate is 0"),
        (["--lr", "nan"], "learning rate is nan"),
        (["--views", "0"], "number of views is 0"),
        (["--views", "x"], "invalid int value: 'x'"),
        (["--seed", "x"], "invalid int value: 'x'"),
        (["--seed", "-1"], "The seed is -1"),
        (["--seed", "99999999999999999999"], "The seed is 99999999999999999999"),
        (["--template", "a photo"], "exactly once"),
        (["--template", "{} {}"], "exactly once"),
        (["--template", "{0.__class__}"], "exactly once"),
        (["--template", ""], "template is empty"),
        (["--templates", "poem"], "no template set “poem”"),
        (["--backbone", "nonsense"], "no backbone “nonsense”"),
        (["--backbone", "nonsense:openai"], "no model “nonsense”"),
        (["--backbone", "ViT-B-32:nonsense"], "no weights “nonsense”"),
        (["--backbone", "ViT-B-32:nonsense.pt"], "no weights file nonsense.pt"),
        (["--device", "abacus"], "no device “abacus”"),
        (["--precision", "float7"], "no precision “float7”"),
        (["--unknown"], "unrecognized arguments: --unknown"),
        (["two\nlines\x1b[2J"], "unrecognized arguments: two lines�[2J"),
        (["--views"], "expected one argument"),
    ]


@pytest.mark.parametrize(("options", "expected"), _wrong_arguments())
def test_a_wrong_option_ends_with_one_line_before_anything_is_read_or_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], expected: str
) -> None:
    code = _run("pilot", tmp_path / "not even looked at", "--out", tmp_path / "run", *options)
    output = capsys.readouterr()
    assert (code, output.out) == (2, "")
    assert expected in output.err
    assert output.err.count("\n") == 1
    assert output.err.endswith("\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="this computer has what must be missing")
def test_a_device_that_is_not_there_ends_with_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("pilot", tmp_path, "--out", tmp_path / "run", "--device", "cuda") == 2
    assert capsys.readouterr().err.startswith("pilot: The device “cuda” is not there on this computer.")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["fly"], "invalid choice: 'fly'"),
        (["pilot"], "the following arguments are required: TRAIN, --out"),
        (["pilot", "x"], "the following arguments are required: --out"),
        (["predict", "run"], "the following arguments are required: PHOTO_OR_FOLDER"),
        (["predict", "none", "none either"], "The folder none either is not there."),
        (["sample"], "the following arguments are required: FOLDER"),
    ],
)
def test_a_command_line_that_is_not_complete_says_what_is_missing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    expected: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _run(*arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert expected in output.err
    assert output.err.count("\n") == 1


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("no train", "is not there"),
        ("no test", "is not there"),
        ("no classes", "There is no class list"),
        ("empty test", "There is no class folder"),
        ("loose photos", "Photos lie directly in"),
        ("unreadable class", 'No photo of class "nut" can be used'),
        ("too few", "at least 3 different photos"),
        ("out is a file", "cannot be used for the results"),
        ("out holds something", "is not empty and holds no earlier run"),
        ("out is train", "lies inside the folder of photos"),
        ("out inside train", "lies inside the folder of photos"),
        ("out inside test", "lies inside the folder of photos"),
        ("no home", "The data folder"),
    ],
)
def test_a_folder_that_cannot_be_used_ends_with_one_line(
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    case: str,
    expected: str,
) -> None:
    arguments: dict[str, Path | None] = {"--test": photos / "test", "--classes": None, "--out": tmp_path / "run"}
    _make_wrong(case, photos, tmp_path, arguments, monkeypatch)
    before = sorted(tmp_path.rglob("*"))
    options = [part for name, value in arguments.items() if value is not None for part in (name, value)]
    assert _run("pilot", photos / "train", "--device", "cpu", *options) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("pilot: ")
    assert expected in output.err
    assert output.err.count("\n") == 1
    assert set(tmp_path.rglob("*")) - {tmp_path / "run"} == set(before) - {tmp_path / "run"}


def _make_wrong(
    case: str, photos: Path, tmp_path: Path, arguments: dict[str, Path | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    nut, run = photos / "train" / "nut", tmp_path / "run"
    if case == "no train":
        shutil.rmtree(photos / "train")
    elif case == "no test":
        arguments["--test"] = tmp_path / "none"
    elif case == "no classes":
        arguments["--classes"] = tmp_path / "none.csv"
    elif case == "empty test":
        arguments["--test"] = fakes.write_photos(tmp_path / "empty", {})
        (tmp_path / "empty").mkdir()
    elif case == "loose photos":
        (photos / "train" / "x.jpg").write_bytes(image_factory.jpeg())
    elif case == "unreadable class":
        for path in nut.iterdir():
            path.write_bytes(b"<html>")
    elif case == "too few":
        arguments["--test"] = None
        (nut / "0.jpg").unlink()
    elif case == "out is a file":
        run.write_bytes(b"")
    elif case == "out holds something":
        fakes.write_photos(run, {"diary": [0]})
    elif case.startswith("out "):
        arguments["--out"] = {
            "out is train": photos / "train",
            "out inside train": photos / "test" / ".." / "train" / "run",
            "out inside test": photos / "test" / "run",
        }[case]
    else:
        (tmp_path / "home").write_bytes(b"")
        monkeypatch.setenv("PROLIP_HOME", str(tmp_path / "home"))


def test_the_keyboard_ends_it_with_130_and_one_line(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(backbones, "load", interrupt)
    assert _pilot(photos, tmp_path / "run", "--test", photos / "test") == 130
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == "pilot: stopped. Features computed so far are kept and speed up the next run.\n"
    assert not (tmp_path / "run" / "result.json").exists()


# What is right


@pytest.mark.usefixtures("tiny")
def test_a_pilot_prints_its_result_on_stdout_and_nothing_on_stderr(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _pilot(photos, tmp_path / "run", "--test", photos / "test") == 0
    output = capsys.readouterr()
    assert output.err == ""  # the progress bars are for terminals
    result = json.loads((tmp_path / "run" / "result.json").read_text(encoding="utf-8"))
    assert f"{result['prolip']['correct']} of 7" in output.out
    assert str(tmp_path / "run" / "result.json") in output.out


@pytest.mark.usefixtures("tiny")
def test_every_option_reaches_the_run(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class_list = tmp_path / "classes.csv"
    class_list.write_text("class,display_name,prompt_names\nnut,ナット,hex nut\nbolt,ボルト,bolt\n", encoding="cp932")
    options = ["--test", photos / "test", "--classes", class_list, "--template", "a {}.", "--template", "one {}."]
    options += ["--views", 2, "--solver", "adam", "--lam", "0.5", "--epochs", 3, "--lr", 0.002, "--seed", 4]
    assert _pilot(photos, tmp_path / "run", *options) == 0
    result = json.loads((tmp_path / "run" / "result.json").read_text(encoding="utf-8"))
    assert result["class_names"] == ["ナット", "ボルト"]
    assert result["prompts"][0] == ["a hex nut.", "one hex nut."]
    assert (result["lam"], result["solver"], len(result["history"])) == (0.5, "adam", 3)
    settings = result["settings"]
    assert (settings["views"], settings["seed"], settings["precision"]) == (2, 4, "float32")
    assert (settings["fit"]["learning_rate"], settings["backbone"]["name"]) == (0.002, catalogue.STARTER)
    assert "ナット" in capsys.readouterr().out


def test_the_defaults_are_those_of_the_engine() -> None:
    parsed = cli.build_parser().parse_args(["pilot", "TRAIN", "--out", "RUN"])
    spec, fit = PilotSpec(), FitConfig()
    assert (parsed.views, parsed.seed, parsed.device, parsed.precision) == (
        spec.n_views,
        spec.seed,
        spec.device,
        spec.precision,
    )
    assert (parsed.solver, parsed.lam, parsed.epochs, parsed.lr) == (fit.solver, fit.lam, fit.epochs, fit.learning_rate)
    assert catalogue.parse(parsed.backbone) == spec.backbone
    assert prompts.template_set(parsed.templates).templates == spec.templates


@pytest.fixture
def finished(photos: Path, tmp_path: Path, tiny: None, capsys: pytest.CaptureFixture[str]) -> Path:
    run = tmp_path / "run"
    assert _pilot(photos, run, "--test", photos / "test") == 0
    capsys.readouterr()
    return run


def test_predict_answers_about_a_folder_as_the_run_did(
    finished: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("predict", finished, photos / "test", "--device", "cpu") == 0
    output = capsys.readouterr()
    assert output.err == ""
    rows = [line.split("\t") for line in output.out.splitlines()]
    table = pd.read_csv(finished / "predictions.csv").set_index("filename")
    assert len(rows) == len(table) == 7
    for filename, answer, confidence in rows:
        assert answer == table.loc[filename, "prolip_class"]
        assert float(confidence) == pytest.approx(table.loc[filename, "prolip_confidence"], abs=6e-4)


def test_predict_answers_about_one_photo_in_json(
    finished: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("predict", finished, photos / "test" / "nut" / "20.jpg", "--json", "--device", "cpu") == 0
    output = capsys.readouterr()
    content = json.loads(output.out)
    (answer,) = content["predictions"]
    assert (output.err, answer["photo"], list(answer["probabilities"])) == ("", "20.jpg", ["bolt", "nut"])
    assert sum(answer["probabilities"].values()) == pytest.approx(1)
    assert answer["confidence"] == max(answer["probabilities"].values()) == answer["probabilities"][answer["class"]]
    assert (content["rejected_files"], content["duplicate_files"]) == ([], [])


def _mixed(folder: Path) -> Path:
    """A good photo, its copy, and two files that are no photos."""
    folder.mkdir()
    (folder / "a.jpg").write_bytes(image_factory.jpeg(1))
    (folder / "b.jpg").write_bytes(image_factory.jpeg(1))
    (folder / "c.jpg").write_bytes(b"")
    (folder / "d.txt").write_text("text", encoding="utf-8")
    return folder


def test_predict_goes_on_past_bad_photos_and_tells_them(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = _mixed(tmp_path / "mixed")
    assert _run("predict", finished, folder, "--device", "cpu") == 0
    output = capsys.readouterr()
    assert [line.split("\t")[0] for line in output.out.splitlines()] == ["a.jpg"]
    first, second, third = output.err.splitlines()
    assert first == "b.jpg: the same photo as a.jpg"
    assert second.startswith("c.jpg is empty (0 bytes).")
    assert third.startswith("d.txt is a text file")
    assert _run("predict", finished, folder, "--json", "--device", "cpu") == 0
    output = capsys.readouterr()
    content = json.loads(output.out)
    assert (output.err, len(content["predictions"])) == ("", 1)
    assert content["duplicate_files"] == [{"photo": "b.jpg", "same_as": "a.jpg"}]
    assert [file["photo"] for file in content["rejected_files"]] == ["c.jpg", "d.txt"]


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("photo.jpg", b"", "photo.jpg is empty"),
        ("photo.jpg", None, "is not there"),
        (".DS_Store", b"x", "is a file of the system, not a photo"),
        ("Thumbs.db", b"x", "is a file of the system, not a photo"),
    ],
)
def test_predict_without_one_usable_photo_ends_with_one_line(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, data: bytes | None, expected: str
) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    assert _run("predict", finished, tmp_path / name, "--device", "cpu") == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("predict: ")
    assert expected in output.err
    assert output.err.count("\n") == 1


@pytest.mark.parametrize("what", ["empty", "missing", "damaged", "projector gone"])
def test_predict_with_a_folder_that_is_no_run_ends_with_one_line(
    finished: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    folder = {"empty": tmp_path / "empty", "missing": tmp_path / "missing"}.get(what, finished)
    if what == "empty":
        folder.mkdir()
    elif what == "damaged":
        (finished / runs.RESULT).write_text('{"format": 1', encoding="utf-8")
    elif what == "projector gone":
        (finished / runs.PROJECTOR).unlink()
    assert _run("predict", folder, photos / "test", "--device", "cpu") == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert "missing" in output.err
    assert output.err.count("\n") == 1


EVIL = "[red]x[／red] \x1b[2J\x9b31m\x7f"


@pytest.mark.usefixtures("tiny")
@pytest.mark.skipif(os.name == "nt", reason="Windows allows no such names")
def test_names_cannot_steer_the_terminal(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (photos / "train" / "nut").rename(photos / "train" / EVIL)
    (photos / "test" / "nut").rename(photos / "test" / EVIL)
    (photos / "test" / EVIL / f"{EVIL}\n.jpg").write_bytes(b"")
    run = tmp_path / EVIL
    assert _pilot(photos, run, "--test", photos / "test") == 0
    new = _mixed(tmp_path / f"new{EVIL}")
    (new / f"e{EVIL}.jpg").write_bytes(b"")
    (new / f"f{EVIL}.jpg").write_bytes(image_factory.jpeg(5))
    assert _run("predict", run, new, "--device", "cpu") == 0
    assert _run("predict", run, photos / "test" / EVIL, "--device", "cpu") == 0
    assert _run("predict", run, tmp_path / f"none{EVIL}", "--device", "cpu") == 2
    assert _run("pilot", photos / f"none{EVIL}", "--out", tmp_path / "other") == 2
    assert _run("pilot", "x", "--backbone", EVIL, "--out", tmp_path / "other") == 2
    output = capsys.readouterr()
    assert not [c for c in output.out + output.err if c in "\x1b\x9b\x7f"]
    assert output.out.count("[red]x[／red] �[2J�31m�") > 5
    assert _run("predict", run, photos / "test" / EVIL, "--json", "--device", "cpu") == 0
    text = capsys.readouterr().out
    assert not [c for c in text if c in "\x1b\x9b\x7f"]
    assert EVIL in json.loads(text)["predictions"][0]["probabilities"]  # escaped, not changed


def test_sample_writes_photos_and_prints_a_command_that_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write = sample.write
    monkeypatch.setattr(sample, "write", lambda folder, **options: write(folder, train=1, test=1, **options))
    folder = tmp_path / "my sample"
    assert _run("sample", folder) == 0
    output = capsys.readouterr()
    assert output.err == ""
    assert "11 files written to" in output.out
    assert len(list(folder.rglob("*.jpg"))) == 10
    words = shlex.split(output.out.splitlines()[-1])
    assert words[:3] == ["python", "-m", "prolip_core"]
    monkeypatch.setattr(backbones, "load", fakes.load_tiny)
    assert _run(*words[3:], "--device", "cpu") == 0
    assert (tmp_path / "my sample-run" / "result.json").is_file()


def test_sample_into_a_folder_that_holds_other_things_ends_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "diary.txt").write_text("private", encoding="utf-8")
    assert _run("sample", tmp_path) == 2
    output = capsys.readouterr()
    assert (output.out, output.err.count("\n")) == ("", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["diary.txt"]


def test_backbones_lists_all_with_cost_and_licence(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("backbones") == 0
    text = capsys.readouterr().out
    for spec in catalogue.CATALOGUE:
        assert f"{spec.name}: {spec.title} [" in text
        assert spec.licence in text
    assert text.count("NO COMMERCIAL USE") == sum(not spec.commercial_use for spec in catalogue.CATALOGUE) > 0
    assert "starter: Starter (built in) [built in; fast on a CPU" in text


def test_backbones_as_json_holds_the_same(own_data_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (own_data_folder / "checkpoints").mkdir()
    (own_data_folder / "checkpoints" / "openai-rn50.safetensors").write_bytes(b"")
    assert _run("backbones", "--json") == 0
    listed = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert list(listed) == [spec.name for spec in catalogue.CATALOGUE]
    assert listed["starter"]["reach"] == "built in"
    assert listed["openai-rn50"]["reach"] == "on this computer"
    assert listed["mobileclip2-s0"]["commercial_use"] is False


def test_help_and_version_end_well(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--help"], ["pilot", "--help"], ["predict", "--help"], ["sample", "-h"], ["backbones", "-h"]):
        assert _run(*arguments) == 0
        assert "usage: python -m prolip_core" in capsys.readouterr().out
    assert _run("--version") == 0
    assert capsys.readouterr().out == f"{__version__}\n"


def test_the_bars_on_a_terminal_show_what_is_known(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TTY_INTERACTIVE", "0")
    monkeypatch.setenv("COLUMNS", "150")
    with progress_bars.ProgressBars() as bars:
        for stage in progress_bars.STAGE_TITLES:
            bars.show(Progress(stage, 3, 4, 12.0, 5.0))
        bars.show_step(Step(7, 200, 0.5, 0.4, 0.1, 0.75, 1.0))
    output = capsys.readouterr()
    assert output.out == ""
    for expected in (
        *progress_bars.STAGE_TITLES.values(),
        "3/4",
        "12 photos/s, 5 s left",
        "7/200",
        "training photos right 75%",
    ):
        assert expected in output.err


# In a process of its own


def _process(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "prolip_core", *map(str, arguments)],
        cwd=REPOSITORY,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        **options,
    )


def test_the_starter_finds_the_sample_parts_in_a_process_of_its_own(tmp_path: Path) -> None:
    """The real thing from end to end: built-in weights, real photos, a real process."""
    sample.write(tmp_path / "sample", train=3, test=3)
    folder, run = tmp_path / "sample", tmp_path / "run"
    (folder / "train" / "gear" / "broken.jpg").write_bytes(image_factory.cut(image_factory.jpeg()))
    done = _process(
        "pilot", folder / "train", "--test", folder / "test", "--classes", folder / "classes.csv", "--out", run
    )
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    assert result["class_names"] == [one.japanese for one in sample.CLASSES]
    assert result["images_per_class"] == dict.fromkeys(result["class_names"], 3)
    assert result["prolip"]["count"] == 15
    assert result["prolip"]["accuracy"] >= result["zero_shot"]["accuracy"]
    assert result["prolip"]["accuracy"] >= 0.6
    assert "歯車" in done.stdout
    assert "gear/broken.jpg is damaged" in done.stdout
    # And this process answers as that one did.
    saved = runs.load(run)
    found, paths = image_files.import_files(sorted((folder / "test").rglob("*.jpg")))
    answers = saved.predict(image_files.FolderSource(paths), [one.image_id for one in found.accepted], None)
    table = pd.read_csv(run / "predictions.csv").set_index("image_id")
    assert len(answers) == len(table) == 15
    for answer in answers:
        assert answer.confidence == pytest.approx(table.loc[answer.image_id, "prolip_confidence"], abs=2e-2)


@pytest.mark.parametrize("arguments", [[], ["sample", str(REPOSITORY)]])
def test_a_wrong_call_shows_no_traceback_in_a_process_of_its_own(arguments: list[str]) -> None:
    done = _process(*arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
def test_control_c_ends_a_real_process_with_130_and_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "sample"
    process = subprocess.Popen(
        [sys.executable, "-m", "prolip_core", "sample", folder], cwd=REPOSITORY, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not list(folder.rglob("*.jpg")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == "sample: stopped.\n"


LONG_OUTPUT = """
from prolip_core import cli
cli.backbones_command = lambda options: print("x" * 1_000_000)
raise SystemExit(cli.main(["backbones"]))
"""


@pytest.mark.skipif(os.name == "nt", reason="a shell pipe of Unix")
def test_a_reader_that_goes_away_is_no_error() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LONG_OUTPUT],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 0
