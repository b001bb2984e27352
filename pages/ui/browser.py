"""What only the browser can do: Streamlit's own English words in the user's language, and a drop zone as large as the page."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.ui.text import _

DROP_ZONE = "page-drop-zone"
"""Key of the container whose uploader takes what is dropped anywhere on the page."""

_FOLDER = Path(__file__).parent
_COMPONENT = st.components.v2.component(
    "prolip_browser", html="<span></span>", js=(_FOLDER / "browser.js").read_text(encoding="utf-8")
)
_STYLE = (_FOLDER / "page.css").read_text(encoding="utf-8")


def prepare(language: str) -> None:
    """Draws nothing. To be called once in every run."""
    st.html(f"<style>{_STYLE}</style>")
    _COMPONENT(
        key="prolip_browser",
        data={
            "language": language,
            "words": built_in_words(),
            "patterns": built_in_patterns(),
            "dropZone": DROP_ZONE,
            "dropHere": _("Drop the photos anywhere"),
        },
        height=1,
    )


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
        "Take Photo": _("Take photo"),
        "Clear photo": _("Take another photo"),
        "Switch camera": _("Switch camera"),
        "This app would like to use your camera.": _("The app needs your permission to use the camera."),
        "Learn how to allow access.": _("How to allow it"),
    }


def _field_words() -> dict[str, str]:
    return {
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
        "Close Search": _("Close the search"),
        "Next Result": _("Next"),
        "Previous Result": _("Back"),
        "Download as CSV": _("Download as CSV"),
        "Show/hide columns": _("Show or hide columns"),
        "Fullscreen": _("Full screen"),
        "Close fullscreen": _("Leave full screen"),
        "Add row": _("Add a row"),
        "Add...": _("Add …"),
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
        "empty": _("empty"),
        "Loading...": _("Loading …"),
        "Open in new tab": _("Open in a new tab"),
        "Save as SVG": _("Save as SVG"),
        "Save as PNG": _("Save as PNG"),
        "Copy to clipboard": _("Copy"),
        "Close": _("Close"),
        "Close sidebar": _("Close the side bar"),
        "Show more": _("Show more"),
        "View less": _("Show less"),
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
        (r"^Page (\d+)$", _("Page {number}", number="$1")),
        (r"^Error uploading file.*$", _("This file could not be received. Try again, or add fewer files at once.")),
        (r"^File must be (\S+) or smaller\.$", _("A file may have {size} at most.", size="$1")),
        (
            r"^Number is above the allowed range\. Please enter a value less than or equal to (.+)\.$",
            _("The number may be {number} at most.", number="$1"),
        ),
        (
            r"^Number is below the allowed range\. Please enter a value greater than or equal to (.+)\.$",
            _("The number must be {number} at least.", number="$1"),
        ),
    ]
