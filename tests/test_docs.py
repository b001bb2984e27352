"""The documents say what the code does: every name, option, default, constant, link and result key in them is looked up."""

from __future__ import annotations

import argparse
import ast
import csv
import dataclasses
import importlib
import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open

from prolip_core import cli, dataset, pilot, prompts, runs, types
from prolip_core.spec import PilotSpec
from tests import fakes, image_factory
from tests.conftest import REPOSITORY

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
DOCUMENTS = sorted(
    [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md"), *REPOSITORY.glob("prolip_core/**/*.md")]
)
SOURCES = {path.relative_to(REPOSITORY / "prolip_core") for path in (REPOSITORY / "prolip_core").rglob("*.py")}


def document(name: str) -> str:
    return (REPOSITORY / "docs" / name).read_text(encoding="utf-8")


def section(text: str, title: str) -> str:
    """What stands under a heading of the second level. Fails if there is no such heading."""
    _, found, rest = f"\n{text}".partition(f"\n## {title}\n")
    assert found, f"no section {title}"
    return rest.partition("\n## ")[0]


def table(text: str) -> list[list[str]]:
    """The cells of all table rows but the head."""
    rows = [line.strip()[1:-1].split("|") for line in text.splitlines() if line.startswith("|")]
    rule = next(i for i, row in enumerate(rows) if set("".join(row)) <= set("-| "))
    return [[cell.strip() for cell in row] for row in rows[rule + 1 :]]


def code_lines(text: str) -> list[str]:
    """Lines that are set as code by four spaces."""
    return [line[4:] for line in text.splitlines() if line.startswith("    ")]


def readme_tree() -> list[str]:
    """The paths in the README's source tree."""
    paths: list[str] = []
    parents: list[str] = []
    for line in code_lines(section(README, "Source tree")):
        name, depth = line.split()[0], (len(line) - len(line.lstrip())) // 2
        parents = [*parents[:depth], name]
        paths.append("".join(parents))
    return paths


def options_of(command: str) -> dict[str, argparse.Action]:
    parser = cli.build_parser()
    for word in command.split():
        actions = parser._subparsers._group_actions  # type: ignore[union-attr]
        parser = actions[0].choices[word]  # type: ignore[index]
    return {option: action for action in parser._actions for option in action.option_strings}


def test_the_readme_lists_every_module_and_only_what_exists() -> None:
    listed = readme_tree()
    modules = {f"prolip_core/{path.as_posix()}" for path in SOURCES}
    assert not modules - set(listed), f"missing in the README's tree: {sorted(modules - set(listed))}"
    gone = [path for path in listed if not (REPOSITORY / path).exists()]
    assert not gone, f"in the README's tree but not there: {gone}"
    assert len(listed) == len(set(listed))


def test_every_command_in_the_documents_is_understood() -> None:
    found = 0
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        for line in (*code_lines(text), *re.findall(r"`([^`\n]+)`", text)):
            if line.startswith("python -m prolip_core ") and "…" not in line:
                cli.build_parser().parse_args(shlex.split(line)[3:])
                found += 1
    assert found >= 5


def test_every_option_in_the_readme_exists() -> None:
    known = {
        option
        for command in (
            "pilot",
            "predict",
            "sample",
            "backbones",
            "study certainty",
            "study second-test",
            "study transfer",
            "study groups",
            "hand-over",
            "score",
            "serve",
            "report",
        )
        for option in options_of(command)
    }
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", README))
    assert named and not named - known


def test_the_readme_has_a_table_of_the_options_of_study_certainty() -> None:
    _, found, text = section(README, "Your own photos").partition("Options of `study certainty`")
    rows = {row[0].strip("`"): row[1].strip("`") for row in table(text)}
    actions = options_of("study certainty")
    assert found and set(rows) == set(actions) - set(options_of("pilot"))
    assert rows == {option: str(actions[option].default or "") for option in rows}


def test_the_readme_table_has_every_option_of_pilot_with_its_default() -> None:
    of_pilot = section(README, "Your own photos").partition("Options of `study certainty`")[0]
    rows = {row[0].strip("`"): row[1].strip("`") for row in table(of_pilot)}
    actions = options_of("pilot")
    assert set(rows) == set(actions) - {"-h", "--help", "--verbose"}
    for option, default in rows.items():
        actual = actions[option].default
        assert default == ("" if actual is None else str(actual)), option


def test_the_command_line_has_the_defaults_of_the_records() -> None:
    options = cli.build_parser().parse_args(["pilot", "TRAIN", "--out", "RUN"])
    spec = PilotSpec()
    assert options.backbone == spec.backbone.name
    assert prompts.template_set(options.templates).templates == spec.templates
    assert (options.views, options.seed, options.device, options.precision) == (
        spec.n_views,
        spec.seed,
        spec.device,
        spec.precision,
    )
    assert (options.solver, options.lam, options.lr, options.epochs) == (
        spec.fit.solver,
        spec.fit.lam,
        spec.fit.learning_rate,
        spec.fit.epochs,
    )


def test_the_readme_names_all_template_sets() -> None:
    row = next(row for row in table(section(README, "Your own photos")) if row[0] == "`--templates`")
    assert row[2].partition(": ")[2].split(", ") == [one.key for one in prompts.TEMPLATE_SETS]


def test_the_readme_and_the_check_run_the_same_tests() -> None:
    check = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert "pip install -r requirements-dev.txt && pytest" in code_lines(README)
    # Together all tests, as the README's command runs them.
    runs = [line for line in check if line.startswith("pytest")]
    assert runs == ["pytest -n auto --dist loadfile --ignore tests/e2e", "pytest tests/e2e"]
    assert any(line.startswith("pip install") and line.endswith("-r requirements-dev.txt") for line in check)


def test_the_readme_names_the_python_versions_of_the_package() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    low, high = re.findall(r"Python 3\.(\d+)–3\.(\d+)", README)[0]
    assert project["requires-python"] == f">=3.{low},<3.{int(high) + 1}"
    assert project["license"] in section(README, "Licence")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        file, _, anchor = target.partition("#")
        linked = path.parent / file if file else path
        assert linked.is_file(), f"{path.name} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}, (
                target
            )


