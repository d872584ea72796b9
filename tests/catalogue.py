"""Products, users and other rows that a test needs, one call each."""

from collections.abc import Mapping
from itertools import count
from typing import Any
from uuid import UUID

from psycopg import sql

from shopflow import Shop
from shopflow.ids import CategoryId, CouponId, ProductId, ShippingMethodId, UserId, VariantId

_numbers = count(1)


async def a_product(shop: Shop, **columns: object) -> ProductId:
    """A product with 10 in stock at 20.00, but for what `columns` say."""
    number = next(_numbers)
    defaults = {
        "name": f"Product {number}",
        "slug": f"product-{number}",
        "sku": f"SKU-{number}",
        "price": "20.00",
        "stock_quantity": 10,
    }
    return ProductId(await inserted(shop, "products", defaults | columns))


async def a_variant(shop: Shop, product_id: ProductId, **columns: object) -> VariantId:
    """A variant with 10 in stock at 30.00."""
    number = next(_numbers)
    defaults = {
        "product_id": product_id,
        "name": f"Variant {number}",
        "sku": f"VARIANT-{number}",
        "price": "30.00",
        "stock_quantity": 10,
        "option_values": f'{{"Size": "{number}"}}',
    }
    return VariantId(await inserted(shop, "product_variants", defaults | columns))


async def a_user(shop: Shop, **columns: object) -> UserId:
    number = next(_numbers)
    defaults = {
        "email": f"user{number}@example.com",
        "password_hash": "!",
        "first_name": "Ann",
        "last_name": "Archer",
    }
    return UserId(await inserted(shop, "users", defaults | columns))


async def a_shipping_method(
    shop: Shop, *, countries: str = "{DE}", states: str = "{}", **columns: object
) -> ShippingMethodId:
    """A method at 4.90, offered in `countries` and `states`."""
    zone = {"name": "Zone", "countries": countries, "states": states}
    defaults = {
        "zone_id": await inserted(shop, "shipping_zones", zone),
        "name": "Standard",
        "carrier": "DHL",
        "price": "4.90",
    }
    return ShippingMethodId(await inserted(shop, "shipping_methods", defaults | columns))


async def a_coupon(shop: Shop, **columns: object) -> CouponId:
    """A coupon of 10 % without any limit."""
    defaults = {
        "code": f"COUPON-{next(_numbers)}",
        "discount_type": "percentage",
        "discount_value": "10",
    }
    return CouponId(await inserted(shop, "coupons", defaults | columns))


async def a_category(shop: Shop, parent_id: CategoryId | None = None) -> CategoryId:
    number = next(_numbers)
    columns = {"name": f"Category {number}", "slug": f"category-{number}", "parent_id": parent_id}
    return CategoryId(await inserted(shop, "categories", columns))


async def a_tax_rate(shop: Shop, rate: str, **columns: object) -> None:
    """A rate of Germany that is added to prices."""
    defaults = {"country_code": "DE", "name": f"Tax {next(_numbers)}", "rate": rate}
    await inserted(shop, "tax_rates", defaults | columns)


async def inserted(shop: Shop, table: str, columns: Mapping[str, object]) -> UUID:
    """Insert a row and return its id."""
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING id").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(", ").join(map(sql.Placeholder, columns)),
    )
    (row,) = await run(shop, statement, **columns)
    return UUID(str(row[0]))


async def run(shop: Shop, statement: str | sql.Composed, **params: object) -> list[tuple[Any, ...]]:
    """Run a statement of the test's own; return its rows, if it has any."""
    async with shop.pool.connection() as connection:
        query = statement.encode() if isinstance(statement, str) else statement
        cursor = await connection.execute(query, params)
        if cursor.description:
            return await cursor.fetchall()
        # Of rows without columns (SELECT FROM …) psycopg tells their number alone.
        selected = (cursor.statusmessage or "").startswith("SELECT")
        return [()] * cursor.rowcount if selected else []
