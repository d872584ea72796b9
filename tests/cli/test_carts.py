"""`shopflow carts expire`."""

import json

import psycopg

from shopflow.postgres.conninfo import conninfo
from shopflow.settings import Settings
from tests.cli.conftest import Run

CARTS = """
ALTER TABLE carts DISABLE TRIGGER carts_set_updated_at;
INSERT INTO carts (session_id, updated_at)
SELECT n, now() - n * interval '10 days' FROM generate_series(0, 4) AS n;
INSERT INTO users (email, password_hash, first_name, last_name) VALUES ('a@x.io', '!', 'A', 'A');
INSERT INTO carts (user_id, updated_at) SELECT id, now() - interval '99 days' FROM users;
ALTER TABLE carts ENABLE TRIGGER carts_set_updated_at;
"""


def test_it_deletes_what_is_old(settings: Settings, inside: Run) -> None:
    url = {"SHOPFLOW_DATABASE_URL": settings.database_url}
    with psycopg.connect(conninfo(settings), autocommit=True) as connection:
        connection.execute(CARTS)
    dry = inside("carts", "expire", "--older-than", "15d", "--dry-run", **url)
    assert (dry.returncode, dry.stdout) == (0, "3 of 6 carts are too old; none was deleted\n")
    done = inside("carts", "expire", "--older-than", "15d", "--json", **url)
    said = {"carts": 6, "old": 3, "expired": 3, "dry_run": False}
    assert (done.returncode, json.loads(done.stdout)) == (0, said)
    users = ("--user-carts-older-than", "90d")
    done = inside("carts", "expire", "--older-than", "15d", *users, **url)
    assert (done.returncode, done.stdout) == (0, "deleted 1 of 3 carts\n")


def test_what_would_delete_every_cart_is_refused(settings: Settings, inside: Run) -> None:
    url = {"SHOPFLOW_DATABASE_URL": settings.database_url}
    refused = inside("carts", "expire", "--older-than", "0s", **url)
    assert refused.returncode == 1
    assert "must be from 1 to 36500 days (got 0)" in refused.stderr
    refused = inside("carts", "expire", "--older-than", "1d12h", **url)
    assert refused.stderr == "error: --older-than: must be whole days, as 15d (got '1d12h')\n"
    assert inside("carts", "expire", **url).returncode == 2
