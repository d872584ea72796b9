"""Signatures of webhooks, as https://www.standardwebhooks.com has them.

The receiver computes HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<body>` with the bytes
that the secret holds in base64 behind `whsec_`, and compares it with each of the signatures in the
header `webhook-signature` (`v1,<base64>`, separated by spaces), and the timestamp with its clock.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Iterable, Mapping
from hashlib import sha256

from shopflow.errors import ShopflowError

PREFIX = "whsec_"
SECRET_BYTES = 32
# Seconds that the clocks may differ: later, a signed request could be played again.
TOLERANCE = 300.0


class SignatureError(ShopflowError):
    """The webhook is not signed with this secret, or not at this time."""


def new_secret() -> str:
    """Return a new random secret."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signatures(keys: Iterable[str], event_id: str, timestamp: int, body: bytes) -> str:
    """Return the header `webhook-signature`, one signature for each secret in force."""
    return " ".join(f"v1,{_signature(key, event_id, timestamp, body)}" for key in keys)


def verify(secret: str, headers: Mapping[str, str], body: bytes, *, now: float) -> None:
    """Check a webhook that was received, as a receiver in Python may.

    Args:
        secret: as it was shown when the webhook was added.
        headers: of the request; names in lower case, or a mapping that does not mind.
        body: the bytes that arrived.
        now: seconds since the epoch.

    Raises:
        SignatureError: when it is not ours, or older or newer than five minutes.
    """
    event_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    given = headers.get("webhook-signature", "").split()
    if not timestamp.isascii() or not timestamp.isdigit() or abs(now - int(timestamp)) > TOLERANCE:
        raise SignatureError
    expected = f"v1,{_signature(secret, event_id, int(timestamp), body)}".encode()
    if not any(hmac.compare_digest(expected, each.encode()) for each in given):
        raise SignatureError


def _signature(secret: str, event_id: str, timestamp: int, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{event_id}.{timestamp}.".encode() + body
    return base64.b64encode(hmac.digest(key, signed, sha256)).decode()
