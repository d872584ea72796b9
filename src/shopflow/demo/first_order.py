"""One order from cart to confirmed, through the public API: what `shopflow demo order` shows."""

from __future__ import annotations

from uuid import uuid4

from shopflow.errors import ShopflowError
from shopflow.orders.addresses import Address
from shopflow.orders.checkout import Checkout
from shopflow.orders.models import Order
from shopflow.products.filters import ProductFilters
from shopflow.products.models import Product, ProductVariant
from shopflow.shop import Shop

BUYER = Address(
    first_name="Grace",
    last_name="Hopper",
    address_line_1="1 Compiler Way",
    city="Arlington",
    state="VA",
    postal_code="22201",
    country_code="US",
)


async def take_order(shop: Shop) -> Order:
    """Let a guest buy one piece of the newest product in stock, and pay; return the order.

    Raises:
        ShopflowError: when there is nothing to buy.
    """
    product, variant = await _something_to_buy(shop)
    cart = await shop.carts.open(session_id=f"demo-{uuid4()}")
    await shop.carts.add(cart, product.id, variant.id if variant else None)
    placed = await shop.orders.place(
        Checkout(
            cart_id=cart,
            idempotency_key=str(uuid4()),
            shipping_address=BUYER,
            customer_email="grace@example.com",
        )
    )
    await shop.orders.mark_paid(
        placed.id,
        amount=placed.total_amount,
        method="card",
        card_brand="visa",
        card_last_four="4242",
    )
    return await shop.orders.get(placed.id)


async def _something_to_buy(shop: Shop) -> tuple[Product, ProductVariant | None]:
    for listed in (await shop.products.list(ProductFilters(in_stock=True))).items:
        product = await shop.products.get(listed.id)
        if not product.has_variants:
            return product, None
        for variant in product.variants:
            if variant.stock_quantity or not product.track_inventory:
                return product, variant
    raise ShopflowError(
        "nothing is in stock: shopflow import shopify FILE or shopflow demo load brings products"
    )