def test_every_document_is_linked_from_the_readme() -> None:
    linked = {(REPOSITORY / target).resolve() for target in re.findall(r"\]\(([^)\s#]+)\)", README)}
    missing = [path.name for path in DOCUMENTS if path.resolve() not in linked and path.name != "README.md"]
    assert not missing


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_documents_speak_of_the_product_only(path: Path) -> None:
    """No path of the machine that something was written on, no word on how the writing was organised."""
    text = path.read_text(encoding="utf-8")
    assert not re.findall(r"(?<![\w.>~])/(?:work|tmp|home|root|mnt)\b", text)
    assert not re.findall(r"\bsessions?\b", text, flags=re.IGNORECASE)


def look_up(dotted: str) -> Any:
    """The value behind `module.name` or `module.Class.name`; None for a record's field without a default.

    Raises AttributeError.
    """
    parts = dotted.split(".")
    depth = max(n for n in range(1, len(parts)) if module_exists(parts[:n]))
    found: Any = importlib.import_module("prolip_core." + ".".join(parts[:depth]))
    for name in parts[depth:]:
        fields = {field.name for field in dataclasses.fields(found)} if dataclasses.is_dataclass(found) else set()
        found = None if name in fields and not hasattr(found, name) else getattr(found, name)
    return found


def module_exists(parts: list[str]) -> bool:
    return Path(*parts).with_suffix(".py") in SOURCES or Path(*parts, "__init__.py") in SOURCES


def names_in(text: str) -> set[str]:
    """Names like `module.function` in backticks; file names such as `module.py` are none."""
    found = set(re.findall(r"`([a-z_]+(?:\.\w+)+)(?: = [^`]+)?`", text))
    return {
        name
        for name in found
        if module_exists(name.split(".")[:1]) and not name.endswith((".py", ".json", ".csv", ".md", ".safetensors"))
    }


@pytest.mark.parametrize("name", ["architecture.md", "method.md", "decisions.md"])
def test_every_function_that_is_named_exists(name: str) -> None:
    for dotted in sorted(names_in(document(name))):
        if module_exists(dotted.split(".")):
            continue
        look_up(dotted)


def test_the_method_names_where_everything_sits() -> None:
    """The look-up above would pass on an empty page."""
    assert names_in(document("method.md")) >= {
        "objective.objective",
        "objective.class_balanced_weights",
        "solvers.reduce",
        "solvers.exact",
        "solvers.expand",
        "solvers.step_sizes",
        "solvers.loss_and_gradient",
        "solvers.adam",
        "lam.choose",
        "projectors.take_out",
        "views.crop_of",
        "splits.make_split",
        "duplicates.groups",
        "pilot.answer_cross_validation",
        "metrics.wilson_interval",
        "metrics.mcnemar_p",
        "metrics.expected_calibration_error",
    }
    with pytest.raises(AttributeError):
        look_up("solvers.no_such_function")


def test_documented_constants_are_those_of_the_code() -> None:
    found = re.findall(r"`([a-z_]+(?:\.\w+)+) = ([^`]+)`", document("method.md"))
    assert len(found) >= 15
    for dotted, value in found:
        assert look_up(dotted) == ast.literal_eval(value), dotted


def test_the_dimension_key_is_the_one_of_the_records() -> None:
    key = re.search(r"Dimension key: .*?pixels\.", " ".join((types.__doc__ or "").split()))
    assert key is not None
    assert key.group() in " ".join(document("architecture.md").split())


def test_the_architecture_describes_every_module_once() -> None:
    rows = table(section(document("architecture.md"), "What each module does"))
    described = [name for row in rows for name in re.findall(r"`(\w+)`", row[0])]
    modules = {path.parts[0].removesuffix(".py") for path in SOURCES} - {"__init__"} | {"app"}
    assert sorted(described) == sorted(modules)


