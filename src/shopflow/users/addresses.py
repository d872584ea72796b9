"""The addresses that an account keeps; at most one of each type is the default."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
from msgspec.structs import asdict
from psycopg import AsyncConnection

from shopflow.addresses import Address, check_address
from shopflow.errors import InvalidInputError, NotFoundError
from shopflow.ids import AddressId, UserId
from shopflow.postgres.pool import Pool
from shopflow.postgres.transactions import run_transaction
from shopflow.users.limiting import QUERIES
from shopflow.users.models import AddressType, SavedAddress
from shopflow.users.sessions import hold


class _Added(msgspec.Struct, frozen=True):
    id: AddressId


class _Type(msgspec.Struct, frozen=True):
    type: AddressType


async def list_addresses(
    connection: AsyncConnection[Any], user_id: UserId
) -> tuple[SavedAddress, ...]:
    """Return the addresses of a user: shipping before billing, the default first, then newest.

    None for a user that is not there. Raises nothing of its own.
    """
    found = await QUERIES["list_addresses"].document(
        connection, tuple[SavedAddress, ...], user_id=user_id
    )
    return found or ()


async def add_address(
    pool: Pool,
    user_id: UserId,
    address: Address,
    address_type: AddressType,
    *,
    is_default: bool = False,
) -> AddressId:
    """Keep an address; as the default it takes the place of the one of its type.

    Raises:
        NotFoundError: when there is no such user.
        InvalidInputError: for a field that cannot be, or another type.
    """
    check_address("address", address)
    if address_type not in get_args(AddressType):
        raise InvalidInputError("address_type", address_type, "must be shipping or billing")

    async def add(connection: AsyncConnection[Any]) -> AddressId:
        # Whoever changes a default holds the user: the next one sees it.
        await hold(connection, user_id)
        if is_default:
            await QUERIES["clear_default_address"].execute(
                connection, user_id=user_id, address_type=address_type
            )
        (added,) = await QUERIES["add_address"].rows(
            connection,
            _Added,
            user_id=user_id,
            address_type=address_type,
            is_default=is_default,
            **asdict(address),
        )
        return added.id

    return await run_transaction(pool, add)


async def update_address(
    connection: AsyncConnection[Any], user_id: UserId, address_id: AddressId, address: Address
) -> None:
    """Change what an address says; its type, and whether it is the default, stay.

    Raises:
        NotFoundError: when the user has no such address.
        InvalidInputError: for a field that cannot be.
    """
    check_address("address", address)
    changed = await QUERIES["update_address"].execute(
        connection, user_id=user_id, address_id=address_id, **asdict(address)
    )
    if not changed:
        raise NotFoundError("address", address_id)


async def remove_address(
    connection: AsyncConnection[Any], user_id: UserId, address_id: AddressId
) -> None:
    """Forget an address; no other becomes the default, and orders keep their own copy.

    Raises:
        NotFoundError: when the user has no such address.
    """
    params = {"user_id": user_id, "address_id": address_id}
    if not await QUERIES["remove_address"].execute(connection, **params):
        raise NotFoundError("address", address_id)


async def set_default_address(pool: Pool, user_id: UserId, address_id: AddressId) -> None:
    """Make an address the default of its type; of several at the same time the last one stays.

    Raises:
        NotFoundError: when there is no such user, or it has no such address.
    """
    params = {"user_id": user_id, "address_id": address_id}

    async def change(connection: AsyncConnection[Any]) -> None:
        await hold(connection, user_id)
        found = await QUERIES["get_address_type"].row(connection, _Type, **params)
        if found is None:
            raise NotFoundError("address", address_id)
        await QUERIES["clear_default_address"].execute(
            connection, user_id=user_id, address_type=found.type
        )
        if not await QUERIES["mark_default_address"].execute(connection, **params):
            raise NotFoundError("address", address_id)

    await run_transaction(pool, change)
