"""Two people change the classes of one project at the same time: neither loses anything."""

from __future__ import annotations

import pytest

from prolip_core import spec, storage
from prolip_core.errors import PromptError
from prolip_core.spec import PilotSpec
from prolip_core.storage import Database
from prolip_core.storage.classes import merged
from prolip_core.storage.records import ClassRow

NUT, BOLT, GEAR = (ClassRow(id_, name, (name.lower(),)) for id_, name in enumerate(("Nut", "Bolt", "Gear"), start=1))
NEW = ClassRow(None, "Pin", ("pin",))
RING = ClassRow(1, "Ring", ("ring",))


@pytest.mark.parametrize(
    ("there", "seen", "wanted", "becomes"),
    [
        ((NUT, BOLT), (NUT, BOLT), (NUT, BOLT, NEW), (NUT, BOLT, NEW)),
        ((NUT, BOLT, GEAR), (NUT, BOLT), (NUT, BOLT, NEW), (NUT, BOLT, GEAR, NEW)),  # added there: stays
        ((NUT, BOLT, GEAR), (NUT, BOLT), (NUT,), (NUT, GEAR)),
        ((NUT,), (NUT, BOLT), (NUT, BOLT, NEW), (NUT, NEW)),  # deleted there: stays deleted
        ((RING, BOLT), (NUT, BOLT), (NUT,), (RING,)),  # renamed there: stays renamed
        ((NUT, BOLT), (RING, BOLT), (NUT, BOLT), (NUT, BOLT)),
        # Its English name changed there, its own name here: both.
        (
            (ClassRow(1, "Nut", ("hex nut",)),),
            (NUT,),
            (ClassRow(1, "Mutter", ("nut",)),),
            (ClassRow(1, "Mutter", ("hex nut",)),),
        ),
        ((BOLT, NUT), (NUT, BOLT), (RING, BOLT), (BOLT, RING)),  # another order there: stays
        ((NUT, BOLT, GEAR), (NUT, BOLT), (BOLT, NUT), (BOLT, NUT, GEAR)),
        ((NUT, GEAR), (NUT,), (NUT, ClassRow(None, "Gear", ("cog",))), (NUT, GEAR)),  # both added it: one class
    ],
)
def test_both_changes_are_kept(
    there: tuple[ClassRow, ...], seen: tuple[ClassRow, ...], wanted: tuple[ClassRow, ...], becomes: tuple[ClassRow, ...]
) -> None:
    assert merged(there, seen, wanted) == becomes


def test_a_class_that_was_added_meanwhile_is_not_deleted(db: Database) -> None:
    project = storage.projects.create(db, "Parts", spec.as_dict(PilotSpec()))
    seen = storage.classes.save(db, project.id, [ClassRow(None, "Nut", ("nut",))])
    storage.classes.save(db, project.id, [*seen, ClassRow(None, "Bolt", ("bolt",))], seen=seen)
    after = storage.classes.save(db, project.id, [*seen, NEW], seen=seen)
    assert [row.display_name for row in after] == ["Nut", "Bolt", "Pin"]
    storage.undo.take_back(db, project.id)
    assert [row.display_name for row in storage.classes.list_(db, project.id)] == ["Nut", "Bolt"]


def test_a_name_that_somebody_else_has_just_taken_is_refused(db: Database) -> None:
    project = storage.projects.create(db, "Parts", spec.as_dict(PilotSpec()))
    seen = storage.classes.save(db, project.id, [ClassRow(None, "Nut", ("nut",))])
    storage.classes.save(db, project.id, [*seen, ClassRow(None, "Ring", ("ring",))], seen=seen)
    with pytest.raises(PromptError, match="used twice"):
        storage.classes.save(db, project.id, [ClassRow(seen[0].id, "Ring", ("ring",))], seen=seen)
    assert [row.display_name for row in storage.classes.list_(db, project.id)] == ["Nut", "Ring"]
