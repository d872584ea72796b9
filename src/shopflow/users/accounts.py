"""An account's own data: reading it, names, role, and its end."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
from psycopg import AsyncConnection

from shopflow.errors import InvalidInputError, NotFoundError
from shopflow.ids import UserId
from shopflow.postgres.pool import Pool
from shopflow.postgres.transactions import run_transaction
from shopflow.users.errors import NotPermittedError
from shopflow.users.limiting import QUERIES
from shopflow.users.models import Role, User
from shopflow.users.registering import check_names


class _RoleSet(msgspec.Struct, frozen=True):
    permitted: bool
    changed: bool


async def get_user(connection: AsyncConnection[Any], user_id: UserId) -> User:
    """Return an account.

    Raises:
        NotFoundError: when there is none, or it is deleted.
    """
    user = await QUERIES["get_user"].row(connection, User, user_id=user_id)
    if user is None:
        raise NotFoundError("user", user_id)
    return user


async def rename(
    connection: AsyncConnection[Any], user_id: UserId, *, first_name: str, last_name: str
) -> None:
    """Change the names of an account; orders keep those they were placed with.

    Raises:
        NotFoundError: when there is no such user.
        InvalidInputError: for a name that is empty or longer than 100 characters.
    """
    check_names(first_name, last_name)
    params = {"user_id": user_id, "first_name": first_name, "last_name": last_name}
    if not await QUERIES["rename_user"].execute(connection, **params):
        raise NotFoundError("user", user_id)


async def set_role(
    connection: AsyncConnection[Any], user_id: UserId, role: Role, *, by: UserId | None
) -> None:
    """Change what an account may do; the only way to another role than customer.

    Args:
        connection: to the database.
        user_id: whose role.
        role: `customer`, `merchant` or `admin`.
        by: the admin who does it, who is one at that very moment; None for the shop itself, such
            as the first admin's from a command.

    Raises:
        NotPermittedError: when `by` is no admin.
        NotFoundError: when there is no such user.
        InvalidInputError: for another role.
    """
    if role not in get_args(Role):
        raise InvalidInputError("role", role, f"must be one of {', '.join(get_args(Role))}")
    (done,) = await QUERIES["set_role"].rows(
        connection, _RoleSet, user_id=user_id, role=role, actor=by
    )
    if not done.permitted:
        raise NotPermittedError
    if not done.changed:
        raise NotFoundError("user", user_id)


async def delete(pool: Pool, user_id: UserId) -> None:
    """Delete an account softly (§9): it can no longer be signed in to, and its address is free.

    Cart, sessions and tokens go; orders stay, without the account. What is personal stays too:
    see `personal_data.erase`. Waits for carts, orders and sessions that are being written.

    Raises:
        NotFoundError: when there is no such user, or it is deleted already.
    """

    async def run(connection: AsyncConnection[Any]) -> int:
        return await QUERIES["delete_user"].execute(connection, user_id=user_id)

    if not await run_transaction(pool, run):
        raise NotFoundError("user", user_id)
