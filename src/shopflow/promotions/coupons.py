"""Making, changing and looking at coupons (§2.5)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from shopflow.errors import ConstraintViolatedError, InvalidInputError, NotFoundError
from shopflow.ids import CategoryId, CouponId, OrderId, ProductId
from shopflow.money import check_amount
from shopflow.postgres import queries
from shopflow.postgres.changes import Rules, broken_rule, check_integer, given, update_of
from shopflow.promotions.errors import CouponRefusedError
from shopflow.promotions.models import Coupon, CouponChanges, CouponTerms, CouponUse, Scope
from shopflow.text import check_text, storable

QUERIES = queries.load(__package__)

_LONGEST = {"code": 50, "discount_type": 20}
LARGEST_LIMIT = 100
NEWEST = UUID(int=2**128 - 1)
_RULES: Rules = {
    "coupons_code_check": ("code", "must be without spaces"),
    "coupons_discount_type_check": (
        "discount_type",
        "must be percentage, fixed_amount or free_shipping",
    ),
    "coupons_percentage_check": ("discount_value", "a percentage must not be above 100"),
    "coupons_usage_limit_positive": ("usage_limit", "must be 1 or more"),
    "coupons_per_user_limit_positive": ("per_user_limit", "must be 1 or more"),
    "coupons_dates_check": ("expires_at", "must be after starts_at"),
}


class _Made(msgspec.Struct, frozen=True):
    id: CouponId


class _Restricted(msgspec.Struct, frozen=True):
    unknown_product: ProductId | None
    unknown_category: CategoryId | None


async def create_coupon(
    connection: AsyncConnection[Any], terms: CouponTerms, scope: Scope | None = None
) -> CouponId:
    """Make a coupon; with a scope as by `restrict_coupon`, in one transaction with it.

    Either the coupon is there with its whole scope, or not at all.

    Raises:
        InvalidInputError: for a term that cannot be, naming it.
        CouponCodeTakenError: when another coupon has this code, in capitals or not.
        NotFoundError: when there is no such product or category.
    """
    values = msgspec.structs.asdict(terms)
    _check(values)
    try:
        (made,) = await QUERIES["create_coupon"].rows(connection, _Made, **values)
    except ConstraintViolatedError as error:
        raise broken_rule(error, _RULES, values) from error
    if scope is not None:
        await restrict_coupon(connection, made.id, scope)
    return made.id


async def update_coupon(
    connection: AsyncConnection[Any], coupon_id: CouponId, changes: CouponChanges
) -> None:
    """Change some terms of a coupon; the others stay, whoever changes them at the same time.

    It counts for orders from now on, and takes nothing from those that have used it. Setting a
    limit where there was none waits for the orders that are being placed with this coupon.

    Raises:
        InvalidInputError: for a term that cannot be, naming it; also for a `usage_limit` below
            how often it has been used.
        CouponCodeTakenError: when another coupon has this code.
        NotFoundError: when there is no such coupon.
    """
    values = given(changes)
    _check(values)
    if not values:
        await get_coupon(connection, coupon_id)
        return
    try:
        found = await update_of("update_coupon", "coupons", tuple(values)).execute(
            connection, id=coupon_id, **values
        )
    except ConstraintViolatedError as error:
        raise broken_rule(error, _RULES, values) from error
    except CouponRefusedError as error:
        # The same constraint that refuses an order one use too many.
        limit = values.get("usage_limit")
        raise InvalidInputError("usage_limit", limit, "it was used more often already") from error
    if not found:
        raise NotFoundError("coupon", coupon_id)


async def restrict_coupon(
    connection: AsyncConnection[Any], coupon_id: CouponId, scope: Scope | None
) -> None:
    """Let a coupon be for these products and categories alone, or for everything again (None).

    Categories are meant with all that is below them, also what comes there later. A scope that
    names nothing makes the coupon one for nothing. To be called in a transaction, which must not
    be committed when it raises.

    Raises:
        NotFoundError: when there is no such coupon, product or category.
    """
    restricted = await QUERIES["restrict_coupon"].row(
        connection,
        _Restricted,
        id=coupon_id,
        is_restricted=scope is not None,
        product_ids=sorted(scope.product_ids) if scope else [],
        category_ids=sorted(scope.category_ids) if scope else [],
    )
    if restricted is None:
        raise NotFoundError("coupon", coupon_id)
    if restricted.unknown_product is not None:
        raise NotFoundError("product", restricted.unknown_product)
    if restricted.unknown_category is not None:
        raise NotFoundError("category", restricted.unknown_category)


async def get_coupon(connection: AsyncConnection[Any], key: CouponId | str) -> Coupon:
    """Return the coupon with this id, or with this code however it is written.

    Raises:
        NotFoundError: when there is none.
    """
    by_code = isinstance(key, str)
    found = None
    if not isinstance(key, str) or storable(key):
        found = await _get(
            connection, id=None if by_code else key, code=key if by_code else None, before=None
        )
    if not found:
        raise NotFoundError("coupon", repr(key) if by_code else key)
    return found[0]


async def list_coupons(
    connection: AsyncConnection[Any],
    *,
    active_only: bool = False,
    limit: int = 50,
    before: CouponId | None = None,
) -> list[Coupon]:
    """Return the newest coupons; of the next page those `before` the last of this one.

    Args:
        connection: where to ask.
        active_only: leave out those that were deactivated; dates are not looked at.
        limit: 1 to 100.
        before: None for the first page.

    Raises:
        InvalidInputError: for another limit.
    """
    _check_limit(limit)
    return await _get(
        connection,
        id=None,
        code=None,
        before=before or NEWEST,
        limit=limit,
        active_only=active_only,
    )


async def list_coupon_uses(
    connection: AsyncConnection[Any],
    coupon_id: CouponId,
    *,
    limit: int = 50,
    before: OrderId | None = None,
) -> list[CouponUse]:
    """Return the newest orders that used a coupon, paged as `list_coupons`; cancelled ones do not.

    Raises:
        InvalidInputError: for a limit that is not 1 to 100.
    """
    _check_limit(limit)
    return await QUERIES["list_coupon_uses"].rows(
        connection, CouponUse, coupon_id=coupon_id, limit=limit, before=before or NEWEST
    )


async def _get(connection: AsyncConnection[Any], **params: object) -> list[Coupon]:
    defaults: dict[str, object] = {"limit": 1, "active_only": False}
    return (
        await QUERIES["get_coupons"].document(connection, list[Coupon], **(defaults | params)) or []
    )


def _check_limit(limit: int) -> None:
    if not 1 <= limit <= LARGEST_LIMIT:
        raise InvalidInputError("limit", limit, f"must be from 1 to {LARGEST_LIMIT}")


def _check(values: Mapping[str, object]) -> None:
    """Refuse what no column could hold; what breaks a rule the database refuses."""
    for field, value in values.items():
        if isinstance(value, str):
            check_text(field, value, _LONGEST[field])
        elif isinstance(value, Decimal):
            check_amount(field, value)
        elif isinstance(value, datetime) and value.tzinfo is None:
            raise InvalidInputError(field, value, "must have a time zone")
        elif isinstance(value, int):
            check_integer(field, value)
