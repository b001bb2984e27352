"""The connection: SQLite in the data folder, or whatever `PROLIP_DATABASE_URL` names; brought to the newest schema on opening."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import filelock
import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine, column, create_engine, event, select, table
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from prolip_core import config
from prolip_core.errors import StorageError

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_S = 15
"""So long a writer waits for another one."""


class Database:
    """Gives sessions. Safe for threads; every process opens its own."""

    def __init__(self, engine: Engine) -> None:
        # PostgreSQL shows each statement the newest state unless it is asked for one state throughout.
        steady = {"isolation_level": "REPEATABLE READ"} if engine.dialect.name == "postgresql" else {}
        self._reader = engine.execution_options(**steady)
        self._writer = engine.execution_options(prolip_begin="BEGIN IMMEDIATE")

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one state of the database throughout. Raises StorageError."""
        with _told(), Session(self._reader, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction: all of it or nothing; one writer at a time, on every kind of database. Raises StorageError."""
        with _told(), Session(self._writer, expire_on_commit=False) as session, session.begin():
            if self._reader.dialect.name != "sqlite":  # which has BEGIN IMMEDIATE for this
                session.execute(select(column("version_num")).select_from(table("alembic_version")).with_for_update())
            yield session

    def empty_journal(self) -> None:
        """SQLite keeps what was overwritten in a journal beside the file: takes that in and empties it. If somebody is reading
        just now, it is left for the next time."""
        if self._reader.dialect.name != "sqlite":
            return
        with _told(), contextlib.closing(self._reader.raw_connection()) as connection:
            cursor = connection.cursor()
            cursor.execute("PRAGMA busy_timeout = 500")
            try:
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                cursor.fetchall()
            finally:
                cursor.execute(f"PRAGMA busy_timeout = {BUSY_S * 1000}")
                cursor.close()

    def close(self) -> None:
        self._reader.dispose()


def open_database(url: str | None = None) -> Database:
    """The database of `config.database_url()`, made if it is not there and brought to the newest schema.

    Raises StorageError if it cannot be opened, or was written by a newer version of this product.
    """
    url = url or config.database_url()
    try:
        engine = create_engine(make_url(url))
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise StorageError(
            "The database address in PROLIP_DATABASE_URL cannot be used: {cause}.",
            remedy="Correct it, install its driver, or remove the setting: then a file in the data folder is used.",
            cause=str(error).splitlines()[0],
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    with _told():
        # The server and its workers open at the same time; one of them migrates. The name holds no part of the address: it
        # may carry a password.
        name = f".migrate-{hashlib.sha256(url.encode()).hexdigest()[:12]}.lock"
        with filelock.FileLock(config.data_folder() / name):
            _migrate(engine)
    return Database(engine)


def now() -> datetime:
    return datetime.now(UTC)


def migration_config(connection: Connection) -> Config:
    """Alembic's settings for this connection; there is no alembic.ini to keep."""
    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    settings.attributes["connection"] = connection
    return settings


def _migrate(engine: Engine) -> None:
    try:
        with engine.connect() as connection, _without_foreign_keys(connection), connection.begin():
            command.upgrade(migration_config(connection), "head")
    except CommandError as error:  # it does not know the revision that the database names
        raise StorageError(
            "The database was written by a newer version of ProLIP Studio.",
            remedy="Update ProLIP Studio, or choose another data folder with PROLIP_HOME.",
        ) from error


@contextmanager
def _without_foreign_keys(connection: Connection) -> Iterator[None]:
    """SQLite changes a table by making it anew. Dropping the old one would take along the rows that refer to it; inside a
    transaction this cannot be turned off any more."""
    driver = connection.connection.dbapi_connection
    if connection.dialect.name != "sqlite" or driver is None:
        yield
        return
    driver.cursor().execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        driver.cursor().execute("PRAGMA foreign_keys = ON")


@contextmanager
def _told() -> Iterator[None]:
    """What the database refuses, as an error for a person."""
    try:
        yield
    except DBAPIError as error:
        raise StorageError(
            "The database cannot be used: {cause}.",
            remedy="Check that the disk is not full and that you may write to the data folder, then try again.",
            cause=str(error.orig).splitlines()[0] if error.orig else type(error).__name__,
        ) from error
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise StorageError(
            "The database cannot be used: {cause}.",
            remedy="Check that the disk is not full and that you may write to the data folder, then try again.",
            cause=str(error).splitlines()[0],
        ) from error
    except filelock.Timeout as error:
        raise StorageError(
            "The database is being changed by another program.", remedy="Wait a moment and try again."
        ) from error


def _prepare_sqlite(connection: Any, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # transactions are begun below, not by the driver
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")  # readers and one writer do not wait for each other
    cursor.execute("PRAGMA synchronous = NORMAL")  # safe with WAL: a crash loses no committed change of the program
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA secure_delete = ON")  # what was deleted is overwritten
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_S * 1000}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the lock at once: taken later, it could meet a change made meanwhile and would have to give up.
    connection.exec_driver_sql(connection.get_execution_options().get("prolip_begin", "BEGIN"))
