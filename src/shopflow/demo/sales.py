"""Orders with all that belongs to them, and the carts of those who are still choosing."""

from datetime import timedelta
from random import Random
from typing import NamedTuple

from shopflow.demo.chance import HOUR_MS, NOW_MS, between, chance, key, moment, pick
from shopflow.demo.counts import Counts
from shopflow.demo.fates import BEFORE_SENDING, REASONS, Course, course, steps
from shopflow.demo.goods import Goods, Listing
from shopflow.demo.offers import Offers
from shopflow.demo.payments import amounts, payment, refunds
from shopflow.demo.people import People, address
from shopflow.demo.rows import (
    Cart,
    CartItem,
    CouponUse,
    Method,
    Order,
    OrderAddress,
    OrderItem,
    Payment,
    Refund,
    Return,
    ReturnItem,
    Shipment,
    ShipmentItem,
    Step,
    User,
    Variant,
)
from shopflow.money import ZERO

CURRENCY = "USD"
GUESTS = 0.15
WITH_COUPON = 0.12
ONE_PIECE = 0.8
# Crockford's base 32, as new_order_number() has it.
DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Sale(NamedTuple):
    """An order and the rows that hang on it."""

    order: Order
    steps_before_sending: list[Step]
    items: list[OrderItem]
    addresses: list[OrderAddress]
    payment: Payment
    refunds: list[Refund]
    shipments: list[Shipment]
    shipment_items: list[ShipmentItem]
    steps_after_sending: list[Step]
    returns: list[Return]
    return_items: list[ReturnItem]
    coupon_uses: list[CouponUse]


