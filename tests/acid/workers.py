"""Workers who do everything that a shop does, chosen at random from a seed.

An operation may be refused by what it is documented to refuse with; every other error is one of
ShopFlow's, and ends the test.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from time import monotonic
from typing import Any, get_args

import msgspec
import psycopg

from shopflow import NotFoundError, Shop, TransactionConflictError
from shopflow.carts.errors import CartOwnerError, NotForSaleError
from shopflow.ids import CartId, OrderId, OrderItemId, UserId
from shopflow.orders.checkout import Checkout
from shopflow.orders.errors import (
    EmptyCartError,
    IdempotencyKeyTakenError,
    LineQuantityError,
    OrderStateError,
    OutOfStockError,
    PriceChangedError,
)
from shopflow.orders.models import PlacedOrder
from shopflow.orders.payments.errors import PaymentRefusedError
from shopflow.orders.payments.sandbox_server import Fault
from shopflow.orders.returns import ReturnLine, ReturnRequest
from shopflow.orders.shipments import Parcel
from shopflow.products.errors import (
    AlreadyReviewedError,
    InsufficientStockError,
    ReviewChangedError,
    VersionConflictError,
)
from shopflow.products.inputs import NewReview, ProductChanges, ReviewChanges, VariantChanges
from shopflow.promotions.errors import CouponRefusedError
from shopflow.users.errors import InvalidCredentialsError, InvalidTokenError, UserDeletedError
from tests.acid.world import COUPONS, Goods, World, register
from tests.catalogue import a_product, run
from tests.orders.conftest import BERLIN
from tests.users.conftest import PASSWORD, YORK


class ErasedMeanwhileError(Exception):
    """Of an erased person's order it is no longer known what it was placed by."""


Operation = Callable[["Worker"], Awaitable[object]]
OPERATIONS: list[tuple[int, Operation, tuple[type[Exception], ...]]] = []
TOKENS = ("tok_visa", "tok_visa", "tok_visa", "tok_mastercard", "tok_declined")
BAD_TOKENS = ("tok_capture_declined", "tok_refund_declined", "tok_void_declined")
# `late` is let go by another operation.
FAULTS = get_args(Fault)
CART_REFUSALS = (NotFoundError, NotForSaleError, CartOwnerError)
ERASED = """
SELECT id FROM orders
WHERE idempotency_key = %(key)s AND customer_email = 'erased@erased.invalid'
"""
ORDER_REFUSALS = (
    NotFoundError,
    EmptyCartError,
    OutOfStockError,
    PriceChangedError,
    CouponRefusedError,
    ErasedMeanwhileError,
)


def operation(weight: int, *refusals: type[Exception]) -> Callable[[Operation], Operation]:
    """Let workers choose an operation so often, which may be refused with these errors."""

    def add(found: Operation) -> Operation:
        OPERATIONS.append((weight, found, (*refusals, TransactionConflictError)))
        return found

    return add


class Worker:
    """One of many at the same time; what it chooses depends on seed and number alone."""

    def __init__(self, world: World, seed: int, number: int) -> None:
        self.world = world
        self.chance = random.Random(f"{seed}/{number}")
        self.number = number
        self.session = f"session-{number}"
        self._keys = 0

    async def work(self, operations: int) -> None:
        """Do so many operations one after the other."""
        weights = [weight for weight, _, _ in OPERATIONS]
        for turn in range(operations):
            ((_, chosen, refusals),) = self.chance.choices(OPERATIONS, weights)
            name = chosen.__name__
            begun = monotonic()
            try:
                await chosen(self)
            except refusals as error:
                self.world.done[f"{name}: {type(error).__name__}"] += 1
            except Exception as error:
                error.add_note(f"worker {self.number}, operation {turn}: {name}")
                raise
            else:
                self.world.done[name] += 1
            self.world.slowest = max(self.world.slowest, (monotonic() - begun, name))

    @property
    def shop(self) -> Shop:
        """Any of the programs."""
        return self.chance.choice(self.world.programs)

    def key(self) -> str:
        self._keys += 1
        return f"{self.number}-{self._keys}"

    def goods(self) -> Goods:
        """The first is asked for far more often than there is of it."""
        return self.chance.choice([self.world.goods[0], *self.world.goods])

    def user(self) -> UserId:
        return self.chance.choice(self.world.users)[0]

    def order(self) -> OrderId:
        return OrderId(self.one_of(self.world.orders))

    def one_of(self, known: list[Any]) -> Any:
        """One of the latest, so that several do things to the same at the same time."""
        if not known:
            raise NotFoundError("thing to do something to", "yet")
        return self.chance.choice(known[-12:])

    async def cart(self) -> CartId:
        """Mine as a guest, or that of a user, which is everybody's."""
        if self.chance.random() < 0.5:
            return await self.shop.carts.open(session_id=self.session)
        return await self.shop.carts.open(user_id=self.user())

    def maybe_a_fault(self) -> None:
        if self.chance.random() < 0.25:
            self.world.server.fail_next(self.chance.choice(FAULTS))

    def token(self) -> str:
        return self.chance.choice((*TOKENS, *TOKENS, *BAD_TOKENS))


