"""Photos that are dropped to be answered and not to belong to any class: checked as all others, kept for a while only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import streamlit as st

from pages.ui import _compat, cached, session
from pages.ui.text import _, _n, kept_error, safe
from prolip_core import jobs, uploads
from prolip_core.types import RejectedFile
from prolip_core.uploads import UploadFile

Photos = Sequence[Mapping[str, Any]]
"""Records of photos as `asdict` gives them: what a study's settings can hold."""

Refused = Sequence[Mapping[str, Any]]
"""Files that were not taken: "filename", and what `jobs.error_as_dict` gives."""

REFUSED = "refused"
"""Their place in a study's settings."""

SHOWN_FILES = 50


def drop(name: str, label: str) -> Photos:
    """A zone to drop photos on; gives what has just arrived and passed the checks, once. What did not pass is told."""
    files = st.file_uploader(label, accept_multiple_files=True, key=f"{name}_{session.round_of(name)}")
    st.caption(_("They belong to no class, teach nothing, and are cleared away after an hour."))
    found: list[Mapping[str, Any]] = []
    if files:
        session.next_round(name)
        rejected: list[RejectedFile] = []
        try:
            given = [UploadFile(file.name, file.getvalue()) for file in files]
            for one in uploads.check(given, cached.photo_store(), cached.thumbnail_store()):
                if one.photo is not None:
                    found.append(asdict(one.photo.photo.record))
                if one.rejected is not None:
                    rejected.append(one.rejected)
        finally:
            _compat.forget_uploads(files)
        session.put(_key(name), as_refused(rejected))
    tell_refused(session.get(_key(name), []))
    # The very same photo twice says nothing new.
    return list({photo["image_id"]: photo for photo in found}.values())


def ids(photos: Photos) -> list[str]:
    """What `studies.NEEDS` and `studies.KEEPS` hold."""
    return [photo["image_id"] for photo in photos]


def still_there(photos: Photos) -> Photos:
    """Those that are not cleared away yet."""
    return [photo for photo in photos if photo["image_id"] in cached.photo_store()]


def take_refused(name: str) -> Refused:
    """What the zone has refused last, once: from here on whoever keeps the photos tells it."""
    found: Refused = session.get(_key(name), [])
    session.drop(_key(name))
    return found


def as_refused(files: Sequence[RejectedFile]) -> Refused:
    """For the settings of a study, so that it is told as long as the study is."""
    return [{"filename": file.filename, **jobs.error_as_dict(file.error)} for file in files]


def tell_refused(refused: Refused) -> None:
    """Name, reason and remedy of each, the first of them."""
    if not refused:
        return
    lines = [_n("**{count}** file was not taken:", "**{count}** files were not taken:", len(refused))]
    for one in refused[:SHOWN_FILES]:
        reason, remedy = kept_error(one)
        lines.append(
            "- " + _("{filename}: {reason} {remedy}", filename=safe(str(one["filename"])), reason=reason, remedy=remedy)
        )
    if len(refused) > SHOWN_FILES:
        lines.append("- …")
    st.warning("\n".join(lines))


def _key(name: str) -> str:
    return f"{name}_rejected"
