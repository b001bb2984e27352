"""A finished run on disk: `result.json` (the contract in docs/result-format.md), tables, and the trained projector.

`result.json` is written last, so a folder that has one is complete.
"""

from __future__ import annotations

import csv
import json
import platform
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from prolip_core import __version__, backbones, classify, devices, features, projector_file, prompts
from prolip_core.backbones import Backbone
from prolip_core.catalogue import BackboneSpec
from prolip_core.csv_text import cell
from prolip_core.errors import RunError
from prolip_core.metrics import Evaluation
from prolip_core.pilot import PilotRun
from prolip_core.types import ClassSpec, ClassVectors, ImageSource, Note, Prediction, Projector, PromptSet, Step

FORMAT = 1
MAX_HISTORY = 2000
"""So many points of the training curve are kept: more than a screen has columns."""

RESULT = "result.json"
PROJECTOR = "projector.safetensors"
PREDICTIONS = "predictions.csv"
CONFUSIONS = {"zero_shot": "confusion_zero_shot.csv", "prolip": "confusion_prolip.csv"}
STAGING = ".writing-"
MAPS = "maps"
"""Folder of the pictures that a study of where the model looks leaves beside its result."""

OWN_FILES = frozenset({RESULT, PROJECTOR, PREDICTIONS, *CONFUSIONS.values()})
VERSIONED = ("torch", "open_clip_torch", "timm", "pillow", "numpy", "scipy", "scikit-learn")


@dataclass(frozen=True)
class SavedRun:
    """A run that can answer about new photos. `templates`: the sentences of its class names, for classes that are added."""

    backbone: Backbone
    class_vectors: ClassVectors
    projector: Projector
    templates: tuple[str, ...]

    def with_class(self, added: ClassSpec) -> SavedRun:
        """The same run with one more class, known by its name alone; nothing is trained and no vector of a class changes.

        Raises PromptError for a name or sentences that another class has.
        """
        old = self.class_vectors
        sentences = prompts.sentences(added, self.templates)
        prompts.check_new(old.prompts, added.display_name, sentences)
        own = self.backbone.encode_prompts(PromptSet((added.display_name,), (sentences,)))
        whole = PromptSet((*old.class_names, added.display_name), (*old.prompts.sentences, sentences))
        return replace(self, class_vectors=ClassVectors(whole, torch.cat([old.text_CD, own.text_CD])))

    def predict(self, source: ImageSource, image_ids: list[str], cache_folder: Path | None) -> tuple[Prediction, ...]:
        """One answer per photo, true class not known. Raises ImageError for a photo that cannot be read again."""
        batch = features.extract(self.backbone, source, image_ids, cache_folder=cache_folder)
        return classify.predict(
            image_ids,
            batch.pre_VNP[0],
            [-1] * len(image_ids),
            self.projector,
            self.class_vectors.text_CD,
            self.backbone.logit_scale,
        )


def prepare_folder(folder: Path, *, study: str | None = None) -> None:
    """Makes the folder for a run, or takes an empty one or one that holds an earlier run, finished or interrupted.

    study: the folder is for a study of that name, and only an earlier one of the same kind may be replaced.

    Raises RunError if it cannot be made or written to, or holds other things, before any work is spent.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass  # the right to write, asked before the work and not after it
        names = [entry.name for entry in folder.iterdir()]
        is_run = _is_result(folder / RESULT, study) if RESULT in names else all(_is_own(name) for name in names)
    except OSError as error:
        raise RunError(
            "The folder {folder} cannot be used for the results: {cause}.",
            remedy="Choose another folder.",
            folder=folder,
            cause=error.strerror or error,
        ) from error
    if not is_run:
        raise RunError(
            "The folder {folder} is not empty and holds no earlier run.",
            remedy="Choose a new folder for the results, so that nothing is overwritten.",
            folder=folder,
        )


def _is_own(name: str) -> bool:
    """True for what an interrupted run leaves, and for what desktops put into a folder by themselves."""
    return (
        name in OWN_FILES
        or name == MAPS
        or name.startswith(STAGING)
        or name in {".DS_Store", "Thumbs.db", "desktop.ini"}
    )


def _is_result(path: Path, study: str | None) -> bool:
    """Many programs write a file of this name; only one of ours, and of the same kind, may be replaced."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, IsADirectoryError, RecursionError):
        return False
    if not isinstance(content, dict) or not {"format", "class_names", "backbone"} <= content.keys():
        return False
    return bool(content.get("study") == study)