# Accounts


@operation(2)
async def open_account(worker: Worker) -> None:
    await register(worker.shop, worker.world, f"{worker.key()}@acid.example")


@operation(3, InvalidCredentialsError)
async def sign_in(worker: Worker) -> None:
    _, email = worker.chance.choice(worker.world.users)
    signed_in = await worker.shop.users.sign_in(email, PASSWORD, network_address=None)
    worker.world.tokens.append(signed_in.refresh_token)


@operation(3, NotFoundError, InvalidTokenError)
async def refresh(worker: Worker) -> None:
    """Also with a token that others use at the same time, which ends the session."""
    signed_in = await worker.shop.users.refresh(worker.one_of(worker.world.tokens))
    worker.world.tokens.append(signed_in.refresh_token)


@operation(1, NotFoundError)
async def sign_out_everywhere(worker: Worker) -> None:
    await worker.shop.users.sign_out_everywhere(worker.user())


@operation(1, NotFoundError, UserDeletedError)
async def default_address(worker: Worker) -> None:
    await worker.shop.users.add_address(worker.user(), YORK, "shipping", is_default=True)


@operation(1, NotFoundError)
async def export(worker: Worker) -> None:
    await worker.shop.users.export(worker.user())


@operation(1, NotFoundError)
async def delete_user(worker: Worker) -> None:
    """The latest registered, so that some stay."""
    await worker.shop.users.delete(worker.world.users[-1][0])


@operation(1, NotFoundError)
async def erase_user(worker: Worker) -> None:
    user_id = worker.chance.choice(worker.world.users[-4:])[0]
    await worker.shop.users.erase(user_id, by=None, reason="asked for it")


# Carts


@operation(20, *CART_REFUSALS)
async def add(worker: Worker) -> None:
    quantity = worker.chance.randint(1, 3)
    await worker.shop.carts.add(await worker.cart(), *worker.goods(), quantity)


@operation(1, *CART_REFUSALS)
async def add_short_lived(worker: Worker) -> None:
    product_id = worker.chance.choice(worker.world.short_lived[-4:])
    await worker.shop.carts.add(await worker.cart(), product_id)


@operation(4, *CART_REFUSALS)
async def change_a_line(worker: Worker) -> None:
    shop, cart_id = worker.shop, await worker.cart()
    items = (await shop.carts.get(cart_id=cart_id)).items
    if items:
        item = worker.chance.choice(items)
        if worker.chance.random() < 0.6:
            await shop.carts.set_quantity(cart_id, item.id, worker.chance.randint(1, 4))
        else:
            await shop.carts.remove(cart_id, item.id)


@operation(1, *CART_REFUSALS)
async def refresh_prices(worker: Worker) -> None:
    await worker.shop.carts.refresh_prices(await worker.cart())


@operation(6, *CART_REFUSALS, CouponRefusedError, EmptyCartError)
async def put_coupon(worker: Worker) -> None:
    await worker.shop.carts.apply_coupon(await worker.cart(), worker.chance.choice(COUPONS))


@operation(1, *CART_REFUSALS)
async def take_coupon_off(worker: Worker) -> None:
    await worker.shop.carts.remove_coupon(await worker.cart())


@operation(4, CartOwnerError)
async def merge(worker: Worker) -> None:
    """Also a session that somebody else has."""
    session = worker.chance.choice((worker.session, f"session-{worker.chance.randint(0, 31)}"))
    await worker.shop.carts.merge(session_id=session, user_id=worker.user())


@operation(1)
async def expire_carts(worker: Worker) -> None:
    await worker.shop.carts.expire(guest_days=1)


# Orders


