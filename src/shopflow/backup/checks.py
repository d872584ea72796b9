"""What is checked of a restored server: the shop's rules, and with PostgreSQL's tools its pages."""

import os
import subprocess

import psycopg

from shopflow import invariants
from shopflow.invariants import Check
from shopflow.postgres.cluster import DATABASE, SUPERUSER
from shopflow.postgres.embedded import Server
from shopflow.postgres.server_home import Home
from shopflow.postgres.server_user import environment
from shopflow.settings import Settings

# pg_amcheck's exit code for corruption; 1 is for what kept it from looking.
CORRUPT = 2
SHOWN = 5


def rules(connection: psycopg.Connection, schema: str) -> list[Check]:
    """Check the shop's rules; see `invariants.check`. One unknown where there is no shop."""
    found = connection.execute(
        "SELECT FROM pg_namespace WHERE nspname = %(schema)s", {"schema": schema}
    )
    if not found.rowcount:
        return [Check("schema", "unknown", f"there is no schema {schema}")]
    return invariants.check(connection, schema)


def pages(settings: Settings) -> Check:
    """Have pg_amcheck read every table and index, and see that each row is in its indexes.

    Makes its extension, amcheck, in the database where it is missing.

    Args:
        settings: of an embedded server that runs.
    """
    server, home = Server(settings), Home(settings.home)
    done = subprocess.run(  # noqa: S603 no shell reads it
        [
            *(server.binary("pg_amcheck"), "--heapallindexed", "--checkunique"),
            *("--install-missing", "--no-password", "--host", "127.0.0.1"),
            *("--port", str(server.status().port), "--username", SUPERUSER, DATABASE),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env={**environment(), "PGPASSFILE": os.fspath(home.passwords)},
    )
    said = "; ".join(line.strip() for line in done.stdout.splitlines()[: 2 * SHOWN])
    if done.returncode == 0:
        return Check("pg_amcheck", "ok")
    return Check("pg_amcheck", "failed" if done.returncode == CORRUPT else "unknown", said)