def save(run: PilotRun, folder: Path) -> Path:
    """Writes everything of a run; gives the path of result.json. Raises RunError if the disk refuses."""
    prepare_folder(folder)
    try:
        # All is written beside the files of an earlier run before the first of these is touched: a full disk costs nothing.
        with tempfile.TemporaryDirectory(dir=folder, prefix=STAGING) as name:
            staging = Path(name)
            projector_file.save(staging / PROJECTOR, run.trained.projector, run.backbone, run.class_vectors.prompts)
            _write_predictions(run, staging / PREDICTIONS)
            for method, evaluation in (("zero_shot", run.zero_shot), ("prolip", run.prolip)):
                _write_confusion(run.class_vectors.class_names, evaluation, staging / CONFUSIONS[method])
            text = json.dumps(as_dict(run), ensure_ascii=False, indent=2, allow_nan=False)
            (staging / RESULT).write_text(text, encoding="utf-8")
            (folder / RESULT).unlink(missing_ok=True)
            for file in OWN_FILES:
                if file != RESULT:
                    (staging / file).replace(folder / file)
            return (staging / RESULT).replace(folder / RESULT)
    except OSError as error:
        raise not_written(folder, error) from error


def not_written(folder: Path, error: OSError) -> RunError:
    """What is told when the disk refuses the results."""
    return RunError(
        "The results cannot be written to {folder}: {cause}.",
        remedy="Free some disk space or choose another folder.",
        folder=folder,
        cause=error.strerror or error,
    )


def load(
    folder: Path, *, device: str = "auto", load_backbone: Callable[[BackboneSpec, str], Backbone] | None = None
) -> SavedRun:
    """Opens a run for predictions. load_backbone: gives the model in that precision; by default it is read anew.

    Raises RunError, ProjectorMismatchError, and the errors of loading a backbone.
    """
    result = read_result(folder)
    try:
        settings, prompts_ = result["settings"], result["prompts"]
        precision = str(settings["precision"])
        templates = tuple(map(str, settings["templates"]))
        spec = BackboneSpec(**{**settings["backbone"], "checkpoint": _path(settings["backbone"]["checkpoint"])})
        prompt_set = PromptSet(tuple(result["class_names"]), tuple(tuple(of_class) for of_class in prompts_))
    except (ValueError, KeyError, TypeError) as error:
        raise _no_run(folder) from error
    if load_backbone is None:
        backbone = backbones.load(spec, devices.choose(device, precision))
    else:
        backbone = load_backbone(spec, precision)
    projector = projector_file.load(folder / PROJECTOR, backbone, prompt_set)
    return SavedRun(backbone, backbone.encode_prompts(prompt_set), projector, templates)


def read_result(folder: Path) -> dict[str, Any]:
    """The content of a run's result.json. Raises RunError."""
    try:
        result: dict[str, Any] = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        if result["format"] != FORMAT:
            raise ValueError("written by another version")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _no_run(folder) from error
    return result


def _no_run(folder: Path) -> RunError:
    return RunError(
        "{folder} is not the folder of a finished run: {path} is missing, damaged, or of another version.",
        remedy="Choose the folder that was given to --out.",
        folder=folder,
        path=RESULT,
    )


