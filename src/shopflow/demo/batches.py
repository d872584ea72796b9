"""The generated shop in the order in which it is loaded, a bounded number of rows at a time."""

from collections.abc import Iterator, Sequence
from typing import LiteralString, NamedTuple

from shopflow.demo.counts import Counts
from shopflow.demo.goods import Goods
from shopflow.demo.offers import offers
from shopflow.demo.opinions import Opinions
from shopflow.demo.people import People
from shopflow.demo.sales import Sales
from shopflow.demo.tree import Tree, brands

Rows = Sequence[NamedTuple]
USERS = 10_000
PRODUCTS = 5_000
ORDERS = 2_500


class Batch(NamedTuple):
    """Rows that go together, by table in the order in which they go in; one may come twice.

    `units` are what they count for in the progress, `what` says what they are.
    """

    what: str
    units: int
    tables: Sequence[tuple[LiteralString, Rows]]


def batches(seed: int, counts: Counts) -> Iterator[Batch]:
    """Yield the whole shop of this seed, always the same one.

    In memory are one batch and the keys of the users, whom the reviews need.
    """
    tree = Tree(seed, counts.categories)
    made = brands(seed, counts.brands)
    offered = offers(seed, counts.orders)
    yield Batch(
        "categories",
        0,
        [
            ("categories", tree.categories),
            ("brands", made),
            ("shipping_zones", offered.zones),
            ("shipping_methods", offered.methods),
            ("coupons", offered.coupons),
        ],
    )
    people = People(seed, counts.users)
    authors: list[tuple[str, int]] = []
    yield from _users(people, authors)
    goods = Goods(seed, counts.products, tree, made)
    yield from _products(goods, Opinions(seed, counts.products, counts.reviews), authors)
    sales = Sales(seed, counts, goods, people, offered)
    yield from _orders(sales, counts.orders)
    yield from _carts(sales, counts.carts)


def _users(people: People, authors: list[tuple[str, int]]) -> Iterator[Batch]:
    for numbers in _ranges(people.count, USERS):
        users = [people.user(number) for number in numbers]
        authors += [(user.id, int(user.created_at.timestamp() * 1000)) for user in users]
        addresses = [
            address
            for number, user in zip(numbers, users, strict=True)
            for address in people.addresses(number, user)
        ]
        yield Batch("users", len(users), [("users", users), ("user_addresses", addresses)])


def _products(goods: Goods, opinions: Opinions, authors: list[tuple[str, int]]) -> Iterator[Batch]:
    for numbers in _ranges(goods.count, PRODUCTS):
        listings = [goods.listing(number) for number in numbers]
        yield Batch(
            "products",
            len(listings),
            [
                ("demo_products", [listing.product for listing in listings]),
                ("demo_variants", [each for listing in listings for each in listing.variants]),
                ("product_images", [image for listing in listings for image in listing.images]),
                (
                    "product_reviews",
                    [
                        review
                        for number, listing in zip(numbers, listings, strict=True)
                        for review in opinions.about(number, listing, authors)
                    ],
                ),
            ],
        )


def _orders(sales: Sales, count: int) -> Iterator[Batch]:
    for numbers in _ranges(count, ORDERS):
        made = [sales.sale(number) for number in numbers]
        yield Batch(
            "orders",
            len(made),
            [
                ("demo_orders", [sale.order for sale in made]),
                ("demo_steps", [step for sale in made for step in sale.steps_before_sending]),
                ("order_items", [item for sale in made for item in sale.items]),
                ("order_addresses", [address for sale in made for address in sale.addresses]),
                ("payments", [sale.payment for sale in made]),
                ("refunds", [refund for sale in made for refund in sale.refunds]),
                ("order_shipments", [shipment for sale in made for shipment in sale.shipments]),
                ("order_shipment_items", [item for sale in made for item in sale.shipment_items]),
                # Only now: what is sent is sent by an order that is processing.
                ("demo_steps", [step for sale in made for step in sale.steps_after_sending]),
                ("order_returns", [each for sale in made for each in sale.returns]),
                ("order_return_items", [item for sale in made for item in sale.return_items]),
                ("coupon_usage", [use for sale in made for use in sale.coupon_uses]),
            ],
        )


def _carts(sales: Sales, count: int) -> Iterator[Batch]:
    for numbers in _ranges(count, USERS):
        made = [sales.cart(number) for number in numbers]
        yield Batch(
            "carts",
            len(made),
            [
                ("carts", [cart for cart, _ in made]),
                ("cart_items", [item for _, items in made for item in items]),
            ],
        )


def _ranges(count: int, size: int) -> Iterator[range]:
    for first in range(0, count, size):
        yield range(first, min(first + size, count))