# What a run writes, against docs/result-format.md.


@pytest.fixture
def two_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A run with test photos, a refused file, a double and a dropped photo; and one by cross-validation."""
    monkeypatch.setattr(pilot, "load_backbone", lambda _spec: fakes.tiny_backbone())
    for part, count in (("train", 3), ("test", 2)):
        for label, name in enumerate(("good", "bad")):
            folder = tmp_path / part / name
            folder.mkdir(parents=True)
            for index in range(count):
                seed = 100 * label + index + (50 if part == "test" else 0)
                (folder / f"{index}.jpg").write_bytes(image_factory.jpeg(seed))
    (tmp_path / "train" / "good" / "double.jpg").write_bytes(image_factory.jpeg(0))
    (tmp_path / "train" / "good" / "broken.jpg").write_bytes(b"")
    (tmp_path / "test" / "good" / "copy.jpg").write_bytes(image_factory.jpeg(0))
    folders = []
    for test in (tmp_path / "test", None):
        run = pilot.run(PilotSpec(), dataset.read_folders(tmp_path / "train", test))
        folders.append(tmp_path / f"run-{run.evaluation}")
        runs.save(run, folders[-1])
    return folders[0], folders[1]


TYPES = {
    "object": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "null": lambda value: value is None,
}


def has_type(value: Any, written: str) -> bool:
    """Whether a value is what the type column says: "number or null", "list of list of integer" …"""
    if " or " in written:
        return any(has_type(value, one) for one in written.split(" or "))
    if written.startswith("list of "):
        return isinstance(value, list) and all(has_type(entry, written.removeprefix("list of ")) for entry in value)
    return bool(TYPES[written](value))


def flat(value: Any, key: str = "") -> list[tuple[str, Any]]:
    """Every key of a result with its value: `prolip.per_class[].f1`; class names as keys become `<class>`."""
    if key.endswith("values"):
        inner = []  # user text and numbers: which ones depends on the sentence
    elif isinstance(value, dict):
        inner = [
            pair
            for name, entry in value.items()
            for pair in flat(entry, f"{key}.<class>" if key == "images_per_class" else f"{key}.{name}".lstrip("."))
        ]
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        inner = [pair for entry in value for pair in flat(entry, f"{key}[]") if pair[0] != f"{key}[]"]
    else:
        inner = []
    return ([(key, value)] if key else []) + inner


def test_the_result_has_the_documented_keys_and_types(two_runs: tuple[Path, Path]) -> None:
    rows = table(section(document("result-format.md"), "result.json"))
    documented = {row[0].strip("`"): row[1] for row in rows}
    results = [json.loads((folder / "result.json").read_text(encoding="utf-8")) for folder in two_runs]
    assert [result["evaluation"] for result in results] == ["test", "cross_validation"]
    written = [pair for result in results for pair in flat(result)]
    assert sorted({key for key, _ in written} ^ set(documented)) == []
    wrong = sorted({f"{key}: {value!r}" for key, value in written if not has_type(value, documented[key])})
    assert not wrong, "\n".join(wrong)


def test_the_tables_have_the_documented_columns(two_runs: tuple[Path, Path]) -> None:
    rows = table(section(document("result-format.md"), "predictions.csv"))
    columns = [row[0].strip("`") for row in rows]
    with (two_runs[0] / "predictions.csv").open(encoding="utf-8-sig", newline="") as file:
        head = next(csv.reader(file))
    assert head == [*columns[:-1], *(columns[-1].replace("<class>", name) for name in ("bad", "good"))]
    with (two_runs[0] / "confusion_prolip.csv").open(encoding="utf-8-sig", newline="") as file:
        assert f"`{next(csv.reader(file))[0]}`" in section(document("result-format.md"), "confusion_*.csv")


def test_a_run_leaves_the_documented_files(two_runs: tuple[Path, Path]) -> None:
    head = document("result-format.md").partition("\n## ")[0]
    documented = {name for row in table(head) for name in re.findall(r"`([^`]+)`", row[0])}
    for folder in two_runs:
        assert {path.name for path in folder.iterdir()} == documented


def test_the_projector_carries_the_documented_metadata(two_runs: tuple[Path, Path]) -> None:
    text = section(document("result-format.md"), "projector.safetensors")
    tensors, metadata = text.split("\n| metadata ")
    with safe_open(two_runs[0] / "projector.safetensors", framework="pt") as file:
        found = file.metadata()
        names = set(file.keys())
    documented = {row[0].strip("`"): row[1] for row in table("| metadata " + metadata)}
    assert set(found) == set(documented)
    assert documented["format"].strip("`") == found["format"]
    # The small model has no bias, as the table allows.
    assert names == {row[0].strip("`") for row in table(tensors)} - {"bias_D"}