def as_dict(run: PilotRun) -> dict[str, Any]:
    """The content of result.json, as documented in docs/result-format.md."""
    names = run.class_vectors.class_names
    cross_validation = run.answers.cross_validation
    return {
        "format": FORMAT,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "class_names": list(names),
        "images_per_class": {
            name: sum(image.label == label for image in run.split.support) for label, name in enumerate(names)
        },
        "backbone": run.spec.backbone.name,
        "device": run.backbone.device.title,
        "solver": run.trained.solver,
        "lam": run.trained.lam,
        "lam_note": run.trained.lam_note.text,
        "lam_note_parts": note_as_dict(run.trained.lam_note),
        "evaluation": run.evaluation,
        "cross_validation": None if cross_validation is None else asdict(cross_validation),
        "zero_shot": _evaluation(run.zero_shot),
        "prolip": _evaluation(run.prolip),
        "mcnemar_p": run.mcnemar_p,
        "sure": None if run.sure is None else asdict(run.sure),
        "seconds": run.seconds,
        "warnings": [note.text for note in run.warnings],
        "notes": [note_as_dict(note) for note in run.warnings],
        "rejected_files": [
            {"filename": file.filename, "reason": file.reason, "remedy": file.remedy} for file in run.photos.rejected
        ],
        "duplicate_files": [asdict(file) for file in run.photos.duplicates],
        "dropped_test_files": [image.record.filename for image in run.split.dropped],
        "prompts": [list(of_class) for of_class in run.class_vectors.prompts.sentences],
        "settings": {
            "backbone": {**asdict(run.spec.backbone), "checkpoint": _text(run.spec.backbone.checkpoint)},
            "backbone_sha256": run.backbone.fingerprint,
            "projector_kind": run.backbone.projector_kind,
            "logit_scale": run.backbone.logit_scale,
            "templates": list(run.spec.templates),
            "views": run.spec.n_views,
            "fit": asdict(run.spec.fit),
            "seed": run.spec.seed,
            "precision": run.backbone.device.dtype_name,
            "stopped_early": run.trained.stopped,
        },
        "photos": {
            "support": _photo_list(run.split.support, names),
            "query": _photo_list(run.split.query, names),
            "dropped": _photo_list(run.split.dropped, names),
        },
        "history": [asdict(step) for step in _thinned(run.trained.history)],
        "versions": versions(),
    }


def versions(libraries: Sequence[str] = VERSIONED) -> dict[str, str]:
    """Of the product, of Python, and of these libraries, as a result names them."""
    return {
        "prolip_studio": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in libraries},
    }


def answers_as_dict(run: PilotRun) -> dict[str, Any]:
    """Both methods' probabilities on the measured photos, in one order, ready for JSON."""
    return {
        "image_ids": [prediction.image_id for prediction in run.answers.prolip],
        "labels": [prediction.label for prediction in run.answers.prolip],
        "zero_shot": [list(prediction.probabilities) for prediction in run.answers.zero_shot],
        "prolip": [list(prediction.probabilities) for prediction in run.answers.prolip],
    }


def _thinned(history: Sequence[Step]) -> Sequence[Step]:
    """At most MAX_HISTORY steps at even distances, the first and the last among them."""
    if len(history) <= MAX_HISTORY:
        return history
    return [history[round(i * (len(history) - 1) / (MAX_HISTORY - 1))] for i in range(MAX_HISTORY)]


def note_as_dict(note: Note) -> dict[str, Any]:
    """The sentence and what fills it, apart, so that a reader can show it in another language."""
    values = {name: note_as_dict(value) if isinstance(value, Note) else value for name, value in note.values.items()}
    return {"message": note.message, "values": values}


def _evaluation(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "count": evaluation.count,
        "correct": evaluation.correct,
        "accuracy": evaluation.accuracy,
        "accuracy_interval": list(evaluation.accuracy_interval),
        "balanced_accuracy": evaluation.balanced_accuracy,
        "macro_f1": evaluation.macro_f1,
        "calibration_error": evaluation.calibration_error,
        "per_class": [asdict(of_class) for of_class in evaluation.per_class],
        "confusion": evaluation.confusion.counts_CC.tolist(),
    }


def _photo_list(images: Any, names: tuple[str, ...]) -> list[dict[str, str]]:
    return [{"id": image.image_id, "filename": image.record.filename, "class": names[image.label]} for image in images]


def _write_predictions(run: PilotRun, path: Path) -> None:
    names = run.class_vectors.class_names
    images = run.split.query if run.evaluation == "test" else run.split.support
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            [
                "image_id",
                "filename",
                "true_class",
                "zero_shot_class",
                "zero_shot_confidence",
                "prolip_class",
                "prolip_confidence",
                *(f"prolip_probability_{name}" for name in names),
            ]
        )
        for image, zero, tuned in zip(images, run.answers.zero_shot, run.answers.prolip, strict=True):
            writer.writerow(
                [image.image_id, cell(image.record.filename), cell(names[image.label]), cell(names[zero.predicted])]
                + [f"{zero.confidence:.6f}", cell(names[tuned.predicted]), f"{tuned.confidence:.6f}"]
                + [f"{probability:.6f}" for probability in tuned.probabilities]
            )


def _write_confusion(names: tuple[str, ...], evaluation: Evaluation, path: Path) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["true class \\ answer", *map(cell, names)])
        for name, row in zip(names, evaluation.confusion.counts_CC.tolist(), strict=True):
            writer.writerow([cell(name), *row])


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path.resolve())


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
