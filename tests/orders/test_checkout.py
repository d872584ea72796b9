"""From a cart to an order, one caller at a time."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, LiteralString
from uuid import UUID, uuid4

import msgspec
import pytest

import shopflow
from shopflow import InvalidInputError, NotFoundError, Shop
from shopflow.ids import CartId, ShippingMethodId
from shopflow.orders.checkout import Checkout, fingerprint
from shopflow.orders.errors import (
    EmptyCartError,
    IdempotencyKeyTakenError,
    OutOfStockError,
    PriceChangedError,
    Shortage,
)
from shopflow.orders.taxes import Sale, TableTaxes, Taxation
from shopflow.promotions.errors import CouponRefusedError, Reason
from shopflow.settings import Settings
from tests.catalogue import a_coupon, a_product, a_shipping_method, a_user, a_variant, inserted, run
from tests.orders.conftest import BERLIN, Filled, order


async def stock(shop: Shop) -> dict[UUID, int]:
    rows = await run(
        shop,
        "SELECT id, stock_quantity FROM products"
        " UNION ALL SELECT id, stock_quantity FROM product_variants",
    )
    return dict(rows)


async def test_an_order_takes_stock_and_copies_everything(shop: Shop) -> None:
    user_id = await a_user(shop, email="ann@example.com")
    plain = await a_product(shop, name="Socks", sku="SOCKS", price="9.99", stock_quantity=10)
    sized = await a_product(shop, name="Shirt")
    small = await a_variant(shop, sized, name="S", sku="SHIRT-S", price="30.00", stock_quantity=5)
    image = {"product_id": plain, "url": "https://images.example/socks", "is_primary": True}
    await inserted(shop, "product_images", image)
    cart_id = await shop.carts.open(user_id=user_id)
    await shop.carts.add(cart_id, plain, quantity=3)
    await shop.carts.add(cart_id, sized, small, 2)
    billing = msgspec.structs.replace(BERLIN, first_name="Bob", address_line_2="2nd floor")

    placed = await shop.orders.place(
        order(cart_id, customer_email=None, billing_address=billing, currency_code="EUR")
    )
    await run(shop, "UPDATE products SET name = 'Renamed', price = 99")

    assert placed.total_amount == Decimal("89.97")
    assert (await stock(shop)).items() >= {plain: 7, small: 3, sized: 3}.items()
    found = await shop.orders.get(placed.id)
    assert (found.order_number, found.status) == (placed.order_number, "pending")
    assert (found.payment_status, found.fulfillment_status) == ("unpaid", "unfulfilled")
    assert (found.subtotal, found.total_amount) == (Decimal("89.97"), Decimal("89.97"))
    assert (found.customer_email, found.currency_code) == ("ann@example.com", "EUR")
    assert found.customer is not None
    assert found.customer.id == user_id
    assert [
        (i.product_name, i.variant_name, i.sku, i.quantity, i.unit_price, i.subtotal, i.image_url)
        for i in found.items
    ] == [
        ("Socks", None, "SOCKS", 3, Decimal("9.99"), Decimal("29.97"), image["url"]),
        ("Shirt", "S", "SHIRT-S", 2, Decimal("30.00"), Decimal("60.00"), None),
    ]
    assert [(a.type, a.first_name, a.address_line_2) for a in found.addresses] == [
        ("shipping", "Ann", None),
        ("billing", "Bob", "2nd floor"),
    ]
    assert [(h.status, h.created_by) for h in found.status_history] == [("pending", user_id)]
    assert (await shop.carts.get(cart_id=cart_id)).items == ()


async def test_every_shortage_is_reported_at_once_and_nothing_happens(
    shop: Shop, filled: Filled
) -> None:
    enough = await a_product(shop, stock_quantity=5)
    scarce = await a_product(shop, sku="SCARCE", stock_quantity=1)
    sized = await a_product(shop)
    small = await a_variant(shop, sized, sku="SMALL", stock_quantity=0)
    large = await a_variant(shop, sized, stock_quantity=9)
    closed = await a_product(shop, sku="CLOSED", stock_quantity=9)
    cart_id = await filled(
        (enough, None, 5),
        (scarce, None, 2),
        (sized, small, 1),
        (sized, large, 9),
        (closed, None, 1),
    )
    await run(shop, "UPDATE products SET is_active = false WHERE sku = 'CLOSED'")
    before = (await stock(shop), await shop.carts.get(cart_id=cart_id))

    with pytest.raises(OutOfStockError, match="SCARCE: 2 wanted, 1 left") as refused:
        await shop.orders.place(order(cart_id))

    assert refused.value.shortages == (
        Shortage(scarce, None, "SCARCE", 2, 1),
        Shortage(sized, small, "SMALL", 1, 0),
        Shortage(closed, None, "CLOSED", 1, 0),
    )
    assert (await stock(shop), await shop.carts.get(cart_id=cart_id)) == before
    assert await run(shop, "SELECT FROM orders") == []


async def test_a_product_that_got_variants_has_to_be_chosen_again(
    shop: Shop, filled: Filled
) -> None:
    product_id = await a_product(shop)
    cart_id = await filled((product_id, None, 1))
    await a_variant(shop, product_id)
    with pytest.raises(OutOfStockError):
        await shop.orders.place(order(cart_id))


async def test_what_is_sold_without_counting_stock_stays_as_it_is(
    shop: Shop, filled: Filled
) -> None:
    plain = await a_product(shop, stock_quantity=1, track_inventory=False)
    sized = await a_product(shop, track_inventory=False)
    small = await a_variant(shop, sized, stock_quantity=1)
    before = await stock(shop)
    await shop.orders.place(order(await filled((plain, None, 7), (sized, small, 7))))
    assert await stock(shop) == before


async def test_an_order_is_priced_as_of_now_unless_another_total_is_expected(
    shop: Shop, filled: Filled
) -> None:
    cart_id = await filled((await a_product(shop, price="20.00"), None, 2))
    await run(shop, "UPDATE products SET price = 21")
    with pytest.raises(PriceChangedError) as refused:
        await shop.orders.place(order(cart_id, expected_total=Decimal("40.00")))
    assert (refused.value.expected, refused.value.actual) == (Decimal("40.00"), Decimal("42.00"))
    assert set((await stock(shop)).values()) == {10}
    placed = await shop.orders.place(order(cart_id, expected_total=Decimal(42)))
    assert placed.total_amount == Decimal("42.00")


async def test_the_shipping_method_is_charged(shop: Shop, filled: Filled) -> None:
    method = await a_shipping_method(shop, price="4.90", free_above="50.00")
    product_id = await a_product(shop, price="20.00")
    cheap = order(await filled((product_id, None, 2)), shipping_method_id=method)
    dear = order(await filled((product_id, None, 3)), shipping_method_id=method)
    assert (await shop.orders.place(cheap)).total_amount == Decimal("44.90")
    assert (await shop.orders.place(dear)).total_amount == Decimal("60.00")


async def test_a_method_that_is_not_offered_there_is_refused(shop: Shop, filled: Filled) -> None:
    cart_id = await filled((await a_product(shop), None, 1))
    not_offered = [
        await a_shipping_method(shop, countries="{FR}"),
        await a_shipping_method(shop, countries="{DE}", states="{Bayern}"),
        await a_shipping_method(shop, is_active=False),
        ShippingMethodId(uuid4()),
    ]
    for method in not_offered:
        with pytest.raises(NotFoundError, match="shipping method"):
            await shop.orders.place(order(cart_id, shipping_method_id=method))
    bavarian = msgspec.structs.replace(BERLIN, state="Bayern")
    await shop.orders.place(
        order(cart_id, shipping_method_id=not_offered[1], shipping_address=bavarian)
    )


async def test_the_same_key_is_the_same_order(shop: Shop, filled: Filled) -> None:
    product_id = await a_product(shop, stock_quantity=10)
    checkout = order(await filled((product_id, None, 3)))
    placed = await shop.orders.place(checkout)
    assert await shop.orders.place(checkout) == placed
    await shop.carts.add(checkout.cart_id, product_id)
    assert await shop.orders.place(checkout) == placed
    assert await stock(shop) == {product_id: 7}
    assert await run(shop, "SELECT count(*) FROM orders") == [(1,)]


async def test_a_key_that_another_request_used_is_refused_and_shows_nothing(
    shop: Shop, filled: Filled
) -> None:
    product_id = await a_product(shop, stock_quantity=10)
    alices = order(await filled((product_id, None, 1)), expected_total=Decimal(20))
    placed = await shop.orders.place(alices)
    billing = msgspec.structs.replace(BERLIN, last_name="Baker")
    others: list[dict[str, Any]] = [
        {"cart_id": await filled((product_id, None, 1))},
        {"cart_id": CartId(uuid4())},
        {"shipping_address": billing},
        {"billing_address": billing},
        {"shipping_method_id": await a_shipping_method(shop)},
        {"customer_email": "mallory@example.com"},
        {"currency_code": "EUR"},
        {"expected_total": Decimal("20.01")},
        {"expected_total": None},
    ]
    for changes in others:
        with pytest.raises(IdempotencyKeyTakenError, match="needs a new key") as refused:
            await shop.orders.place(msgspec.structs.replace(alices, **changes))
        assert refused.value.idempotency_key == alices.idempotency_key
        assert placed.order_number not in str(refused.value)
    same = msgspec.structs.replace(alices, expected_total=Decimal("20.00"))
    assert await shop.orders.place(same) == placed
    assert await stock(shop) == {product_id: 9}


async def test_the_same_request_is_answered_after_its_cart_has_gone(
    shop: Shop, filled: Filled
) -> None:
    checkout = order(await filled((await a_product(shop), None, 1)))
    placed = await shop.orders.place(checkout)
    await run(shop, "DELETE FROM carts")
    assert await shop.orders.place(checkout) == placed


async def test_a_key_of_an_order_from_elsewhere_is_refused(shop: Shop, filled: Filled) -> None:
    checkout = order(await filled((await a_product(shop), None, 1)))
    await shop.orders.place(checkout)
    await run(shop, "UPDATE orders SET idempotency_fingerprint = NULL")
    with pytest.raises(IdempotencyKeyTakenError):
        await shop.orders.place(checkout)


def test_a_fingerprint_is_the_same_in_every_version() -> None:
    # It is stored: an order placed by the version before is repeated to the next one.
    checkout = order(CartId(UUID(int=1)), expected_total=Decimal("40.00"), currency_code="USD")
    assert (
        fingerprint(checkout).hex()
        == "343d234f95a69da608c3092b77aa2d317a74e247250b6ab979a0a1015f37ecf3"
    )


def test_the_defaults_of_a_checkout_are_documented() -> None:
    documented = dict(
        line.strip().split(": ", 1)
        for line in (Checkout.__doc__ or "").splitlines()
        if ": " in line
    )
    defaults = {
        field.name: field.default
        for field in msgspec.structs.fields(Checkout)
        if not field.required
    }
    assert set(defaults.values()) == {None}
    assert all("None" in documented[name] for name in defaults)


async def test_an_order_is_in_the_shops_currency_unless_it_names_another(
    shop: Shop, settings: Settings, filled: Filled
) -> None:
    product_id = await a_product(shop)
    euros = msgspec.structs.replace(settings, currency_code="EUR")
    async with shopflow.open(euros) as european:
        placed = [
            await each.orders.place(order(await filled((product_id, None, 1)), **changes))
            for each, changes in [(shop, {}), (european, {}), (european, {"currency_code": "CHF"})]
        ]
    assert [each.currency_code for each in placed] == ["USD", "EUR", "CHF"]


async def test_a_method_of_a_zone_that_another_takes_precedence_over_is_refused(
    shop: Shop, filled: Filled
) -> None:
    cart_id = await filled((await a_product(shop), None, 1))
    method = await a_shipping_method(shop)
    await run(shop, "UPDATE shipping_zones SET priority = -1")
    await a_shipping_method(shop, countries="{FR,DE}")
    with pytest.raises(NotFoundError, match="shipping method"):
        await shop.orders.place(order(cart_id, shipping_method_id=method))


async def test_an_empty_or_unknown_cart_is_refused(shop: Shop, filled: Filled) -> None:
    cart_id = await filled()
    with pytest.raises(EmptyCartError):
        await shop.orders.place(order(cart_id))
    with pytest.raises(NotFoundError, match="no such cart"):
        await shop.orders.place(order(CartId(uuid4())))


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("cart_id", {"cart_id": "cart-17"}),
        ("cart_id", {"cart_id": 17}),
        ("shipping_method_id", {"shipping_method_id": "fast"}),
        ("idempotency_key", {"idempotency_key": ""}),
        ("idempotency_key", {"idempotency_key": "k" * 256}),
        ("idempotency_key", {"idempotency_key": "k\0"}),
        ("idempotency_key", {"idempotency_key": "k\ud800"}),
        ("currency_code", {"currency_code": "eur"}),
        ("expected_total", {"expected_total": Decimal("sNaN")}),
        ("customer_email", {"customer_email": "ann\0@example.com"}),
        (
            "shipping_address.city",
            {"shipping_address": msgspec.structs.replace(BERLIN, city="Ber\0lin")},
        ),
        ("customer_email", {"customer_email": "nobody"}),
        ("customer_email", {"customer_email": None}),
        (
            "shipping_address.country_code",
            {"shipping_address": msgspec.structs.replace(BERLIN, country_code="de")},
        ),
        (
            "billing_address.city",
            {"billing_address": msgspec.structs.replace(BERLIN, city="x" * 101)},
        ),
        (
            "shipping_address.last_name",
            {"shipping_address": msgspec.structs.replace(BERLIN, last_name="")},
        ),
    ],
)
async def test_what_an_order_cannot_hold_is_refused_by_name(
    shop: Shop, filled: Filled, field: str, changes: dict[str, Any]
) -> None:
    cart_id = await filled((await a_product(shop), None, 1))
    with pytest.raises(InvalidInputError) as refused:
        await shop.orders.place(order(**({"cart_id": cart_id} | changes)))
    assert refused.value.field == field
    assert await run(shop, "SELECT FROM orders") == []


async def test_the_key_of_an_erased_persons_order_stays_taken(shop: Shop) -> None:
    user_id = await a_user(shop)
    cart_id = await shop.carts.open(user_id=user_id)
    await shop.carts.add(cart_id, await a_product(shop, stock_quantity=5))
    checkout = order(cart_id)
    await shop.orders.place(checkout)
    await shop.users.erase(user_id, by=None, reason="asked for it")
    with pytest.raises(IdempotencyKeyTakenError):
        await shop.orders.place(checkout)
    assert await run(shop, "SELECT count(*) FROM orders") == [(1,)]


async def test_a_total_that_the_database_cannot_hold_is_refused(shop: Shop, filled: Filled) -> None:
    dear = await a_product(shop, price="9999999999.99", stock_quantity=2)
    with pytest.raises(InvalidInputError, match="total_amount"):
        await shop.orders.place(order(await filled((dear, None, 2))))
    assert await stock(shop) == {dear: 2}


class _Meanwhile(TableTaxes):
    """Taxes as usual, and once, between pricing and ordering, something else happens."""

    def __init__(self, shop: Shop, statement: LiteralString) -> None:
        self._shop, self._statement = shop, statement

    async def taxes_of(self, sales: Sequence[Sale]) -> Sequence[Taxation]:
        await run(self._shop, self._statement)
        return await super().taxes_of(sales)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE coupons SET expires_at = now()", "expired"),
        ("UPDATE coupons SET starts_at = now() + interval '1 day'", "not yet"),
        ("UPDATE coupons SET is_active = false", "inactive"),
    ],
)
async def test_a_coupon_has_to_apply_when_the_order_is_written(
    settings: Settings, shop: Shop, filled: Filled, statement: LiteralString, reason: Reason
) -> None:
    cart_id = await filled((await a_product(shop, stock_quantity=3), None, 1))
    coupon_id = await a_coupon(shop)
    await run(shop, "UPDATE carts SET coupon_id = %(coupon)s", coupon=coupon_id)
    async with shopflow.open(settings, taxes=_Meanwhile(shop, statement)) as other:
        with pytest.raises(CouponRefusedError) as refused:
            await other.orders.place(order(cart_id))
    assert refused.value.reason == reason
    assert await run(shop, "SELECT FROM orders") == []
