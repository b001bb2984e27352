"""The photos that are there: by class, tag and use, page by page, with everything that can be done with the ticked ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import streamlit as st

from pages.ui import cached, components, guards, photo_add, photo_grid, photo_tags, session
from pages.ui.photo_grid import Tile, Word
from pages.ui.text import _, _n, number, short
from prolip_core import storage
from prolip_core.storage.records import ClassRow, Photo

ALL = 0


@guards.fragment()
def show(project_id: str, classes: Sequence[ClassRow], photos: Sequence[Photo]) -> None:
    """Filters, the grid, the actions. Turning pages and filtering draws only this part anew."""
    names = {row.id or ALL: row.display_name for row in classes}
    chosen_class = _class_filter(project_id, names, photos)
    of_class = [photo for photo in photos if chosen_class in (ALL, photo.class_id)]
    tag, of_tag = photo_tags.chosen_by_tag(project_id, of_class)
    use = _use_filter(of_tag)
    shown = [photo for photo in of_tag if _has_use(photo, use)]
    row = next((row for row in classes if row.id == chosen_class), None)
    if row is not None:
        photo_add.add_to_class(project_id, row)
    if not shown:
        st.info(_("There is no photo here yet. Drop some anywhere on this page."))
        return
    view = f"{chosen_class}_{use}_{hash(tag)}"
    part = components.page_of(shown, key=f"photos_page_{view}")
    # Enter in a field would press the form's first button, which moves the ticked photos.
    with st.form("photo_actions", border=False, enter_to_submit=False):
        ticked = photo_grid.pick(
            [_tile(photo, names, chosen_class) for photo in part],
            key=f"photos_{view}_{session.round_of('ticks')}",
            among=[photo.id for photo in shown],
        )
        _actions(project_id, ticked, names, photos)


def _class_filter(project_id: str, names: dict[int, str], photos: Sequence[Photo]) -> int:
    counts = Counter(photo.class_id for photo in photos)
    titles = {ALL: _("All classes ({count})", count=number(len(photos)))}
    titles.update({id_: f"{short(name, 40)} ({number(counts[id_])})" for id_, name in names.items()})
    return components.box(st.container(key="photos_class"), _("Class"), titles, f"class_of_{project_id}")


def _use_filter(photos: Sequence[Photo]) -> str:
    words = {
        "all": _("All"),
        "train": _("To learn from"),
        "test": _("To test on"),
        "excluded": _("Excluded"),
    }
    counts = {use: sum(_has_use(photo, use) for photo in photos) for use in words}
    chosen = st.segmented_control(
        _("Use"),
        list(words),
        default="all",
        required=True,
        wrap=True,
        format_func=lambda use: f"{words[use]} ({number(counts[use])})",
        key="photos_use",
        label_visibility="collapsed",
    )
    return chosen or "all"


def _has_use(photo: Photo, use: str) -> bool:
    if use == "excluded":
        return photo.excluded
    return (not photo.excluded and use in ("all", photo.role)) or (use == "all" and photo.excluded)


def _tile(photo: Photo, names: dict[int, str], chosen_class: int) -> Tile:
    words: list[Word] = [] if chosen_class else [(names.get(photo.class_id, ""), "")]
    if photo.excluded:
        words.append((_("excluded"), "orange"))
    elif photo.role == "test":
        words.append((_("test"), "blue"))
    words += photo_tags.words(photo)
    return Tile(photo.id, photo.image_id, photo.record.filename, words)


def _actions(project_id: str, ticked: list[int], names: dict[int, str], photos: Sequence[Photo]) -> None:
    db = cached.database()
    target_column, move_column = st.columns([3, 2], vertical_alignment="bottom")
    target = components.box(
        target_column,
        _("Move the ticked photos to"),
        {id_: short(name) for id_, name in names.items()},
        f"move_target_{project_id}",
    )
    moved = move_column.form_submit_button(_("Move"), width="stretch")
    buttons = st.columns(5)
    pressed = {
        "exclude": buttons[0].form_submit_button(
            _("Exclude"), width="stretch", help=_("The photos stay, but are not used.")
        ),
        "restore": buttons[1].form_submit_button(_("Include again"), width="stretch"),
        "test": buttons[2].form_submit_button(_("Use to test"), width="stretch"),
        "train": buttons[3].form_submit_button(_("Use to learn"), width="stretch"),
        "delete": buttons[4].form_submit_button(
            _("Delete"),
            width="stretch",
            help=_("Can be undone for 10 minutes; then the files are removed from the disk."),
        ),
    }
    asked = photo_tags.ask(project_id, photos)
    action = "move" if moved else next((name for name, is_pressed in pressed.items() if is_pressed), None)
    if action is None and asked is None:
        return
    if not ticked:
        st.warning(_("Tick the photos first."))
        return
    with guards.told():
        changed = len(ticked)
        if asked is not None:
            changed = photo_tags.carry_out(project_id, asked, ticked)
        elif action == "move" and target:
            storage.photos.move(db, ticked, target)
        elif action == "exclude":
            storage.photos.exclude(db, ticked)
        elif action == "restore":
            storage.photos.restore(db, ticked)
        elif action in ("test", "train"):
            storage.photos.set_role(db, ticked, "test" if action == "test" else "train")
        elif action == "delete":
            storage.photos.delete(db, ticked)
        session.say_later(_n("Done: {count} photo.", "Done: {count} photos.", changed))
        session.next_round("ticks")
        st.rerun()
