"""`shop.users`: the functions of this package on the shop's pool."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from shopflow.addresses import Address
from shopflow.ids import AddressId, SessionId, UserId
from shopflow.postgres.pool import Pool
from shopflow.users import (
    accounts,
    addresses,
    password_changes,
    personal_data,
    registering,
    sessions,
    signing_in,
    verification,
)
from shopflow.users.models import (
    AddressType,
    AppliedErasures,
    LoggedErasure,
    PasswordReset,
    Registered,
    Role,
    SavedAddress,
    Session,
    SignedIn,
    User,
    VerificationMail,
)
from shopflow.users.passwords import Passwords
from shopflow.users.policy import AccountPolicy
from shopflow.users.tokens import RefreshToken, ResetToken, VerificationToken


class Users:
    """The accounts of a shop. Each call is committed when it returns."""

    def __init__(self, pool: Pool, policy: AccountPolicy | None = None) -> None:
        self._pool = pool
        self.policy = policy or AccountPolicy()
        self._passwords = Passwords(self.policy.hashing)

    def close(self) -> None:
        """End the threads that hash passwords; the shop does it when it is closed.

        Raises nothing of its own.
        """
        self._passwords.close()

    async def register(
        self,
        *,
        email: str,
        password: str,
        first_name: str,
        last_name: str,
        network_address: str | None,
    ) -> Registered:
        """Make an account for a customer; see `registering.register`."""
        return await registering.register(
            self._pool,
            self._passwords,
            self.policy,
            email=email,
            password=password,
            first_name=first_name,
            last_name=last_name,
            network_address=network_address,
        )

    async def sign_in(self, email: str, password: str, *, network_address: str | None) -> SignedIn:
        """Check a password and open a session; see `signing_in.sign_in`."""
        return await signing_in.sign_in(
            self._pool,
            self._passwords,
            self.policy,
            email,
            password,
            network_address=network_address,
        )

    async def refresh(self, token: RefreshToken) -> SignedIn:
        """Continue a session, once for each token; see `sessions.refresh`."""
        async with self._pool.connection() as connection:
            return await sessions.refresh(connection, self.policy, token)

    async def sessions(self, user_id: UserId) -> list[Session]:
        """Return a user's sessions, without their tokens; see `sessions.list_sessions`."""
        async with self._pool.connection() as connection:
            return await sessions.list_sessions(connection, user_id)

    async def sign_out(self, user_id: UserId, session_id: SessionId) -> None:
        """End one session; see `sessions.sign_out`."""
        async with self._pool.connection() as connection:
            await sessions.sign_out(connection, user_id, session_id)

    async def sign_out_everywhere(self, user_id: UserId, *, keep: SessionId | None = None) -> int:
        """End all sessions of a user; see `sessions.sign_out_everywhere`."""
        return await sessions.sign_out_everywhere(self._pool, user_id, keep=keep)

    async def request_verification(
        self, user_id: UserId, *, network_address: str | None
    ) -> VerificationMail:
        """Make another token for the address; see `verification.request_verification`."""
        async with self._pool.connection() as connection:
            return await verification.request_verification(
                connection, self.policy, user_id, network_address=network_address
            )

    async def verify_email(self, token: VerificationToken) -> User:
        """Use a token that was mailed; see `verification.verify_email`."""
        return await verification.verify_email(self._pool, token)

    async def change_email(
        self, user_id: UserId, new_email: str, *, password: str, network_address: str | None
    ) -> VerificationMail:
        """Ask for another address, in force once verified; see `verification.change_email`."""
        return await verification.change_email(
            self._pool,
            self._passwords,
            self.policy,
            user_id,
            new_email,
            password=password,
            network_address=network_address,
        )

    async def change_password(
        self,
        user_id: UserId,
        *,
        old_password: str,
        new_password: str,
        keep_session: SessionId | None = None,
    ) -> None:
        """Set a new password with the old one; see `password_changes.change_password`."""
        await password_changes.change_password(
            self._pool,
            self._passwords,
            self.policy,
            user_id,
            old_password=old_password,
            new_password=new_password,
            keep_session=keep_session,
        )

    async def request_password_reset(
        self, email: str, *, network_address: str | None
    ) -> PasswordReset:
        """Make a token to be mailed; see `password_changes.request_password_reset`."""
        return await password_changes.request_password_reset(
            self._pool, self.policy, email, network_address=network_address
        )

    async def reset_password(self, token: ResetToken, new_password: str) -> UserId:
        """Set a new password with a token; see `password_changes.reset_password`."""
        return await password_changes.reset_password(
            self._pool, self._passwords, token, new_password
        )

    async def get(self, user_id: UserId) -> User:
        """Return an account; see `accounts.get_user`."""
        async with self._pool.connection() as connection:
            return await accounts.get_user(connection, user_id)

    async def rename(self, user_id: UserId, *, first_name: str, last_name: str) -> None:
        """Change the names of an account; see `accounts.rename`."""
        async with self._pool.connection() as connection:
            await accounts.rename(connection, user_id, first_name=first_name, last_name=last_name)

    async def set_role(self, user_id: UserId, role: Role, *, by: UserId | None) -> None:
        """Change what an account may do; see `accounts.set_role`."""
        async with self._pool.connection() as connection:
            await accounts.set_role(connection, user_id, role, by=by)

    async def delete(self, user_id: UserId) -> None:
        """Delete an account softly (§9); see `accounts.delete`."""
        await accounts.delete(self._pool, user_id)

    async def export(self, user_id: UserId) -> bytes:
        """Return everything held on a person, as JSON; see `personal_data.export`."""
        async with self._pool.connection() as connection:
            return await personal_data.export(connection, user_id)

    async def erase(self, user_id: UserId, *, by: UserId | None, reason: str) -> None:
        """Take a person out of the database; see `personal_data.erase`."""
        await personal_data.erase(self._pool, user_id, by=by, reason=reason)

    async def reapply_erasures(self, since: datetime) -> int:
        """Erase again after a restore; see `personal_data.reapply_erasures`."""
        return await personal_data.reapply_erasures(self._pool, since)

    async def apply_erasures(self, log: Sequence[LoggedErasure]) -> AppliedErasures:
        """Erase again and end all sessions after a restore; see `personal_data.apply_erasures`."""
        return await personal_data.apply_erasures(self._pool, log)

    async def addresses(self, user_id: UserId) -> tuple[SavedAddress, ...]:
        """Return the addresses of an account; see `addresses.list_addresses`."""
        async with self._pool.connection() as connection:
            return await addresses.list_addresses(connection, user_id)

    async def add_address(
        self,
        user_id: UserId,
        address: Address,
        address_type: AddressType,
        *,
        is_default: bool = False,
    ) -> AddressId:
        """Keep an address; see `addresses.add_address`."""
        return await addresses.add_address(
            self._pool, user_id, address, address_type, is_default=is_default
        )

    async def update_address(
        self, user_id: UserId, address_id: AddressId, address: Address
    ) -> None:
        """Change what an address says; see `addresses.update_address`."""
        async with self._pool.connection() as connection:
            await addresses.update_address(connection, user_id, address_id, address)

    async def remove_address(self, user_id: UserId, address_id: AddressId) -> None:
        """Forget an address; see `addresses.remove_address`."""
        async with self._pool.connection() as connection:
            await addresses.remove_address(connection, user_id, address_id)

    async def set_default_address(self, user_id: UserId, address_id: AddressId) -> None:
        """Make an address the default of its type; see `addresses.set_default_address`."""
        await addresses.set_default_address(self._pool, user_id, address_id)
