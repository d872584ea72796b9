"""`shopflow backup` and `shopflow restore`, as a user runs them."""

import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psycopg
import pytest

from shopflow import settings as settings_module
from shopflow.postgres.embedded import Server
from tests.backup.conftest import archived, mark
from tests.cli.conftest import Run
from tests.conftest import fast_disk, fast_home, reachable_directory


def test_a_shop_is_backed_up_and_restored_to_a_time(inside: Run) -> None:
    with reachable_directory(fast_disk()) as place:
        home, url = fast_home(place), f"file://{place}/store"
        settings = settings_module.load({}, home=home, backup_url=url)
        given: dict[str, object] = {"SHOPFLOW_HOME": home, "SHOPFLOW_BACKUP_URL": url}
        Server(settings).start()
        try:
            made = inside("backup", "create", "--json", **given)
            assert made.returncode == 0, made.stderr
            assert json.loads(inside("backup", "list", "--json", **given).stdout) == [
                json.loads(made.stdout)
            ]
            _read_back(inside, given, json.loads(made.stdout), place)
            target = _two_rows(settings_module.load({}, home=home, backup_url=url))
        finally:
            Server(settings).stop()
        # The live server and its data need not be there.
        restored = inside(
            *("restore", "--to", str(place / "restored"), "--at", target.isoformat(), "--json"),
            **given,
        )
        try:
            assert restored.returncode == 0, restored.stderr
            with psycopg.connect(json.loads(restored.stdout)["url"]) as connection:
                found = connection.execute("SELECT name FROM public.canary").fetchall()
            assert found == [("before",)]
        finally:
            Server(msgspec.structs.replace(settings, home=place / "restored")).stop()


def _read_back(inside: Run, given: dict[str, object], made: dict[str, object], place: Path) -> None:
    name, data = str(made["name"]), place / "store" / str(made["data"])
    assert json.loads(inside("backup", "show", name, "--json", **given).stdout) == made
    assert inside("backup", "show", "no-such", **given).returncode == 1
    whole = inside("backup", "verify", **given)
    assert (whole.returncode, whole.stdout.splitlines()[-1].split("\t")[-1]) == (0, "whole")
    content = data.read_bytes()
    data.write_bytes(content[:-1000])
    cut = inside("backup", "verify", name, "--json", **given)
    assert cut.returncode == 1
    assert str(made["data"]) in json.loads(cut.stdout)[0]["problem"]
    data.write_bytes(content)


def test_every_new_key_is_another(inside: Run) -> None:
    first, second = (inside("backup", "new-key").stdout for _ in range(2))
    assert first.startswith("AGE-SECRET-KEY-1")
    assert first != second


def _two_rows(settings: settings_module.Settings) -> datetime:
    with psycopg.connect(Server(settings).superuser_conninfo(), autocommit=True) as connection:
        connection.execute("CREATE TABLE public.canary (name TEXT PRIMARY KEY)")
        connection.execute("GRANT SELECT ON canary TO PUBLIC")
        target = mark(connection, "before")
        mark(connection, "after")
        archived(connection)
        return target


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--at", "2026-01-15T14:30:00"), "offset"),
        (("--at", "yesterday"), "2026-01-15T14:30:00Z"),
        (("--at", f"{datetime.now(UTC).year + 1}-01-01T00:00:00Z"), "future"),
        ((), "one of --at TIME"),
        (("--latest",), "shopflow backup create"),
    ],
)
def test_a_restore_that_cannot_be_is_refused(
    arguments: tuple[str, ...], said: str, inside: Run, tmp_path: Path
) -> None:
    given = {"SHOPFLOW_HOME": tmp_path / "home", "SHOPFLOW_BACKUP_URL": f"file://{tmp_path}/store"}
    found = inside("restore", "--to", str(tmp_path / "new"), *arguments, **given)
    assert found.returncode == 1
    assert said in found.stderr
    assert not (tmp_path / "new").exists()
