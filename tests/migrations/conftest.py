"""Small migrations written on the spot, and what several tests of the runner look at."""

import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from shopflow.migrations import env
from shopflow.settings import Settings


class Versions:
    """A directory of migrations, each after the one before."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.revisions: list[str] = []

    def add(self, up: str, down: str = "SELECT 1", *, autocommit: bool = False) -> str:
        """Write one more migration of one statement up and one down; return its revision."""
        revision = f"202501010000{len(self.revisions):02}"
        body = _AUTOCOMMIT if autocommit else _PLAIN
        content = _FILE.format(
            revision=revision,
            before=repr(self.revisions[-1]) if self.revisions else None,
            up=textwrap.indent(body.format(statement=up), "    "),
            down=textwrap.indent(body.format(statement=down), "    "),
        )
        self.path(revision).write_text(content)
        self.revisions.append(revision)
        return revision

    def path(self, revision: str) -> Path:
        return self.directory / f"{revision}_step.py"


_FILE = '''"""Step {revision}."""

from alembic import op

revision = "{revision}"
down_revision = {before}


def upgrade() -> None:
{up}

def downgrade() -> None:
{down}
'''
_PLAIN = 'op.execute("""{statement}""")\n'
_AUTOCOMMIT = 'with op.get_context().autocommit_block():\n    op.execute("""{statement}""")\n'


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    directory = tmp_path / "versions"
    directory.mkdir()
    return Versions(directory)


@pytest.fixture
def database(empty_settings: Settings) -> Iterator[psycopg.Connection]:
    """An autocommit connection of the owner to the empty database."""
    with env.connection(empty_settings, application_name="test") as connection:
        yield connection


def values(connection: psycopg.Connection, query: str) -> list[object]:
    """The first column of what `query` returns."""
    return [row[0] for row in connection.execute(query.encode())]


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.05)


@contextmanager
def holding_table(settings: Settings, table: str) -> Iterator[psycopg.Connection]:
    """A transaction of somebody else that has written to `table` and does not end."""
    with env.connection(settings, application_name="nightly report") as other:
        other.execute("BEGIN")
        other.execute(b"LOCK TABLE " + table.encode() + b" IN ROW EXCLUSIVE MODE")
        yield other
