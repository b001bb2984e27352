"""The model card of a hand-over file: README.md in English and Japanese, for the engineer who takes the model away."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from prolip_core import catalogue, i18n
from prolip_core.handover import files
from prolip_core.handover.files import Check, Measured
from prolip_core.i18n import Translator
from prolip_core.runs import SavedRun

LANGUAGES = (("en", "English"), ("ja", "日本語"))

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~&$])")
_STEERING = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def text(facts: Mapping[str, Any], check: Check, saved: SavedRun, names: Sequence[str], has_photo: bool) -> str:
    """README.md. facts: the content of model.json; names: of the files in the zip besides this one and the check sums."""
    parts = ["# ProLIP Studio — model card / モデルカード", "[English](#english) · [日本語](#日本語)"]
    for language, title in LANGUAGES:
        card = _Card(i18n.translator(language), facts, check, saved, names, has_photo)
        parts += [f"## {title}", *card.parts()]
    return "\n\n".join(parts) + "\n"


def data(user_text: str) -> str:
    """User text inside Markdown: one line, no emphasis, link, picture, HTML or table cell comes of it."""
    return _SPECIAL.sub(r"\\\1", " ".join(_STEERING.sub(" ", user_text).split()))


class _Card:
    """The card in one language."""

    def __init__(
        self,
        translator: Translator,
        facts: Mapping[str, Any],
        check: Check,
        saved: SavedRun,
        names: Sequence[str],
        has_photo: bool,
    ) -> None:
        self._t, self._facts, self._check, self._names = translator, facts, check, names
        self._spec = saved.backbone.spec
        self._has_photo = has_photo

    def parts(self) -> list[str]:
        _ = self._t.text
        sections = (
            (_("What it is"), self._what()),
            (_("How well it did, and on which photos"), self._figures()),
            (_("When it is not sure"), self._sure()),
            (_("Limits"), self._limits()),
            (_("How to use it"), self._use()),
            (_("What is in this file"), self._files()),
            (_("How a photo is prepared"), self._preprocessing()),
            (_("Licences"), self._licences()),
            (_("Where it comes from"), self._origin()),
        )
        return [line for title, lines in sections for line in (f"### {title}", *lines)]

    def _what(self) -> list[str]:
        _ = self._t.text
        return [
            _(
                "A classifier of photos into {count} classes. It is the model {model}, of which only the visual projector was "
                "trained (ProLIP, arXiv 2410.05270) on {photos} photos.",
                count=self._t.number(len(self._facts["class_names"])),
                model=data(self._model()),
                photos=self._t.number(sum(self._facts["images_per_class"].values())),
            ),
            _("Classes, with the photos that taught each:")
            + " "
            + ", ".join(f"{data(name)} ({count})" for name, count in self._facts["images_per_class"].items()),
        ]

    def _model(self) -> str:
        known = next((one for one in catalogue.CATALOGUE if one.name == self._spec.name), None)
        return self._t.text(known.title) if known is not None else self._spec.title or self._spec.name

    def _figures(self) -> list[str]:
        _ = self._t.text
        crossed = self._facts["evaluation"] != "test"
        count = self._t.number(self._facts["prolip"]["count"])
        where = (
            _(
                "Measured on {count} photos to learn from, held out in turn: the trainings that answered a photo had not seen it "
                "or a near-copy of it. The model in this file has learnt from all of them.",
                count=count,
            )
            if crossed
            else _("Measured on {count} test photos that nothing was learnt or chosen from.", count=count)
        )
        rows = [
            (_("before the training (zero-shot)"), self._right(self._facts["zero_shot"])),
            (_("this model, as the app measured it"), self._right(self._facts["prolip"])),
        ]
        return [where, _rows((_("model"), _("right")), rows), *self._files_figures()]

    def _right(self, figures: Mapping[str, Any]) -> str:
        _ = self._t.text
        low, high = figures["accuracy_interval"]
        return _(
            "{correct} of {count}, {accuracy} (95 % interval {low}–{high})",
            correct=self._t.number(figures["correct"]),
            count=self._t.number(figures["count"]),
            accuracy=self._t.percent(figures["accuracy"], 1),
            low=self._t.percent(low, 1),
            high=self._t.percent(high, 1),
        )

    def _files_figures(self) -> list[str]:
        """What was measured with the very files of this zip."""
        _, check = self._t.text, self._check
        if not check.count:
            return [
                _("The photos of the training were not at hand, so the files were checked on made-up pictures only.")
            ]
        on = _("test photos") if check.on_test else _("photos to learn from")
        lines = [
            _(
                "Checked when this file was made: predict.py gives the class of the app's engine (float32) on {same} of {count} "
                "{on}; the largest difference of a probability is {difference}.",
                same=self._t.number(check.same),
                count=self._t.number(check.count),
                on=on,
                difference=f"{check.difference:.1e}",
            )
        ]
        if check.same_as_run is not None:
            lines.append(
                _(
                    "The run itself had answered in {precision}: the same class on {same} of {count} test photos, the largest "
                    "difference of a probability is {difference}.",
                    precision=check.run_precision,
                    same=self._t.number(check.same_as_run),
                    count=self._t.number(check.count),
                    difference=f"{check.difference_to_run or 0:.1e}",
                )
            )
        rows = [
            (name, self._measured(one), f"{one.milliseconds:.1f} ms", _megabytes(one.size_bytes))
            for name, one in ((files.FLOAT, check.float32), (files.INT8, check.int8))
            if one is not None
        ]
        if check.int8_problem is not None:
            lines.append(_("There is no int8 model: {reason}", reason=data(self._t.note(check.int8_problem))))
        head = (_("file"), _("right"), _("time per photo, one at a time"), _("size"))
        return [*lines, _rows(head, rows)]

    def _measured(self, one: Measured) -> str:
        if one.right is None or one.accuracy_interval is None:
            _ = self._t.text
            return _("not measured: there were no test photos")
        share = one.right / self._check.count
        return self._right(
            {
                "correct": one.right,
                "count": self._check.count,
                "accuracy": share,
                "accuracy_interval": one.accuracy_interval,
            }
        )

    def _sure(self) -> list[str]:
        _, rule = self._t.text, self._facts["sure"]
        if rule is None:
            return [
                _(
                    "This model has no rule for it: there were too few photos to learn one. Let a person look at its answers."
                )
            ]
        if rule["threshold"] is None:
            return [_("No threshold kept the mistakes within the limit: by its rule every photo goes to a person.")]
        lines = [
            _(
                "An answer stands alone where its confidence, corrected with the temperature {temperature}, is at least "
                "{threshold}; all others go to a person. The rule was chosen on photos to learn from, never on test photos, for "
                "at most {limit} wrong among the answers that stand alone.",
                temperature=f"{rule['temperature']:.3g}",
                threshold=f"{rule['threshold']:.3g}",
                limit=self._t.percent(rule["limit"]),
            )
        ]
        if not rule["assured"]:
            lines.append(
                _("This limit is a wish and not assured: there were too few photos, or a person chose the threshold.")
            )
        return lines

    def _limits(self) -> list[str]:
        _ = self._t.text
        return [
            "\n".join(
                f"- {line}"
                for line in (
                    _("It knows these classes only. A photo of anything else gets one of them, often without doubt."),
                    _(
                        "The figures hold for photos like the measured ones: same camera, light, background, mixture of classes."
                    ),
                    _("A confidence is no guarantee. Check some of its answers by hand, again and again."),
                    _("It is meant to sort and to suggest. Do not let it decide alone about the safety of people."),
                )
            )
        ]

    def _use(self) -> list[str]:
        _ = self._t.text
        lines = [
            _("Unpack the zip, then:"),
            _code(
                "python -m venv venv && . venv/bin/activate",
                "pip install -r requirements.txt",
                "python predict.py --self-check",
                "python predict.py PHOTO_OR_FOLDER --out answers.csv",
            ),
            _("On Windows the first line is: {line}", line="`py -m venv venv && venv\\Scripts\\activate`"),
            _(
                "Where ProLIP Studio is installed, the zip answers too: many photos with resuming, and as an HTTP service."
            ),
            _code(
                "python -m prolip_core score HAND_OVER.zip FOLDER --out answers.csv",
                "python -m prolip_core serve HAND_OVER.zip",
                "python client.py PHOTO",
            ),
        ]
        if files.CHECKPOINT in self._names:
            lines += [
                _("In plain open_clip, without any code of this project:"),
                _code("pip install open_clip_torch", "python open_clip/example.py PHOTO"),
            ]
        return lines

    def _files(self) -> list[str]:
        _ = self._t.text
        rows = [(f"`{name}`", _(files.what(name))) for name in (*self._names, files.CARD, files.SUMS)]
        lines = [_rows((_("file"), _("what it is")), rows)]
        if self._has_photo:
            lines.append(
                _(
                    "The zip holds one of your test photos. Remove it before you give the zip to somebody who may not see it."
                )
            )
        return lines

    def _preprocessing(self) -> list[str]:
        _, how = self._t.text, self._facts["preprocessing"]
        return [
            _(
                "Upright by its EXIF entry, RGB in sRGB, transparency on white. Resized ({mode}, {interpolation}) to "
                "{width} × {height} pixels; values divided by 255, minus the mean {mean}, divided by {std}.",
                mode=how["resize_mode"],
                interpolation=how["interpolation"],
                width=how["size"][1],
                height=how["size"][0],
                mean=how["mean"],
                std=how["std"],
            ),
            _(
                "With “shortest” the middle is cropped, but a photo whose sides differ by more than {ratio} times is first laid "
                "on a square of the mean colour, so that it is seen whole. A large JPEG may be decoded at a fraction of its "
                "size, down to {margin} times the input size. predict.py does all this.",
                ratio=how["long_from"],
                margin=how["decode_margin"],
            ),
        ]

    def _licences(self) -> list[str]:
        _ = self._t.text
        lines = [_("Model {model}: {licence}", model=data(self._model()), licence=_(self._spec.licence))]
        if not self._spec.commercial_use:
            lines.append(
                "**" + _("No commercial use: the licence of this model forbids it, in a company's pilot too.") + "**"
            )
        lines.append(_("The programs in this zip: Apache-2.0, as ProLIP Studio."))
        return lines

    def _origin(self) -> list[str]:
        _, facts = self._t.text, self._facts
        rows = [
            (_("trained"), facts["run_created"]),
            (_("handed over"), facts["created"]),
            (_("fingerprint of the photos"), f"`{facts['data_sha256']}`"),
            (_("fingerprint of the model before the training"), f"`{facts['backbone_sha256']}`"),
            (_("fingerprint of the trained projector"), f"`{facts['projector_sha256']}`"),
            (_("versions"), ", ".join(f"{name} {number}" for name, number in facts["versions"].items())),
        ]
        return [_rows((_("what"), _("value")), rows)]


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _code(*lines: str) -> str:
    return "\n".join(f"    {line}" for line in lines)


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB"