async def checkout(worker: Worker, **changes: object) -> Checkout:
    given: dict[str, Any] = {
        "cart_id": await worker.cart(),
        "idempotency_key": worker.key(),
        "shipping_address": BERLIN,
        "shipping_method_id": worker.chance.choice((None, worker.world.method)),
        "customer_email": "buyer@acid.example",
    }
    return Checkout(**(given | changes))


async def ordered(worker: Worker, shop: Shop, wanted: Checkout) -> PlacedOrder:
    """Place it; a key is one order for ever, whoever asks."""
    world, key = worker.world, wanted.idempotency_key
    try:
        placed = await shop.orders.place(wanted)
    except IdempotencyKeyTakenError as error:
        if await run(shop, ERASED, key=key):
            raise ErasedMeanwhileError from error
        raise
    before = world.placed.setdefault(key, placed)
    if before.id != placed.id:
        raise AssertionError(f"key {key} is order {before.id} and order {placed.id}")
    if before is placed:
        world.orders.append(placed.id)
    return placed


@operation(18, *ORDER_REFUSALS, CartOwnerError)
async def place(worker: Worker) -> None:
    wanted = await checkout(worker)
    await ordered(worker, worker.shop, wanted)
    if worker.chance.random() < 0.3:
        await ordered(worker, worker.shop, wanted)


@operation(4, *ORDER_REFUSALS, CartOwnerError)
async def place_what_was_shown(worker: Worker) -> None:
    wanted = await checkout(worker)
    quote = await worker.shop.orders.quote(
        wanted.cart_id, shipping_method_id=wanted.shipping_method_id, country_code="DE"
    )
    shown = msgspec.structs.replace(wanted, expected_total=quote.totals.total_amount)
    placed = await ordered(worker, worker.shop, shown)
    if placed.total_amount != shown.expected_total:
        raise AssertionError("it costs another amount than was agreed to")


@operation(4, *ORDER_REFUSALS, CartOwnerError)
async def place_twice_at_once(worker: Worker) -> None:
    """Through two programs, with one key."""
    wanted = await checkout(worker)
    both = await asyncio.gather(
        *(ordered(worker, shop, wanted) for shop in worker.world.programs[:2]),
        return_exceptions=True,
    )
    for each in both:
        if isinstance(each, BaseException):
            raise each


@operation(5, *ORDER_REFUSALS, CartOwnerError)
async def place_and_go_away(worker: Worker) -> None:
    """Cancelled at any moment, and asked for again with the same key."""
    wanted = await checkout(worker)
    placing = asyncio.create_task(ordered(worker, worker.shop, wanted))
    for _ in range(worker.chance.randint(0, 40)):
        await asyncio.sleep(0)
    placing.cancel()
    await asyncio.wait([placing])
    if placing.cancelled() or placing.exception() is None:
        worker.world.abandoned[wanted.idempotency_key] = wanted
        await ordered(worker, worker.shop, wanted)


@operation(5, NotFoundError, OrderStateError, PaymentRefusedError)
async def cancel(worker: Worker) -> None:
    shop = worker.shop
    settlement = await shop.orders.cancel(
        worker.order(), reason="changed my mind", give_back=worker.chance.random() < 0.7
    )
    for payment_id in settlement.to_void:
        await settle(worker, shop.orders.payments.void(payment_id))
    for due in settlement.to_refund:
        await settle(worker, shop.orders.payments.refund(due.payment_id, amount=due.amount))


async def settle(worker: Worker, call: Awaitable[object]) -> None:
    """Somebody else may have done it since."""
    try:
        await call
    except PaymentRefusedError:
        worker.world.done["settle: PaymentRefusedError"] += 1


@operation(1)
async def expire(worker: Worker) -> None:
    """Only few are unpaid for that long."""
    await worker.shop.orders.expire_unpaid(timedelta(seconds=3))


@operation(3, NotFoundError, OrderStateError)
async def confirm(worker: Worker) -> None:
    await worker.shop.orders.confirm(worker.order(), reason="on invoice")


@operation(2, NotFoundError, OrderStateError)
async def start_processing(worker: Worker) -> None:
    await worker.shop.orders.start_processing(worker.order())


@operation(1, NotFoundError)
async def look_at_an_order(worker: Worker) -> None:
    shop = worker.shop
    found = await shop.orders.get(worker.order())
    await shop.orders.add_note(found.id, "looked at")
    await shop.orders.list(limit=5)


