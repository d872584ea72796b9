"""What each of the shop's roles may do, and what is refused to it."""

from collections.abc import Iterator

import msgspec
import psycopg
import pytest
from psycopg import errors, sql

from shopflow.migrations import runner
from shopflow.postgres import roles
from shopflow.postgres.conninfo import conninfo
from shopflow.postgres.embedded import Server
from shopflow.postgres.roles import Kind
from shopflow.settings import Settings
from tests.conftest import new_database


@pytest.fixture(scope="module")
def shop(
    test_server: Settings, admin: psycopg.Connection, template_database: str
) -> Iterator[Settings]:
    """A shop whose roles are made; they belong to the whole server, so no other test minds."""
    with new_database(admin, test_server, template=template_database) as settings:
        with psycopg.connect(as_superuser(settings), autocommit=True) as connection:
            roles.create(connection, settings)
        with psycopg.connect(conninfo(settings), autocommit=True) as connection:
            connection.execute(
                "INSERT INTO users (email, password_hash, first_name, last_name) "
                "VALUES ('ann@example.com', '!', 'Ann', 'Archer')"
            )
            connection.execute(
                "INSERT INTO orders (currency_code, subtotal, total_amount, customer_email, user_id) "
                "SELECT 'EUR', 0, 0, email, id FROM users"
            )
            connection.execute(
                "WITH c AS (INSERT INTO coupons (code, discount_type, discount_value, usage_limit) "
                "VALUES ('ONCE', 'percentage', 1, 1) RETURNING id) "
                "INSERT INTO coupon_usage (coupon_id, user_id, order_id, discount_amount) "
                "SELECT c.id, user_id, orders.id, 1 FROM c, orders"
            )
        yield settings


def as_superuser(settings: Settings) -> str:
    database = psycopg.conninfo.conninfo_to_dict(settings.database_url or "")["dbname"]
    server = msgspec.structs.replace(settings, database_url=None)
    return psycopg.conninfo.make_conninfo(Server(server).superuser_conninfo(), dbname=database)


def connect(settings: Settings, kind: Kind) -> psycopg.Connection:
    """As the pool does with `SHOPFLOW_DATABASE_ROLE`."""
    name = roles.name_of(settings, kind)
    return psycopg.connect(
        conninfo(msgspec.structs.replace(settings, database_role=name)), autocommit=True
    )


ALLOWED: list[tuple[Kind, str]] = [
    ("app", "UPDATE users SET last_name = 'Baker'"),
    ("app", "SELECT order_id FROM order_status_history"),
    ("app", "INSERT INTO brands (name, slug) VALUES ('Acme', 'acme')"),
    ("app", "SELECT new_order_number()"),
    (
        "app",
        "INSERT INTO coupons (code, discount_type, discount_value, usage_limit) "
        "VALUES ('X', 'percentage', 1, 5)",
    ),
    ("app", "UPDATE coupons SET discount_value = 1"),
    ("app", "DELETE FROM coupons WHERE used_count = 0"),
    ("app", "UPDATE orders SET status = 'confirmed'"),
    ("app", "UPDATE users SET deleted_at = now()"),
    ("app", "SELECT erase_user(id, NULL, 'asked for it') FROM users"),
    ("app", "SELECT orders_of_user(id) FROM users"),
    ("app", "SELECT user_id FROM erasure_log"),
    ("app", "SELECT take_rate_limits(ARRAY['x'], ARRAY[1], ARRAY[interval '1 s'])"),
    ("readonly", "SELECT email FROM users"),
    ("readonly", "SELECT id, user_id FROM carts"),
    ("readonly", "SELECT id, order_number, total_amount FROM orders"),
    ("monitor", "SHOW data_directory"),
    ("monitor", "SELECT version_num FROM alembic_version"),
]
REFUSED: list[tuple[Kind, str]] = [
    ("app", "CREATE TABLE extra (id integer)"),
    ("app", "ALTER TABLE users ADD COLUMN extra integer"),
    ("app", "DROP TABLE users"),
    ("app", "TRUNCATE users"),
    ("app", "ALTER TABLE orders DISABLE TRIGGER ALL"),
    ("app", "UPDATE order_status_history SET notes = 'never was'"),
    ("app", "DELETE FROM order_status_history"),
    ("app", "INSERT INTO order_status_history (order_id, status) SELECT id, 'pending' FROM orders"),
    ("app", "DELETE FROM orders"),
    ("app", "DELETE FROM payments"),
    ("app", "DELETE FROM payment_operations"),
    ("app", "DELETE FROM gateway_events"),
    ("app", "UPDATE coupons SET used_count = 0"),
    ("app", "DELETE FROM coupon_usage"),
    ("app", "UPDATE coupon_usage SET user_id = NULL"),
    (
        "app",
        "INSERT INTO coupons (code, discount_type, discount_value, used_count) "
        "VALUES ('X', 'percentage', 1, 0)",
    ),
    ("app", "SET shopflow.occurred_at = '1999-01-01'; UPDATE orders SET status = 'confirmed'"),
    ("app", "SELECT user_id FROM deleted_user_orders"),
    ("app", "UPDATE product_stats SET rating_sum = 0"),
    ("app", "UPDATE migration_checksums SET checksum = 'x'"),
    ("app", "UPDATE alembic_version SET version_num = 'x'"),
    ("readonly", "SELECT password_hash FROM users"),
    ("readonly", "SELECT refresh_token_hash FROM user_sessions"),
    ("readonly", "SELECT token_hash FROM password_resets"),
    ("readonly", "SELECT session_id FROM carts"),
    ("readonly", "SELECT token_hash FROM email_verifications"),
    ("readonly", "SELECT key_hash FROM rate_limits"),
    ("readonly", "SELECT erase_user(id, NULL, 'no right to') FROM users"),
    ("readonly", "SELECT orders_of_user(id) FROM users"),
    ("app", "SELECT anonymise_user(id) FROM users"),
    ("app", "INSERT INTO erasure_log (user_id, reason) VALUES (uuidv7(), 'made up')"),
    (
        "app",
        "SELECT erase_user(id, NULL, 'asked for it') FROM users; "
        "SELECT reapply_erasures('-infinity')",
    ),
    ("readonly", "SELECT user_id FROM deleted_user_orders"),
    ("readonly", "SHOW data_directory"),
    ("readonly", "DELETE FROM carts"),
    ("monitor", "SELECT email FROM users"),
    ("monitor", "SELECT total_amount FROM orders"),
]


