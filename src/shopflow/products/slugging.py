"""New rows under a slug of their own: the one given, or one made from the name."""

from __future__ import annotations

from secrets import token_hex
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from shopflow.products.checks import as_json
from shopflow.products.detail import QUERIES
from shopflow.products.errors import SlugTakenError
from shopflow.products.refusals import Given, named
from shopflow.slugs import LONGEST, slug

_SUFFIX_BYTES = 4


class _Created(msgspec.Struct, frozen=True):
    id: UUID


async def create_with_slug(
    connection: AsyncConnection[Any], query: str, fields: dict[str, object]
) -> UUID:
    """Run a query that inserts `fields` unless their slug is taken, and return the new key.

    A slug that is made from the name gets a suffix when it is taken; then it is two round trips.

    Raises:
        SlugTakenError: when the slug that was given is taken.
    """
    given = fields["slug"]
    plain = str(given or slug(str(fields["name"])))
    created = await _create(connection, query, fields | {"slug": plain})
    while created is None:
        if given is not None:
            raise SlugTakenError(given)
        suffix = f"-{token_hex(_SUFFIX_BYTES)}"
        other = plain[: LONGEST - len(suffix)] + suffix
        created = await _create(connection, query, fields | {"slug": other})
    return created


async def _create(connection: AsyncConnection[Any], query: str, fields: Given) -> UUID | None:
    with named(fields):
        created = await QUERIES[query].row(connection, _Created, fields=as_json(fields))
    return created.id if created else None
