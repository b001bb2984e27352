"""Templates × class names → the sentences that the text tower reads.

A class is shown under its display name (any language) and read by the model under its prompt names (English for most
models). Every prompt name goes into every template; `Backbone.encode_prompts` averages the unit vectors of all sentences of a
class.
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from prolip_core.errors import PromptError
from prolip_core.i18n import N_
from prolip_core.types import ClassSpec, PromptSet

MAX_NAME_CHARACTERS = 200
MAX_TEMPLATE_CHARACTERS = 300


@dataclass(frozen=True)
class TemplateSet:
    """A named list of templates; `title` and `description` are plain words for a screen."""

    key: str
    title: str
    description: str
    templates: tuple[str, ...]


# The ensemble is the one that OpenAI selected out of 80 by forward selection on ImageNet: openai/CLIP,
# notebooks/Prompt_Engineering_for_ImageNet.ipynb. The other sets are written for this project, except the satellite
# sentence, which follows EuroSAT's in the same repository (data/prompts.md).
TEMPLATE_SETS: tuple[TemplateSet, ...] = (
    TemplateSet(
        "general", N_("General photo"), N_("Any ordinary photo. The best choice when unsure."), ("a photo of a {}.",)
    ),
    TemplateSet(
        "product",
        N_("Product on plain ground"),
        N_("One article on a table, a bench or a plain background."),
        ("a product photo of a {}.", "a photo of a {} on a plain background.", "a photo of a {} on a table."),
    ),
    TemplateSet(
        "surface",
        N_("Close-up of a surface"),
        N_("Materials, textures and surface conditions seen from near."),
        ("a close-up photo of {}.", "a close-up photo of the surface of {}.", "a macro photo of {}."),
    ),
    TemplateSet(
        "satellite",
        N_("Satellite or aerial picture"),
        N_("Ground seen from above."),
        ("a centered satellite photo of {}.", "an aerial photo of {}."),
    ),
    TemplateSet(
        "document",
        N_("Document or label"),
        N_("Scanned pages, forms, labels and packaging print."),
        ("a scan of a {}.", "a photo of a {} document.", "a photo of a printed {}."),
    ),
    TemplateSet(
        "ensemble",
        N_("Seven-sentence ensemble"),
        N_("Seven different sentences, averaged: steadier on everyday objects."),
        (
            "itap of a {}.",
            "a bad photo of the {}.",
            "a origami {}.",
            "a photo of the large {}.",
            "a {} in a video game.",
            "art of the {}.",
            "a photo of the small {}.",
        ),
    ),
)


def template_set(key: str) -> TemplateSet:
    """The built-in set of that key. Raises PromptError."""
    for candidate in TEMPLATE_SETS:
        if candidate.key == key:
            return candidate
    raise PromptError(
        "There is no template set “{key}”.",
        remedy="Choose one of: {known}.",
        key=key,
        known=", ".join(candidate.key for candidate in TEMPLATE_SETS),
    )


def check_template(template: str) -> str:
    """The template, trimmed. It must hold the place for the class name, `{}`, exactly once. Raises PromptError."""
    text = " ".join(template.split())
    if not text:
        raise PromptError("A sentence template is empty.", remedy="Write a sentence with {{}} where the name belongs.")
    if len(text) > MAX_TEMPLATE_CHARACTERS:
        raise PromptError(
            "The template “{start}…” has {length} characters, the limit is {limit}.",
            remedy="Shorten it; the model reads only the first 70 words or so.",
            start=text[:40],
            length=len(text),
            limit=MAX_TEMPLATE_CHARACTERS,
        )
    try:
        # Never filled to see whether it can be: “{:300000000}” would fill the memory.
        places = [place for _, *place in string.Formatter().parse(text) if place[0] is not None]
    except ValueError:
        places = []
    if places != [["", "", None]]:
        raise PromptError(
            "The template “{template}” must hold the place for the class name, {{}}, exactly once.",
            remedy="Write it like this: a photo of a {{}}.",
            template=text,
        )
    return text


def around(template: str) -> tuple[str, str]:
    """What stands before and after the name in its sentences; ("", "") for what is no template."""
    try:
        checked = check_template(template)
    except PromptError:
        return "", ""
    before, after = "", ""
    is_before = True
    for text, name, *_ in string.Formatter().parse(checked):
        before, after = (before + text, after) if is_before else (before, after + text)
        is_before = is_before and name is None
    return before, after


def default_prompt_name(display_name: str) -> str:
    """The name that the model reads if none was given: `steel_bolt` → `steel bolt`."""
    return " ".join(display_name.replace("_", " ").split())


def make_class(display_name: str, prompt_names: Sequence[str] = ()) -> ClassSpec:
    """A checked class. Without prompt names the display name is read by the model. Raises PromptError."""
    shown = " ".join(display_name.split())
    names = tuple(dict.fromkeys(name for name in (" ".join(n.split()) for n in prompt_names) if name))
    for name in (shown, *names):
        if not name:
            raise PromptError("A class has no name.", remedy="Give every class a name.")
        if len(name) > MAX_NAME_CHARACTERS:
            raise PromptError(
                "The class name “{start}…” has {length} characters, the limit is {limit}.",
                remedy="Shorten it to a few words.",
                start=name[:40],
                length=len(name),
                limit=MAX_NAME_CHARACTERS,
            )
    return ClassSpec(shown, names or (default_prompt_name(shown) or shown,))


def is_english(name: str) -> bool:
    """Whether an English-only model can read the name at all: Latin letters, digits and punctuation."""
    return name.isascii()


def sentences(spec: ClassSpec, templates: Sequence[str]) -> tuple[str, ...]:
    """The sentences of one class: every prompt name in every template."""
    return tuple(template.format(name) for name in spec.prompt_names for template in templates)


def build(classes: Sequence[ClassSpec], templates: Sequence[str]) -> PromptSet:
    """All sentences of all classes, C × (prompt names × templates), in class order.

    Raises PromptError if there are fewer than two classes, two of the same display name or the same prompt names, or a bad
    template.
    """
    if len(classes) < 2:
        raise PromptError(
            "There are {count} classes; at least 2 are needed.", remedy="Add another class.", count=len(classes)
        )
    repeated = [name for name, count in Counter(spec.display_name for spec in classes).items() if count > 1]
    if repeated:
        raise PromptError("The class name “{name}” is used twice.", remedy="Rename one of the two.", name=repeated[0])
    if not templates:
        raise PromptError("There is no sentence template.", remedy="Choose a template set or write one sentence.")
    checked = tuple(dict.fromkeys(check_template(template) for template in templates))
    first_with: dict[frozenset[str], str] = {}
    for spec in classes:
        twin = first_with.setdefault(frozenset(spec.prompt_names), spec.display_name)
        if twin != spec.display_name:
            raise PromptError(
                "The classes “{first}” and “{second}” have the same prompt name “{name}”, so no model could tell them apart.",
                remedy="Give each class a name of its own.",
                first=twin,
                second=spec.display_name,
                name=spec.prompt_names[0],
            )
    return PromptSet(
        class_names=tuple(spec.display_name for spec in classes),
        sentences=tuple(sentences(spec, checked) for spec in classes),
    )


def check_new(there: PromptSet, display_name: str, added: Sequence[str]) -> None:
    """Whether a class of this name and these sentences can be added. Raises PromptError."""
    if display_name in there.class_names:
        raise PromptError("The class name “{name}” is used twice.", remedy="Rename one of the two.", name=display_name)
    for name, of_class in zip(there.class_names, there.sentences, strict=True):
        if set(of_class) == set(added):
            raise PromptError(
                "The classes “{first}” and “{second}” have the same sentences, so no model could tell them apart.",
                remedy="Give each class a name of its own.",
                first=name,
                second=display_name,
            )


def parse_class(text: str) -> ClassSpec:
    """A class from a command line: NAME, or NAME=PROMPT with several prompt names parted by |. Raises PromptError."""
    display_name, _, prompt_names = text.partition("=")
    return make_class(display_name, prompt_names.split("|"))
