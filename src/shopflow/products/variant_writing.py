"""Creating, changing and deactivating the variants of a product; one statement each."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from shopflow.ids import ProductId, VariantId
from shopflow.products.checks import as_json, check_fields
from shopflow.products.detail import QUERIES
from shopflow.products.inputs import NewVariant, VariantChanges
from shopflow.products.refusals import named
from shopflow.products.versions import written


class _Created(msgspec.Struct, frozen=True):
    id: UUID


async def create_variant(
    connection: AsyncConnection[Any], product_id: ProductId, variant: NewVariant
) -> VariantId:
    """Make a variant of a product; its version is 1.

    The first one takes over: from then on the product's stock is the sum of its active variants',
    and what it had itself goes out with a movement of the reason `correction`.

    Raises:
        InvalidInputError: naming the field that cannot be.
        SkuTakenError: when another active variant has the SKU.
        OptionsTakenError: when another active variant of the product has these option values.
        NotFoundError: when there is no such product.
        ProductArchivedError: for an active variant of a product that is archived.
    """
    fields = {**check_fields(variant), "product_id": product_id}
    with named(fields):
        rows = await QUERIES["create_variant"].rows(connection, _Created, fields=as_json(fields))
    return VariantId(rows[0].id)


async def update_variant(
    connection: AsyncConnection[Any],
    variant_id: VariantId,
    changes: VariantChanges,
    *,
    expected_version: int | None,
) -> int:
    """Change the fields given and return the new version.

    Args:
        connection: where to.
        variant_id: the variant.
        changes: the fields that change; the others stay, also what somebody else changes.
        expected_version: the version that was read; None changes whatever is there.

    Raises:
        VersionConflictError: when somebody else has changed it since.
        NotFoundError: when there is no such variant.
        InvalidInputError: naming the field that cannot be.
        SkuTakenError: when another product or active variant has the SKU.
        OptionsTakenError: when another active variant of the product has these option values.
        ProductArchivedError: when it is to be active and its product is archived.
    """
    given = check_fields(changes)
    with named(given):
        return await written(
            connection,
            "update_variant",
            "variant",
            variant_id,
            expected_version,
            changes=as_json(given),
        )


async def deactivate_variant(
    connection: AsyncConnection[Any], variant_id: VariantId, *, expected_version: int | None
) -> int:
    """Sell a variant no longer, and return its new version; orders and stock keep it.

    Its SKU and option values can be used again, and its stock leaves the product's sum.

    Raises:
        VersionConflictError: when somebody else has changed it since.
        NotFoundError: when there is no such variant.
    """
    inactive = VariantChanges(is_active=False)
    return await update_variant(connection, variant_id, inactive, expected_version=expected_version)
