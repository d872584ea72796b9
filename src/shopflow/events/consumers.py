"""Adding, changing and removing those who are told what happens."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import msgspec
from psycopg import AsyncConnection

from shopflow.errors import InvalidInputError, NotFoundError
from shopflow.events.errors import ConsumerNameTakenError
from shopflow.events.models import Consumer, NewWebhook
from shopflow.events.signing import new_secret
from shopflow.events.types import EVERYTHING, checked_event_types
from shopflow.ids import ConsumerId
from shopflow.postgres import queries

QUERIES = queries.load(__package__)
LONGEST_NAME, LONGEST_URL = 100, 2000
# Seconds that the secret before signs as well: time for the receiver to change over.
CHANGE_OVER = 24 * 3600.0
LONGEST_CHANGE_OVER = 365 * 24 * 3600.0
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_SPACE = re.compile(r"\s|[^\x21-\x7e]")


class _Row(msgspec.Struct, frozen=True):
    id: ConsumerId


async def add_webhook(
    connection: AsyncConnection[Any],
    url: str,
    event_types: Iterable[str] = (EVERYTHING,),
    *,
    name: str | None = None,
) -> NewWebhook:
    """Have events sent to a URL from now on, and return the secret they are signed with.

    Events whose transaction was under way when this is committed may be left out.

    Args:
        connection: where to write it.
        url: http or https.
        event_types: types (`order.placed`), all of a kind (`order.*`), or all.
        name: to call it by later; None for the URL's host.

    Raises:
        InvalidInputError: for a URL, type or name that cannot be.
        ConsumerNameTakenError: when another consumer has the name.
    """
    host = _host_of(url)
    webhook = NewWebhook(
        name=checked_name(host if name is None else name),
        url=url,
        event_types=checked_event_types(event_types),
        secret=new_secret(),
    )
    values = msgspec.structs.asdict(webhook)
    try:
        await QUERIES["add_webhook"].row(connection, _Row, **values)
    except ConsumerNameTakenError as error:
        raise ConsumerNameTakenError(
            f"another consumer of events is called {webhook.name}: give this one a name of its own"
        ) from error
    return webhook


async def register_consumer(
    connection: AsyncConnection[Any], name: str, event_types: Iterable[str]
) -> ConsumerId:
    """Have events kept for a Python consumer from now on, or bring it to these types.

    Raises:
        InvalidInputError: for a name or type that cannot be, or the name of a webhook.
    """
    row = await QUERIES["register_consumer"].row(
        connection, _Row, name=checked_name(name), event_types=checked_event_types(event_types)
    )
    if row is None:
        raise InvalidInputError("name", name, "is the name of a webhook")
    return row.id


async def list_consumers(connection: AsyncConnection[Any]) -> list[Consumer]:
    """Return every consumer, webhooks and Python ones, by name; without secrets.

    Raises nothing of its own.
    """
    return await QUERIES["list_consumers"].rows(connection, Consumer)


async def remove_consumer(connection: AsyncConnection[Any], name: str) -> None:
    """Forget a consumer and everything that waits for it.

    Raises:
        NotFoundError: when there is none of this name.
    """
    _found(await QUERIES["remove_consumer"].execute(connection, name=name), name)


async def rotate_secret(
    connection: AsyncConnection[Any], name: str, *, change_over: float = CHANGE_OVER
) -> str:
    """Give a webhook a new secret and return it; the old one signs too for `change_over` seconds.

    Raises:
        NotFoundError: when there is no webhook of this name.
        InvalidInputError: for a change-over that is not from nothing to a year.
    """
    if not 0 <= change_over <= LONGEST_CHANGE_OVER:
        raise InvalidInputError(
            "change_over", change_over, f"must be from 0 to {LONGEST_CHANGE_OVER:.0f} seconds"
        )
    secret = new_secret()
    rotated = await QUERIES["rotate_secret"].execute(
        connection, name=name, secret=secret, seconds=change_over
    )
    _found(rotated, name)
    return secret


async def switch(
    connection: AsyncConnection[Any], name: str, *, on: bool, reason: str | None = None
) -> None:
    """Switch a consumer on or off; what waits for it stays, what happens while it is off is lost.

    Raises:
        NotFoundError: when there is none of this name.
    """
    changed = await QUERIES["set_active"].execute(
        connection, name=name, is_active=on, reason=reason
    )
    _found(changed, name)


async def require_consumer(connection: AsyncConnection[Any], name: str | None) -> None:
    """Return when there is a consumer of this name, or none was named.

    Raises:
        NotFoundError: otherwise.
    """
    if name is not None:
        _found(len(await QUERIES["find_consumer"].rows(connection, _Row, name=name)), name)


def checked_name(name: str) -> str:
    """Return the name.

    Raises:
        InvalidInputError: unless it has 1 to 100 of a-z, 0-9, dot, dash and underscore.
    """
    if len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
        raise InvalidInputError(
            "name", name, f"must be 1 to {LONGEST_NAME} of a-z, 0-9, '.', '-' and '_'"
        )
    return name


def origin_of(url: str) -> str:
    """Return scheme and host: what may be shown of a URL whose path may be a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _host_of(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidInputError("url", "…", "is not a URL") from error
    if "@" in parts.netloc:
        # It holds a password, so it is not shown.
        raise InvalidInputError("url", "…", "must not hold a user name or password")
    if parts.scheme not in {"http", "https"} or not host:
        raise InvalidInputError("url", url, "must begin with http:// or https:// and a host")
    if len(url) > LONGEST_URL or _SPACE.search(url):
        raise InvalidInputError(
            "url", origin_of(url), f"must be {LONGEST_URL} ASCII characters at most, without spaces"
        )
    return re.sub(r"[^a-z0-9._-]", "-", host).strip("-._")[:LONGEST_NAME]


def _found(rows: int, name: str) -> None:
    if not rows:
        raise NotFoundError("event consumer", name)
