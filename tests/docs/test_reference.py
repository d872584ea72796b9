"""The reference is what the program and the schema say of themselves."""

import psycopg
import pytest

from docs import generate
from shopflow.postgres.conninfo import conninfo
from shopflow.settings import Settings


def test_the_commands_are_as_documented() -> None:
    written = (generate.REFERENCE / "commands.md").read_text(encoding="utf-8")
    assert written == generate.commands(), "run `make docs`"


def test_the_schema_is_as_documented(settings: Settings) -> None:
    written = (generate.REFERENCE / "schema.md").read_text(encoding="utf-8")
    with psycopg.connect(conninfo(settings)) as connection:
        assert written == generate.schema(connection), "run `make docs`"


def test_every_table_is_documented(settings: Settings) -> None:
    with psycopg.connect(conninfo(settings)) as connection:
        found = connection.execute(
            "SELECT relname FROM pg_class "
            "WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
        ).fetchall()
    documented = {table for tables in generate.DOMAINS.values() for table in tables}
    assert {name for (name,) in found} == documented


@pytest.mark.parametrize(
    "field", sorted(set(Settings.__struct_fields__) - {"sources", "server_from_pg_variables"})
)
def test_every_setting_is_documented(field: str) -> None:
    written = (generate.REFERENCE / "settings.md").read_text(encoding="utf-8")
    assert f"| `{field}` | `SHOPFLOW_{field.upper()}` |" in written
