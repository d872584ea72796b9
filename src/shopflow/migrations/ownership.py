"""Whose the schema is: said to a login that may not migrate it, before anything is done."""

from __future__ import annotations

from typing import LiteralString

from psycopg import Connection

from shopflow.errors import MigrationError
from shopflow.postgres import roles
from shopflow.settings import Settings

# Where there is no schema yet, the database's owner makes it.
_STRANGER: LiteralString = """
    SELECT coalesce('schema ' || n.nspname, 'database ' || d.datname) AS what,
           pg_get_userbyid(coalesce(n.nspowner, d.datdba))::text AS owner,
           current_user::text AS login
    FROM pg_database AS d
    LEFT JOIN pg_namespace AS n ON n.nspname = %(schema)s
    WHERE d.datname = current_database()
      AND NOT pg_has_role(current_user, coalesce(n.nspowner, d.datdba), 'USAGE')
"""
_NO_MEMBER: LiteralString = """
    SELECT current_user::text
    FROM pg_roles
    WHERE rolname = %(owner)s AND NOT pg_has_role(current_user, oid, 'SET')
"""


def advice(connection: Connection, schema: str) -> str | None:
    """Return who owns `schema` and what to do; None when the login has its owner's rights.

    Args:
        connection: in no failed transaction.
        schema: the shop's; where it is missing, it is about the database.
    """
    found = connection.execute(_STRANGER, {"schema": schema}).fetchone()
    if found is None:
        return None
    what, owner, login = found
    return (
        f"the {what} belongs to {owner}, and this login is {login}: run it as {owner}, or set"
        " another SHOPFLOW_SCHEMA if the roles belong to another shop"
    )


def want_set_role(connection: Connection, settings: Settings) -> None:
    """Refuse a login that could not hand what it makes to the shop's owner role.

    Raises:
        MigrationError: the role is there, and the login may not SET ROLE to it.
    """
    owner = roles.name_of(settings, "owner")
    found = connection.execute(_NO_MEMBER, {"owner": owner}).fetchone()
    if found is not None:
        raise MigrationError(
            f"the role {owner} is to own what is migrated, and this login, {found[0]}, may not"
            f" SET ROLE to it: run it as {owner}, or set another SHOPFLOW_SCHEMA if the roles"
            " belong to another shop; nothing was applied"
        )
