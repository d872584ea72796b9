"""Creating, changing and deactivating brands; one statement each."""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection

from shopflow.ids import BrandId
from shopflow.products.checks import as_json, check_fields
from shopflow.products.inputs import BrandChanges, NewBrand
from shopflow.products.refusals import named
from shopflow.products.slugging import create_with_slug
from shopflow.products.versions import written


async def create_brand(connection: AsyncConnection[Any], brand: NewBrand) -> BrandId:
    """Make a brand; its version is 1. A slug made from the name gets a suffix where needed.

    Raises:
        InvalidInputError: naming the field that cannot be.
        SlugTakenError: when another brand has the slug given.
    """
    return BrandId(await create_with_slug(connection, "create_brand", check_fields(brand)))


async def update_brand(
    connection: AsyncConnection[Any],
    brand_id: BrandId,
    changes: BrandChanges,
    *,
    expected_version: int | None,
) -> int:
    """Change the fields given and return the new version.

    Raises:
        VersionConflictError: when it has another version than the one expected; None takes any.
        InvalidInputError: naming the field that cannot be.
        SlugTakenError: when another brand has the slug.
        NotFoundError: when there is no such brand.
    """
    given = check_fields(changes)
    with named(given):
        return await written(
            connection,
            "update_brand",
            "brand",
            brand_id,
            expected_version,
            changes=as_json(given),
        )


async def deactivate_brand(
    connection: AsyncConnection[Any], brand_id: BrandId, *, expected_version: int | None
) -> int:
    """Mark a brand as no longer carried, and return its new version; its products stay for sale.

    Raises:
        VersionConflictError: when somebody else has changed it since.
        NotFoundError: when there is no such brand.
    """
    inactive = BrandChanges(is_active=False)
    return await update_brand(connection, brand_id, inactive, expected_version=expected_version)
