"""shopflow.open(): what a program gets from one call."""

import msgspec
import psycopg
import pytest

import shopflow
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings


async def test_a_shop_is_open_inside_the_block_only(settings: Settings) -> None:
    async with shopflow.open(settings) as shop:
        assert shop.settings is settings
        async with shop.pool.connection() as connection:
            cursor = await connection.execute("SELECT count(*) FROM products")
            assert await cursor.fetchone() == (0,)
    with pytest.raises(psycopg.OperationalError, match="closed"):
        async with shop.pool.connection():
            pass


async def test_single_settings_can_be_given(settings: Settings) -> None:
    url = settings.database_url
    async with shopflow.open(database_url=url, pool_max_size=2, application_name="mine") as shop:
        assert shop.settings.pool_max_size == 2
        async with shop.pool.connection() as connection:
            cursor = await connection.execute("SELECT current_setting('application_name')")
            assert await cursor.fetchone() == ("mine",)


async def test_settings_and_single_settings_exclude_each_other(settings: Settings) -> None:
    with pytest.raises(TypeError, match="not both"):
        async with shopflow.open(settings, pool_max_size=2):
            pass


async def test_the_embedded_server_is_attached_to_and_goes_on(test_server: Settings) -> None:
    assert test_server.embedded
    before = Server(test_server).status().pid
    async with shopflow.open(test_server) as shop:
        assert shop.pool.in_use == 0
    assert Server(test_server).status().pid == before


async def test_an_empty_database_can_be_opened(empty_settings: Settings) -> None:
    async with shopflow.open(empty_settings) as shop, shop.pool.connection() as connection:
        cursor = await connection.execute("SELECT to_regclass('products')")
        assert await cursor.fetchone() == (None,)


async def test_the_role_of_the_settings_is_taken(settings: Settings) -> None:
    as_owner = msgspec.structs.replace(settings, database_role="shopflow_owner")
    async with shopflow.open(as_owner) as shop, shop.pool.connection() as connection:
        cursor = await connection.execute("SELECT current_user")
        assert await cursor.fetchone() == ("shopflow_owner",)


def test_every_error_is_exported() -> None:
    errors = {
        name
        for name, value in vars(shopflow.errors).items()
        if isinstance(value, type) and issubclass(value, shopflow.ShopflowError)
    }
    assert errors <= set(shopflow.__all__)
    assert all(hasattr(shopflow, name) for name in shopflow.__all__)
