"""The shop's roles: owner, app, readonly and monitor, and what each of them may do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec
from psycopg import Connection, errors, sql
from psycopg.rows import class_row

from shopflow.errors import ShopflowError
from shopflow.postgres.conninfo import check_server_version
from shopflow.settings import Settings

Kind = Literal["owner", "app", "readonly", "monitor"]
PURPOSE: Mapping[Kind, str] = {
    "owner": "owns the schema: migrations, and the audit table that only it can read",
    "app": "runs the shop: reads and writes rows; no DDL, no change of history, no order deleted",
    "readonly": "reads, but no password hash, token or guest session",
    "monitor": "reads PostgreSQL's statistics (pg_monitor), none of the shop's rows",
}
READ = sql.SQL("SELECT")
# Written by triggers or by migrations alone.
READ_BY_APP = {
    "order_status_history",
    "product_stats",
    "category_paths",
    "price_changes",
    "erasure_log",
    "outbox_events",
    "alembic_version",
    "migration_checksums",
    "restore_canaries",
}
# Made by triggers or migrations, deleted with what they are about; the app changes them.
CHANGED_BY_APP = {"event_deliveries", "search_settings"}
# Run as the owner, so that the app can do this and no more: erase a person and answer what is held
# on one, though it does not read whose the orders of deleted users were; delete old events; count
# what was sold.
CALLED_BY_APP = {"erase_user", "orders_of_user", "expire_events", "count_sales"}
OWNER_ONLY = {"deleted_user_orders"}
# What bookkeeping needs; and with an order its history would go.
KEPT_BY_APP = {
    "orders",
    "order_items",
    "order_addresses",
    "order_shipment_items",
    "order_returns",
    "order_return_items",
    "payments",
    "refunds",
    "payment_operations",
    "gateway_events",
    "bulk_changes",
    "bulk_change_lines",
}
# Written once and never changed; a use of a coupon goes with its cancelled order, by a trigger.
ADDED_BY_APP = {"stock_movements", "order_notes", "coupon_usage"}
# Kept by triggers; a guard looks at the other columns of that kind.
COUNTED_COLUMNS: Mapping[str, set[str]] = {"coupons": {"used_count"}}
READ_BY_MONITOR = {"alembic_version", "migration_checksums"}
SECRET_COLUMNS: Mapping[str, set[str]] = {
    "users": {"password_hash"},
    "user_sessions": {"refresh_token_hash"},
    "password_resets": {"token_hash"},
    "email_verifications": {"token_hash"},
    "rate_limits": {"key_hash"},
    "carts": {"session_id"},
    # Who knows the URL of some webhooks can post there.
    "event_consumers": {"url", "secret", "previous_secret"},
}


class RolesRefusedError(ShopflowError):
    """The login may not make the shop's roles; the message says what an administrator has to do."""


class Role(msgspec.Struct, frozen=True):
    """One of the shop's roles, whether it was made just now, and a hint where one is due."""

    name: str
    purpose: str
    created: bool
    hint: str | None = None


class _Table(msgspec.Struct, frozen=True):
    name: str
    columns: list[str]


def name_of(settings: Settings, kind: Kind) -> str:
    """Return the name of one of the shop's roles: its schema's name and what it is for."""
    return f"{settings.schema}_{kind}"


def create(connection: Connection, settings: Settings) -> list[Role]:
    """Make the roles that are missing and give all four their rights, in one transaction.

    They can log in once they have a password; the login that runs this may SET ROLE to them.

    Args:
        connection: as a superuser, or as the schema's owner with CREATEROLE.
        settings: whose `schema` names the roles.

    Raises:
        RolesRefusedError: when the login may not make roles or change them.
        ServerError: when the server is older than PostgreSQL 18.
    """
    check_server_version(connection)
    try:
        with connection.transaction():
            made = {kind: _create_role(connection, name_of(settings, kind)) for kind in PURPOSE}
            _let_set_role(connection, settings)
            _set_defaults(connection, settings)
            hint = _grant_statistics(connection, name_of(settings, "monitor"))
            grant(connection, settings)
    except errors.InsufficientPrivilege as error:
        raise RolesRefusedError(_remedy(connection, settings, error)) from error
    return [
        Role(name_of(settings, kind), purpose, made[kind], hint if kind == "monitor" else None)
        for kind, purpose in PURPOSE.items()
    ]