# Payments


@operation(12, NotFoundError, PaymentRefusedError)
async def pay(worker: Worker) -> None:
    worker.maybe_a_fault()
    done = await worker.shop.orders.payments.pay(
        worker.order(), gateway="sandbox", token=worker.token()
    )
    worker.world.payments.append(done.payment_id)


@operation(3, NotFoundError, PaymentRefusedError)
async def pay_twice_at_once(worker: Worker) -> None:
    """With one key, through two programs: one payment."""
    order_id, key, token = worker.order(), worker.key(), worker.token()
    worker.maybe_a_fault()
    both = await asyncio.gather(
        *(
            shop.orders.payments.pay(order_id, gateway="sandbox", token=token, idempotency_key=key)
            for shop in worker.world.programs[:2]
        ),
        return_exceptions=True,
    )
    payments = {each.payment_id for each in both if not isinstance(each, BaseException)}
    if len(payments) > 1:
        raise AssertionError("one key, two payments")
    worker.world.payments += payments
    for each in both:
        if isinstance(each, BaseException):
            raise each


@operation(5, NotFoundError, PaymentRefusedError)
async def authorize(worker: Worker) -> None:
    worker.maybe_a_fault()
    done = await worker.shop.orders.payments.authorize(
        worker.order(), gateway="sandbox", token=worker.token()
    )
    worker.world.payments.append(done.payment_id)


@operation(5, NotFoundError, PaymentRefusedError)
async def capture(worker: Worker) -> None:
    worker.maybe_a_fault()
    amount = worker.chance.choice((None, Decimal("1.50")))
    await worker.shop.orders.payments.capture(worker.one_of(worker.world.payments), amount=amount)


@operation(2, NotFoundError, PaymentRefusedError)
async def void(worker: Worker) -> None:
    worker.maybe_a_fault()
    await worker.shop.orders.payments.void(worker.one_of(worker.world.payments))


@operation(4, NotFoundError, PaymentRefusedError)
async def refund(worker: Worker) -> None:
    worker.maybe_a_fault()
    await worker.shop.orders.payments.refund(
        worker.one_of(worker.world.payments),
        amount=worker.chance.choice((None, Decimal("2.25"))),
        close_order=worker.chance.random() < 0.5,
    )


@operation(2, NotFoundError, PaymentRefusedError)
async def refund_order(worker: Worker) -> None:
    await worker.shop.orders.payments.refund_order(worker.order(), close_order=True)


@operation(3, NotFoundError, OrderStateError, PaymentRefusedError)
async def mark_paid(worker: Worker) -> None:
    shop, order_id = worker.shop, worker.order()
    amount = (await shop.orders.get(order_id)).total_amount
    await shop.orders.mark_paid(order_id, amount=amount, method="transfer")


@operation(2)
async def recover(worker: Worker) -> None:
    """What is older than any call takes."""
    worker.world.server.release()
    await worker.shop.orders.payments.recover(older_than=2)


# What is sent, and what comes back


@operation(8, NotFoundError, OrderStateError, LineQuantityError)
async def ship(worker: Worker) -> None:
    shop, order_id = worker.shop, worker.order()
    lines: dict[OrderItemId, int] | None = None
    if worker.chance.random() < 0.5:
        item = worker.chance.choice((await shop.orders.get(order_id)).items)
        lines = {item.id: worker.chance.randint(1, item.quantity)}
    parcel = Parcel(order_id=order_id, lines=lines, carrier="DHL", idempotency_key=worker.key())
    shipment_id = await shop.orders.ship(parcel)
    if await worker.shop.orders.ship(parcel) != shipment_id:
        raise AssertionError("one key, two parcels")
    worker.world.shipments.append(shipment_id)


@operation(5, NotFoundError, OrderStateError)
async def end_a_parcel(worker: Worker) -> None:
    orders = worker.shop.orders
    end = worker.chance.choice((orders.mark_delivered, orders.mark_delivered, orders.mark_lost))
    await end(worker.one_of(worker.world.shipments))


@operation(5, NotFoundError, LineQuantityError)
async def return_goods(worker: Worker) -> None:
    shop, order_id = worker.shop, worker.order()
    item = worker.chance.choice((await shop.orders.get(order_id)).items)
    line = ReturnLine(item.id, 1, restock=worker.chance.random() < 0.7)
    request = ReturnRequest(order_id=order_id, lines=[line], idempotency_key=worker.key())
    returned = await shop.orders.return_items(request)
    again = await worker.shop.orders.return_items(request)
    if (again.id, again.refund_amount) != (returned.id, returned.refund_amount):
        raise AssertionError("one key, two returns")


