"""Holding a bulk change, so that one batch of it runs at a time and its status stays."""

from __future__ import annotations

from typing import Any

import msgspec
from psycopg import AsyncConnection

from shopflow.errors import NotFoundError
from shopflow.ids import BulkChangeId, UserId
from shopflow.products.bulk.models import BulkKind, BulkStatus
from shopflow.products.bulk.reading import QUERIES


class Held(msgspec.Struct, frozen=True):
    """What is to be known of a bulk change before the next step."""

    kind: BulkKind
    status: BulkStatus
    created_by: UserId | None


async def hold(connection: AsyncConnection[Any], bulk_change_id: BulkChangeId) -> Held:
    """Lock a bulk change until the transaction ends; waits for a batch of it that is under way.

    Raises:
        NotFoundError: when there is no such bulk change.
    """
    found = await QUERIES["lock_bulk_change"].row(connection, Held, id=bulk_change_id)
    if found is None:
        raise NotFoundError("bulk change", bulk_change_id)
    return found
