"""Making, changing and listing zones and methods (§2.6)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal, assert_never
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from shopflow.errors import ConstraintViolatedError, NotFoundError
from shopflow.ids import ShippingMethodId, ShippingZoneId
from shopflow.money import check_amount
from shopflow.postgres import queries
from shopflow.postgres.changes import Rules, broken_rule, check_integer, given, update_of
from shopflow.shipping.models import MethodChanges, MethodTerms, Zone, ZoneChanges, ZoneTerms
from shopflow.text import check_text

QUERIES = queries.load(__package__)

Kind = Literal["shipping zone", "shipping method"]
# Names, carriers and states alike.
LONGEST_TEXT = 100
_RULES: Rules = {
    "shipping_zones_name_check": ("name", "must not be blank"),
    "shipping_zones_countries_check": (
        "countries",
        "must be one or more country codes of two capitals, such as DE",
    ),
    "shipping_methods_name_check": ("name", "must not be blank"),
    "shipping_methods_estimated_days_positive": ("estimated_days", "must not be negative"),
}


class _Zone(msgspec.Struct, frozen=True):
    id: ShippingZoneId


class _Method(msgspec.Struct, frozen=True):
    id: ShippingMethodId


async def create_zone(connection: AsyncConnection[Any], terms: ZoneTerms) -> ShippingZoneId:
    """Make a zone; nothing is shipped there before it has a method.

    Raises:
        InvalidInputError: for a term that cannot be, naming it.
    """
    values = _checked(msgspec.structs.asdict(terms))
    try:
        (made,) = await QUERIES["create_zone"].rows(connection, _Zone, **values)
    except ConstraintViolatedError as error:
        raise broken_rule(error, _RULES, values) from error
    return made.id


async def update_zone(
    connection: AsyncConnection[Any], zone_id: ShippingZoneId, changes: ZoneChanges
) -> None:
    """Change some terms of a zone; orders that were placed keep what they were charged.

    Raises:
        InvalidInputError: for a term that cannot be, naming it.
        NotFoundError: when there is no such zone.
    """
    await _update(connection, "shipping zone", zone_id, given(changes))


async def delete_zone(connection: AsyncConnection[Any], zone_id: ShippingZoneId) -> None:
    """Delete a zone and its methods; an address in it is then in the next that contains it.

    Raises:
        NotFoundError: when there is no such zone.
    """
    if not await QUERIES["delete_zone"].execute(connection, id=zone_id):
        raise NotFoundError("shipping zone", zone_id)


async def list_zones(connection: AsyncConnection[Any]) -> list[Zone]:
    """Return every zone with its methods, in the order in which they take precedence.

    One round trip. Raises nothing of its own.
    """
    return await QUERIES["list_zones"].document(connection, list[Zone]) or []


async def create_method(
    connection: AsyncConnection[Any], zone_id: ShippingZoneId, terms: MethodTerms
) -> ShippingMethodId:
    """Offer a way to ship within a zone.

    Raises:
        InvalidInputError: for a term that cannot be, naming it.
        NotFoundError: when there is no such zone.
    """
    values = _checked(msgspec.structs.asdict(terms))
    try:
        (made,) = await QUERIES["create_method"].rows(
            connection, _Method, zone_id=zone_id, **values
        )
    except ConstraintViolatedError as error:
        if error.constraint == "shipping_methods_zone_id_fkey":
            raise NotFoundError("shipping zone", zone_id) from error
        raise broken_rule(error, _RULES, values) from error
    return made.id


async def update_method(
    connection: AsyncConnection[Any], method_id: ShippingMethodId, changes: MethodChanges
) -> None:
    """Change some terms of a method; orders that were placed keep what they were charged.

    Raises:
        InvalidInputError: for a term that cannot be, naming it.
        NotFoundError: when there is no such method.
    """
    await _update(connection, "shipping method", method_id, given(changes))


async def delete_method(connection: AsyncConnection[Any], method_id: ShippingMethodId) -> None:
    """Delete a method; orders that used it keep what they were charged.

    Raises:
        NotFoundError: when there is no such method.
    """
    if not await QUERIES["delete_method"].execute(connection, id=method_id):
        raise NotFoundError("shipping method", method_id)


async def _update(
    connection: AsyncConnection[Any], kind: Kind, key: UUID, changes: dict[str, object]
) -> None:
    # Without any change it is still said whether there is such a row.
    values = _checked(changes) or {"id": key}
    try:
        found = await update_of(f"update_{_table(kind)}", _table(kind), tuple(values)).execute(
            connection, **(values | {"id": key})
        )
    except ConstraintViolatedError as error:
        raise broken_rule(error, _RULES, values) from error
    if not found:
        raise NotFoundError(kind, key)


def _table(kind: Kind) -> str:
    match kind:
        case "shipping zone":
            return "shipping_zones"
        case "shipping method":
            return "shipping_methods"
        case _:
            assert_never(kind)


def _checked(values: Mapping[str, object]) -> dict[str, object]:
    """Refuse what no column could hold, and return the values as psycopg takes them."""
    for field, value in values.items():
        if isinstance(value, str):
            check_text(field, value, LONGEST_TEXT)
        elif isinstance(value, tuple):
            for each in value:
                check_text(field, each, LONGEST_TEXT)
        elif isinstance(value, Decimal):
            check_amount(field, value)
        elif isinstance(value, int):
            check_integer(field, value)
    return {
        field: list(value) if isinstance(value, tuple) else value for field, value in values.items()
    }