def grant(connection: Connection, settings: Settings) -> None:
    """Give the roles that exist their rights on what is in the schema now; others keep none.

    Runs after every migration, so that new tables have an owner and are readable.

    Args:
        connection: as the schema's owner.
        settings: whose `schema` it is about.
    """
    with connection.transaction():
        tables = _tables(connection, settings.schema)
        existing = {kind for kind in PURPOSE if _exists(connection, name_of(settings, kind))}
        if "owner" in existing and tables:
            _hand_to_owner(connection, settings)
        for kind in sorted(existing - {"owner"}):
            _execute_all(connection, _rights(settings, kind, tables))
        _execute_all(connection, _hide_owner_functions(connection, settings.schema))
        if "app" in existing:
            _execute_all(connection, _let_app_call(connection, settings))


def _remedy(connection: Connection, settings: Settings, error: errors.InsufficientPrivilege) -> str:
    names = [name_of(settings, kind) for kind in PURPOSE]
    login = connection.info.user
    if login in names[1:]:
        return f"{login} may not change the shop's roles: run this as the owner, not as {login}"
    lacking = connection.execute(
        """
        SELECT format('ALTER ROLE %%I CREATEROLE', rolname) FROM pg_roles
        WHERE rolname = session_user AND NOT rolcreaterole
        UNION ALL
        SELECT format('GRANT %%I TO %%I WITH ADMIN OPTION', rolname, session_user) FROM pg_roles
        WHERE rolname = ANY(%(names)s) AND rolname <> session_user
            AND NOT pg_has_role(session_user, oid, 'MEMBER WITH ADMIN OPTION')
        """,
        {"names": names},
    ).fetchall()
    statements = "; ".join(statement for (statement,) in lacking)
    todo = f"have an administrator run {statements}; or " if lacking else ""
    said = f"{login} may not make the shop's roles ({error.diag.message_primary})"
    return f"{said}: {todo}run this as a superuser"


def _create_role(connection: Connection, name: str) -> bool:
    if _exists(connection, name):
        return False
    connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
    return True


def _exists(connection: Connection, name: str) -> bool:
    found = connection.execute("SELECT FROM pg_roles WHERE rolname = %(name)s", {"name": name})
    return found.rowcount > 0


def _let_set_role(connection: Connection, settings: Settings) -> None:
    # `SHOPFLOW_DATABASE_ROLE` lets the pool take a role that is not its login.
    owner = name_of(settings, "owner")
    others = [name_of(settings, kind) for kind in PURPOSE if kind != "owner"]
    statement = sql.SQL("GRANT {} TO {} WITH INHERIT FALSE, SET TRUE")
    _execute_all(
        connection, (statement.format(sql.Identifier(o), sql.Identifier(owner)) for o in others)
    )
    login = connection.execute("SELECT session_user").fetchone()
    if login and login[0] != owner:
        inherit = sql.SQL("GRANT {} TO {} WITH INHERIT TRUE, SET TRUE")
        connection.execute(inherit.format(sql.Identifier(owner), sql.Identifier(login[0])))


def _set_defaults(connection: Connection, settings: Settings) -> None:
    for kind in PURPOSE:
        role = sql.Identifier(name_of(settings, kind))
        scope = sql.SQL("ALTER ROLE {} IN DATABASE {} SET ").format(
            role, sql.Identifier(connection.info.dbname)
        )
        connection.execute(
            sql.SQL("{} search_path = {}, public, pg_temp").format(
                scope, sql.Identifier(settings.schema)
            )
        )
        if kind == "readonly":
            connection.execute(sql.SQL("{} default_transaction_read_only = on").format(scope))


def _grant_statistics(connection: Connection, monitor: str) -> str | None:
    statement = sql.SQL("GRANT pg_monitor TO {}").format(sql.Identifier(monitor))
    try:
        with connection.transaction():
            connection.execute(statement)
    except errors.InsufficientPrivilege:
        return f"needs an administrator's {statement.as_string(connection)}"
    return None


def _tables(connection: Connection, schema: str) -> list[_Table]:
    with connection.cursor(row_factory=class_row(_Table)) as cursor:
        return cursor.execute(
            """
            SELECT c.relname AS name, array_agg(a.attname::text ORDER BY a.attnum) AS columns
            FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
            WHERE c.relnamespace = to_regnamespace(quote_ident(%(schema)s))
                AND c.relkind IN ('r', 'p', 'v', 'm') AND a.attnum > 0 AND NOT a.attisdropped
            GROUP BY c.relname ORDER BY c.relname
            """,
            {"schema": schema},
        ).fetchall()


