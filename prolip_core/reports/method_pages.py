"""How it was measured, and what the numbers do not say."""

from __future__ import annotations

from prolip_core import wording
from prolip_core.catalogue import STARTER
from prolip_core.i18n import Translator, note_of
from prolip_core.reports.advice import FEW_PER_CLASS, FEW_TEST_PHOTOS
from prolip_core.reports.content import Bullets, Card, Cards, Page, Split, Table
from prolip_core.reports.result_pages import plain_measured_on
from prolip_core.reports.source import Source

SHOWN_NAMES = 6


def measured_page(say: Translator, source: Source) -> Page:
    """Photos, model, settings."""
    _, _n = say.text, say.plural
    result = source.run.result
    each = list(result["images_per_class"].values())
    crossed = result["cross_validation"]
    cards = Cards(
        (
            Card(_("Classes"), say.number(len(each)), ""),
            Card(_("Photos that taught"), say.number(sum(each)), _each(say, each)),
            Card(
                _("Photos that measured"),
                say.number(source.compared.second.count),
                _("test photos") if crossed is None else _("the same photos, held out in turn"),
            ),
        )
    )
    facts = [
        plain_measured_on(say, source),
        _(
            "Only one part of the model was trained, its visual projector (ProLIP, arXiv 2410.05270); the photos never left this "
            "computer."
        ),
        _(
            "Both methods answered the same photos. The likely ranges are Wilson's 95 % intervals, the difference was tested "
            "with the exact McNemar test."
        ),
    ]
    if crossed is not None:
        low, high = min(crossed["accuracies"]), max(crossed["accuracies"])
        facts.insert(
            1,
            _(
                "Over {count} repeats it was right on {low} to {high}; the middle repeat is shown.",
                count=say.number(len(crossed["accuracies"])),
                low=say.percent(low, 1),
                high=say.percent(high, 1),
            ),
        )
    backbone = result["settings"]["backbone"]
    rows = (
        (_("Model"), wording.short(wording.model(say, result["backbone"], backbone["title"]))),
        (_("Licence"), wording.short(_(backbone["licence"]), 120)),
        (_("Computed on"), wording.device(say, result["device"])),
        (_("Training"), f"{result['solver']}, λ = {result['lam']:.3g}"),
        (_("Time"), say.duration(result["seconds"]["total"])),
        (_("Software"), f"ProLIP Studio {result['versions']['prolip_studio']}"),
    )
    table = Table((_("Setting"), _("Value")), rows, (0.3, 0.7), (False, False))
    title = (
        _("Measured on photos that it had never seen")
        if crossed is None
        else _("Measured on the training photos, held out")
    )
    return Page("measured", _("How it was measured"), title, (cards, Split(Bullets(tuple(facts)), table, 0.52)))


def _each(say: Translator, each: list[int]) -> str:
    _ = say.text
    low, high = min(each), max(each)
    if low == high:
        return _("{count} of each class", count=say.number(low))
    return _("{low} to {high} of each class", low=say.number(low), high=say.number(high))


def limits_page(say: Translator, source: Source) -> Page:
    """From the notes of the run and from its counts."""
    _, _n = say.text, say.plural
    result, found = source.run.result, source.compared.second
    notes = [wording.note(say, note_of(parts)) for parts in result["notes"]]
    lines: list[str] = []
    low, high = found.accuracy_interval
    if result["evaluation"] != "test":
        lines.append(
            _(
                "There were no separate test photos. The photos were held out in turn, so all of them come from the same days "
                "and the same camera; on other days it may be right less often."
            )
        )
    if found.count < FEW_TEST_PHOTOS:
        lines.append(
            _(
                "Few photos were measured ({count}), so the likely range is wide: {low}–{high}.",
                count=say.number(found.count),
                low=say.percent(low),
                high=say.percent(high),
            )
        )
    few = [one.class_name for one in found.per_class if 0 < one.count < FEW_PER_CLASS]
    if few:
        lines.append(
            _(
                "Fewer than {limit} measured photos, too few to say anything about one class: {names}.",
                limit=say.number(FEW_PER_CLASS),
                names=names_of(say, few),
            )
        )
    taught_little = [name for name, count in result["images_per_class"].items() if count < FEW_PER_CLASS]
    if taught_little:
        lines.append(
            _(
                "Fewer than {limit} photos to learn from: {names}.",
                limit=say.number(FEW_PER_CLASS),
                names=names_of(say, taught_little),
            )
        )
    if result["settings"]["stopped_early"]:
        lines.append(_("The training was stopped by a person before its end."))
    if result["rejected_files"]:
        lines.append(
            _("Files that could not be used (number: {count}).", count=say.number(len(result["rejected_files"])))
        )
    if result["backbone"] == STARTER:
        lines.append(
            _(
                "The built-in starter model was used. A larger model, where it can be downloaded, is usually right more often; "
                "the same photos can be trained with it at once."
            )
        )
    always = [
        _("A photo that shows none of the classes gets the answer of a class all the same."),
        _("The numbers hold for photos like these: same camera, light, background and mixture of classes."),
        _(
            "The likely range covers chance in which photos were measured, not a change of products, camera or light afterwards."
        ),
    ]
    here = tuple(dict.fromkeys((*notes, *lines)))
    title = (
        _("What these numbers do not say")
        if not here
        else _n("{count} thing to know about this result", "{count} things to know about this result", len(here))
    )
    blocks = [Bullets(here, "bad", _("In this result"))] if here else []
    return Page(
        "limits", _("Limits and risks"), title, (*blocks, Bullets(tuple(always), "plain", _("In every such result")))
    )


def names_of(say: Translator, names: list[str]) -> str:
    """The first few names, and how many more."""
    _ = say.text
    shown = ("、" if say.language == "ja" else ", ").join(wording.short(one, 24) for one in names[:SHOWN_NAMES])
    more = len(names) - SHOWN_NAMES
    return shown if more <= 0 else _("{names} and {count} more", names=shown, count=say.number(more))
