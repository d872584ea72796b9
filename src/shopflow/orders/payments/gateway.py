"""What a payment gateway has to be able to do, and what it can answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal, Protocol

import msgspec
from msgspec import Meta

from shopflow.errors import ConfigurationError, NotFoundError
from shopflow.money import LARGEST, rounded
from shopflow.text import storable

Kind = Literal["authorize", "capture", "void", "refund"]
LONGEST_NAME = 50
# As wide as the columns; a gateway's name for something.
Reference = Annotated[str, Meta(min_length=1, max_length=255)]
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class Succeeded(msgspec.Struct, frozen=True, kw_only=True):
    """The gateway did it; `reference` is its own name for what it did.

    The card's brand and last four digits and the end of the authorization come with an
    authorization, None where there is none.
    """

    reference: str
    card_brand: str | None = None
    card_last_four: str | None = None
    expires_at: datetime | None = None


class Declined(msgspec.Struct, frozen=True):
    """The gateway refused, nothing happened; `code` is the gateway's, such as `card_declined`."""

    code: str


class Unknown(msgspec.Struct, frozen=True):
    """No answer came, such as after `timeout` or `connection_lost`: it may have happened."""

    reason: str


Result = Succeeded | Declined | Unknown


class GatewayEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What a webhook says has become of an operation; no more of its body is kept.

    Attributes:
        event_id: the gateway's name for the event, the same whenever it is delivered.
        kind: what it is about.
        status: what became of it.
        idempotency_key: of our operation; None for what was done at the gateway without us.
        authorization_reference: the gateway's name for the authorization that it belongs to.
        gateway_reference: the gateway's name for the operation.
        amount: of the operation.
        error_code: why it was declined, None unless it was.
        card_brand: None unless of an authorization by card.
        card_last_four: the same.
        occurred_at: when, by the gateway's clock.
    """

    event_id: Reference
    kind: Kind
    status: Literal["succeeded", "declined"]
    idempotency_key: Reference | None
    authorization_reference: Reference
    gateway_reference: Reference
    amount: Decimal
    error_code: Annotated[str, Meta(min_length=1, max_length=100)] | None
    card_brand: Annotated[str, Meta(max_length=20)] | None
    card_last_four: Annotated[str, Meta(pattern="^[0-9]{4}$")] | None
    occurred_at: Annotated[datetime, Meta(tz=True)]

    def __post_init__(self) -> None:
        """Refuse what the database could not hold."""
        amount = self.amount
        if not (amount.is_finite() and 0 <= amount <= LARGEST and amount == rounded(amount)):
            raise ValueError("amount is not an amount of money")
        if (self.status == "declined") != (self.error_code is not None):
            raise ValueError("error_code is for what was declined")
        if not all(
            storable(value) for value in msgspec.structs.astuple(self) if isinstance(value, str)
        ):
            raise ValueError("there is a NUL or a lone surrogate")


class Gateway(Protocol):
    """A payment gateway.

    Each call carries our idempotency key: asked twice for the same, it does it once and answers
    the same. A call ends within a time limit; whatever leaves open whether it happened is
    `Unknown`, never an exception. It is called outside of any database transaction.
    """

    async def authorize(
        self, key: str, *, amount: Decimal, currency_code: str, token: str
    ) -> Result:
        """Reserve an amount; `token` is the gateway's own for the customer's means of payment."""

    async def capture(
        self, key: str, *, authorization: str, amount: Decimal, currency_code: str
    ) -> Result:
        """Take a part of what is authorized, or all of it."""

    async def void(
        self, key: str, *, authorization: str, amount: Decimal, currency_code: str
    ) -> Result:
        """Give up what is left of an authorization, which is this amount."""

    async def refund(
        self, key: str, *, authorization: str, amount: Decimal, currency_code: str
    ) -> Result:
        """Give back a part of what was captured, or all of it."""

    async def find(self, key: str) -> Result | None:
        """Return what became of the call with this key, None when the gateway knows of none."""

    def read_event(self, headers: Mapping[str, str], body: bytes, now: datetime) -> GatewayEvent:
        """Check a webhook's signature and time, and only then read it.

        Raises:
            WebhookRefusedError: when it is not the gateway's, too old, or no event of a payment.
        """

    async def close(self) -> None:
        """Let go of connections."""


Gateways = Mapping[str, Gateway]


def gateway_named(gateways: Gateways, name: str) -> Gateway:
    """Return the gateway that the shop was opened with under this name.

    Raises:
        NotFoundError: when there is none.
    """
    if name not in gateways:
        raise NotFoundError("gateway", name)
    return gateways[name]


def check_names(gateways: Gateways) -> None:
    """Refuse a name that the database could not hold.

    Raises:
        ConfigurationError: naming it.
    """
    for name in gateways:
        if not _NAME.fullmatch(name) or len(name) > LONGEST_NAME:
            raise ConfigurationError(
                f"gateways: {name!r} must be a lower-case name of letters, digits and _,"
                f" at most {LONGEST_NAME} long"
            )