def _hand_to_owner(connection: Connection, settings: Settings) -> None:
    # Trigger functions run as their owner: that must never be a superuser who migrated.
    owner = sql.Identifier(name_of(settings, "owner"))
    foreign = connection.execute(
        """
        SELECT 'SCHEMA', quote_ident(nspname) FROM pg_namespace
        WHERE nspname = %(schema)s AND pg_get_userbyid(nspowner) <> %(owner)s
        UNION ALL
        SELECT CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END,
            oid::regclass::text
        FROM pg_class
        WHERE relnamespace = to_regnamespace(quote_ident(%(schema)s))
            AND relkind IN ('r', 'p', 'v', 'm') AND pg_get_userbyid(relowner) <> %(owner)s
        UNION ALL
        SELECT 'ROUTINE', oid::regprocedure::text FROM pg_proc
        WHERE pronamespace = to_regnamespace(quote_ident(%(schema)s))
            AND pg_get_userbyid(proowner) <> %(owner)s
        """,
        {"schema": settings.schema, "owner": name_of(settings, "owner")},
    ).fetchall()
    statement = sql.SQL("ALTER {} {} OWNER TO {}")
    # Kinds and quoted names as the catalogue itself writes them.
    _execute_all(
        connection,
        (statement.format(sql.SQL(kind), sql.SQL(name), owner) for kind, name in foreign),
    )


def _rights(settings: Settings, kind: Kind, tables: list[_Table]) -> Iterator[sql.Composed]:
    role, schema = sql.Identifier(name_of(settings, kind)), sql.Identifier(settings.schema)
    yield sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, role)
    yield sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA {} FROM {}").format(schema, role)
    for table in tables:
        right = _right(kind, table)
        if right is not None:
            name = sql.Identifier(settings.schema, table.name)
            yield sql.SQL("GRANT {} ON {} TO {}").format(right, name, role)
    if kind == "app":
        yield sql.SQL("GRANT USAGE ON ALL SEQUENCES IN SCHEMA {} TO {}").format(schema, role)


def _right(kind: Kind, table: _Table) -> sql.Composable | None:
    if table.name in OWNER_ONLY:
        return None
    if kind == "app":
        return _right_of_app(table)
    if kind == "monitor":
        return READ if table.name in READ_BY_MONITOR else None
    secret = SECRET_COLUMNS.get(table.name, set())
    return sql.SQL("SELECT {}").format(_columns(table, without=secret)) if secret else READ


def _right_of_app(table: _Table) -> sql.Composable:
    if table.name in READ_BY_APP:
        return READ
    if table.name in ADDED_BY_APP:
        return sql.SQL("SELECT, INSERT")
    if table.name in CHANGED_BY_APP:
        return sql.SQL("SELECT, UPDATE")
    rights: list[sql.Composable] = [READ]
    counted = COUNTED_COLUMNS.get(table.name, set())
    written = _columns(table, without=counted) if counted else sql.SQL("")
    rights += [sql.SQL("INSERT {}").format(written), sql.SQL("UPDATE {}").format(written)]
    if table.name not in KEPT_BY_APP:
        rights.append(sql.SQL("DELETE"))
    return sql.SQL(", ").join(rights)


def _columns(table: _Table, *, without: set[str]) -> sql.Composed:
    shown = (sql.Identifier(column) for column in table.columns if column not in without)
    return sql.SQL("({})").format(sql.SQL(", ").join(shown))


def _hide_owner_functions(connection: Connection, schema: str) -> Iterator[sql.Composed]:
    # They run as the owner: nobody else may call them, or hang them on a table of their own.
    functions = connection.execute(
        """
        SELECT oid::regprocedure::text FROM pg_proc
        WHERE pronamespace = to_regnamespace(quote_ident(%(schema)s))
            AND (prorettype = 'trigger'::regtype OR prosecdef)
            AND has_function_privilege('public', oid, 'EXECUTE')
        """,
        {"schema": schema},
    ).fetchall()
    for (function,) in functions:
        yield sql.SQL("REVOKE EXECUTE ON FUNCTION {} FROM PUBLIC").format(sql.SQL(function))


def _let_app_call(connection: Connection, settings: Settings) -> Iterator[sql.Composed]:
    functions = connection.execute(
        """
        SELECT oid::regprocedure::text FROM pg_proc
        WHERE pronamespace = to_regnamespace(quote_ident(%(schema)s)) AND proname = ANY(%(names)s)
        """,
        {"schema": settings.schema, "names": sorted(CALLED_BY_APP)},
    ).fetchall()
    app = sql.Identifier(name_of(settings, "app"))
    for (function,) in functions:
        yield sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(sql.SQL(function), app)


def _execute_all(connection: Connection, statements: Iterator[sql.Composed]) -> None:
    for statement in statements:
        connection.execute(statement)
