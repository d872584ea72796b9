"""The reference is what the program and the schema say of themselves."""

import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from docs import generate
from shopflow.postgres.conninfo import conninfo
from shopflow.settings import Settings

ROOT = Path(__file__).parents[2]


def test_the_commands_are_as_documented() -> None:
    written = (generate.REFERENCE / "commands.md").read_text(encoding="utf-8")
    # In a process of its own: one that has shown a help before may keep its width.
    program = "from docs import generate; print(generate.commands(), end='')"
    shown = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert written == shown.stdout, "run `make docs`"


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


PAGES = [
    generate.REFERENCE.parents[1] / "README.md",
    *sorted(generate.REFERENCE.parent.rglob("*.md")),
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    # What stands in code is no link.
    text = re.sub(r"`[^`\n]*`", "", page.read_text(encoding="utf-8"))
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)", text):
        linked = (page.parent / target) if target else page
        assert linked.exists(), f"{page.name} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings}
            assert anchor in anchors, f"{page.name} links to {target}#{anchor}"


def test_the_rules_that_the_checkout_is_said_to_keep_are_there(settings: Settings) -> None:
    page = generate.REFERENCE.parent / "explanation" / "checkout.md"
    named = set(
        re.findall(r"`(\w+_(?:negative|limit|only|key))`", page.read_text(encoding="utf-8"))
    )
    columns = {"per_user_limit", "usage_limit", "first_order_only"}
    with psycopg.connect(conninfo(settings)) as connection:
        found = connection.execute(
            "SELECT conname FROM pg_constraint UNION SELECT relname FROM pg_class "
            "UNION SELECT (regexp_matches(prosrc, 'CONSTRAINT = ''(\\w+)''', 'g'))[1] FROM pg_proc"
        ).fetchall()
    assert len(named - columns) > 4
    assert named - columns <= {name for (name,) in found}
