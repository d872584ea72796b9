"""`shopflow up`, `down`, `status`, `url`, `psql` and `settings`, run as their user runs them."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import psycopg
import pytest

from shopflow import settings as settings_module
from shopflow.postgres import pgpass
from shopflow.postgres.embedded import Server
from shopflow.postgres.server_home import Home
from shopflow.settings import Settings
from tests.cli.conftest import SHOPFLOW, Run, environment, shopflow
from tests.conftest import fast_disk, fast_home, reachable_directory

pytestmark = pytest.mark.acceptance


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A home of this module's own; the server in it comes and goes with the tests."""
    with reachable_directory(fast_disk()) as directory:
        home = fast_home(directory)
        yield home
        Server(settings_module.load({}, home=home)).stop()


@pytest.fixture
def server(home: Path) -> Server:
    return Server(settings_module.load({}, home=home))


@pytest.fixture
def serving(home: Path, server: Server) -> Iterator[subprocess.Popen[str]]:
    """A `shopflow up` in the foreground that says that it serves, and that started the server itself."""
    server.stop()
    process = subprocess.Popen(
        [SHOPFLOW, "up"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(SHOPFLOW_HOME=home),
    )
    with process:
        try:
            read_until(process, "serving until Ctrl-C")
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], text: str) -> str:
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if text in line:
            return said
    raise AssertionError(said)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_up_stops_the_server_that_it_started(
    server: Server, serving: subprocess.Popen[str], end: signal.Signals
) -> None:
    assert server.state() == "running"
    serving.send_signal(end)
    assert serving.wait(timeout=60) == 0
    assert server.state() == "stopped"


def test_the_server_outlives_up_when_that_is_killed(
    home: Path, server: Server, serving: subprocess.Popen[str]
) -> None:
    pid = server.status().pid
    serving.kill()
    serving.wait()
    assert server.start() == "attached"
    assert server.status().pid == pid
    # Somebody else's server: this `up` leaves it running.
    again = shopflow("up", "--once", SHOPFLOW_HOME=home)
    assert again.returncode == 0
    assert server.status().pid == pid
    assert shopflow("down", SHOPFLOW_HOME=home).stdout == "stopped\n"
    assert shopflow("down", SHOPFLOW_HOME=home).stdout == "was not running\n"


def test_up_starts_a_crashed_server_again_and_ends_with_a_stopped_one(
    home: Path, server: Server, serving: subprocess.Popen[str]
) -> None:
    pid = server.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    read_until(serving, "crashed, starting it again")
    wait_until(lambda: server.status().running)
    assert server.status().pid != pid
    assert shopflow("down", SHOPFLOW_HOME=home).returncode == 0
    assert serving.wait(timeout=60) == 0


def test_up_once_leaves_the_server_and_prints_what_works_when_pasted(
    home: Path, server: Server
) -> None:
    ran = shopflow("up", "--once", SHOPFLOW_HOME=home)
    assert ran.returncode == 0, ran.stderr
    assert "PostgreSQL  18." in ran.stdout
    assert f"data        {home}/data" in ran.stdout
    shown = dict(line.split(maxsplit=1) for line in ran.stdout.splitlines())
    url = shown["URL"]
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT count(*) > 20 FROM pg_tables WHERE schemaname = 'shopflow'"
        )
        assert row.fetchone() == (True,)
    asked = subprocess.run(
        [*shown["next"].split(), "-XAtc", "SELECT current_user"],
        capture_output=True,
        text=True,
        check=False,
        env=environment(SHOPFLOW_HOME=home),
    )
    assert asked.stdout == "shopflow_owner\n"
    server.stop()


def test_status_says_whether_it_runs(
    inside: Run, test_server: Settings, server_directory: Path
) -> None:
    found = msgspec.json.decode(inside("status", "--json", SHOPFLOW_HOME=test_server.home).stdout)
    status = Server(test_server).status()
    assert (found["running"], found["pid"], found["url"]) == (True, status.pid, status.url)
    shown = inside("status", SHOPFLOW_HOME=test_server.home)
    assert shown.returncode == 0
    assert f"pid         {status.pid}\n" in shown.stdout
    nothing = inside("status", "--json", SHOPFLOW_HOME=server_directory / "none")
    assert nothing.returncode == 3
    assert msgspec.json.decode(nothing.stdout)["running"] is False


def test_url_hides_the_password_unless_asked(inside: Run, test_server: Settings) -> None:
    password = pgpass.read(Home(test_server.home))["shopflow_owner"]
    plain = inside("url", SHOPFLOW_HOME=test_server.home).stdout
    assert plain == Server(test_server).url() + "\n"
    assert password not in plain
    whole = inside("url", "--with-password", SHOPFLOW_HOME=test_server.home).stdout
    assert f":{password}@" in whole
    document = inside("url", "--json", SHOPFLOW_HOME=test_server.home).stdout
    assert msgspec.json.decode(document) == {"url": plain.strip()}


