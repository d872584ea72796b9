"""Signed webhooks: HMAC-SHA256 over the time and the body, in one header."""

from __future__ import annotations

import hmac
import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from shopflow.orders.payments.errors import WebhookRefusedError

# A recorded webhook is worthless after this; a delayed one is signed again when it is sent.
TOLERANCE = timedelta(minutes=5)
_SIGNATURE = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})")


def sign(secret: bytes, body: bytes, now: datetime) -> str:
    """Return the header for `body` sent `now`: `t=` seconds since 1970, `v1=` the hex digest."""
    seconds = int(now.timestamp())
    return f"t={seconds},v1={_digest(secret, seconds, body)}"


def verify(secret: bytes, header: str | None, body: bytes, now: datetime) -> None:
    """Refuse a body that the holder of the secret did not sign within five minutes of `now`.

    Raises:
        WebhookRefusedError: saying which of the two it was, and nothing of the signature.
    """
    found = _SIGNATURE.fullmatch(header or "")
    if found is None:
        raise WebhookRefusedError("the webhook has no readable signature")
    seconds = int(found[1])
    # The signature first: the time counts for nothing before that.
    if not hmac.compare_digest(_digest(secret, seconds, body), found[2]):
        raise WebhookRefusedError("the webhook's signature is not the gateway's")
    if abs(now - datetime.fromtimestamp(seconds, UTC)) > TOLERANCE:
        raise WebhookRefusedError(
            f"the webhook was signed more than {TOLERANCE.seconds // 60} minutes from now"
        )


def _digest(secret: bytes, seconds: int, body: bytes) -> str:
    return hmac.new(secret, b"%d." % seconds + body, sha256).hexdigest()