@pytest.mark.parametrize(("kind", "statement"), ALLOWED)
def test_is_allowed(shop: Settings, kind: Kind, statement: str) -> None:
    with connect(shop, kind) as connection, connection.transaction(force_rollback=True):
        connection.execute(statement.encode())


@pytest.mark.parametrize(("kind", "statement"), REFUSED)
def test_is_refused(shop: Settings, kind: Kind, statement: str) -> None:
    with connect(shop, kind) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(statement.encode())


def test_the_history_that_app_cannot_write_is_written(shop: Settings) -> None:
    with connect(shop, "app") as connection, connection.transaction(force_rollback=True):
        connection.execute("UPDATE orders SET status = 'confirmed'")
        rows = connection.execute("SELECT status FROM order_status_history ORDER BY id").fetchall()
    assert rows == [("pending",), ("confirmed",)]


@pytest.mark.parametrize(
    ("statement", "uses"),
    [
        ("UPDATE orders SET status = 'cancelled'", []),
        ("SELECT erase_user(id, NULL, 'asked for it') FROM users", [(None,)]),
        ("DELETE FROM users", [(None,)]),
    ],
)
def test_the_use_of_a_coupon_that_app_cannot_change_follows_its_order_and_user(
    shop: Settings, statement: str, uses: list[tuple[object]]
) -> None:
    with connect(shop, "app") as connection, connection.transaction(force_rollback=True):
        connection.execute(statement.encode())
        found = connection.execute("SELECT user_id FROM coupon_usage").fetchall()
        count = connection.execute("SELECT used_count FROM coupons").fetchone()
    assert found == uses
    assert count == (len(uses),)


def test_no_trigger_function_can_be_borrowed(shop: Settings) -> None:
    """They run as the owner; hung on a table of one's own they would write as the owner."""
    with connect(shop, "app") as connection:
        connection.execute("CREATE TEMP TABLE mine (id uuid, status text)")
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute(
                "CREATE TRIGGER forge AFTER INSERT ON mine "
                "FOR EACH ROW EXECUTE FUNCTION write_status_history()"
            )


def test_a_temporary_table_does_not_stand_in_for_one_of_the_shop(shop: Settings) -> None:
    with connect(shop, "app") as connection, connection.transaction(force_rollback=True):
        connection.execute("CREATE TEMP TABLE order_status_history (LIKE orders)")
        connection.execute("SET search_path = pg_temp")
        connection.execute(
            sql.SQL("UPDATE {}.orders SET status = 'confirmed'").format(sql.Identifier(shop.schema))
        )
        found = connection.execute("SELECT count(*) FROM order_status_history").fetchone()
    assert found == (0,)


def test_a_table_made_later_is_readable_after_the_next_grant(shop: Settings) -> None:
    with psycopg.connect(conninfo(shop), autocommit=True) as owner:
        owner.execute("CREATE TABLE loyalty_cards (id uuid PRIMARY KEY)")
        roles.grant(owner, shop)
        with connect(shop, "app") as app:
            app.execute("INSERT INTO loyalty_cards VALUES (uuidv7())")
        owner.execute("DROP TABLE loyalty_cards")


