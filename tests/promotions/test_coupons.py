"""Making, changing and looking at coupons."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from shopflow import InvalidInputError, NotFoundError, Shop
from shopflow.ids import CategoryId, CouponId, ProductId
from shopflow.promotions.errors import CouponCodeTakenError
from shopflow.promotions.models import Coupon, CouponChanges, CouponTerms
from tests.catalogue import a_category, a_coupon, a_product, a_user, inserted, run
from tests.promotions.coupons import scope

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
EVERYTHING: dict[str, Any] = {
    "code": "Winter-26",
    "discount_type": "percentage",
    "discount_value": Decimal("12.50"),
    "min_order": Decimal("20.00"),
    "max_discount": Decimal("30.00"),
    "usage_limit": 100,
    "per_user_limit": 2,
    "first_order_only": True,
    "is_active": False,
    "starts_at": NOW,
    "expires_at": NOW + timedelta(days=1),
}
TEN = CouponTerms(code="TEN", discount_type="percentage", discount_value=Decimal(10))


async def test_what_is_made_is_what_is_found(shop: Shop) -> None:
    coupon_id = await shop.promotions.create(CouponTerms(**EVERYTHING))
    expected = Coupon(id=coupon_id, used_count=0, scope=None, **EVERYTHING)
    assert await shop.promotions.get(coupon_id) == expected
    assert await shop.promotions.get("WINTER-26") == expected
    assert await shop.promotions.list() == [expected]
    assert await shop.promotions.list(active_only=True) == []


async def test_the_rest_of_a_coupon_is_without_limit(shop: Shop) -> None:
    terms = CouponTerms(code="SHIP", discount_type="free_shipping")
    found = await shop.promotions.get(await shop.promotions.create(terms))
    limits = (found.min_order, found.max_discount, found.usage_limit, found.per_user_limit)
    assert limits == (None,) * 4
    assert (found.is_active, found.first_order_only, found.starts_at) == (True, False, None)


async def test_each_term_is_changed_alone(shop: Shop) -> None:
    coupon_id = await shop.promotions.create(TEN)
    before = await shop.promotions.get(coupon_id)
    for field, value in EVERYTHING.items():
        await shop.promotions.update(coupon_id, CouponChanges(**{field: value}))
    assert await shop.promotions.get(coupon_id) == Coupon(
        id=coupon_id, used_count=0, scope=None, **EVERYTHING
    )
    for field in EVERYTHING:
        change = CouponChanges(**{field: getattr(before, field)})
        await shop.promotions.update(coupon_id, change)
    await shop.promotions.update(coupon_id, CouponChanges())
    assert await shop.promotions.get(coupon_id) == before


async def test_two_who_change_different_terms_lose_nothing(shop: Shop) -> None:
    coupon_id = await shop.promotions.create(TEN)
    await asyncio.gather(
        shop.promotions.update(coupon_id, CouponChanges(min_order=Decimal(5))),
        shop.promotions.update(coupon_id, CouponChanges(max_discount=Decimal(6))),
        shop.promotions.deactivate(coupon_id),
    )
    found = await shop.promotions.get(coupon_id)
    assert [found.min_order, found.max_discount, found.is_active] == [5, 6, False]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("code", ""),
        ("code", "two words"),
        ("code", "x" * 51),
        ("code", "x\0"),
        ("discount_type", "gift"),
        ("discount_type", "g" * 21),
        ("discount_value", Decimal("100.01")),
        ("discount_value", Decimal(-1)),
        ("discount_value", Decimal("NaN")),
        ("discount_value", Decimal("0.001")),
        ("min_order", Decimal(-1)),
        ("min_order", Decimal("1e10")),
        ("max_discount", Decimal("Infinity")),
        ("usage_limit", 0),
        ("usage_limit", 2**31),
        ("per_user_limit", -1),
        ("starts_at", NOW.replace(tzinfo=None)),
        ("expires_at", NOW),
    ],
)
async def test_a_term_that_cannot_be_is_refused_by_name(shop: Shop, field: str, value: Any) -> None:
    with pytest.raises(InvalidInputError) as refused:
        await shop.promotions.create(CouponTerms(**(EVERYTHING | {field: value})))
    assert refused.value.field == field
    assert await shop.promotions.list() == []
    coupon_id = await shop.promotions.create(CouponTerms(**EVERYTHING))
    before = await shop.promotions.get(coupon_id)
    with pytest.raises(InvalidInputError) as refused:
        await shop.promotions.update(coupon_id, CouponChanges(**{field: value}))
    assert (refused.value.field, await shop.promotions.get(coupon_id)) == (field, before)


async def test_a_code_is_one_coupons(shop: Shop) -> None:
    await shop.promotions.create(TEN)
    other = await shop.promotions.create(CouponTerms(code="OTHER", discount_type="free_shipping"))
    with pytest.raises(CouponCodeTakenError):
        await shop.promotions.create(CouponTerms(code="ten", discount_type="free_shipping"))
    with pytest.raises(CouponCodeTakenError):
        await shop.promotions.update(other, CouponChanges(code="Ten"))
    assert len(await shop.promotions.list()) == 2


async def test_what_is_not_there_is_not_found(shop: Shop) -> None:
    nobody = CouponId(uuid4())
    with pytest.raises(NotFoundError, match="no such coupon"):
        await shop.promotions.get(nobody)
    for code in ("NONE", "\0"):
        with pytest.raises(NotFoundError, match="no such coupon"):
            await shop.promotions.get(code)
    for changes in (CouponChanges(), CouponChanges(is_active=True)):
        with pytest.raises(NotFoundError, match="no such coupon"):
            await shop.promotions.update(nobody, changes)
    with pytest.raises(NotFoundError, match="no such coupon"):
        await shop.promotions.restrict(nobody, None)


async def test_a_coupon_is_for_what_it_was_restricted_to_last(shop: Shop) -> None:
    one, two = await a_product(shop), await a_product(shop)
    books, toys = await a_category(shop), await a_category(shop)
    coupon_id = await shop.promotions.create(TEN, scope(products=(one,), categories=(books,)))
    for wanted in (
        scope(products=(one,), categories=(books,)),
        scope(products=(one, two)),
        scope(products=(two,), categories=(books, toys)),
        scope(),
        None,
        scope(categories=(toys,)),
        None,
    ):
        await shop.promotions.restrict(coupon_id, wanted)
        assert (await shop.promotions.get(coupon_id)).scope == wanted
    assert await run(shop, "SELECT FROM coupon_products") == []


async def test_an_unknown_product_or_category_leaves_everything_as_it_was(shop: Shop) -> None:
    one = await a_product(shop)
    coupon_id = await shop.promotions.create(TEN, scope(products=(one,)))
    nothing = uuid4()
    for kind, wanted in (
        ("product", scope(products=(one, ProductId(nothing)))),
        ("category", scope(categories=(CategoryId(nothing),))),
    ):
        with pytest.raises(NotFoundError, match=f"no such {kind}: {nothing}"):
            await shop.promotions.restrict(coupon_id, wanted)
        with pytest.raises(NotFoundError, match=f"no such {kind}"):
            await shop.promotions.create(
                CouponTerms(code="NEW", discount_type="free_shipping"), wanted
            )
    assert (await shop.promotions.get(coupon_id)).scope == scope(products=(one,))
    assert len(await shop.promotions.list()) == 1


async def test_coupons_are_listed_in_pages_the_newest_first(shop: Shop) -> None:
    made = [await a_coupon(shop, is_active=number % 2 == 0) for number in range(6)]
    first = await shop.promotions.list(limit=4)
    second = await shop.promotions.list(limit=4, before=first[-1].id)
    assert [each.id for each in first + second] == made[::-1]
    active = await shop.promotions.list(active_only=True)
    assert [each.id for each in active] == made[4::-2]
    for limit in (0, 101):
        with pytest.raises(InvalidInputError, match="limit"):
            await shop.promotions.list(limit=limit)


async def test_the_uses_of_a_coupon_and_a_limit_below_them(shop: Shop) -> None:
    coupon_id = await shop.promotions.create(TEN)
    user_id = await a_user(shop)
    orders = []
    for _ in range(3):
        order = {
            "user_id": user_id,
            "currency_code": "EUR",
            "subtotal": 0,
            "total_amount": 0,
            "customer_email": "a@x",
        }
        orders.append(await inserted(shop, "orders", order))
        usage = {
            "coupon_id": coupon_id,
            "user_id": user_id,
            "order_id": orders[-1],
            "discount_amount": len(orders),
        }
        await inserted(shop, "coupon_usage", usage)
    first = await shop.promotions.uses(coupon_id, limit=2)
    second = await shop.promotions.uses(coupon_id, limit=2, before=first[-1].order_id)
    assert [use.order_id for use in first + second] == orders[::-1]
    assert [use.discount_amount for use in first + second] == [3, 2, 1]
    assert {use.user_id for use in first} == {user_id}
    assert await shop.promotions.uses(await a_coupon(shop)) == []
    with pytest.raises(InvalidInputError, match="used more often") as refused:
        await shop.promotions.update(coupon_id, CouponChanges(usage_limit=2))
    assert (refused.value.field, refused.value.value) == ("usage_limit", 2)
    await shop.promotions.update(coupon_id, CouponChanges(usage_limit=3))
    assert (await shop.promotions.get(coupon_id)).used_count == 3
