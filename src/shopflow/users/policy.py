"""How long tokens live, how often something may be tried, and what a password's hash costs."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from shopflow.errors import ConfigurationError
from shopflow.users.passwords import Hashing


class Limit(msgspec.Struct, frozen=True):
    """So many attempts within any such period; after that one more each `period / attempts`.

    A window that slides (GCRA): whoever has used it up waits for a part of the period, never for
    all of it.
    """

    attempts: int
    period: timedelta

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ConfigurationError(f"attempts: must be at least 1 (got {self.attempts})")
        if self.period < timedelta(milliseconds=self.attempts):
            raise ConfigurationError(
                f"period: must be at least a millisecond an attempt (got {self.period})"
            )


class RateLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What may be tried how often. A sign-in counts until it has succeeded.

    Attributes:
        sign_in_account_address: into one account from one network address. The narrow one: whoever
            guesses at an account uses up their own address's share of it.
        sign_in_account: into one account from anywhere, far wider, so that guessing from one
            address cannot keep the owner out, and guessing from very many does for seconds.
        sign_in_address: into any account from one network address.
        password_account: proving one's password while signed in.
        mail_account: reset and verification mails to one account.
        mail_address: the same, asked for from one network address.
        register_address: new accounts from one network address.
    """

    sign_in_account_address: Limit = Limit(5, timedelta(minutes=15))
    sign_in_account: Limit = Limit(100, timedelta(hours=1))
    sign_in_address: Limit = Limit(100, timedelta(minutes=15))
    password_account: Limit = Limit(10, timedelta(minutes=15))
    mail_account: Limit = Limit(3, timedelta(hours=1))
    mail_address: Limit = Limit(20, timedelta(hours=1))
    register_address: Limit = Limit(20, timedelta(hours=1))


class AccountPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of accounts; `shopflow.open(accounts=AccountPolicy(…))` changes them.

    Attributes:
        hashing: what a password's hash costs.
        limits: what may be tried how often.
        idle_lifetime: how long a session lasts without being refreshed.
        session_lifetime: how long it lasts at most, from the sign-in.
        reset_lifetime: how long a token that resets a password can be used.
        verification_lifetime: how long a token that verifies an address can be used.
    """

    hashing: Hashing = msgspec.field(default_factory=Hashing)
    limits: RateLimits = msgspec.field(default_factory=RateLimits)
    idle_lifetime: timedelta = timedelta(days=30)
    session_lifetime: timedelta = timedelta(days=365)
    reset_lifetime: timedelta = timedelta(minutes=30)
    verification_lifetime: timedelta = timedelta(days=3)

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, timedelta) and value <= timedelta(0):
                raise ConfigurationError(f"{name}: must be above zero (got {value})")
