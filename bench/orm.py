"""Orders by SQLAlchemy's ORM, async on psycopg: rows locked with FOR UPDATE, a unit of work."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from uuid import UUID

import psycopg
from msgspec.structs import asdict
from sqlalchemy import FetchedValue, ForeignKey, Numeric, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    joinedload,
    mapped_column,
    relationship,
    selectinload,
)

from bench.load import Place
from bench.ours import ADDRESS, cart_ids
from shopflow.ids import CartId
from shopflow.postgres.conninfo import conninfo
from shopflow.settings import Settings

# Connections for so many callers: see docs/reference/benchmarks.md.
POOL = 8


class Model(DeclarativeBase):
    """The tables that a checkout needs; every key is the database's uuidv7()."""

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=FetchedValue())


class User(Model):
    """Who orders."""

    __tablename__ = "users"
    email: Mapped[str]


class Product(Model):
    """What is ordered."""

    __tablename__ = "products"
    name: Mapped[str]
    sku: Mapped[str]
    price: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    stock_quantity: Mapped[int]
    images: Mapped[list["Image"]] = relationship()


class Image(Model):
    """A picture of a product."""

    __tablename__ = "product_images"
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.id"))
    url: Mapped[str]
    is_primary: Mapped[bool]


class Cart(Model):
    """What is to be ordered."""

    __tablename__ = "carts"
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    user: Mapped[User] = relationship()
    items: Mapped[list["CartItem"]] = relationship(cascade="all, delete-orphan")


class CartItem(Model):
    """A line of a cart."""

    __tablename__ = "cart_items"
    cart_id: Mapped[UUID] = mapped_column(ForeignKey("carts.id"))
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.id"))
    quantity: Mapped[int]


class Order(Model):
    """An order."""

    __tablename__ = "orders"
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    customer_email: Mapped[str]
    currency_code: Mapped[str]
    idempotency_key: Mapped[str]
    subtotal: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    total_amount: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    items: Mapped[list["OrderItem"]] = relationship()
    addresses: Mapped[list["OrderAddress"]] = relationship()


class OrderItem(Model):
    """A line of an order."""

    __tablename__ = "order_items"
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"))
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.id"))
    product_name: Mapped[str]
    sku: Mapped[str]
    quantity: Mapped[int]
    unit_price: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    subtotal: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    image_url: Mapped[str | None]


class OrderAddress(Model):
    """Where an order, or its bill, goes."""

    __tablename__ = "order_addresses"
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"))
    address_type: Mapped[str]
    first_name: Mapped[str]
    last_name: Mapped[str]
    address_line_1: Mapped[str]
    address_line_2: Mapped[str | None]
    city: Mapped[str]
    state: Mapped[str | None]
    postal_code: Mapped[str]
    country_code: Mapped[str]


class _ShortageError(Exception):
    """There is less in stock than the cart asks for."""


@asynccontextmanager
async def placing(shop: Settings, tag: str, pool: int = POOL) -> AsyncIterator[Place]:
    """Give the function that places an order."""
    carts = cart_ids(shop)
    target = conninfo(shop)
    engine = create_async_engine(
        "postgresql+psycopg_async://",
        async_creator=lambda: psycopg.AsyncConnection.connect(target),
        pool_size=pool,
        max_overflow=0,
    )
    sessions = async_sessionmaker(engine)

    async def place(number: int) -> bool:
        try:
            async with sessions.begin() as session:
                await _place(session, carts[number], f"{tag}-{number}")
        except _ShortageError:
            return False
        return True

    try:
        yield place
    finally:
        await engine.dispose()


async def _place(session: AsyncSession, cart_id: CartId, key: str) -> None:
    reading = (joinedload(Cart.user), selectinload(Cart.items))
    cart = await session.get_one(Cart, cart_id, options=reading)
    wanted = {item.product_id: item.quantity for item in cart.items}
    products = await session.scalars(
        select(Product)
        .where(Product.id.in_(wanted))
        .options(selectinload(Product.images))
        .order_by(Product.id)
        .with_for_update()
    )
    items = [_sold(product, wanted[product.id]) for product in products]
    subtotal = sum((item.subtotal for item in items), Decimal(0))
    session.add(
        Order(
            user_id=cart.user_id,
            customer_email=cart.user.email,
            currency_code="USD",
            idempotency_key=key,
            subtotal=subtotal,
            total_amount=subtotal,
            items=items,
            addresses=[
                OrderAddress(address_type=kind, **asdict(ADDRESS))
                for kind in ("shipping", "billing")
            ],
        )
    )
    cart.items.clear()


def _sold(product: Product, quantity: int) -> OrderItem:
    if product.stock_quantity < quantity:
        raise _ShortageError
    product.stock_quantity -= quantity
    image = next((image.url for image in product.images if image.is_primary), None)
    return OrderItem(
        product_id=product.id,
        product_name=product.name,
        sku=product.sku,
        quantity=quantity,
        unit_price=product.price,
        subtotal=quantity * product.price,
        image_url=image,
    )
