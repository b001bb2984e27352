"""Numbers of photos, classes and undo steps are never given twice

Revision: 0002, after 0001
"""

from alembic import op

revision = "0002"
down_revision = "0001"

TABLES = ("class", "photo", "undo")


def upgrade() -> None:
    _make_anew(autoincrement=True)


def downgrade() -> None:
    _make_anew(autoincrement=False)


def _make_anew(*, autoincrement: bool) -> None:
    """Only SQLite gives the number of the last row again once that row was deleted."""
    if op.get_bind().dialect.name == "sqlite":
        for table in TABLES:
            with op.batch_alter_table(table, recreate="always", table_kwargs={"sqlite_autoincrement": autoincrement}):
                pass
