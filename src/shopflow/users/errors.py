"""What accounts refuse. No message holds a password, a token or a hash."""

from __future__ import annotations

from math import ceil

from shopflow.errors import ShopflowError
from shopflow.ids import SessionId, UserId
from shopflow.postgres import failures


class EmailTakenError(ShopflowError):
    """Another account has this e-mail address, in whatever case.

    To show it to whoever asked tells that the address has an account here.
    """


class InvalidCredentialsError(ShopflowError):
    """There is no account with this e-mail address and password.

    The same for an unknown address, a wrong password and a deleted account.
    """


class InvalidTokenError(ShopflowError):
    """The token is unknown, expired or cancelled."""


class TokenUsedError(InvalidTokenError):
    """The token has been used before, and works once."""


class RefreshTokenReusedError(TokenUsedError):
    """A refresh token was used again: two have it, so its session was ended for both.

    Attributes:
        user_id: whose session it was.
        session_id: the session that was ended.
    """

    def __init__(self, user_id: UserId, session_id: SessionId) -> None:
        super().__init__(f"a refresh token was used again: session {session_id} was ended")
        self.user_id = user_id
        self.session_id = session_id


class RateLimitedError(ShopflowError):
    """This was tried too often; nothing was looked at.

    Attributes:
        retry_after: seconds until it may be tried again, above zero.
    """

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"tried too often: try again in {ceil(retry_after)} s")
        self.retry_after = retry_after


class NotPermittedError(ShopflowError):
    """Only an admin may do this."""


class EmailAlreadyVerifiedError(ShopflowError):
    """The account's e-mail address is verified already."""


class UserDeletedError(ShopflowError):
    """The account is deleted."""


failures.register(
    {
        "users_email_key": EmailTakenError,
        "user_sessions_user_not_deleted": UserDeletedError,
        "password_resets_user_not_deleted": UserDeletedError,
        "email_verifications_user_not_deleted": UserDeletedError,
        "user_addresses_user_not_deleted": UserDeletedError,
    }
)