def test_psql_needs_a_running_server(inside: Run, server_directory: Path) -> None:
    ran = inside("psql", SHOPFLOW_HOME=server_directory / "none")
    assert ran.returncode == 1
    assert ran.stderr == "error: the server does not run: start it with shopflow up\n"


def test_stray_variables_do_not_lead_psql_away(test_server: Settings) -> None:
    stray = {"PGPASSWORD": "wrong", "PGOPTIONS": "-c search_path=x", "PGDATABASE": "none"}
    ran = shopflow("psql", "-XAtc", "SHOW search_path", SHOPFLOW_HOME=test_server.home, **stray)
    assert ran.stdout.replace(" ", "") == "shopflow,public,pg_temp\n", ran.stderr


def test_a_server_of_ones_own_is_used_and_none_started(
    inside: Run, external: str, server_directory: Path
) -> None:
    home = server_directory / "home"
    given = {"DATABASE_URL": external, "SHOPFLOW_HOME": home}
    up = shopflow("up", "--once", **given)
    assert up.returncode == 0, up.stderr
    assert not home.exists()
    found = msgspec.json.decode(inside("status", "--json", **given).stdout)
    assert (found["running"], found["embedded"], found["user"]) == (True, False, "shopflow_owner")
    tables = shopflow("psql", "-XAtc", "SELECT to_regclass('shopflow.orders')", **given)
    assert tables.stdout.removeprefix("shopflow.") == "orders\n", tables.stderr
    down = inside("down", **given)
    assert down.returncode == 1
    assert "not ShopFlow's to stop" in down.stderr


def test_the_password_of_ones_own_server_stays_hidden(
    inside: Run, external: str, server_directory: Path
) -> None:
    password = urlsplit(external).password
    assert password is not None
    given = {"SHOPFLOW_DATABASE_URL": external, "SHOPFLOW_HOME": server_directory}
    # What every user of the machine sees of the running psql.
    seen = shopflow("psql", "-X", "-c", r"\! tr '\0' ' ' < /proc/$PPID/cmdline", **given)
    assert "psql postgresql://" in seen.stdout
    for ran in (
        seen,
        inside("url", **given),
        inside("url", "--json", **given),
        inside("status", **given),
        inside("settings", **given),
        inside("settings", "--json", **given),
    ):
        assert ran.returncode == 0
        assert password not in ran.stdout + ran.stderr
    assert password in inside("url", "--with-password", **given).stdout


def test_a_server_that_is_not_there_is_one_line(inside: Run, server_directory: Path) -> None:
    ran = inside("status", DATABASE_URL="postgresql://me:hush@127.0.0.1:9/none")
    assert ran.returncode == 1
    assert ran.stderr.startswith("error: connection")
    assert ran.stderr.count("\n") == 1
    assert "hush" not in ran.stderr


def test_settings_say_where_they_come_from(inside: Run, server_directory: Path) -> None:
    given = {"SHOPFLOW_ENVIRONMENT": "production", "SHOPFLOW_HOME": server_directory}
    found = msgspec.json.decode(inside("settings", "--json", **given).stdout)
    assert found["environment"] == {
        "value": "production",
        "source": "environment: SHOPFLOW_ENVIRONMENT",
    }
    assert found["pool_max_size"] == {"value": "20", "source": "default for production"}
    assert found["port"] == {"value": "not set", "source": "default"}
    lines = inside("settings", SHOPFLOW_HOME=server_directory).stdout.splitlines()
    assert f"home\t{server_directory}\tenvironment: SHOPFLOW_HOME" in lines


def test_a_wrong_setting_is_one_line_and_wrong_usage_exits_with_2(inside: Run) -> None:
    wrong = inside("settings", SHOPFLOW_PORT="eighty")
    assert wrong.returncode == 1
    assert wrong.stderr == (
        "error: port (environment: SHOPFLOW_PORT): must be a whole number, not 'eighty'\n"
    )
    assert inside("status", "--jsn").returncode == 2
    assert inside("nothing").returncode == 2


def test_help_lists_every_command_and_the_variables(inside: Run) -> None:
    shown = shopflow("--help")
    assert shown.returncode == 0
    for word in ("up", "down", "status", "url", "psql", "settings", "SHOPFLOW_DATABASE_URL"):
        assert word in shown.stdout
    assert "Stop the embedded server" in shown.stdout
    assert "SHOPFLOW_HOME" in inside("up", "--help").stdout
