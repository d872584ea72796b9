"""§4.3: one cart with its lines, priced and with what is in stock."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from shopflow import NotFoundError, Shop
from shopflow.ids import CartId
from tests.catalogue import a_product, a_user, a_variant, inserted, run

SPECIFICATION = """
SELECT
  c.id,
  c.user_id,
  c.session_id,
  c.coupon_id,
  c.updated_at,
  COALESCE(
    json_agg(
      json_build_object(
        'id', ci.id,
        'product_id', ci.product_id,
        'variant_id', ci.variant_id,
        'quantity', ci.quantity,
        'unit_price', ci.unit_price,
        'name', p.name,
        'slug', p.slug,
        'variant_name', pv.name,
        'image', (SELECT url FROM product_images WHERE product_id = p.id AND is_primary = TRUE LIMIT 1),
        'in_stock', COALESCE(pv.stock_quantity, p.stock_quantity) >= ci.quantity,
        'max_quantity', COALESCE(pv.stock_quantity, p.stock_quantity)
      ) ORDER BY ci.created_at
    ) FILTER (WHERE ci.id IS NOT NULL),
    '[]'
  ) as items,
  COALESCE(SUM(ci.quantity), 0) as item_count,
  COALESCE(SUM(ci.quantity * ci.unit_price), 0) as subtotal
FROM carts c
LEFT JOIN cart_items ci ON c.id = ci.cart_id
LEFT JOIN products p ON ci.product_id = p.id
LEFT JOIN product_variants pv ON ci.variant_id = pv.id
WHERE c.id = %(id)s
GROUP BY c.id
"""


async def test_it_holds_all_that_the_specification_returns(shop: Shop) -> None:
    cart_id = await shop.carts.open(user_id=await a_user(shop))
    plain, sized = await a_product(shop, price="9.99"), await a_product(shop)
    image = {"product_id": plain, "url": "https://images.example/plain", "is_primary": True}
    await inserted(shop, "product_images", image)
    await shop.carts.add(cart_id, plain, quantity=3)
    await shop.carts.add(cart_id, sized, await a_variant(shop, sized, stock_quantity=1), 2)

    cart = await shop.carts.get(cart_id=cart_id)

    ((id_, user, session, coupon, updated, items, count, subtotal),) = await run(
        shop, SPECIFICATION, id=cart_id
    )
    assert (cart.id, cart.user_id, cart.session_id, cart.coupon_id) == (id_, user, session, coupon)
    assert (cart.updated_at, cart.item_count, cart.subtotal) == (updated, count, subtotal)
    as_json = msgspec.json.Encoder(decimal_format="number")
    for ours, theirs in zip(cart.items, msgspec.json.decode(items), strict=True):
        assert msgspec.json.decode(as_json.encode(ours)).items() >= theirs.items()
    assert [(line.in_stock, line.max_quantity) for line in cart.items] == [(True, 10), (False, 1)]
    assert cart.subtotal == Decimal("89.97")


async def test_an_empty_cart_has_no_lines(shop: Shop) -> None:
    cart = await shop.carts.get(cart_id=await shop.carts.open(session_id="guest"))
    assert (cart.items, cart.item_count, cart.subtotal) == ((), 0, Decimal(0))


async def test_id_comes_before_user_before_session(shop: Shop) -> None:
    user_id = await a_user(shop)
    other = await shop.carts.open(user_id=await a_user(shop))
    users = await shop.carts.open(user_id=user_id)
    guests = await shop.carts.open(session_id="guest")
    everything: dict[str, Any] = {"user_id": user_id, "session_id": "guest"}
    assert (await shop.carts.get(cart_id=other, **everything)).id == other
    assert (await shop.carts.get(**everything)).id == users
    assert (await shop.carts.get(session_id="guest")).id == guests


async def test_a_cart_that_is_gone_leads_to_the_next(shop: Shop) -> None:
    guests = await shop.carts.open(session_id="guest")
    found = await shop.carts.get(
        cart_id=CartId(uuid4()), user_id=await a_user(shop), session_id="guest"
    )
    assert found.id == guests


async def test_none_at_all_is_refused(shop: Shop) -> None:
    await shop.carts.open(session_id="guest")
    with pytest.raises(NotFoundError, match="no such cart"):
        await shop.carts.get()
    with pytest.raises(NotFoundError, match="no such cart"):
        await shop.carts.get(session_id="other")


@pytest.mark.parametrize("session_id", ["secret", "secret\0", "secret\ud800"])
async def test_a_session_without_cart_is_not_shown(shop: Shop, session_id: str) -> None:
    with pytest.raises(NotFoundError, match="no such cart") as refused:
        await shop.carts.get(session_id=session_id)
    assert "secret" not in str(refused.value)


async def test_the_price_of_now_stands_beside_that_of_the_line(shop: Shop) -> None:
    cart_id = await shop.carts.open(session_id="guest")
    product_id = await a_product(shop, price="20.00")
    await shop.carts.add(cart_id, product_id)
    await run(shop, "UPDATE products SET price = 25")
    (line,) = (await shop.carts.get(cart_id=cart_id)).items
    assert (line.unit_price, line.current_price) == (Decimal("20.00"), Decimal("25.00"))


async def test_what_is_sold_without_counting_stock_has_no_limit(shop: Shop) -> None:
    cart_id = await shop.carts.open(session_id="guest")
    product_id = await a_product(shop, stock_quantity=0, track_inventory=False)
    await shop.carts.add(cart_id, product_id, quantity=99)
    (line,) = (await shop.carts.get(cart_id=cart_id)).items
    assert (line.in_stock, line.max_quantity) == (True, None)


async def test_what_is_no_longer_for_sale_is_shown_as_none_left(shop: Shop) -> None:
    cart_id = await shop.carts.open(session_id="guest")
    closed, grown, sized = [await a_product(shop, price=f"{n}.00") for n in (1, 2, 3)]
    await shop.carts.add(cart_id, closed)
    await shop.carts.add(cart_id, grown)
    variant_id = await a_variant(shop, sized)
    await shop.carts.add(cart_id, sized, variant_id)
    await run(shop, "UPDATE products SET is_active = false WHERE id = %(id)s", id=closed)
    await run(shop, "UPDATE product_variants SET is_active = false")
    await a_variant(shop, grown)
    cart = await shop.carts.get(cart_id=cart_id)
    assert [(line.in_stock, line.max_quantity) for line in cart.items] == [(False, 0)] * 3
