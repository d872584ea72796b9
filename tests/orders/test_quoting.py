"""What carts come to, many in one round trip."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from shopflow import InvalidInputError, NotFoundError, Shop, ShopflowError
from shopflow.ids import CartId, CategoryId, CouponId, ProductId, ShippingMethodId, UserId
from shopflow.money import LARGEST
from shopflow.orders.errors import EmptyCartError, PriceChange, Shortage
from shopflow.orders.quoting import Quote, QuoteRequest, quote_all
from shopflow.orders.taxes import NO_TAX, Sale, TableTaxes, Tax, Taxation, Taxes, taxation_of
from shopflow.postgres.queries import timings
from shopflow.promotions.errors import CouponRefusedError
from tests.catalogue import (
    a_category,
    a_coupon,
    a_product,
    a_shipping_method,
    a_tax_rate,
    a_user,
    a_variant,
    inserted,
    run,
)
from tests.orders.conftest import Filled


async def quotes(
    shop: Shop, *requests: QuoteRequest, taxes: Taxes | None = None
) -> list[Quote | ShopflowError]:
    async with shop.pool.connection() as connection:
        return await quote_all(connection, requests, taxes or TableTaxes())


async def the_quote(shop: Shop, cart_id: CartId, **changes: Any) -> Quote:
    (found,) = await quotes(shop, QuoteRequest(cart_id=cart_id, **changes))
    assert isinstance(found, Quote), found
    return found


async def with_coupon(shop: Shop, cart_id: CartId, **columns: object) -> CouponId:
    coupon_id = await a_coupon(shop, **columns)
    statement = "UPDATE carts SET coupon_id = %(coupon_id)s WHERE id = %(cart_id)s"
    await run(shop, statement, coupon_id=coupon_id, cart_id=cart_id)
    return coupon_id


async def refused(shop: Shop, cart_id: CartId) -> str | None:
    """Why the coupon of this cart is refused."""
    (found,) = await quotes(shop, QuoteRequest(cart_id=cart_id))
    if isinstance(found, Quote):
        return None
    assert isinstance(found, CouponRefusedError)
    return found.reason


async def test_a_cart_at_the_prices_of_now(shop: Shop) -> None:
    user_id = await a_user(shop, email="ann@example.com")
    plain = await a_product(shop, name="Socks", sku="SOCKS", price="9.99", stock_quantity=2)
    sized = await a_product(shop, name="Shirt")
    small = await a_variant(shop, sized, name="S", sku="SHIRT-S", price="30.00", stock_quantity=5)
    endless = await a_product(shop, sku="FILE", price="1.00", track_inventory=False)
    closed = await a_product(shop, sku="CLOSED", price="1.00")
    cart_id = await shop.carts.open(user_id=user_id)
    await shop.carts.add(cart_id, plain, quantity=3)
    await shop.carts.add(cart_id, sized, small, 2)
    await shop.carts.add(cart_id, endless)
    await shop.carts.add(cart_id, closed)
    await run(shop, "UPDATE product_variants SET price = 32")
    await run(shop, "UPDATE products SET is_active = false WHERE sku = 'CLOSED'")

    found = await the_quote(shop, cart_id)

    assert (found.cart_id, found.user_id, found.user_email) == (cart_id, user_id, "ann@example.com")
    assert (found.coupon_id, found.coupon_code, found.shipping) == (None, None, None)
    assert [
        (line.product_id, line.variant_id, line.sku, line.product_name, line.variant_name)
        for line in found.lines
    ] == [
        (plain, None, "SOCKS", "Socks", None),
        (sized, small, "SHIRT-S", "Shirt", "S"),
        (endless, None, "FILE", found.lines[2].product_name, None),
        (closed, None, "CLOSED", found.lines[3].product_name, None),
    ]
    assert [
        (line.quantity, str(line.unit_price), str(line.cart_price), str(line.subtotal))
        for line in found.lines[:2]
    ] == [(3, "9.99", "9.99", "29.97"), (2, "32.00", "30.00", "64.00")]
    assert [line.available for line in found.lines] == [2, 5, None, 0]
    assert found.shortages == (
        Shortage(plain, None, "SOCKS", 3, 2),
        Shortage(closed, None, "CLOSED", 1, 0),
    )
    thirty = Decimal("30.00")
    assert found.price_changes == (PriceChange(sized, small, "SHIRT-S", thirty, Decimal("32.00")),)
    assert found.totals.total_amount == Decimal("95.97")


async def test_coupon_shipping_and_tax_in_their_order(shop: Shop, filled: Filled) -> None:
    shop_, books = await a_category(shop), await a_category(shop)
    comics = await a_category(shop, books)
    shirt = await a_product(shop, price="40.00", category_id=shop_)
    comic = await a_product(shop, price="10.00", category_id=comics)
    method = await a_shipping_method(shop, price="5.00", free_above="50.00")
    await a_tax_rate(shop, "0.2")
    await a_tax_rate(shop, "0.05", category_id=books)
    await a_tax_rate(shop, "0.5", country_code="FR")
    await a_tax_rate(shop, "0.5", state="Bayern")
    cart_id = await filled((shirt, None, 1), (comic, None, 1))
    coupon_id = await with_coupon(shop, cart_id, code="TEN")

    found = await the_quote(shop, cart_id, shipping_method_id=method, country_code="DE")

    assert (found.coupon_id, found.coupon_code) == (coupon_id, "TEN")
    assert [(str(line.discount_amount), str(line.tax_amount)) for line in found.lines] == [
        ("4.00", "7.20"),
        ("1.00", "0.45"),
    ]
    totals = found.totals
    assert [str(amount) for amount in (totals.subtotal, totals.discount_amount, totals.saved)] == [
        "50.00",
        "5.00",
        "5.00",
    ]
    # The discount took it below 50.00.
    assert (totals.shipping_amount, totals.tax_amount) == (Decimal("5.00"), Decimal("8.65"))
    assert totals.total_amount == Decimal("58.65")
    bavarian = await the_quote(shop, cart_id, country_code="DE", state="Bayern")
    assert bavarian.totals.tax_amount == Decimal("22.50")


async def test_without_address_there_is_no_tax_yet(shop: Shop, filled: Filled) -> None:
    await a_tax_rate(shop, "0.2")
    cart_id = await filled((await a_product(shop), None, 1))
    assert (await the_quote(shop, cart_id)).totals.tax_amount == 0
    assert (await the_quote(shop, cart_id, country_code="FR")).totals.tax_amount == 0
    assert (await the_quote(shop, cart_id, country_code="DE")).totals.tax_amount == Decimal("4.00")


async def test_many_carts_are_one_round_trip_and_each_has_its_own_answer(
    shop: Shop, filled: Filled
) -> None:
    product_id = await a_product(shop, price="20.00")
    dear = await a_product(shop, price=str(LARGEST))
    good = [await filled((product_id, None, number)) for number in range(1, 4)]
    spoilt = await filled((product_id, None, 1))
    await with_coupon(shop, spoilt, is_active=False)
    elsewhere = await a_shipping_method(shop, countries="{FR}")
    unknown = CartId(uuid4())
    no_id: Any = "cart-17"
    requests = [
        QuoteRequest(cart_id=good[0]),
        QuoteRequest(cart_id=unknown),
        QuoteRequest(cart_id=good[1], country_code="DE", state="\0"),
        QuoteRequest(cart_id=await filled()),
        QuoteRequest(cart_id=good[1]),
        QuoteRequest(cart_id=spoilt),
        QuoteRequest(cart_id=good[2], country_code="DE", shipping_method_id=elsewhere),
        QuoteRequest(cart_id=good[2], shipping_method_id=elsewhere),
        QuoteRequest(cart_id=await filled((dear, None, 2))),
        QuoteRequest(cart_id=good[0], country_code="DE", state="\ud800"),
        QuoteRequest(cart_id=good[2]),
        QuoteRequest(cart_id=good[0], country_code="DEU"),
        QuoteRequest(cart_id=no_id),
    ]
    before = timings()["read_quotes"].executions if "read_quotes" in timings() else 0
    found = await quotes(shop, *requests)
    assert timings()["read_quotes"].executions - before == 1
    assert [type(each) for each in found] == [
        Quote,
        NotFoundError,
        InvalidInputError,
        EmptyCartError,
        Quote,
        CouponRefusedError,
        NotFoundError,
        InvalidInputError,
        InvalidInputError,
        InvalidInputError,
        Quote,
        InvalidInputError,
        InvalidInputError,
    ]
    totals = [each.totals.total_amount for each in found if isinstance(each, Quote)]
    assert totals == [20, 40, 60]
    wrong = [(e.kind, e.key) for e in found if isinstance(e, NotFoundError)]
    assert wrong == [("cart", unknown), ("shipping method for this address", elsewhere)]
    fields = [each.field for each in found if isinstance(each, InvalidInputError)]
    assert fields == [
        "state",
        "country_code",
        "total_amount",
        "state",
        "country_code",
        "cart_id",
    ]
    assert await quotes(shop) == []


async def test_a_method_is_offered_by_the_zone_that_wins(shop: Shop, filled: Filled) -> None:
    cart_id = await filled((await a_product(shop), None, 1))
    europe = await a_shipping_method(shop, countries="{DE,FR}")
    await run(shop, "UPDATE shipping_zones SET priority = 1")
    germany = await a_shipping_method(shop)
    offered: list[tuple[ShippingMethodId, bool]] = [(europe, True), (germany, False)]
    for method, is_offered in offered:
        request = QuoteRequest(cart_id=cart_id, country_code="DE", shipping_method_id=method)
        (found,) = await quotes(shop, request)
        assert isinstance(found, Quote) == is_offered
    await run(shop, "UPDATE shipping_zones SET is_active = false WHERE priority = 1")
    found = await the_quote(shop, cart_id, country_code="DE", shipping_method_id=germany)
    assert found.totals.shipping_amount == Decimal("4.90")


async def test_a_restricted_coupon_takes_off_products_and_subtrees(
    shop: Shop, filled: Filled
) -> None:
    root = await a_category(shop)
    child = await a_category(shop, await a_category(shop, root))
    below = await a_product(shop, price="10.00", category_id=child)
    named = await a_product(shop, price="20.00", category_id=await a_category(shop))
    other = await a_product(shop, price="40.00")
    cart_id = await filled((below, None, 1), (named, None, 1), (other, None, 1))
    coupon_id = await with_coupon(shop, cart_id)

    async def restrict(product_id: ProductId | None, category_id: CategoryId | None) -> None:
        await run(
            shop,
            "INSERT INTO coupon_products SELECT %(coupon)s, %(id)s::uuid WHERE %(id)s::uuid IS NOT NULL",
            coupon=coupon_id,
            id=product_id,
        )
        await run(
            shop,
            "INSERT INTO coupon_categories SELECT %(coupon)s, %(id)s::uuid WHERE %(id)s::uuid IS NOT NULL",
            coupon=coupon_id,
            id=category_id,
        )

    async def discounts() -> list[str]:
        found = await the_quote(shop, cart_id)
        return [str(line.discount_amount) for line in found.lines]

    assert await discounts() == ["1.00", "2.00", "4.00"]
    await restrict(await a_product(shop), None)
    assert await refused(shop, cart_id) == "nothing eligible"
    await restrict(named, None)
    assert await discounts() == ["0.00", "2.00", "0.00"]
    await restrict(None, root)
    assert await discounts() == ["1.00", "2.00", "0.00"]


async def test_what_a_customer_has_used_and_ordered_is_looked_at(shop: Shop) -> None:
    product_id = await a_product(shop)

    async def cart_of(user_id: UserId) -> CartId:
        cart_id = await shop.carts.open(user_id=user_id)
        await shop.carts.add(cart_id, product_id)
        return cart_id

    old, new = await a_user(shop), await a_user(shop)
    olds, news = await cart_of(old), await cart_of(new)
    order = {
        "user_id": old,
        "currency_code": "EUR",
        "subtotal": 0,
        "total_amount": 0,
        "customer_email": "a@x",
    }
    order_id = await inserted(shop, "orders", order)
    coupon_id = await with_coupon(shop, olds, per_user_limit=1)
    await run(shop, "UPDATE carts SET coupon_id = %(id)s", id=coupon_id)
    assert (await refused(shop, olds), await refused(shop, news)) == (None, None)
    usage = {"coupon_id": coupon_id, "user_id": old, "order_id": order_id, "discount_amount": 1}
    await inserted(shop, "coupon_usage", usage)
    assert (await refused(shop, olds), await refused(shop, news)) == ("used up by you", None)
    await run(shop, "UPDATE coupons SET per_user_limit = NULL, first_order_only = true")
    assert (await refused(shop, olds), await refused(shop, news)) == ("first order only", None)
    await run(shop, "UPDATE orders SET status = 'cancelled'")
    assert await refused(shop, olds) is None


async def test_a_guest_cannot_use_what_is_limited_by_user(shop: Shop, filled: Filled) -> None:
    cart_id = await filled((await a_product(shop), None, 1))
    await with_coupon(shop, cart_id, first_order_only=True)
    assert await refused(shop, cart_id) == "sign in"


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"starts_at": "2999-01-01"}, "not yet"),
        ({"expires_at": "2001-01-01"}, "expired"),
        ({"usage_limit": 1, "used_count": 1}, "used up"),
        ({"min_order": "20.01"}, "below minimum"),
        ({"min_order": "20.00", "starts_at": "2001-01-01", "expires_at": "2999-01-01"}, None),
    ],
)
async def test_the_terms_of_a_coupon_are_read(
    shop: Shop, filled: Filled, columns: dict[str, object], reason: str | None
) -> None:
    cart_id = await filled((await a_product(shop, price="20.00"), None, 1))
    await with_coupon(shop, cart_id, **columns)
    assert await refused(shop, cart_id) == reason


class OwnTaxes:
    """A tax service that answers a sale with an error, an impossible tax, or 1.00 a line."""

    def __init__(self) -> None:
        self.sales: Sequence[Sale] = ()

    async def taxes_of(self, sales: Sequence[Sale]) -> Sequence[Taxation | ShopflowError]:
        self.sales = sales
        return [self._tax(sale) for sale in sales]

    def _tax(self, sale: Sale) -> Taxation | ShopflowError:
        if sale.state == "down":
            return ShopflowError("the tax service is down")
        amount = Decimal(-1) if sale.state == "mad" else Decimal("1.00")
        return Taxation((Tax(amount, is_included=False),) * len(sale.lines), NO_TAX)


async def test_a_shop_taxes_in_its_own_way(shop: Shop, filled: Filled) -> None:
    root = await a_category(shop)
    child = await a_category(shop, root)
    product_id = await a_product(shop, sku="SHIRT", price="20.00", category_id=child)
    cart_id = await filled((product_id, None, 2))
    states = ["Bayern", "down", "mad"]
    requests = [QuoteRequest(cart_id=cart_id, country_code="DE", state=state) for state in states]
    taxes = OwnTaxes()
    first, second, third, fourth = await quotes(
        shop, requests[0], QuoteRequest(cart_id=cart_id), *requests[1:], taxes=taxes
    )
    assert isinstance(first, Quote)
    assert isinstance(second, Quote)
    assert [first.totals.tax_amount, second.totals.tax_amount] == [1, 0]
    assert isinstance(third, ShopflowError)
    assert isinstance(fourth, InvalidInputError)
    (line,) = taxes.sales[0].lines
    assert (line.product_id, line.sku, line.quantity) == (product_id, "SHIRT", 2)
    assert (line.category_path, line.amount) == ((child, root), Decimal("40.00"))
    assert [sale.state for sale in taxes.sales] == states


async def test_a_way_of_taxing_that_forgets_a_sale_is_not_trusted(
    shop: Shop, filled: Filled
) -> None:
    class Forgetful:
        async def taxes_of(self, sales: Sequence[Sale]) -> Sequence[Taxation]:
            return [taxation_of(sale) for sale in sales[1:]]

    cart_id = await filled((await a_product(shop), None, 1))
    with pytest.raises(ValueError, match="answered 0 of 1"):
        await quotes(shop, QuoteRequest(cart_id=cart_id, country_code="DE"), taxes=Forgetful())


def test_a_request_is_by_keyword() -> None:
    assert QuoteRequest(cart_id=CartId(UUID(int=1))).country_code is None


async def test_every_offered_method_is_quoted_for_this_cart(shop: Shop, filled: Filled) -> None:
    cart_id = await filled((await a_product(shop, price="50.00"), None, 1))
    standard = await a_shipping_method(shop, price="4.90", free_above="50.00", name="Standard")
    ((zone_id,),) = await run(shop, "SELECT zone_id FROM shipping_methods")
    method = {"zone_id": zone_id, "carrier": "DHL"}
    express = await inserted(
        shop, "shipping_methods", method | {"name": "Express", "price": 9, "estimated_days": 1}
    )
    await inserted(shop, "shipping_methods", method | {"name": "X", "price": 1, "is_active": False})
    await a_shipping_method(shop, countries="{FR}")

    async def offered(**address: str) -> list[tuple[object, str, str]]:
        before = timings()["read_quotes"].executions if "read_quotes" in timings() else 0
        found = await shop.shipping.quotes(cart_id, **{"country_code": "DE", **address})
        assert timings()["read_quotes"].executions - before == 1
        return [(each.method_id, str(each.price), str(each.list_price)) for each in found]

    assert await offered() == [(standard, "0.00", "4.90"), (express, "9.00", "9.00")]
    assert await offered(country_code="IT") == []
    await with_coupon(shop, cart_id)
    assert await offered() == [(standard, "4.90", "4.90"), (express, "9.00", "9.00")]
    for method_id, price, _ in await offered():
        request = {"shipping_method_id": method_id, "country_code": "DE"}
        totals = (await the_quote(shop, cart_id, **request)).totals
        assert str(totals.shipping_amount) == price
    await with_coupon(shop, cart_id, discount_type="free_shipping")
    assert [each[1] for each in await offered()] == ["0.00", "0.00"]


async def test_shipping_is_quoted_for_a_cart_that_can_be_priced(shop: Shop, filled: Filled) -> None:
    empty = await filled()
    with pytest.raises(EmptyCartError):
        await shop.shipping.quotes(empty, country_code="DE")
    with pytest.raises(NotFoundError, match="no such cart"):
        await shop.shipping.quotes(CartId(uuid4()), country_code="DE")
    with pytest.raises(InvalidInputError, match="country_code"):
        await shop.shipping.quotes(empty, country_code="Germany")


async def test_the_shop_quotes_one_cart_or_says_why_not(shop: Shop, filled: Filled) -> None:
    cart_id = await filled((await a_product(shop, price="20.00"), None, 2))
    found = await shop.orders.quote(cart_id)
    assert found.totals.total_amount == Decimal("40.00")
    await with_coupon(shop, cart_id, is_active=False)
    with pytest.raises(CouponRefusedError):
        await shop.orders.quote(cart_id)
