"""The gateway `sandbox`, as its client: a small HTTP server of ours, to try and test with."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal

import msgspec

from shopflow.errors import ConfigurationError
from shopflow.orders.payments.errors import WebhookRefusedError
from shopflow.orders.payments.gateway import (
    Declined,
    GatewayEvent,
    Kind,
    Result,
    Succeeded,
    Unknown,
)
from shopflow.orders.payments.signatures import verify

# Where a request is made it is imported: it would be a quarter of the start of every command.
if TYPE_CHECKING:
    import aiohttp

NAME = "sandbox"
SIGNATURE = "Sandbox-Signature"
KEY = "Idempotency-Key"
# Seconds for a whole call. Recovery looks only at what is older than a minute.
TIMEOUT = 20.0
# What the server refuses for good, and what says nothing about the operation itself.
_DEFINITE = {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}


class _Answer(msgspec.Struct, frozen=True):
    """What the server says of an operation."""

    status: Literal["succeeded", "declined"]
    reference: str
    code: str | None = None
    card_brand: str | None = None
    card_last_four: str | None = None
    expires_at: datetime | None = None


class _Refusal(msgspec.Struct, frozen=True):
    error: str


class Sandbox:
    """A client of the sandbox; its repr shows neither key nor secret."""

    def __init__(
        self, url: str, *, api_key: str, webhook_secret: str, timeout: float = TIMEOUT
    ) -> None:
        """Take where the server is; nothing is connected before the first call.

        Args:
            url: such as `http://127.0.0.1:8790`.
            api_key: the server's.
            webhook_secret: what it signs webhooks with.
            timeout: seconds that a call may take as a whole.

        Raises:
            ConfigurationError: for a URL that is none, or an empty key or secret.
        """
        if not url.startswith(("http://", "https://")):
            raise ConfigurationError(f"sandbox url {url!r} must begin with http(s)://")
        if not api_key or not webhook_secret:
            raise ConfigurationError("the sandbox needs an api_key and a webhook_secret")
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._secret = webhook_secret.encode()
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"Sandbox({self.url!r})"

    async def authorize(
        self, key: str, *, amount: Decimal, currency_code: str, token: str
    ) -> Result:
        """Reserve an amount on the card behind `token`."""
        return await self._do(
            key, "/authorizations", amount=str(amount), currency_code=currency_code, token=token
        )

    async def capture(
        self, key: str, *, authorization: str, amount: Decimal, currency_code: str
    ) -> Result:
        """Take a part of an authorization."""
        return await self._on(key, "capture", authorization, amount, currency_code)

    async def void(
        self, key: str, *, authorization: str, amount: Decimal, currency_code: str
    ) -> Result:
        """Give up the rest of an authorization."""
        return await self._on(key, "void", authorization, amount, currency_code)

    async def refund(
        self, key: str, *, authorization: str, amount: Decimal, currency_code: str
    ) -> Result:
        """Give back a part of what was captured."""
        return await self._on(key, "refund", authorization, amount, currency_code)

    async def find(self, key: str) -> Result | None:
        """Ask what became of the operation with this key."""
        import aiohttp  # noqa: PLC0415 see above

        try:
            async with self._open().get(
                f"{self.url}/operations", params={"key": key}, headers=self._headers
            ) as response:
                body = await response.read()
                if response.status == HTTPStatus.NOT_FOUND:
                    return None if _error(body) == "unknown_key" else Unknown("http_404")
                return _read(response.status, body)
        except (TimeoutError, aiohttp.ClientError) as error:
            return _lost(error)

    def read_event(self, headers: Mapping[str, str], body: bytes, now: datetime) -> GatewayEvent:
        """Check signature and time, then read the event."""
        named = {name.lower(): value for name, value in headers.items()}
        verify(self._secret, named.get(SIGNATURE.lower()), body, now)
        try:
            return msgspec.json.decode(body, type=GatewayEvent)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise WebhookRefusedError("the webhook is no event of a payment") from error

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _on(
        self, key: str, kind: Kind, authorization: str, amount: Decimal, currency_code: str
    ) -> Result:
        return await self._do(
            key,
            f"/authorizations/{authorization}/{kind}",
            amount=str(amount),
            currency_code=currency_code,
        )

    async def _do(self, key: str, path: str, **request: str) -> Result:
        import aiohttp  # noqa: PLC0415 see above

        try:
            async with self._open().post(
                self.url + path, json=request, headers=self._headers | {KEY: key}
            ) as response:
                return _read(response.status, await response.read())
        except (TimeoutError, aiohttp.ClientError) as error:
            return _lost(error)

    def _open(self) -> aiohttp.ClientSession:
        import aiohttp  # noqa: PLC0415 see above

        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._timeout)
            )
        return self._session


def from_environment(environ: Mapping[str, str] | None = None) -> dict[str, Sandbox]:
    """Return the sandbox of `SANDBOX_URL`, `SANDBOX_API_KEY` and `SANDBOX_WEBHOOK_SECRET`.

    Raises:
        ConfigurationError: naming what is missing.
    """
    environ = os.environ if environ is None else environ
    names = ("SANDBOX_URL", "SANDBOX_API_KEY", "SANDBOX_WEBHOOK_SECRET")
    missing = [name for name in names if not environ.get(name)]
    if missing:
        raise ConfigurationError(f"{', '.join(missing)} must be set for the sandbox gateway")
    url, api_key, secret = (environ[name] for name in names)
    return {NAME: Sandbox(url, api_key=api_key, webhook_secret=secret)}


def _read(status: int, body: bytes) -> Result:
    if status in _DEFINITE:
        return Declined(_error(body) or f"http_{status}")
    if status not in {HTTPStatus.OK, HTTPStatus.PAYMENT_REQUIRED}:
        return Unknown(f"http_{status}")
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Unknown("unreadable_answer")
    if answer.status == "declined":
        return Declined(answer.code or "declined")
    return Succeeded(
        reference=answer.reference,
        card_brand=answer.card_brand,
        card_last_four=answer.card_last_four,
        expires_at=answer.expires_at,
    )


def _error(body: bytes) -> str | None:
    try:
        return msgspec.json.decode(body, type=_Refusal).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _lost(error: Exception) -> Unknown:
    return Unknown("timeout" if isinstance(error, TimeoutError) else "connection_lost")
