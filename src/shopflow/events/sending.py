"""A webhook as an HTTP request: signed, short, and nothing taken of the answer but its status."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

import msgspec

from shopflow.events.deliveries import ActiveConsumer, Outcome
from shopflow.events.models import Event
from shopflow.events.signing import signatures

# Where a request is made it is imported: it would be a quarter of the start of every command.
if TYPE_CHECKING:
    import aiohttp

# Seconds for a connection, and for everything.
CONNECT_TIMEOUT, TIMEOUT = 5.0, 15.0
OK, MULTIPLE_CHOICES, BAD_REQUEST, GONE = 200, 300, 400, 410


class Sender:
    """Sends webhooks; a context, whose connections are closed at its end."""

    def __init__(self, *, timeout: float = TIMEOUT) -> None:
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        import aiohttp  # noqa: PLC0415 see above

        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(
                total=self._timeout, connect=min(CONNECT_TIMEOUT, self._timeout)
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "ShopFlow"},
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(self, consumer: ActiveConsumer, event: Event) -> Outcome:
        """Post an event to a webhook; taken when the answer is 2xx, redirects are not followed."""
        import aiohttp  # noqa: PLC0415 see above

        if self._session is None or consumer.url is None:
            raise ValueError("a webhook is sent inside the sender's context, to a URL")
        body = body_of(event)
        # The time of this attempt: the receiver refuses old ones.
        timestamp = int(time.time())
        headers = {
            "Content-Type": "application/json",
            "webhook-id": str(event.id),
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signatures(consumer.secrets, str(event.id), timestamp, body),
        }
        try:
            async with self._session.post(
                consumer.url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                return _outcome(answer.status, answer.headers.get("Retry-After"))
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            return Outcome(error=_said(error, self._timeout))


def body_of(event: Event) -> bytes:
    """Return the JSON document that is sent: the same bytes at each attempt."""
    return msgspec.json.encode(
        {
            "id": event.id,
            "type": event.event_type,
            "timestamp": event.created_at,
            "position": event.position,
            "aggregate_type": event.aggregate_type,
            "aggregate_id": event.aggregate_id,
            "data": msgspec.Raw(event.payload),
        }
    )


def _outcome(status: int, retry_after: str | None) -> Outcome:
    if OK <= status < MULTIPLE_CHOICES:
        return Outcome(status)
    what = "a redirect, which is not followed" if MULTIPLE_CHOICES <= status < BAD_REQUEST else ""
    wish = retry_after.strip() if retry_after else ""
    return Outcome(
        status,
        error=f"answered {status}{f', {what}' if what else ''}",
        # Its other form, a date, is by the receiver's clock.
        retry_after=float(wish) if wish.isascii() and wish.isdigit() else None,
        gone=status == GONE,
    )


def _said(error: Exception, timeout: float) -> str:
    """Say it in our words: the library's may hold the URL, whose path may be a secret."""
    import aiohttp  # noqa: PLC0415 see above

    if isinstance(error, TimeoutError):
        return f"no answer within {timeout:g} s"
    if isinstance(error, aiohttp.ClientSSLError | aiohttp.ServerFingerprintMismatch):
        return "its certificate was refused"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its host was not found"
    if isinstance(error, OSError) and error.strerror:
        return f"no connection: {error.strerror}"[:200]
    return f"no connection: {type(error).__name__}"
