"""`shopflow search`."""

import json

import psycopg

from shopflow.postgres.conninfo import conninfo
from shopflow.settings import Settings
from tests.cli.conftest import Run
from tests.postgres.test_roles import as_superuser

PRODUCTS = """
INSERT INTO products (name, slug, sku, price)
SELECT name, lower(name), name, 20 FROM unnest(ARRAY['Pillow', 'Couch']) AS name
"""


def test_the_search_and_what_belongs_to_it(settings: Settings, inside: Run) -> None:
    def run(*arguments: str) -> str:
        done = inside("search", *arguments, SHOPFLOW_DATABASE_URL=settings.database_url)
        assert done.returncode == 0, done.stderr
        return done.stdout

    with psycopg.connect(conninfo(settings), autocommit=True) as connection:
        connection.execute(PRODUCTS)
    found = run("find", "pilow")
    assert found.splitlines()[:2] == ["corrected  pillow", "found      1"]
    assert "Pillow\t20.00\t\t\tpillow" in found
    assert json.loads(run("find", "pillow", "--json"))["corrected"] is None
    assert "search\tpillow" in run("suggest", "pil")
    assert json.loads(run("suggest", "pil", "--json"))["searches"] == ["pillow"]
    assert run("synonyms", "add", "sofa", "couch", "settee") == "4 new\n"
    assert "Couch" in run("find", "sofas")
    assert run("synonyms", "list", "couch").splitlines()[1:] == ["couch\tsofa"]
    assert len(json.loads(run("synonyms", "list", "--json"))) == 4
    assert run("synonyms", "remove", "sofa", "settee", "--one-way") == "1 removed\n"
    assert json.loads(run("refresh", "--json")) == {"new": 0, "words": 0, "popularity": 0}
    assert "language  english" in run("language")
    assert json.loads(run("language", "german", "--json")) == {
        "language": "german",
        "previous": None,
    }
    assert run("rebuild") == "0 of 2 products were not as they should be\n"
    assert json.loads(run("rebuild", "--json")) == {"products": 2, "changed": 0}


def test_search_by_meaning_is_switched_on_and_off(settings: Settings, inside: Run) -> None:
    url = {"SHOPFLOW_DATABASE_URL": settings.database_url}
    refused = inside("search", "semantic", "enable", "--dimensions", "3", **url)
    assert refused.returncode == 1
    assert "CREATE EXTENSION IF NOT EXISTS vector SCHEMA public" in refused.stderr
    with psycopg.connect(as_superuser(settings), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION vector SCHEMA public")
    assert inside("search", "semantic", "enable", "--dimensions", "3", **url).returncode == 0
    assert inside("search", "semantic", "disable", **url).returncode == 1
    assert inside("search", "semantic", "disable", "--dry-run", **url).returncode == 0
    assert inside("search", "semantic", "disable", "--yes", **url).stdout.endswith("is off\n")
