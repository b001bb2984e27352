"""What only the browser can do: Streamlit's own English words in the user's language, a drop zone as large as the page that takes
folders too, and photos that ask to be shown large."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from pages.ui import guards, photo_large, session
from pages.ui.text import _, number

DROP_ZONE = "page-drop-zone"
"""Key of the container whose uploader takes what is dropped anywhere on the page."""

MAX_FILES = 1000
"""Browsers lose files of larger drops without telling (measured: about 1,400 of 2,500 arrived)."""

_FOLDER = Path(__file__).parent
_SCRIPTS = ("browser_words.js", "browser_drop.js", "browser.js")
_COMPONENT = st.components.v2.component(
    "prolip_browser",
    html="<span></span>",
    js="\n".join((_FOLDER / name).read_text(encoding="utf-8") for name in _SCRIPTS),
)
_STYLE = (_FOLDER / "page.css").read_text(encoding="utf-8")


def prepare(language: str) -> None:
    """Draws nothing. To be called once in every run."""
    st.html(f"<style>{_STYLE}</style>")
    _listen(language)


@guards.fragment()
def _listen(language: str) -> None:
    """What the page tells runs this part alone: a photo is open before the page behind it could be drawn anew."""
    told: Any = _COMPONENT(
        key="prolip_browser",
        data={
            "language": language,
            "words": built_in_words(),
            "patterns": built_in_patterns(),
            "dropZone": DROP_ZONE,
            "dropHere": _("Drop the photos anywhere"),
            "maxFiles": MAX_FILES,
        },
        height=1,
        on_enlarge_change=_nothing,
        on_refused_change=_nothing,
    )
    if told.refused:
        _say_refused(str(told.refused))
    if told.enlarge:
        photo_large.show(session.project_id(), told.enlarge)


def _nothing() -> None:
    """Streamlit hands on only what has a callback."""


def _say_refused(why: str) -> None:
    """In the middle of the window: a message at the edge would be cut, and is easily missed after a drop."""
    if why == "empty":
        text = _("There is no file in this folder.")
    elif why == "gone":
        text = _("The page was busy with other files when the folder had been read. Drop it once more.")
    elif why == "unreadable":
        text = _(
            "This folder cannot be read. Copy it to this computer and drop the copy, or choose it with the button."
        )
    else:
        text = _(
            "These are more than {limit} files, and the browser would lose some of them. Pack the folder into one zip file and "
            "drop that, or drop fewer files at once.",
            limit=number(MAX_FILES),
        )

    @st.dialog(_("Nothing was added"))
    def dialog() -> None:
        st.markdown(text)

    dialog()


def built_in_words() -> dict[str, str]:
    """Streamlit's own words, as they stand in the page → in the user's language."""
    return {**_uploader_words(), **_field_words(), **_table_words(), **_state_words()}


def _uploader_words() -> dict[str, str]:
    return {
        "Upload": _("Choose files"),
        "Upload directories": _("Choose a folder"),
        "Add files": _("Add files"),
        "Drag and drop files here": _("Drag files here"),
        "Drag and drop a file here": _("Drag a file here"),
        "Drag and drop directories here": _("Drag a folder here"),
        "Uploading...": _("Receiving …"),
        "Error:": _("Error:"),
        "Upload failed": _not_received(),
        "Unexpected error. Please try again.": _not_received(),
        "Take Photo": _("Take photo"),
        "Clear photo": _("Take another photo"),
        "Switch camera": _("Switch camera"),
        "This app would like to use your camera.": _("The app needs your permission to use the camera."),
        "Learn how to allow access.": _("How to allow it"),
    }


def _not_received() -> str:
    return _("This file could not be received. Try again, or add fewer files at once.")


def _field_words() -> dict[str, str]:
    return {
        "Help": _("Explanation"),
        "Open": _("Open"),
        "Choose an option": _("Choose"),
        "Choose options": _("Choose"),
        "No results": _("Nothing found"),
        "Select all": _("Select all"),
        "Clear all": _("Clear all"),
        "Clear value": _("Clear"),
        "Clear selection": _("Clear the selection"),
        "Press Enter to apply": _("Press Enter to apply"),
        "Press Enter to submit form": _("Press Enter to apply"),
        "Increment": _("More"),
        "Decrement": _("Less"),
        "Invalid input.": _("This cannot be read."),
        "Number is above the allowed range.": _("The number is too large."),
        "Number is below the allowed range.": _("The number is too small."),
        "Next page": _("Next page"),
        "Previous page": _("Previous page"),
        "Pagination": _("Pages"),
    }


def _table_words() -> dict[str, str]:
    return {
        "Search": _("Search"),
        "Type to search": _("Type to search"),
        "Close Search": _("Close the search"),
        "Next Result": _("Next"),
        "Previous Result": _("Back"),
        "Download as CSV": _("Download as CSV"),
        "Show/hide columns": _("Show or hide columns"),
        "Fullscreen": _("Full screen"),
        "Close fullscreen": _("Leave full screen"),
        "Add row": _("Add a row"),
        "Delete row(s)": _("Delete the rows"),
        "Sort ascending": _("Sort upwards"),
        "Sort descending": _("Sort downwards"),
        "Pin column": _("Keep the column in view"),
        "Unpin column": _("Let the column scroll"),
        "Hide column": _("Hide the column"),
        "Autosize": _("Fit the width"),
        "Format": _("Format"),
        "Statistics": _("Statistics"),
        "Copy column name": _("Copy the column's name"),
        "Show data": _("Show the data"),
        "Show chart": _("Show the chart"),
        "Download as PNG": _("Download as PNG"),
        "Copy Vega-Lite spec": _("Copy the chart's description (Vega-Lite)"),
        "Copied!": _("Copied"),
        "Copy to clipboard": _("Copy"),
        "Close": _("Close"),
        "Collapse sidebar": _("Close the side bar"),
        "Expand sidebar": _("Open the side bar"),
        "Skip to main content": _("Skip to the content"),
        "view more": _("Show more"),
        "view less": _("Show less"),
    }


def _state_words() -> dict[str, str]:
    return {
        "Running...": _("Working …"),
        "Stop": _("Stop"),
        "Stopping...": _("Stopping …"),
        "Please wait...": _("Please wait …"),
        "CONNECTING": _("Connecting …"),
        "Connecting": _("Connecting …"),
        "Connection error": _("No connection"),
        "Connection closed": _("No connection"),
        "Connecting to Streamlit server": _("Connecting to the program"),
        "Is Streamlit still running? If you accidentally stopped Streamlit, just restart it in your terminal:": _(
            "Is the program still running? If it was stopped, start it again:"
        ),
        "Streamlit server is not responding. Are you connected to the internet?": _(
            "The program does not answer. Is it still running, and is this computer still connected to it?"
        ),
        "Connection lost. Please wait for the app to reconnect, then try again.": _(
            "The connection is lost. Wait until it is back, then try again."
        ),
    }


def built_in_patterns() -> list[tuple[str, str]]:
    """Streamlit's own sentences with a part that changes: regular expression → in the user's language, $1 … for the parts."""
    return [
        (r"^(\S+) per file(?: • (.*))?$", _("At most {size} a file", size="$1")),
        (r"^(?:Limit )?(\S+) per file • (.*)$", _("At most {size} a file", size="$1")),
        (r"^Help for (.+)$", _("Explanation of {name}", name="$1")),
        (r"^Remove (.+)$", _("Remove {name}", name="$1")),
        (r"^Cancel upload of (.+)$", _("Do not add {name}", name="$1")),
        (r"^Page (\d+)$", _("Page {number}", number="$1")),
        (r"^(?:Error: )?(?:\w*Error: .*|Error uploading file.*|Upload failed)$", _not_received()),
        (r"^(?:Error: )?File must be (\S+) or smaller\.$", _("A file may have {size} at most.", size="$1")),
        (
            r"^Number is above the allowed range\. Please enter a value less than or equal to (.+)\.$",
            _("The number may be {number} at most.", number="$1"),
        ),
        (
            r"^Number is below the allowed range\. Please enter a value greater than or equal to (.+)\.$",
            _("The number must be {number} at least.", number="$1"),
        ),
    ]
