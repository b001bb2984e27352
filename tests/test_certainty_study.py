"""The study of certainty on the tiny model: who answers, what is chosen on what, what is written and said."""

from __future__ import annotations

import inspect
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from prolip_core import backbones, certainty, classify, cli, conformal, dataset, prolip, sure_rule
from prolip_core.errors import Cancelled, ConfigError, DatasetError
from prolip_core.studies import certainty_study, certainty_text, material, results_page, study_files, study_text
from prolip_core.studies.certainty_study import CertaintyStudy, Foreign
from prolip_core.studies.material import Material
from prolip_core.types import Progress
from tests import fakes
from tests.test_docs import document, flat, has_type, section, table


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two classes to learn from; the test has photos of one only, and a copy; the foreign folder a copy of a test photo."""
    monkeypatch.setattr(backbones, "load", fakes.load_tiny)
    fakes.write_photos(tmp_path / "train", {"bolt": range(6), "nut": range(5)})
    fakes.write_photos(tmp_path / "test", {"bolt": [0, 20, 21, 22]})
    fakes.write_photos(tmp_path / "foreign", {"bolt": [20], "cat": range(3)})
    (tmp_path / "foreign" / "broken.jpg").write_bytes(b"")
    return tmp_path


@pytest.fixture
def prepared(folders: Path) -> Material:
    return material.prepare(fakes.TINY_SPEC, dataset.read_folders(folders / "train", folders / "test"))


@pytest.fixture
def foreign(folders: Path, prepared: Material) -> Foreign:
    return certainty_study.read_foreign(folders / "foreign", prepared, fakes.tiny_backbone())


@pytest.fixture
def study(prepared: Material, foreign: Foreign) -> CertaintyStudy:
    return certainty_study.run(prepared, foreign=foreign)


def rows_of(features: torch.Tensor) -> set[tuple[float, ...]]:
    return {tuple(row) for row in features.tolist()}


def test_no_training_sees_a_photo_that_it_answers_or_its_likeness(
    prepared: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Photos 0 and 1 are made near-duplicates of each other."""
    groups = (0, 0, *range(1, 10))
    prepared = replace(prepared, support=replace(prepared.support, groups_N=groups))
    taught = fakes.spied(monkeypatch)
    kept: list[certainty_study.OutOfFold] = []
    real = certainty_study.choose

    def choose(held_out: certainty_study.OutOfFold, limit: float, coverage: float) -> certainty_study.Chosen:
        kept.append(held_out)
        return real(held_out, limit, coverage)

    monkeypatch.setattr(certainty_study, "choose", choose)
    study = certainty_study.run(prepared)
    (held_out,) = kept
    assert len(taught) == study.folds + 1
    pre_NP = prepared.support.pre_VNP[0]
    for fold in range(study.folds):
        held = {i for i in range(11) if held_out.fold_N[i] == fold}
        likely = {i for i in range(11) if groups[i] in {groups[j] for j in held}}
        assert held and likely == held
        assert not rows_of(pre_NP[sorted(held)]) & rows_of(taught[fold])
        assert len(taught[fold]) == 11 - len(held)
        logits = classify.logits(
            pre_NP[sorted(held)], held_out.projectors[fold], prepared.class_vectors.text_CD, prepared.logit_scale
        )
        assert held_out.logits_NC[sorted(held)] == pytest.approx(logits.numpy(), rel=1e-5)
    assert rows_of(taught[-1]) == rows_of(pre_NP)
    query = rows_of(prepared.query_MP)
    assert not any(query & rows_of(one) for one in taught)


def test_everything_is_chosen_on_the_held_out_answers() -> None:
    random = np.random.default_rng(0)
    labels = np.arange(40) % 4
    logits = 2 * np.eye(4)[labels] + random.normal(size=(40, 4))
    held_out = certainty_study.OutOfFold(logits, labels, np.arange(40) % 5, ())
    chosen = certainty_study.choose(held_out, 0.2, 0.9)
    assert chosen.temperature == certainty.temperature(logits, labels) != 1.0
    confidence, right = certainty.answers(certainty.probabilities(logits, chosen.temperature), labels)
    assert chosen.suggestion == certainty.suggest(confidence, right, 0.2)
    # The sets use the probabilities without the temperature.
    scores = [1 - np.exp(row[label]) / np.exp(row).sum() for row, label in zip(logits, labels, strict=True)]
    assert chosen.true_scores_N == pytest.approx(scores)
    assert chosen.score_limit == pytest.approx(sorted(scores)[math.ceil(41 * 0.9) - 1])
    assert chosen.support_accuracy == certainty.Share(int((logits.argmax(axis=1) == labels).sum()), 40)


