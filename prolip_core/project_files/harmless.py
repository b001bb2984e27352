"""What other computers wrote, made harmless: sentences that this product does not have become plain text, paths to files are
dropped, and a model that the catalogue has is described by the catalogue.

A sentence of the engine is a template that a screen translates and shows as Markdown with only its values escaped
(`i18n.note_of`). From a file it could hold a picture of a foreign address, or a format that fills the memory.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from prolip_core import catalogue, i18n
from prolip_core.catalogue import BackboneSpec

PLAIN = "{text}"
"""The template of a sentence that is data."""

MAX_DEPTH = 40
_TITLE = re.compile(r"[\w λ×+–=.,/()-]{0,120}")
_MODEL_NAME = re.compile(r"[^\x00-\x1f\x7f/\\:]{0,200}")


def without_paths(value: Any) -> Any:
    """The JSON value without the paths of weights files. They say nothing on another computer, and may tell the names of folders
    here; which weights were used stands in the fingerprint beside them."""
    if isinstance(value, Mapping):
        is_model = "checkpoint" in value and "architecture" in value
        return {key: None if is_model and key == "checkpoint" else without_paths(one) for key, one in value.items()}
    return [without_paths(one) for one in value] if isinstance(value, list) else value


def cleaned(value: Any, depth: int = 0) -> Any:
    """The JSON value with every sentence and every model in it made harmless. Raises ValueError for what can be no content of
    ours: too deep, a title with marks, a model's name that is a path."""
    if depth > MAX_DEPTH:
        raise ValueError("too deep")
    if isinstance(value, list):
        return [cleaned(one, depth + 1) for one in value]
    if not isinstance(value, Mapping):
        return value
    if isinstance(value.get("message"), str):
        found = _sentence(value)
        # Entry by entry: one of them may be called "message".
        own = {key: cleaned(one, depth + 2) for key, one in found["values"].items()}
        return {**{str(key): cleaned(one, depth + 1) for key, one in found.items() if key != "values"}, "values": own}
    if "checkpoint" in value and "architecture" in value:
        return _model(value)
    title = value.get("title")
    if isinstance(title, str) and "key" in value and not _TITLE.fullmatch(title):
        raise ValueError("title")
    return {str(key): cleaned(one, depth + 1) for key, one in value.items()}


def _sentence(parts: Mapping[str, Any]) -> dict[str, Any]:
    """A sentence of the product stays, its values being plain; any other becomes text."""
    values = parts.get("values", {})
    if not isinstance(values, Mapping):
        raise ValueError("values")
    plain = {
        str(key): one if isinstance(one, str | int | float | bool | None) or _is_sentence(one) else str(one)
        for key, one in values.items()
    }
    found: dict[str, Any] = {**parts, "values": plain}
    known = i18n.known_messages()
    texts = [key for key in ("message", "remedy") if key in parts]
    if any(not isinstance(parts[key], str) or (parts[key] and parts[key] not in known) for key in texts):
        told = [_filled(str(parts[key]), plain) for key in texts]
        found.update({"message": PLAIN, "values": {"text": " ".join(told)}})
        if "remedy" in parts:
            found["remedy"] = ""
    return found


def _is_sentence(value: object) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("message"), str)


def _filled(template: str, values: Mapping[str, Any]) -> str:
    """`template.format(**values)` as far as it is a plain one: no attribute, no entry, no width is looked up."""
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError:
        return template
    return "".join(
        text + ("" if name is None else str(values[name]) if name in values and not _is_sentence(values[name]) else "…")
        for text, name, _, _ in parts
    )


def _model(content: Mapping[str, Any]) -> dict[str, Any]:
    """`catalogue.BackboneSpec` as JSON, without a path."""
    name, architecture, tag = (content.get(key, "") for key in ("name", "architecture", "tag"))
    if not isinstance(name, str) or not all(
        isinstance(one, str) and _MODEL_NAME.fullmatch(one) for one in (architecture, tag)
    ):
        raise ValueError("backbone")
    known = next(
        (one for one in catalogue.CATALOGUE if (one.name, one.architecture, one.tag) == (name, architecture, tag)), None
    )
    if known is not None:
        return asdict(known)
    title = name if content.get("title") == name else ""
    return asdict(BackboneSpec(name, str(architecture), str(tag), title=title))