# The catalogue


@operation(4, InsufficientStockError)
async def adjust_stock(worker: Worker) -> None:
    change = worker.chance.choice((-2, 3, 5))
    await worker.shop.products.stock.adjust(*worker.goods(), change=change)


@operation(1)
async def count_stock(worker: Worker) -> None:
    quantity = worker.chance.randint(5, 30)
    await worker.shop.products.stock.set(*worker.goods(), quantity=quantity)


@operation(3, VersionConflictError)
async def change_a_price(worker: Worker) -> None:
    shop, (product_id, variant_id) = worker.shop, worker.goods()
    price = Decimal(worker.chance.randint(500, 3000)) / 100
    if variant_id is not None:
        changes = VariantChanges(price=price)
        await shop.products.variants.update(variant_id, changes, expected_version=None)
    else:
        version = (await shop.products.get_for_admin(product_id)).version
        await shop.products.update(
            product_id, ProductChanges(price=price), expected_version=version
        )


@operation(1, NotFoundError)
async def archive(worker: Worker) -> None:
    """And put another one in its place."""
    shop = worker.shop
    product_id = worker.chance.choice(worker.world.short_lived[-4:])
    await shop.products.archive(product_id, expected_version=None)
    worker.world.short_lived.append(await a_product(shop))


@operation(1, NotFoundError)
async def restore(worker: Worker) -> None:
    product_id = worker.chance.choice(worker.world.short_lived)
    await worker.shop.products.restore(product_id)


@operation(3, NotFoundError, AlreadyReviewedError)
async def review(worker: Worker) -> None:
    shop, (product_id, _) = worker.shop, worker.goods()
    rating = NewReview(rating=worker.chance.randint(1, 5))
    worker.world.reviews.append(
        await shop.products.reviews.submit(product_id, worker.user(), rating)
    )


@operation(3, NotFoundError, ReviewChangedError)
async def moderate(worker: Worker) -> None:
    shop, review_id = worker.shop, worker.one_of(worker.world.reviews)
    decision = worker.chance.random()
    if decision < 0.6:
        await shop.products.reviews.approve(review_id, seen=None, moderator=None)
    elif decision < 0.8:
        await shop.products.reviews.reject(review_id, "rude", seen=None, moderator=None)
    else:
        await shop.products.reviews.delete(review_id, user_id=None)


@operation(1, NotFoundError)
async def edit_a_review(worker: Worker) -> None:
    changes = ReviewChanges(rating=worker.chance.randint(1, 5))
    await worker.shop.products.reviews.edit(
        worker.one_of(worker.world.reviews), worker.user(), changes
    )


# Somebody in psql


@operation(2)
async def stock_in_sql(worker: Worker) -> None:
    product_id, variant_id = worker.goods()
    table, key = ("product_variants", variant_id) if variant_id else ("products", product_id)
    statement = f"UPDATE {table} SET stock_quantity = stock_quantity + 1 WHERE id = %(id)s"
    await run(worker.shop, statement, id=key)


@operation(2, NotFoundError, psycopg.errors.CheckViolation)
async def a_step_in_sql(worker: Worker) -> None:
    status = worker.chance.choice(("confirmed", "processing", "cancelled"))
    statement = "UPDATE orders SET status = %(status)s WHERE id = %(id)s"
    await run(worker.shop, statement, status=status, id=worker.order())


@operation(1, *CART_REFUSALS, psycopg.errors.IntegrityError)
async def a_line_in_sql(worker: Worker) -> None:
    product_id, variant_id = worker.goods()
    await run(
        worker.shop,
        "INSERT INTO cart_items (cart_id, product_id, variant_id, quantity, unit_price)"
        " VALUES (%(cart)s, %(product)s, %(variant)s, 1, 1)",
        cart=await worker.cart(),
        product=product_id,
        variant=variant_id,
    )


@operation(1, *CART_REFUSALS)
async def quantities_in_sql(worker: Worker) -> None:
    """Of a line that may be ordered at this moment."""
    statement = "UPDATE cart_items SET quantity = quantity + 1 WHERE cart_id = %(cart)s"
    await run(worker.shop, statement, cart=await worker.cart())
