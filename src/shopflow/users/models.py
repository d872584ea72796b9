"""What an account looks like to Python."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from shopflow.addresses import Address
from shopflow.ids import AddressId, SessionId, UserId
from shopflow.users.tokens import RefreshToken, ResetToken, VerificationToken

Role = Literal["customer", "merchant", "admin"]
AddressType = Literal["shipping", "billing"]


class User(msgspec.Struct, frozen=True):
    """An account that is not deleted."""

    id: UserId
    email: str
    first_name: str
    last_name: str
    role: Role
    email_verified: bool
    created_at: datetime


class Session(msgspec.Struct, frozen=True):
    """A sign-in that goes on: `refreshed_at` is when last, None until the first time."""

    id: SessionId
    created_at: datetime
    refreshed_at: datetime | None
    expires_at: datetime


class SignedIn(msgspec.Struct, frozen=True):
    """Who is signed in, and the token that continues the session after this."""

    user: User
    session: Session
    refresh_token: RefreshToken


class VerificationMail(msgspec.Struct, frozen=True):
    """To be mailed to `email`: with the token its owner confirms the address."""

    user_id: UserId
    email: str
    token: VerificationToken
    expires_at: datetime


class Registered(msgspec.Struct, frozen=True):
    """A new account, and what is to be mailed to its address."""

    user: User
    verification: VerificationMail


class Recipient(msgspec.Struct, frozen=True):
    """Whom a mail goes to."""

    user_id: UserId
    email: str
    first_name: str


class PasswordReset(msgspec.Struct, frozen=True):
    """A reset that was asked for: the token is to be mailed to `recipient`.

    `recipient` is None where no account has the address. There is a token all the same, which
    works for nothing, so that what is answered cannot depend on it.
    """

    recipient: Recipient | None
    token: ResetToken
    expires_at: datetime


class SavedAddress(msgspec.Struct, frozen=True):
    """An address that an account keeps; at most one of each type is the default."""

    id: AddressId
    type: AddressType
    is_default: bool
    address: Address


class LoggedErasure(msgspec.Struct, frozen=True):
    """An entry of the log of erasures: whose account was emptied, by whom, why and when."""

    id: UUID
    user_id: UserId
    erased_by: UserId | None
    reason: str
    erased_at: datetime


class AppliedErasures(msgspec.Struct, frozen=True):
    """What was done to a restored shop: how many were erased again, how many sessions ended."""

    erased: int
    sessions: int
