import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from shopflow.migrations import env
from shopflow.migrations.files import VERSIONS
from shopflow.settings import Settings, load

pytestmark = pytest.mark.acceptance
SHOPFLOW = Path(sys.executable).with_name("shopflow")
NEWEST = max(VERSIONS.glob("2*.py")).name[:14]


def run(
    settings: Settings,
    *arguments: str,
    stdin: int = subprocess.DEVNULL,
    environment: str = "development",
) -> "subprocess.CompletedProcess[str]":
    variables = {
        "PATH": os.environ["PATH"],
        "SHOPFLOW_ENVIRONMENT": environment,
        "SHOPFLOW_HOME": str(settings.home),
        "SHOPFLOW_DATABASE_URL": settings.database_url or "",
    }
    return subprocess.run(
        [SHOPFLOW, "migrate", *arguments],
        env=variables,
        stdin=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def test_from_nothing_up_and_status(empty_settings: Settings) -> None:
    before = json.loads(run(empty_settings, "status", "--json").stdout)
    assert before["heads"] == []
    assert before["pending"][-1] == NEWEST
    done = run(empty_settings, "up")
    assert (done.returncode, done.stdout) == (0, f"{len(before['pending'])} applied\n")
    assert "making the schema, migrations: " in done.stderr
    assert run(empty_settings, "up").stdout == "nothing to do\n"
    after = json.loads(run(empty_settings, "status", "--json").stdout)
    assert (after["heads"], after["pending"]) == ([NEWEST], [])
    assert "pending  0" in run(empty_settings, "status").stdout
    assert run(empty_settings, "sql").stdout == ""


def test_down_without_a_terminal_wants_yes(settings: Settings) -> None:
    refused = run(settings, "down")
    assert refused.returncode == 1
    assert "--yes" in refused.stderr
    done = run(settings, "down", "--yes")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "1 taken back")


@pytest.mark.parametrize(
    ("typed", "result"), [(b"y\n", "1 taken back"), (b"\n", "nothing was done")]
)
def test_down_asks_at_a_terminal(settings: Settings, typed: bytes, result: str) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, typed)
    done = run(settings, "down", stdin=theirs)
    os.close(ours)
    os.close(theirs)
    assert "[y/N]" in done.stdout
    assert done.stdout.endswith(f"{result}\n")


def test_check_says_what_differs_and_fails(settings: Settings) -> None:
    assert run(settings, "check").stdout == "clean\n"
    with env.connection(settings, application_name="test") as connection:
        connection.execute("DROP INDEX idx_products_search")
    found = run(settings, "check")
    assert found.returncode == 1
    assert found.stdout == "missing: index idx_products_search\nnot clean\n"
    document = json.loads(run(settings, "check", "--json").stdout)
    assert document["clean"] is False
    assert [it["name"] for it in document["drift"]] == ["idx_products_search"]


def test_production_wants_the_backup_said_out_loud(settings: Settings) -> None:
    assert run(settings, "down", "--yes").returncode == 0
    refused = run(settings, "up", environment="production")
    assert refused.returncode == 1
    assert "--i-have-a-backup" in refused.stderr
    done = run(settings, "up", "--i-have-a-backup", environment="production")
    assert done.returncode == 0
    assert "PRODUCTION" in done.stderr


def test_new_writes_into_the_directory_named(settings: Settings, tmp_path: Path) -> None:
    done = run(settings, "new", "Add a table", "--directory", str(tmp_path / "own"))
    path = Path(done.stdout.strip())
    assert path.parent == tmp_path / "own"
    assert path.name.endswith("_add_a_table.py")


def test_sql_of_a_stopped_server_says_so_and_since_needs_none(tmp_path: Path) -> None:
    settings = load({}, home=tmp_path / "home")
    stopped = run(settings, "sql")
    assert stopped.returncode == 1
    assert stopped.stderr == run(settings, "status").stderr
    assert "start it with shopflow up" in stopped.stderr
    assert "CREATE TABLE" in run(settings, "sql", "--since", "base").stdout
    wrong = run(settings, "sql", "--since", "nosuch")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert wrong.stderr.startswith("error: there is no migration nosuch")


def test_new_without_a_directory_writes_nothing(settings: Settings) -> None:
    before = sorted(VERSIONS.iterdir())
    done = run(settings, "new", "Add a table")
    assert (done.returncode, done.stdout) == (1, "")
    assert "SHOPFLOW_MIGRATIONS" in done.stderr
    assert sorted(VERSIONS.iterdir()) == before


def test_a_wrong_description_is_a_line_and_not_a_traceback(settings: Settings) -> None:
    done = run(settings, "new", "...")
    assert done.returncode == 1
    assert done.stderr.startswith("error: description")