def test_the_results_page_takes_no_study_of_certainty(
    study: CertaintyStudy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = study_files.save(study, tmp_path / "study")
    assert results_page.main([f"photos={path}"]) == 2
    assert "not the result of a study" in capsys.readouterr().err


def test_what_is_chosen_does_not_depend_on_the_test_photos(prepared: Material, foreign: Foreign) -> None:
    assert set(inspect.signature(certainty_study.choose).parameters) == {"held_out", "limit", "coverage"}
    other = replace(prepared, query_MP=torch.randn_like(prepared.query_MP))
    first, second = certainty_study.run(prepared, foreign=foreign).chosen, certainty_study.run(other).chosen
    assert (first.temperature, first.suggestion, first.score_limit) == (
        second.temperature,
        second.suggestion,
        second.score_limit,
    )


def test_the_study_is_the_sum_of_its_parts(prepared: Material, study: CertaintyStudy) -> None:
    projector = prolip.fit(
        prepared.support,
        prepared.class_vectors.text_CD,
        prepared.projector,
        prepared.logit_scale,
        prepared.spec.fit,
    ).projector
    logits = classify.logits(prepared.query_MP, projector, prepared.class_vectors.text_CD, prepared.logit_scale).numpy()
    labels = prepared.query_labels_M.numpy()
    confidence, right = certainty.answers(certainty.probabilities(logits, study.chosen.temperature), labels)
    assert study.accuracy == certainty.Share(int(right.sum()), 3)
    bins = certainty.reliability(confidence, right)
    assert study.after.error == pytest.approx(certainty.calibration_error(bins))
    assert study.before.loss == pytest.approx(certainty.mean_loss(logits, labels))
    assert [one.threshold for one in study.outcomes] == list(certainty_study.THRESHOLDS)
    single = conformal.scores(certainty.probabilities(logits)) <= study.chosen.score_limit
    assert study.sets == certainty_study.sets(single, labels)
    assert study.guaranteed == conformal.guarantee(11, study.folds, 0.95)


def test_sets_are_counted() -> None:
    found = certainty_study.sets(
        np.array([[1, 0, 0], [1, 0, 0], [1, 1, 0], [0, 0, 0]], dtype=bool), np.array([0, 1, 1, 0])
    )
    assert (found.covered.count, found.alone.count, found.alone_right.count) == (2, 2, 1)
    assert (found.mean_size, found.sizes) == (1.0, (1, 2, 1, 0))


def test_photos_of_the_set_are_not_foreign(foreign: Foreign) -> None:
    assert len(foreign.pre_FP) == 3
    assert foreign.dropped == ("bolt/20.jpg",)
    assert [file.filename for file in foreign.rejected] == ["broken.jpg"]


def test_a_foreign_folder_of_own_photos_is_refused(folders: Path, prepared: Material) -> None:
    with pytest.raises(DatasetError, match="folder of other things"):
        certainty_study.read_foreign(folders / "train", prepared, fakes.tiny_backbone())


def test_shots_are_drawn(prepared: Material) -> None:
    study = certainty_study.run(prepared, shots=4)
    assert study.chosen.support_accuracy.total == 8
    with pytest.raises(DatasetError, match="smallest class has 5"):
        certainty_study.run(prepared, shots=6)
    with pytest.raises(DatasetError, match="at least 3"):
        certainty_study.run(prepared, shots=2)


@pytest.mark.parametrize("stop_at", [0, 2, 5])
def test_a_stopped_study_leaves_nothing(prepared: Material, stop_at: int) -> None:
    seen: list[Progress] = []

    def on_progress(progress: Progress) -> bool:
        seen.append(progress)
        return progress.done >= stop_at

    with pytest.raises(Cancelled):
        certainty_study.run(prepared, on_progress=on_progress)
    assert seen[-1].done == stop_at and seen[-1].total == 6


@pytest.mark.parametrize(("limit", "coverage"), [(0.0, 0.9), (1.0, 0.9), (0.1, 1.0), (float("nan"), 0.9)])
def test_shares_lie_between_0_and_1(prepared: Material, limit: float, coverage: float) -> None:
    with pytest.raises(ConfigError, match="between 0 and 1"):
        certainty_study.run(prepared, limit=limit, coverage=coverage)


# On disk and as text.


def test_results_have_the_documented_keys_and_types(prepared: Material, study: CertaintyStudy, tmp_path: Path) -> None:
    common = {row[0].strip("`") for row in table(section(document("result-format.md"), "result.json of a study"))}
    own = {
        row[0].strip("`"): row[1]
        for row in table(section(document("result-format.md"), "result.json of study certainty"))
    }
    written = []
    # With foreign photos and without; with a threshold and a limit of the sets and without.
    for number, one in enumerate((study, certainty_study.run(prepared, coverage=0.5, limit=0.9))):
        path = study_files.save(one, tmp_path / str(number))
        written += flat(dict(study_files.load(path)))
    head = {"class_names", "backbone", "seconds", "query_count", "versions.torch"}
    assert head <= {key for key, _ in written}
    written = [
        (key, value) for key, value in written if key not in common and not key.startswith("test_images_per_class")
    ]
    assert sorted({key for key, _ in written} ^ set(own)) == []
    wrong = sorted({f"{key}: {value!r}" for key, value in written if not has_type(value, own[key])})
    assert not wrong, "\n".join(wrong)


def said(study: CertaintyStudy, **changes: Any) -> str:
    content = {**study_files.as_dict(study), **changes}
    blocks = [*study_text.facts(content), *certainty_text.blocks(content)]
    return "\n".join(one if isinstance(one, str) else "\n".join(map(" | ".join, [one[0], *one[1]])) for one in blocks)


def test_the_text_counts_in_thousands(study: CertaintyStudy) -> None:
    content = study_files.as_dict(study)
    suggested = {
        **content["suggested"],
        "answered": 2,
        "answered_interval": [0.2, 0.9],
        "wrong": 1,
        "wrong_interval": [0.1, 0.8],
        "to_person": 1,
        "to_person_interval": [0.1, 0.8],
        "error": 0.5,
        "error_interval": [0.1, 0.9],
    }
    suggestion = {
        "threshold": 0.875,
        "assured": True,
        "support_answered": 100,
        "support_wrong": 1,
        "upper_bound": 0.0466,
        "least_answers": 59,
    }
    assured = said(study, suggested=suggested, suggestion=suggestion)
    assert (
        "from a confidence of 87.5% on. Of 1,000 parts 667 (200 to 900) are then answered alone, 333 (100 to 800) of"
        in assured
    )
    assert "1 of 100 answers" in assured and "4.7% at the most" in assured
    assert "more than the 5.0% wanted" in assured
    guess = said(study, suggested=suggested, suggestion={**suggestion, "assured": False})
    assert "NOT assured" in guess and "at least 59 answers" in guess
    nothing = said(study, suggestion={**suggestion, "threshold": None, "upper_bound": None})
    assert "everything should go to a person" in nothing
    assert "Of 3 photos of other things" in assured and "Not taken: broken.jpg" in assured
    assert "1 more were left out" in assured
    assert "SOMETHING ELSE" not in said(study, foreign=None)


def test_too_few_right_classes_are_told(study: CertaintyStudy) -> None:
    sets = study_files.as_dict(study)["sets"]
    for high, told in ((0.94, True), (0.96, False)):
        cross = {**sets["cross"], "coverage_interval": [0.5, high]}
        assert ("less often than 95%" in said(study, sets={**sets, "cross": cross})) == told


def test_the_command_writes_and_prints(folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    paths = [folders / "train", "--test", folders / "test", "--foreign", folders / "foreign", "--out", out]
    options = ["--limit", "0.2", "--coverage", "0.8", "--device", "cpu", "--precision", "float32"]
    assert cli.main(["study", "certainty", *map(str, paths), *options]) == 0
    content = json.loads((out / "result.json").read_text(encoding="utf-8"))
    assert (content["study"], content["limit"], content["coverage"]) == ("certainty", 0.2, 0.8)
    assert content["foreign"]["count"] == 3
    printed = capsys.readouterr().out
    for expected in ("11 photos to learn from", "HOW SURE IS SURE?", "ASK A PERSON", "ONE OF THESE FEW", str(out)):
        assert expected in printed


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--limit", "5"], "--limit is 5"),
        (["--coverage", "0"], "--coverage is 0"),
        (["--foreign", "nowhere"], "not there"),
        (["--shots", "9"], "smallest class has 5"),
    ],
)
def test_wrong_options_end_with_one_line(
    options: list[str], told: str, folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fixed = [folders / "train", "--test", folders / "test", "--device", "cpu", "--out", tmp_path / "out"]
    assert cli.main(["study", "certainty", *map(str, fixed), *options]) == cli.EXIT_WRONG_INPUT
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and told in lines[0]


def test_the_defaults_of_the_command_are_those_of_the_study() -> None:
    parsed = cli.build_parser().parse_args(["study", "certainty", "TRAIN", "--test", "TEST", "--out", "R"])
    assert (parsed.limit, parsed.coverage, parsed.shots) == (sure_rule.LIMIT, certainty_study.COVERAGE, None)
