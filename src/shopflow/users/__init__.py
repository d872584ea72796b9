"""Accounts, addresses and sessions (§2.1)."""

from shopflow.users.models import (
    PasswordReset,
    Registered,
    SavedAddress,
    Session,
    SignedIn,
    User,
    VerificationMail,
)
from shopflow.users.passwords import Hashing
from shopflow.users.policy import AccountPolicy, Limit, RateLimits
from shopflow.users.tokens import RefreshToken, ResetToken, VerificationToken

__all__ = [
    "AccountPolicy",
    "Hashing",
    "Limit",
    "PasswordReset",
    "RateLimits",
    "RefreshToken",
    "Registered",
    "ResetToken",
    "SavedAddress",
    "Session",
    "SignedIn",
    "User",
    "VerificationMail",
    "VerificationToken",
]