def test_making_the_roles_again_changes_nothing(shop: Settings) -> None:
    with psycopg.connect(as_superuser(shop), autocommit=True) as connection:
        assert not any(role.created for role in roles.create(connection, shop))


def test_a_login_that_is_no_superuser_makes_them_too(
    test_server: Settings, admin: psycopg.Connection
) -> None:
    """As on a managed server: the owner may make roles, and is told what it may not do."""
    admin.execute("CREATE ROLE rented_owner LOGIN CREATEROLE PASSWORD 'for this test'")
    with new_database(admin, test_server) as empty:
        database = (empty.database_url or "").split("?")[0].rpartition("/")[2]
        admin.execute(
            sql.SQL("ALTER DATABASE {} OWNER TO rented_owner").format(sql.Identifier(database))
        )
        port = admin.info.port
        url = f"postgresql://rented_owner:for%20this%20test@127.0.0.1:{port}/{database}"
        rented = msgspec.structs.replace(empty, schema="rented", database_url=url)
        runner.up(rented)
        with psycopg.connect(conninfo(rented), autocommit=True) as connection:
            hints = {role.name: role.hint for role in roles.create(connection, rented)}
        with connect(rented, "app") as app:
            app.execute("INSERT INTO brands (name, slug) VALUES ('Acme', 'acme')")
    assert hints["rented_app"] is None
    assert 'GRANT pg_monitor TO "rented_monitor"' in (hints["rented_monitor"] or "")
    admin.execute("DROP ROLE rented_app, rented_readonly, rented_monitor, rented_owner")


def test_a_login_that_may_not_is_told_what_an_administrator_has_to_run(
    test_server: Settings, admin: psycopg.Connection
) -> None:
    admin.execute("CREATE ROLE plain_owner LOGIN PASSWORD 'for this test'")
    admin.execute("CREATE ROLE plain_app LOGIN PASSWORD 'for this test'")
    with new_database(admin, test_server) as empty:
        database = (empty.database_url or "").split("?")[0].rpartition("/")[2]
        admin.execute(
            sql.SQL("ALTER DATABASE {} OWNER TO plain_owner").format(sql.Identifier(database))
        )
        at = f"for%20this%20test@127.0.0.1:{admin.info.port}/{database}"
        owner, app = (
            msgspec.structs.replace(empty, schema="plain", database_url=f"postgresql://{who}:{at}")
            for who in ("plain_owner", "plain_app")
        )
        runner.up(owner)
        with psycopg.connect(conninfo(owner), autocommit=True) as connection:
            with pytest.raises(roles.RolesRefusedError, match="permission denied") as refused:
                roles.create(connection, owner)
            told = str(refused.value)
            statements = told.partition("administrator run ")[2].removesuffix(
                " or run this as a superuser"
            )
            assert statements == (
                "ALTER ROLE plain_owner CREATEROLE; "
                "GRANT plain_app TO plain_owner WITH ADMIN OPTION;"
            )
            admin.execute(statements.encode())
            made = {role.name: role.created for role in roles.create(connection, owner)}
        assert made["plain_readonly"]
        with (
            psycopg.connect(conninfo(app), autocommit=True) as connection,
            pytest.raises(roles.RolesRefusedError, match="as the owner, not as plain_app"),
        ):
            roles.create(connection, app)
    admin.execute("DROP ROLE plain_app, plain_readonly, plain_monitor, plain_owner")


def test_what_a_superuser_migrated_belongs_to_the_owner_role(
    test_server: Settings, admin: psycopg.Connection
) -> None:
    with new_database(admin, test_server) as empty:
        superuser = msgspec.structs.replace(empty, database_url=as_uri(as_superuser(empty)))
        runner.up(superuser)
        with psycopg.connect(as_superuser(empty), autocommit=True) as connection:
            roles.create(connection, superuser)
            foreign = connection.execute(
                "SELECT proname FROM pg_proc WHERE pronamespace = 'shopflow'::regnamespace "
                "AND pg_get_userbyid(proowner) <> 'shopflow_owner' UNION ALL "
                "SELECT relname FROM pg_class WHERE relnamespace = 'shopflow'::regnamespace "
                "AND pg_get_userbyid(relowner) <> 'shopflow_owner'"
            ).fetchall()
    assert foreign == []


def as_uri(dsn: str) -> str:
    """A URL that says the same as key=value pairs."""
    pairs = psycopg.conninfo.conninfo_to_dict(dsn)
    return "postgresql:///?" + "&".join(f"{key}={value}" for key, value in pairs.items())
