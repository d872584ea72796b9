"""The life of an account with the rights of the app role, which reads no audit table."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import msgspec
import psycopg
import pytest

import shopflow
from shopflow import Shop
from shopflow.postgres import roles
from shopflow.settings import Settings
from shopflow.users import expiry
from tests.catalogue import run
from tests.postgres.test_roles import as_superuser
from tests.users.conftest import HERE, OTHER_PASSWORD, PASSWORD, POLICY, YORK, registered


@pytest.fixture
async def shop(roomy: Settings) -> AsyncIterator[Shop]:
    with psycopg.connect(as_superuser(roomy), autocommit=True) as connection:
        roles.create(connection, roomy)
    app = msgspec.structs.replace(roomy, database_role=roles.name_of(roomy, "app"))
    async with shopflow.open(app, accounts=POLICY) as found:
        yield found


async def test_from_the_registration_to_the_erasure(shop: Shop) -> None:
    made = await registered(shop)
    user_id = made.user.id
    await shop.users.verify_email(made.verification.token)
    signed_in = await shop.users.sign_in(made.user.email, PASSWORD, network_address=HERE)
    refreshed = await shop.users.refresh(signed_in.refresh_token)
    reset = await shop.users.request_password_reset(made.user.email, network_address=HERE)
    await shop.users.reset_password(reset.token, OTHER_PASSWORD)
    await shop.users.change_password(user_id, old_password=OTHER_PASSWORD, new_password=PASSWORD)
    mail = await shop.users.change_email(
        user_id, "new@example.com", password=PASSWORD, network_address=HERE
    )
    await shop.users.verify_email(mail.token)
    await shop.users.set_role(user_id, "merchant", by=None)
    await shop.users.rename(user_id, first_name="Anna", last_name="Archer")
    address_id = await shop.users.add_address(user_id, YORK, "shipping")
    await shop.users.set_default_address(user_id, address_id)
    await shop.users.update_address(user_id, address_id, YORK)
    with pytest.raises(shopflow.ShopflowError):
        await shop.users.refresh(refreshed.refresh_token)
    assert await shop.users.sign_out_everywhere(user_id) == 0
    await run(
        shop,
        "INSERT INTO orders (user_id, currency_code, subtotal, total_amount, customer_email)"
        " VALUES (%(id)s, 'EUR', 1, 1, 'new@example.com')",
        id=user_id,
    )
    await shop.users.delete(user_id)
    assert b"new@example.com" in await shop.users.export(user_id)
    await shop.users.erase(user_id, by=None, reason="asked for it")
    assert b"new@example.com" not in await shop.users.export(user_id)
    assert await run(shop, "SELECT user_id FROM erasure_log") == [(user_id,)]


async def test_erasing_from_a_log_is_for_the_owner(shop: Shop) -> None:
    made = await registered(shop)
    await shop.users.erase(made.user.id, by=None, reason="asked for it")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await shop.users.reapply_erasures(datetime(2026, 1, 1, tzinfo=UTC))


async def test_what_is_over_is_deleted_and_nothing_else(shop: Shop) -> None:
    made = await registered(shop)
    for _ in range(3):
        await shop.users.sign_in(made.user.email, PASSWORD, network_address=HERE)
    await shop.users.request_password_reset(made.user.email, network_address=HERE)
    expiries = {
        "user_sessions": expiry.expire_sessions,
        "password_resets": expiry.expire_password_resets,
        "email_verifications": expiry.expire_email_verifications,
    }
    async with shop.pool.connection() as connection:
        for table, expire in expiries.items():
            assert await expire(connection) == 0
            (count,) = (await run(shop, f"SELECT count(*) FROM {table}"))[0]
            await run(
                shop,
                f"UPDATE {table} SET created_at = now() - interval '1 day', expires_at = now()",
            )
            assert await expire(connection, most=1) == 1
            assert await expire(connection) == count - 1
            assert await run(shop, f"SELECT FROM {table}") == []
