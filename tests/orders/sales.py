"""Orders that took stock, written in plain SQL: what a checkout leaves."""

from collections.abc import Sequence
from itertools import count

import msgspec

from shopflow import Shop
from shopflow.ids import CouponId, OrderId, OrderItemId, ProductId, UserId
from shopflow.orders.states import Status
from tests.catalogue import a_product, inserted, run

_numbers = count(1)
WAY: dict[Status, Sequence[Status]] = {
    "pending": (),
    "confirmed": ("confirmed",),
    "processing": ("confirmed", "processing"),
    "cancelled": ("cancelled",),
    "refunded": ("confirmed", "refunded"),
}


class Sale(msgspec.Struct):
    """An order of lines of products of 20.00, of each of which there were ten."""

    id: OrderId
    lines: list[OrderItemId]
    products: list[ProductId]


async def a_sale(
    shop: Shop,
    *quantities: int,
    status: Status = "confirmed",
    user_id: UserId | None = None,
    age: str = "0 minutes",
    **columns: object,
) -> Sale:
    """An order that was placed `age` ago, with a line for each quantity."""
    total = 20 * sum(quantities)
    order_id = OrderId(
        await inserted(
            shop,
            "orders",
            {
                "user_id": user_id,
                "currency_code": "EUR",
                "subtotal": total,
                "total_amount": total,
                "customer_email": "guest@example.com",
            }
            | columns,
        )
    )
    sale = Sale(order_id, [], [])
    for quantity in quantities:
        product_id = await a_product(shop)
        line = {
            "order_id": order_id,
            "product_id": product_id,
            "product_name": "Product",
            "sku": f"SOLD-{next(_numbers)}",
            "quantity": quantity,
            "unit_price": 20,
            "subtotal": 20 * quantity,
        }
        sale.lines.append(OrderItemId(await inserted(shop, "order_items", line)))
        sale.products.append(product_id)
        movement = {"product_id": product_id, "change": -quantity, "reason": "sale"}
        await inserted(shop, "stock_movements", movement | {"order_id": order_id})
    await run(
        shop,
        "UPDATE orders SET placed_at = now() - %(age)s::interval WHERE id = %(id)s",
        age=age,
        id=order_id,
    )
    for step in WAY[status]:
        await run(
            shop,
            "UPDATE orders SET status = %(status)s WHERE id = %(id)s",
            status=step,
            id=order_id,
        )
    return sale


async def a_used_coupon(shop: Shop, sale: Sale) -> CouponId:
    """A coupon for one use, which the order has used."""
    coupon = {
        "code": f"ONCE{next(_numbers)}",
        "discount_type": "percentage",
        "discount_value": 5,
        "usage_limit": 1,
    }
    coupon_id = CouponId(await inserted(shop, "coupons", coupon))
    use = {"coupon_id": coupon_id, "order_id": sale.id, "discount_amount": 0}
    await inserted(shop, "coupon_usage", use)
    return coupon_id


async def uses(shop: Shop, coupon_id: CouponId) -> int:
    """How often a coupon is used, by its counter and by its uses, which agree."""
    ((counter, rows),) = await run(
        shop,
        "SELECT used_count, (SELECT count(*) FROM coupon_usage WHERE coupon_id = c.id)"
        " FROM coupons AS c WHERE id = %(id)s",
        id=coupon_id,
    )
    assert counter == rows
    return int(rows)


async def stock(shop: Shop, product_id: ProductId) -> int:
    """What is in stock, which is the sum of its movements."""
    ((quantity, moved),) = await run(
        shop,
        "SELECT stock_quantity, (SELECT sum(change) FROM stock_movements WHERE product_id = p.id)"
        " FROM products AS p WHERE id = %(id)s",
        id=product_id,
    )
    assert quantity == moved
    return int(quantity)
