"""Every finished run is a version: what it was made from, and what lies between two of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prolip_core import prompts
from prolip_core.storage.records import ClassRow, Photo, Project, RunRecord
from prolip_core.storage.rollback import Version, VersionPhoto
from prolip_core.types import ClassSpec

CHOICES = ("backbone", "templates", "n_views", "fit", "seed")
"""What of `spec.as_dict` belongs to a version: on which device it was computed does not."""


@dataclass(frozen=True)
class OfClass:
    """How the photos of one class differ. moved_in: photos that were there before, in another class or for another use."""

    name: str
    added: tuple[VersionPhoto, ...]
    removed: tuple[VersionPhoto, ...]
    moved_in: tuple[VersionPhoto, ...]


@dataclass(frozen=True)
class Setting:
    """A choice that differs. `key`: as in `spec.as_dict`, parts of a choice with a dot."""

    key: str
    before: object
    after: object


@dataclass(frozen=True)
class Difference:
    """What changed from one version to another. classes: only those with a change; renamed: classes whose names for the model
    differ."""

    classes: tuple[OfClass, ...]
    new_classes: tuple[str, ...]
    lost_classes: tuple[str, ...]
    renamed: tuple[str, ...]
    settings: tuple[Setting, ...]

    @property
    def is_nothing(self) -> bool:
        return not (self.classes or self.new_classes or self.lost_classes or self.renamed or self.settings)

    @property
    def added(self) -> int:
        return sum(len(one.added) for one in self.classes)

    @property
    def removed(self) -> int:
        return sum(len(one.removed) for one in self.classes)

    @property
    def moved(self) -> int:
        return sum(len(one.moved_in) for one in self.classes)


def of_run(run: RunRecord) -> Version:
    """What the run was made from, as its result tells it."""
    result = run.result
    settings, photos = result["settings"], result["photos"]
    templates = tuple(dict.fromkeys(" ".join(str(one).split()) for one in settings["templates"]))
    found = [
        VersionPhoto(photo["id"], photo["filename"], photo["class"], "train" if part == "support" else "test")
        # Results of older versions do not tell the test photos that were left out as near-copies.
        for part in ("support", "query", "dropped")
        for photo in photos.get(part, ())
    ]
    return Version(
        classes=tuple(
            ClassSpec(name, prompt_names(sentences, templates))
            for name, sentences in zip(result["class_names"], result["prompts"], strict=True)
        ),
        photos=tuple({photo.image_id: photo for photo in found}.values()),
        choices={
            "backbone": settings["backbone"],
            "templates": list(settings["templates"]),
            "n_views": settings["views"],
            "fit": settings["fit"],
            "seed": settings["seed"],
        },
    )


def of_project(project: Project, classes: Sequence[ClassRow], photos: Sequence[Photo]) -> Version:
    """What a training would be made from now."""
    names = {row.id: row.display_name for row in classes}
    return Version(
        classes=tuple(row.spec for row in classes),
        photos=tuple(
            VersionPhoto(photo.image_id, photo.record.filename, names[photo.class_id], photo.role)
            for photo in photos
            if not photo.excluded and photo.class_id in names
        ),
        choices={key: project.spec[key] for key in CHOICES if key in project.spec},
    )


def prompt_names(sentences: Sequence[str], templates: Sequence[str]) -> tuple[str, ...]:
    """The names that these sentences were made from (the inverse of `prompts.sentences`)."""
    # Taken apart and never filled: a template out of a file may ask for anything.
    before, after = prompts.around(templates[0]) if templates else ("", "")
    firsts = sentences[:: max(1, len(templates))]
    return tuple(sentence.removeprefix(before).removesuffix(after) for sentence in firsts)


def difference(before: Version, after: Version) -> Difference:
    """What changed from `before` to `after`; photos are the same if their bytes are, classes if their names are."""
    old = {photo.image_id: photo for photo in before.photos}
    new = {photo.image_id: photo for photo in after.photos}
    was, is_now = ({one.display_name: one for one in version.classes} for version in (before, after))
    names = tuple(dict.fromkeys((*is_now, *was)))
    classes = [
        OfClass(
            name,
            tuple(one for one in after.photos if one.class_name == name and one.image_id not in old),
            tuple(one for one in before.photos if one.class_name == name and one.image_id not in new),
            tuple(
                one
                for one in after.photos
                if one.class_name == name
                and one.image_id in old
                and (old[one.image_id].class_name, old[one.image_id].role) != (name, one.role)
            ),
        )
        for name in names
    ]
    return Difference(
        classes=tuple(one for one in classes if one.added or one.removed or one.moved_in),
        new_classes=tuple(name for name in is_now if name not in was),
        lost_classes=tuple(name for name in was if name not in is_now),
        renamed=tuple(name for name in is_now if name in was and is_now[name].prompt_names != was[name].prompt_names),
        settings=_settings(before.choices, after.choices),
    )


def _settings(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Setting, ...]:
    old, new = _flat(before), _flat(after)
    return tuple(
        Setting(key, old.get(key), new.get(key)) for key in dict.fromkeys((*old, *new)) if old.get(key) != new.get(key)
    )


def _flat(choices: Mapping[str, Any]) -> dict[str, Any]:
    """Choices and their parts by one name. Of a model only its name tells: the rest follows from it, or from where it is kept."""
    found: dict[str, Any] = {}
    for key, value in choices.items():
        if key == "backbone":
            found["backbone"] = value.get("name")
        elif key == "fit":
            # The seed of a training is that of the whole.
            found.update({f"fit.{name}": part for name, part in value.items() if name != "seed"})
        else:
            found[key] = list(value) if isinstance(value, tuple | list) else value
    return found
