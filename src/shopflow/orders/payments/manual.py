"""The gateway `manual`: bank transfer, cash and cheque, where people do what is recorded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from shopflow.orders.payments.errors import WebhookRefusedError
from shopflow.orders.payments.gateway import GatewayEvent, Result, Succeeded

NAME = "manual"


class Manual:
    """There is nobody to call: what staff confirms has happened.

    To authorize is to expect the money (the order is then `authorized`), to capture is to say
    that it has come, to refund that it was sent back.
    """

    async def authorize(
        self, key: str, *, amount: Decimal, currency_code: str, token: str
    ) -> Result:
        """Expect the money; the token is not looked at."""
        del amount, currency_code, token
        return Succeeded(reference=key)

    async def capture(
        self, key: str, *, authorization: str, amount: Decimal, currency_code: str
    ) -> Result:
        """Take it from staff that the money has come."""
        del authorization, amount, currency_code
        return Succeeded(reference=key)

    async def void(
        self, key: str, *, authorization: str, amount: Decimal, currency_code: str
    ) -> Result:
        """Expect the money no longer."""
        del authorization, amount, currency_code
        return Succeeded(reference=key)

    async def refund(
        self, key: str, *, authorization: str, amount: Decimal, currency_code: str
    ) -> Result:
        """Take it from staff that the money was sent back."""
        del authorization, amount, currency_code
        return Succeeded(reference=key)

    async def find(self, key: str) -> Result | None:
        """Return None: nothing is known but what is in our own tables."""
        del key
        return None

    def read_event(self, headers: Mapping[str, str], body: bytes, now: datetime) -> GatewayEvent:
        """Refuse it: people send no webhooks."""
        del headers, body, now
        raise WebhookRefusedError("manual payments have no webhooks")

    async def close(self) -> None:
        """Do nothing."""
