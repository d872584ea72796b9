"""The books of the sandbox: what its cards, authorizations and operations come to. No HTTP here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import msgspec

from shopflow.money import ZERO
from shopflow.orders.payments.gateway import GatewayEvent, Kind

VALID_DAYS = 7
# What a token's card is: brand, last four digits, and what it declines with what code.
Card = tuple[str, str, dict[Kind, str]]
CARDS: dict[str, Card] = {
    "tok_visa": ("visa", "4242", {}),
    "tok_mastercard": ("mastercard", "4444", {}),
    "tok_declined": ("visa", "0002", {"authorize": "card_declined"}),
    "tok_insufficient_funds": ("visa", "9995", {"authorize": "insufficient_funds"}),
    "tok_expired_card": ("visa", "0069", {"authorize": "expired_card"}),
    "tok_capture_declined": ("visa", "0341", {"capture": "capture_declined"}),
    "tok_refund_declined": ("visa", "5126", {"refund": "refund_declined"}),
    "tok_void_declined": ("visa", "7726", {"void": "void_declined"}),
}


class Request(msgspec.Struct, frozen=True):
    """What is asked of the sandbox; `authorization` is None for a new one, `token` otherwise."""

    kind: Kind
    amount: Decimal
    currency_code: str
    authorization: str | None = None
    token: str | None = None


class Done(msgspec.Struct, frozen=True):
    """What became of a request."""

    status: str
    reference: str
    authorization: str
    amount: Decimal
    code: str | None = None
    card_brand: str | None = None
    card_last_four: str | None = None
    expires_at: datetime | None = None


class Authorization(msgspec.Struct):
    """What is reserved on a card, and what became of it."""

    id: str
    token: str
    amount: Decimal
    currency_code: str
    captured: Decimal = ZERO
    voided: Decimal = ZERO
    refunded: Decimal = ZERO


class NotDoneError(Exception):
    """The request makes no sense; its message is the code."""


class _State(msgspec.Struct):
    authorizations: dict[str, Authorization] = {}
    operations: dict[str, tuple[Request, Done]] = {}


class Books:
    """Authorizations and operations by key, in memory and, with a path, in a file too."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        kept = path.read_bytes() if path and path.exists() else b"{}"
        self._state = msgspec.json.decode(kept, type=_State)

    @property
    def authorizations(self) -> dict[str, Authorization]:
        """By the sandbox's own name for each."""
        return self._state.authorizations

    def find(self, key: str) -> Done | None:
        """Return what became of the operation with this key."""
        found = self._state.operations.get(key)
        return found[1] if found else None

    def do(self, key: str | None, request: Request) -> tuple[Done, GatewayEvent | None]:
        """Do what is asked, or answer as before when the key was used for the same.

        Returns:
            What became of it, and the event that tells so; None for what was done before.

        Raises:
            NotDoneError: for another request with the key, or an authorization that is not there.
        """
        if key is not None and key in self._state.operations:
            before, done = self._state.operations[key]
            if before != request:
                raise NotDoneError("idempotency_key_reused")
            return done, None
        done = self._done(request)
        event = self._event(key, request, done)
        if key is not None:
            self._state.operations[key] = (request, done)
        self._save()
        return done, event

    def _done(self, request: Request) -> Done:
        if request.kind == "authorize":
            return self._authorize(request)
        found = self.authorizations.get(request.authorization or "")
        if found is None:
            raise NotDoneError("unknown_authorization")
        code = self._refusal(found, request)
        reference = self._new(request.kind)
        if code is None:
            self._book(found, request)
        status = "declined" if code else "succeeded"
        return Done(status, reference, found.id, request.amount, code)

    def _authorize(self, request: Request) -> Done:
        reference = self._new("auth")
        card = CARDS.get(request.token or "")
        if card is None:
            return Done("declined", reference, reference, request.amount, "invalid_token")
        brand, last_four, declines = card
        if code := declines.get("authorize"):
            return Done("declined", reference, reference, request.amount, code)
        self.authorizations[reference] = Authorization(
            reference, request.token or "", request.amount, request.currency_code
        )
        return Done(
            "succeeded",
            reference,
            reference,
            request.amount,
            None,
            brand,
            last_four,
            datetime.now(UTC) + timedelta(days=VALID_DAYS),
        )

    def _refusal(self, found: Authorization, request: Request) -> str | None:
        if code := CARDS[found.token][2].get(request.kind):
            return code
        left = found.amount - found.captured - found.voided
        if request.kind == "refund":
            left = found.captured - found.refunded
        return "amount_too_large" if request.amount > left else None

    def _book(self, found: Authorization, request: Request) -> None:
        if request.kind == "capture":
            found.captured += request.amount
        elif request.kind == "void":
            found.voided += request.amount
        else:
            found.refunded += request.amount

    def _event(self, key: str | None, request: Request, done: Done) -> GatewayEvent:
        return GatewayEvent(
            event_id=self._new("event"),
            kind=request.kind,
            status="declined" if done.status == "declined" else "succeeded",
            idempotency_key=key,
            authorization_reference=done.authorization,
            gateway_reference=done.reference,
            amount=request.amount,
            error_code=done.code,
            card_brand=done.card_brand,
            card_last_four=done.card_last_four,
            occurred_at=datetime.now(UTC),
        )

    def _new(self, kind: str) -> str:
        # Random: a sandbox that is started again gives out none that a shop knows.
        return f"{kind}_{uuid4().hex}"

    def _save(self) -> None:
        if self._path is None:
            return
        written = self._path.with_name(f"{self._path.name}.new")
        written.write_bytes(msgspec.json.encode(self._state))
        written.replace(self._path)
