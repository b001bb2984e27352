"""A finished hand-over file: download, what was checked, float against int8, what is in it, and the engineer's first lines."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from pages.ui.text import _, note, number, percent, right_of
from prolip_core import i18n
from prolip_core.handover import files
from prolip_core.storage.records import RunSummary, StudyRecord

_MEGABYTE = 1_000_000


def show(record: StudyRecord, run: RunSummary) -> None:
    """All of it, from the top."""
    result = record.result
    _download(result, run)
    if result["threshold"] != run.threshold:
        st.warning(
            _(
                "The threshold for “not sure” was changed since this file was made. Make it again to take the new one along."
            )
        )
    _checked(result["check"])
    _float_and_int8(result["check"])
    _lines()
    _contents(result)


def _download(result: Mapping[str, Any], run: RunSummary) -> None:
    path = files.export_path(run.id)
    if not path.is_file():
        st.error(_("The file is not in the data folder any more. Make it again."))
        return

    def whole() -> bytes:  # read when the button is pressed, and not with every click on the page
        return Path(path).read_bytes()

    st.download_button(
        _("Download the hand-over file ({size} MB)", size=number(round(result["size_bytes"] / _MEGABYTE, 1))),
        data=whole,
        file_name=f"hand-over-{run.number}.zip",
        mime="application/zip",
        type="primary",
        on_click="ignore",
        key=f"download_{run.id}",
    )
    if result["test_photo"]:
        st.caption(_("It holds one of your test photos for the self-check. Nothing else of your photos is in it."))


def _checked(check: Mapping[str, Any]) -> None:
    """Whether the file answers as the app does."""
    st.subheader(_("Does the file answer as the app does?"), anchor=False)
    if not check["count"]:
        st.warning(
            _("None of the photos of this result is here any more, so the file was checked on made-up pictures only.")
        )
        return
    count, same = number(check["count"]), number(check["same"])
    difference = f"{check['difference']:.1e}"
    if check["on_test"]:
        text = _(
            "The same answer on **{same} of {count}** test photos. The largest difference of a confidence: {difference}.",
            same=same,
            count=count,
            difference=difference,
        )
    else:
        text = _(
            "The same answer on **{same} of {count}** photos to learn from (there are no test photos). The largest difference "
            "of a confidence: {difference}.",
            same=same,
            count=count,
            difference=difference,
        )
    (st.success if check["same"] == check["count"] else st.warning)(text)
    if check["same_as_run"] is not None and check["run_precision"] != "float32":
        st.caption(
            _(
                "The training computed faster and less exactly ({precision}), as this processor can. Its own answers, which the "
                "other pages show, are the same on {same} of {count} test photos; the others differ by this rounding.",
                precision=check["run_precision"],
                same=number(check["same_as_run"]),
                count=count,
            )
        )


def _float_and_int8(check: Mapping[str, Any]) -> None:
    """The exact model beside the small one."""
    measured = [
        (name, check[key])
        for name, key in ((_("exact (float32)"), "float32"), (_("small (int8)"), "int8"))
        if check[key]
    ]
    if not measured:
        return
    st.subheader(_("Exact or small?"), anchor=False)
    st.markdown(_("The file holds the model twice. The small one counts in whole numbers (int8), for slow computers."))
    rows = [
        {
            _("model"): name,
            _("how often it was right"): _right(one, check["count"]),
            _("time per photo"): _("{ms} ms", ms=number(round(one["milliseconds"], 1))),
            _("size"): _("{size} MB", size=number(round(one["size_bytes"] / _MEGABYTE, 1))),
            _("answers as the exact one"): _(
                "{same} of {count}", same=number(one["same"]), count=number(check["count"])
            ),
        }
        for name, one in measured
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True)
    if check["int8_problem"] is not None:
        st.warning(_("There is no int8 model: {reason}", reason=note(i18n.note_of(check["int8_problem"]))))
    if check["on_test"]:
        st.caption(
            _(
                "Measured on {count} test photos that nothing was learnt or chosen from; the range of numbers of the small model "
                "was set with photos to learn from. Time: one photo at a time on this computer, without reading the file.",
                count=number(check["count"]),
            )
        )


def _right(one: Mapping[str, Any], count: int) -> str:
    if one["right"] is None:
        return _("not measured: there were no test photos")
    low, high = one["accuracy_interval"]
    return f"{percent(one['right'] / count, 1)} · {right_of(one['right'], count, low, high)}"


def _lines() -> None:
    st.subheader(_("For the engineer"), anchor=False)
    st.markdown(_("Unpack the file, open a terminal in its folder (Python 3.11 or newer), and type:"))
    st.code(
        "pip install -r requirements.txt\npython predict.py --self-check\npython predict.py PHOTO_OR_FOLDER --out answers.csv",
        language="bash",
    )
    st.caption(
        _(
            "README.md in the file tells the rest, in English and Japanese: limits, licences, the HTTP service, open_clip."
        )
    )


def _contents(result: Mapping[str, Any]) -> None:
    """Every file with what it is, the largest first."""
    with st.expander(_("What is in the file")):
        rows = [
            {
                _("file"): entry["name"],
                _("size"): _size(entry["size_bytes"]),
                _("what it is"): _(files.what(entry["name"])),
            }
            for entry in sorted(result["entries"], key=lambda entry: -int(entry["size_bytes"]))
        ]
        st.dataframe(pd.DataFrame(rows), hide_index=True, height="content")


def _size(size_bytes: int) -> str:
    if size_bytes < _MEGABYTE / 10:
        return _("{size} KB", size=number(round(size_bytes / 1000, 1)))
    return _("{size} MB", size=number(round(size_bytes / _MEGABYTE, 1)))
