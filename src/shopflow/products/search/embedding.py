"""Vectors of products by a model of the user's own (pgvector), for searches by meaning."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Any, Protocol
from uuid import UUID

import msgspec
import psycopg
from psycopg import AsyncConnection, errors, sql

from shopflow.errors import InvalidInputError, ShopflowError
from shopflow.postgres import roles
from shopflow.postgres.conninfo import conninfo
from shopflow.postgres.embedded import Server
from shopflow.postgres.pool import Pool
from shopflow.products.search.language import FIRST, ShowCount
from shopflow.products.search.suggesting import QUERIES
from shopflow.settings import Settings

# What an HNSW index of `vector` takes.
MOST_DIMENSIONS = 2000
BATCH = 100
_EXTENSION = sql.SQL("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public")
_TABLE = sql.SQL(
    """
    CREATE TABLE IF NOT EXISTS product_embeddings (
        product_id UUID NOT NULL,
        made_from TIMESTAMPTZ NOT NULL,
        embedding vector({dimensions}) NOT NULL,
        CONSTRAINT product_embeddings_pkey PRIMARY KEY (product_id),
        CONSTRAINT product_embeddings_product_id_fkey FOREIGN KEY (product_id)
            REFERENCES product_search (product_id) ON DELETE CASCADE ON UPDATE CASCADE
    );
    CREATE INDEX IF NOT EXISTS idx_product_embeddings_nearest
        ON product_embeddings USING hnsw (embedding vector_cosine_ops);
    COMMENT ON TABLE product_embeddings IS
        'Vectors of listed products, made by a model of the shop''s own for search by meaning';
    COMMENT ON COLUMN product_embeddings.made_from IS
        'changed_at of the text in product_search that it was made from'
    """
)


class SemanticSearchError(ShopflowError):
    """Search by meaning is not switched on, or cannot be; the message says what to do."""


class Embedding(Protocol):
    """A model that turns texts into vectors; whoever has one writes this around it.

    Attributes:
        dimensions: how long each vector is, 1 to 2,000.
    """

    dimensions: int

    def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """Return the vector of each text; called in a thread of its own, with up to 100 texts."""


class _Dimensions(msgspec.Struct, frozen=True):
    dimensions: int


class _Text(msgspec.Struct, frozen=True):
    product_id: UUID
    changed_at: str
    text: str


async def enable(pool: Pool, dimensions: int) -> None:
    """Make the table and index that search by meaning needs, where they are not there yet.

    The embedded server has pgvector. On another server an administrator makes the extension, once
    a database. It is the schema's owner who may do this; no writer of products waits.

    Args:
        pool: whose settings say where.
        dimensions: how long the vectors of the model are, 1 to 2,000.

    Raises:
        InvalidInputError: for another length, or when there are vectors of one already.
        SemanticSearchError: when the server has no pgvector, or the login may not do it.
    """
    if not 1 <= dimensions <= MOST_DIMENSIONS:
        raise InvalidInputError("dimensions", dimensions, f"must be from 1 to {MOST_DIMENSIONS}")
    await asyncio.to_thread(_enable, pool.settings, dimensions)
    async with pool.connection() as connection:
        now = await dimensions_of(connection)
    if now != dimensions:
        reason = f"must be {now} as those that are there: disable it first, which deletes them"
        raise InvalidInputError("dimensions", dimensions, reason)


async def disable(pool: Pool) -> None:
    """Delete the vectors and their table; the extension stays.

    Raises:
        SemanticSearchError: when the login may not do it.
    """
    async with pool.connection() as connection:
        try:
            await QUERIES["drop_embeddings"].execute(connection)
        except errors.InsufficientPrivilege as error:
            raise SemanticSearchError(_for_the_owner(error)) from error


async def dimensions_of(connection: AsyncConnection[Any]) -> int:
    """Return how long the vectors are.

    Raises:
        SemanticSearchError: when search by meaning is not switched on.
    """
    found = await QUERIES["get_embedding_dimensions"].row(connection, _Dimensions)
    if found is None:
        raise SemanticSearchError(
            "search by meaning is not switched on: shopflow search semantic enable"
        )
    return found.dimensions


async def embed_products(pool: Pool, model: Embedding, *, progress: ShowCount | None = None) -> int:
    """Have the model make the vectors of listed products that have none of their text now.

    In batches, with no transaction open while the model works; may be interrupted and run again.

    Args:
        pool: where to take connections from.
        model: the shop's own.
        progress: told after each batch how many products it was.

    Raises:
        SemanticSearchError: when search by meaning is not switched on.
        InvalidInputError: when the model's vectors are not as long as those of the table, or hold
            what is no number.
    """
    async with pool.connection() as connection:
        dimensions = await dimensions_of(connection)
    after, done = FIRST, 0
    while True:
        async with pool.connection() as connection:
            texts = await QUERIES["texts_to_embed"].rows(connection, _Text, after=after, size=BATCH)
        if not texts:
            return done
        vectors = await vectors_of(model, [each.text for each in texts], dimensions)
        async with pool.connection() as connection:
            await QUERIES["write_embeddings"].execute(
                connection,
                ids=[each.product_id for each in texts],
                made_from=[each.changed_at for each in texts],
                vectors=vectors,
            )
        after, done = texts[-1].product_id, done + len(texts)
        if progress is not None:
            progress(len(texts))


async def vectors_of(model: Embedding, texts: Sequence[str], dimensions: int) -> list[str]:
    """Return the vector of each text as PostgreSQL reads it.

    Raises:
        InvalidInputError: when the model does not return a vector of that length for each.
    """
    vectors = await asyncio.to_thread(model.embed, texts)
    if len(vectors) != len(texts):
        reason = f"must return a vector for each of {len(texts)} texts"
        raise InvalidInputError("model", len(vectors), reason)
    for vector in vectors:
        if len(vector) != dimensions:
            raise InvalidInputError("model", len(vector), f"must have {dimensions} dimensions")
        if not all(map(math.isfinite, vector)):
            raise InvalidInputError("model", "NaN or infinity", "must return numbers")
    return [f"[{','.join(format(number, '.8g') for number in vector)}]" for vector in vectors]


def _enable(settings: Settings, dimensions: int) -> None:
    if settings.embedded:
        with psycopg.connect(Server(settings).superuser_conninfo(), autocommit=True) as connection:
            connection.execute(_EXTENSION)
    login = msgspec.structs.replace(settings, database_role=None, statement_timeout=0.0)
    with psycopg.connect(conninfo(login), autocommit=True) as connection:
        try:
            if not connection.execute("SELECT FROM pg_extension WHERE extname = 'vector'").rowcount:
                connection.execute(_EXTENSION)
            connection.execute(_TABLE.format(dimensions=sql.Literal(dimensions)))
            roles.grant(connection, settings)
        except (errors.UndefinedFile, errors.FeatureNotSupported) as error:
            raise SemanticSearchError(
                "the server has no pgvector: install it there, or use the embedded server"
            ) from error
        except errors.InsufficientPrivilege as error:
            raise SemanticSearchError(_for_the_owner(error)) from error


def _for_the_owner(error: psycopg.Error) -> str:
    return (
        f"{error.diag.message_primary}: an administrator makes the extension"
        f" ({_EXTENSION.as_string(None)}), and the schema's owner does the rest"
    )
