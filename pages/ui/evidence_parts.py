"""The parts of the page of the evidence, in their order. A further part is a file `evidence_<part>.py` and its entry here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pages.ui import (
    evidence_certainty,
    evidence_conditions,
    evidence_curve,
    evidence_groups,
    evidence_look,
    evidence_methods,
    evidence_new_class,
)
from pages.ui.evidence_study import Ask
from pages.ui.text import _
from prolip_core.storage.records import Project


@dataclass(frozen=True)
class Part:
    """A question of the page. `key`: its name in the address; `show` draws all below title and question; `asks`: the studies
    that “Compute everything” starts where they are missing or out of date."""

    key: str
    title: str
    question: str
    show: Callable[[Project], None]
    asks: Callable[[Project], Sequence[Ask]]


def parts() -> tuple[Part, ...]:
    """All parts, in the user's language."""
    return (
        Part(
            "more-photos",
            _("More photos?"),
            _("Will more photos of each class make it better, and how many?"),
            evidence_curve.show,
            evidence_curve.asks,
        ),
        Part(
            "compared",
            _("Compared with what?"),
            _("Is there another way to learn from the same photos that does better?"),
            evidence_methods.show,
            evidence_methods.asks,
        ),
        Part(
            "not-sure",
            _("When is it not sure?"),
            _("How much can it decide alone, and what should go to a person?"),
            evidence_certainty.show,
            evidence_certainty.asks,
        ),
        Part(
            "new-class",
            _("New class by name?"),
            _("Can a class be added by its name alone, without photos and without training?"),
            evidence_new_class.show,
            evidence_new_class.asks,
        ),
        Part(
            "conditions",
            _("Other camera, other day?"),
            _("Does it hold when photos get worse, come from elsewhere, or are taken on another day?"),
            evidence_conditions.show,
            evidence_conditions.asks,
        ),
        Part(
            "where-it-looks",
            _("Where did it look?"),
            _("Does it look at your products, or at what lies around them?"),
            evidence_look.show,
            evidence_look.asks,
        ),
        Part(
            "fair",
            _("Fair to all?"),
            _("Is it right equally often for every line, camera, shift, region or supplier?"),
            evidence_groups.show,
            evidence_groups.asks,
        ),
    )
