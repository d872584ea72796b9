"""The same listing by SQLAlchemy's ORM, as its documentation has one write it, on our schema."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import ForeignKey, Numeric, Select, func, select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    joinedload,
    mapped_column,
    relationship,
    selectinload,
)

from bench.catalogue.pages import Page
from bench.catalogue.ways import Read
from shopflow.postgres.conninfo import conninfo
from shopflow.settings import Settings


class Model(DeclarativeBase):
    """The tables that a listing needs."""

    id: Mapped[UUID] = mapped_column(primary_key=True)


class Category(Model):
    """Where it is listed."""

    __tablename__ = "categories"
    name: Mapped[str]


class Brand(Model):
    """Who makes it."""

    __tablename__ = "brands"
    name: Mapped[str]


class Product(Model):
    """What is listed."""

    __tablename__ = "products"
    category_id: Mapped[UUID | None] = mapped_column(ForeignKey("categories.id"))
    brand_id: Mapped[UUID | None] = mapped_column(ForeignKey("brands.id"))
    name: Mapped[str]
    slug: Mapped[str]
    price: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    compare_at_price: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    stock_quantity: Mapped[int]
    is_active: Mapped[bool]
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]
    category: Mapped[Category | None] = relationship()
    brand: Mapped[Brand | None] = relationship()
    images: Mapped[list["Image"]] = relationship()


class Image(Model):
    """A picture of a product."""

    __tablename__ = "product_images"
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.id"))
    url: Mapped[str]
    is_primary: Mapped[bool]


class Review(Model):
    """What somebody says about it."""

    __tablename__ = "product_reviews"
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.id"))
    rating: Mapped[int]
    is_approved: Mapped[bool]


@asynccontextmanager
async def reading(settings: Settings) -> AsyncIterator[Read[Page]]:
    """Give the function that reads a page and the ratings of what is on it."""
    target = conninfo(settings)
    engine = create_async_engine(
        "postgresql+psycopg_async://",
        async_creator=lambda: psycopg.AsyncConnection.connect(target),
    )
    sessions = async_sessionmaker(engine)

    async def read(page: Page) -> object:
        async with sessions() as session:
            products = (await session.scalars(_listing(page))).all()
            ratings = await session.execute(
                select(Review.product_id, func.avg(Review.rating), func.count())
                .where(Review.product_id.in_([each.id for each in products]), Review.is_approved)
                .group_by(Review.product_id)
            )
            return products, ratings.all()

    try:
        yield read
    finally:
        await engine.dispose()


def _listing(page: Page) -> Select[Any]:
    listing = (
        select(Product)
        .where(Product.is_active, Product.deleted_at.is_(None))
        .options(
            joinedload(Product.category), joinedload(Product.brand), selectinload(Product.images)
        )
        .limit(page.limit)
        .offset(page.offset)
    )
    if page.category_id:
        listing = listing.where(Product.category_id == page.category_id)
    if page.brand_id:
        listing = listing.where(Product.brand_id == page.brand_id)
    if page.price_min is not None:
        listing = listing.where(Product.price >= page.price_min)
    if page.price_max is not None:
        listing = listing.where(Product.price <= page.price_max)
    if page.in_stock:
        listing = listing.where(Product.stock_quantity > 0)
    newest = (Product.created_at.desc(), Product.id.desc())
    if page.sort == "price_asc":
        return listing.order_by(Product.price, *newest)
    if page.sort == "price_desc":
        return listing.order_by(Product.price.desc(), *newest)
    return listing.order_by(*newest)
