"""What each kind of broken constraint becomes, told by a real server."""

from collections.abc import AsyncIterator

import psycopg
import pytest
from psycopg import AsyncConnection

from shopflow.errors import ConstraintViolatedError, ShopflowError
from shopflow.postgres import failures
from shopflow.postgres.pool import Pool

TABLES = """
CREATE TABLE public.shelf (id int PRIMARY KEY);
CREATE TABLE public.item (
    email text CONSTRAINT item_email_key UNIQUE,
    price int NOT NULL CONSTRAINT item_price_check CHECK (price >= 0),
    shelf int CONSTRAINT item_shelf_fkey REFERENCES public.shelf ON DELETE RESTRICT
);
CREATE TABLE public.owner (id int PRIMARY KEY);
CREATE TABLE public.house (owner int CONSTRAINT house_owner_fkey REFERENCES public.owner);
INSERT INTO public.shelf VALUES (1);
INSERT INTO public.owner VALUES (1);
INSERT INTO public.house VALUES (1);
INSERT INTO public.item VALUES ('ada@example.com', 5, 1);
CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'item % is sold', NEW.price
        USING ERRCODE = 'check_violation', CONSTRAINT = 'item_not_sold', TABLE = TG_TABLE_NAME;
END $$;
CREATE TRIGGER refuse BEFORE UPDATE ON public.item
    FOR EACH ROW EXECUTE FUNCTION public.refuse();
"""


class EmailTakenError(ShopflowError):
    """This address has an account."""


class SoldError(ShopflowError):
    """It is sold."""


@pytest.fixture
async def connection(pool: Pool) -> AsyncIterator[AsyncConnection]:
    async with pool.connection() as found:
        await found.execute(TABLES)
        yield found


@pytest.fixture(autouse=True)
def empty_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "_errors", {})


async def failure(connection: AsyncConnection, statement: str) -> Exception:
    with pytest.raises(psycopg.Error) as caught:
        await connection.execute(statement.encode())
    return failures.translate(caught.value)


@pytest.mark.parametrize(
    ("statement", "sqlstate", "constraint"),
    [
        ("INSERT INTO public.item VALUES ('ada@example.com', 5)", "23505", "item_email_key"),
        ("INSERT INTO public.item VALUES ('x@example.com', -7)", "23514", "item_price_check"),
        ("INSERT INTO public.item VALUES ('y', 1, 99)", "23503", "item_shelf_fkey"),
        ("DELETE FROM public.shelf", "23001", "item_shelf_fkey"),
        ("DELETE FROM public.owner", "23503", "house_owner_fkey"),
        ("INSERT INTO public.item VALUES ('z', NULL)", "23502", "item_price_not_null"),
    ],
)
async def test_each_kind_is_named_and_shows_no_value(
    connection: AsyncConnection, statement: str, sqlstate: str, constraint: str
) -> None:
    with pytest.raises(psycopg.Error) as caught:
        await connection.execute(statement.encode())
    assert caught.value.sqlstate == sqlstate
    error = failures.translate(caught.value)
    assert isinstance(error, ConstraintViolatedError)
    assert error.constraint == constraint
    assert str(error) == f"the database refused: {constraint}"


async def test_the_name_given_to_not_null_is_postgresqls_own(connection: AsyncConnection) -> None:
    cursor = await connection.execute(
        "SELECT conname FROM pg_constraint WHERE conrelid = 'public.item'::regclass"
        " AND contype = 'n'"
    )
    assert await cursor.fetchall() == [("item_price_not_null",)]


async def test_a_registered_name_is_the_domains_error(connection: AsyncConnection) -> None:
    failures.register({"item_email_key": EmailTakenError, "item_not_sold": SoldError})
    error = await failure(connection, "INSERT INTO public.item VALUES ('ada@example.com', 5)")
    assert isinstance(error, EmailTakenError)
    assert str(error) == "This address has an account."


async def test_the_message_of_a_trigger_is_kept(connection: AsyncConnection) -> None:
    unknown = await failure(connection, "UPDATE public.item SET price = 6")
    assert isinstance(unknown, ConstraintViolatedError)
    assert (unknown.constraint, str(unknown)) == ("item_not_sold", "item 6 is sold")
    failures.register({"item_not_sold": SoldError})
    known = await failure(connection, "UPDATE public.item SET price = 6")
    assert isinstance(known, SoldError)
    assert str(known) == "item 6 is sold"


async def test_what_is_no_constraint_stays_what_it_is(connection: AsyncConnection) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero) as caught:
        await connection.execute("SELECT 1 / 0")
    assert failures.translate(caught.value) is caught.value


async def test_citus_names_are_found_in_the_message_without_the_shard(
    connection: AsyncConnection,
) -> None:
    failures.register({"users_email_key": EmailTakenError})
    remote = """DO $$ BEGIN RAISE EXCEPTION
        'duplicate key value violates unique constraint "users_email_key_102008"'
        USING ERRCODE = 'unique_violation' %s; END $$"""
    for named in ("", ", CONSTRAINT = 'users_email_key_102008'"):
        error = await failure(connection, remote % named)
        assert isinstance(error, EmailTakenError)


async def test_a_name_that_ends_in_a_number_is_kept(connection: AsyncConnection) -> None:
    await connection.execute("ALTER TABLE public.item ADD CONSTRAINT limit_7 CHECK (price < 100)")
    error = await failure(connection, "INSERT INTO public.item VALUES ('q', 200)")
    assert isinstance(error, ConstraintViolatedError)
    assert error.constraint == "limit_7"


def test_a_name_has_one_error() -> None:
    failures.register({"item_email_key": EmailTakenError})
    failures.register({"item_email_key": EmailTakenError})
    with pytest.raises(ValueError, match="item_email_key already has an error"):
        failures.register({"item_email_key": SoldError})