class Sales:
    """The orders by number, the oldest first, and the carts."""

    def __init__(
        self, seed: int, counts: Counts, goods: Goods, people: People, offers: Offers
    ) -> None:
        self._seed = seed
        self._orders = counts.orders
        self._carts = counts.carts
        self._goods = goods
        self._people = people
        self._offers = offers

    def sale(self, number: int) -> Sale:
        """Return the order of this number and its rows."""
        random = chance(self._seed, "order", number)
        way = course(random, number, self._orders)
        at = way.reached["pending"]
        user = self._people.user(between(random, 0, self._people.count - 1))
        to = address(random, user.first_name, user.last_name)
        method = pick(random, self._offers.methods_to(to.country_code))
        items = self._items(random, key(random, at), at)
        order, uses = self._order(random, number, user, items, method)
        paid = payment(random, order, way)
        taken = list(steps(order.id, way, self._people.staff))
        shipments = _shipments(random, order, way, method)
        returns = _returns(random, order, way)
        return Sale(
            order=order,
            steps_before_sending=[step for step in taken if step.status in BEFORE_SENDING],
            items=items,
            addresses=[
                OrderAddress(key(random, at), order.id, kind, *to, order.placed_at)
                for kind in ("shipping", "billing")
            ],
            payment=paid,
            refunds=refunds(random, paid, way, items),
            shipments=shipments,
            shipment_items=_shipment_items(random, shipments, items, way),
            steps_after_sending=[step for step in taken if step.status not in BEFORE_SENDING],
            returns=returns,
            return_items=_return_items(random, returns, items, way),
            # A cancelled order has given its use back.
            coupon_uses=[] if "cancelled" in way.reached else uses,
        )

    def _order(
        self, random: Random, number: int, user: User, items: list[OrderItem], method: Method
    ) -> tuple[Order, list[CouponUse]]:
        placed = items[0].created_at
        guest = random.random() < GUESTS or user.created_at > placed
        coupon = pick(random, self._offers.coupons) if random.random() < WITH_COUPON else None
        subtotal = sum((item.subtotal for item in items), ZERO)
        sums = amounts(subtotal, method, coupon, placed)
        used = coupon if sums.discount else None
        order = Order(
            id=items[0].order_id,
            user_id=None if guest else user.id,
            order_number=f"{placed:%y%m%d}-" + "".join(pick(random, DIGITS) for _ in range(10)),
            currency_code=CURRENCY,
            subtotal=sums.subtotal,
            tax_amount=sums.tax,
            shipping_amount=sums.shipping,
            discount_amount=sums.discount,
            total_amount=sums.total,
            customer_email=f"guest{number}@example.com" if guest else user.email,
            coupon_code=used.code if used else None,
            placed_at=placed,
            created_at=placed,
            updated_at=placed,
        )
        if used is None:
            return order, []
        use_id = key(random, int(placed.timestamp() * 1000))
        return order, [CouponUse(use_id, used.id, order.user_id, order.id, sums.discount, placed)]

    def cart(self, number: int) -> tuple[Cart, list[CartItem]]:
        """Return a cart: every second one is a guest's."""
        random = chance(self._seed, "cart", number)
        at = NOW_MS - between(random, 1, 14 * 24) * HOUR_MS
        when = moment(at)
        user_id = session_id = None
        if number % 2:
            session_id = f"demo-{random.getrandbits(96):024x}"
        else:
            # Spread evenly: a user has one cart.
            user_id = self._people.user(number * self._people.count // self._carts).id
        cart = Cart(key(random, at), user_id, session_id, when, when)
        items = [
            CartItem(
                id=key(random, at),
                cart_id=cart.id,
                product_id=listing.product.id,
                variant_id=variant.id if variant else None,
                quantity=between(random, 1, 2),
                unit_price=(variant or listing.product).price,
                created_at=when,
                updated_at=when,
            )
            for listing, variant in self._choice(random, at)
        ]
        return cart, items

    def _choice(self, random: Random, at: int) -> list[tuple[Listing, Variant | None]]:
        """Choose one to four products that were there at the time, the older ones more often."""
        chosen = {}
        for _ in range(between(random, 1, 4)):
            number = int(random.random() ** 1.5 * self._goods.count)
            listing = self._goods.listing(number)
            if number in chosen or listing.product.created_at > moment(at):
                continue
            chosen[number] = (listing, pick(random, listing.variants) if listing.variants else None)
        return list(chosen.values()) or [(self._goods.listing(0), None)]

    def _items(self, random: Random, order_id: str, at: int) -> list[OrderItem]:
        return [
            _item(random, order_id, at, listing, variant)
            for listing, variant in self._choice(random, at)
        ]


def _item(
    random: Random, order_id: str, at: int, listing: Listing, variant: Variant | None
) -> OrderItem:
    sold = variant or listing.product
    quantity = 1 if random.random() < ONE_PIECE else between(random, 2, 4)
    return OrderItem(
        id=key(random, at),
        order_id=order_id,
        product_id=listing.product.id,
        variant_id=variant.id if variant else None,
        product_name=listing.product.name,
        variant_name=variant.name if variant else None,
        sku=sold.sku,
        quantity=quantity,
        unit_price=sold.price,
        subtotal=quantity * sold.price,
        image_url=listing.images[0].url,
        created_at=moment(at),
    )


def _shipments(random: Random, order: Order, way: Course, method: Method) -> list[Shipment]:
    shipped = way.reached.get("shipped")
    if shipped is None:
        return []
    delivered = way.reached.get("delivered")
    when = moment(shipped)
    return [
        Shipment(
            id=key(random, shipped),
            order_id=order.id,
            carrier=method.carrier,
            tracking_number=f"{method.carrier}{random.getrandbits(48):015d}",
            status=_shipment_status(way),
            estimated_delivery=(when + timedelta(days=method.estimated_days)).date(),
            shipped_at=when,
            delivered_at=moment(delivered) if delivered else None,
            created_at=when,
            updated_at=moment(max(at for at in way.reached.values())),
        )
    ]


def _shipment_status(way: Course) -> str:
    if "refunded" in way.reached:
        return "returned"
    return "delivered" if "delivered" in way.reached else "in_transit"


def _shipment_items(
    random: Random, shipments: list[Shipment], items: list[OrderItem], way: Course
) -> list[ShipmentItem]:
    return [
        ShipmentItem(
            key(random, way.reached["shipped"]), sent.id, item.id, item.quantity, sent.created_at
        )
        for sent in shipments
        for item in items
    ]


def _returns(random: Random, order: Order, way: Course) -> list[Return]:
    at = way.reached.get("refunded")
    if way.fate != "returned" or at is None:
        return []
    goods = max(order.total_amount - order.shipping_amount, ZERO)
    reason = REASONS["returned", "refunded"]
    return [Return(key(random, at), order.id, reason, goods, moment(at))]


def _return_items(
    random: Random, returns: list[Return], items: list[OrderItem], way: Course
) -> list[ReturnItem]:
    return [
        ReturnItem(
            key(random, way.reached["refunded"]),
            back.id,
            item.id,
            item.quantity,
            restock=True,
            created_at=back.created_at,
        )
        for back in returns
        for item in items
    ]
