"""The embedded server: made, started, attached to, stopped; what it is like inside."""

import psycopg

from shopflow.settings import Settings
from shopflow.postgres.embedded import Server


def test_empty_database(empty_settings: Settings) -> None:
    assert empty_settings.database_url is not None
    with psycopg.connect(empty_settings.database_url) as connection:
        row = connection.execute("SELECT current_user").fetchone()
    assert row == ("shopflow_owner",)
