"""What a study of where the model looks adds to the keys that every study writes (docs/result-format.md), and its pictures."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Any

from prolip_core import heat, heat_overlay, images, runs
from prolip_core.studies import look_text
from prolip_core.studies.look_rim import ClassEvidence
from prolip_core.studies.look_study import METHODS, RANDOM_ORDERS, STEPS, Deletion, Look, LookStudy, View
from prolip_core.types import ImageSource, Note

SIDE_PX = 480
"""Longer side of a picture."""

_PICTURE = re.compile(rf"\d+-({'|'.join(METHODS)})\.png")


def own_keys(study: LookStudy) -> dict[str, Any]:
    """All of the study but its head. Shares are fractions."""
    names = study.material.class_names
    return {
        "measured_count": study.measured,
        "marked": heat.MARKED,
        "steps": list(STEPS),
        "random_orders": RANDOM_ORDERS,
        "looks": [_look(look, names) for look in study.looks],
        "deletion": {method: _deletion(getattr(study, method)) for method in METHODS},
        "classes": [_class(one, names) for one in study.classes],
    }


def save_pictures(study: LookStudy, source: ImageSource, folder: Path) -> None:
    """`maps/<number>-<method>.png` for every photo, in the order of `looks`, in place of those of an earlier study.

    Raises RunError if the disk refuses, ImageError for a photo that cannot be read again.
    """
    target = folder / runs.MAPS
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=runs.STAGING) as name:
            for number, look in enumerate(study.looks, 1):
                photo_HW3 = images.small(source.read(look.image.image_id), look.image.record.filename, SIDE_PX)
                for method in METHODS:
                    view = look.by(method)
                    drawn_HW3 = heat_overlay.draw(photo_HW3, view.heat_GG, view.marked_GG, look.box)
                    (Path(name) / f"{number:03}-{method}.png").write_bytes(images.png(drawn_HW3))
            target.mkdir(exist_ok=True)
            for old in target.iterdir():
                if _PICTURE.fullmatch(old.name):
                    old.unlink()
            for drawn in sorted(Path(name).iterdir()):
                drawn.replace(target / drawn.name)
    except OSError as error:
        raise runs.not_written(folder, error) from error


def _look(look: Look, names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "id": look.image.image_id,
        "filename": look.image.record.filename,
        "class": names[look.image.label],
        "box": list(astuple(look.box)),
        **{method: _view(look.by(method), look.image.label, names) for method in METHODS},
    }


def _view(view: View, label: int, names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "answer": names[view.answer],
        "right": view.answer == label,
        "confidence": view.confidence,
        "heat": [[round(float(cell), 4) for cell in row] for row in view.heat_GG],
        "marked": view.marked_GG.tolist(),
        **_said("caption", view.caption),
        "by_map": list(view.curve.by_map),
        "by_chance": list(view.curve.by_chance),
        "changed": view.curve.changed,
        "changed_by_chance": view.curve.changed_by_chance,
    }


def _deletion(deletion: Deletion) -> dict[str, Any]:
    return {
        "count": deletion.count,
        "gain": deletion.gain,
        "gain_interval": None if deletion.gain_interval is None else list(deletion.gain_interval),
        "changed": deletion.changed.count,
        "changed_interval": list(deletion.changed.interval),
        "changed_by_chance": deletion.changed_by_chance,
        "tries_by_chance": RANDOM_ORDERS * deletion.count,
        "changed_by_chance_interval": None if deletion.chance_interval is None else list(deletion.chance_interval),
        **_said("summary", look_text.deletion_note(deletion)),
        **_said("trust", look_text.trust_note(deletion)),
    }


def _class(one: ClassEvidence, names: tuple[str, ...]) -> dict[str, Any]:
    shares: Mapping[str, Any] = {"whole": one.whole, "by_middle": one.by_middle, "by_rim": one.by_rim}
    return {
        "class": names[one.label],
        "count": one.whole.total,
        **{key: share.count for key, share in shares.items()},
        **{f"{key}_interval": list(share.interval) for key, share in shares.items()},
        "only_middle": one.only_middle,
        "only_rim": one.only_rim,
        "others_by_rim": one.others_by_rim.count,
        "others_count": one.others_by_rim.total,
        "p": one.p,
        "p_others": one.p_others,
        "verdict": one.verdict,
        **_said("verdict", look_text.class_note(one, names[one.label])),
    }


def _said(key: str, note: Note) -> dict[str, Any]:
    """A sentence, and the same in parts for translation."""
    return {f"{key}_text": note.text, f"{key}_parts": runs.note_as_dict(note)}
