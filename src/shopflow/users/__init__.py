"""Accounts, addresses and sessions (§2.1)."""

from shopflow.addresses import Address
from shopflow.users.errors import (
    EmailAlreadyVerifiedError,
    EmailTakenError,
    InvalidCredentialsError,
    InvalidTokenError,
    NotPermittedError,
    RateLimitedError,
    RefreshTokenReusedError,
    TokenUsedError,
    UserDeletedError,
)
from shopflow.users.models import (
    AddressType,
    AppliedErasures,
    LoggedErasure,
    PasswordReset,
    Recipient,
    Registered,
    Role,
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
    "Address",
    "AddressType",
    "AppliedErasures",
    "EmailAlreadyVerifiedError",
    "EmailTakenError",
    "Hashing",
    "InvalidCredentialsError",
    "InvalidTokenError",
    "Limit",
    "LoggedErasure",
    "NotPermittedError",
    "PasswordReset",
    "RateLimitedError",
    "RateLimits",
    "Recipient",
    "RefreshToken",
    "RefreshTokenReusedError",
    "Registered",
    "ResetToken",
    "Role",
    "SavedAddress",
    "Session",
    "SignedIn",
    "TokenUsedError",
    "User",
    "UserDeletedError",
    "VerificationMail",
    "VerificationToken",
]
