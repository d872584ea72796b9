"""The embedded server as it is inside: settings, who gets in, what the logs hold."""

import os
import stat
import subprocess
from pathlib import Path

import msgspec
import psutil
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from shopflow.errors import ServerError
from shopflow.postgres import pgpass
from shopflow.postgres.conninfo import conninfo
from shopflow.postgres.embedded import Server
from shopflow.postgres.server_home import Home
from shopflow.settings import Settings

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may act as another user")
# Of the machine's users, the one that owns nothing.
STRANGER = 65534


@pytest.fixture(scope="session")
def server(test_server: Settings) -> Server:
    return Server(test_server)


def test_a_second_start_attaches(server: Server) -> None:
    before = server.status()
    assert server.start() == "attached"
    assert server.status() == before


def test_checksums_are_on_and_the_settings_are_ours(admin: psycopg.Connection) -> None:
    expected = {
        "data_checksums": "on",
        "jit": "off",
        "random_page_cost": "1.1",
        "wal_compression": "off",
        "summarize_wal": "on",
        "password_encryption": "scram-sha-256",
        "listen_addresses": "127.0.0.1",
        "shared_preload_libraries": "pg_stat_statements",
        "log_destination": "jsonlog",
        "log_parameter_max_length_on_error": "0",
        "TimeZone": "UTC",
        # From conf.d, which comes last.
        "fsync": "off",
    }
    rows = admin.execute(
        "SELECT name, setting FROM pg_settings WHERE name = ANY(%(names)s)",
        {"names": list(expected)},
    ).fetchall()
    assert dict(rows) == expected


def test_no_setting_of_ours_is_refused(admin: psycopg.Connection) -> None:
    wrong = admin.execute(
        "SELECT name, error FROM pg_file_settings WHERE error IS NOT NULL"
    ).fetchall()
    assert wrong == []


def test_letters_of_every_language_count(admin: psycopg.Connection) -> None:
    row = admin.execute(
        """
        SELECT lower('ÉCOLE ЖУК'),
               to_tsvector('simple', 'Žluťoučký kůň') @@ to_tsquery('simple', 'kůň')
        """
    ).fetchone()
    assert row == ("école жук", True)


def test_the_owner_is_no_superuser_and_owns_the_database(server: Server) -> None:
    with psycopg.connect(server.url()) as connection:
        row = connection.execute(
            """
            SELECT current_user, role.rolsuper, role.rolcreaterole, pg_get_userbyid(datdba),
                   EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_stat_statements')
            FROM pg_database JOIN pg_roles AS role ON role.rolname = current_user
            WHERE datname = current_database()
            """
        ).fetchone()
    assert row == ("shopflow_owner", False, False, "shopflow_owner", True)


def test_the_search_path_holds_for_every_client(server: Server) -> None:
    # Without the option in the URL: the role's own setting.
    url = server.url().partition("&options")[0]
    with psycopg.connect(url) as connection:
        row = connection.execute("SHOW search_path").fetchone()
    assert row == ("shopflow, public, pg_temp",)


@pytest.mark.parametrize("way", ["tcp", "socket"])
@pytest.mark.parametrize(
    ("password", "message"),
    [("", "no password supplied"), ("wrong", "password authentication failed")],
)
@pytest.mark.parametrize("user", ["postgres", "shopflow_owner"])
def test_nobody_gets_in_without_the_password(
    server: Server, way: str, password: str, message: str, user: str
) -> None:
    by_socket = conninfo_to_dict(server.superuser_conninfo())
    host = {"tcp": "127.0.0.1", "socket": by_socket["host"]}[way]
    with pytest.raises(psycopg.OperationalError, match=message):
        psycopg.connect(
            host=host,
            port=by_socket["port"],
            user=user,
            dbname="postgres",
            password=password,
            passfile="/dev/null",
            sslmode="disable",
        )


@as_root
@pytest.mark.parametrize("way", ["tcp", "socket"])
def test_another_user_of_the_machine_gets_in_nowhere(server: Server, way: str) -> None:
    target = {"tcp": server.conninfo(), "socket": server.url()}[way]
    tried = subprocess.run(
        [server.binary("psql"), target, "--no-password", "--command=SELECT 1"],
        capture_output=True,
        text=True,
        check=False,
        user=STRANGER,
        group=STRANGER,
        extra_groups=[],
        cwd="/",
    )
    assert tried.returncode == 2
    assert {"tcp": "no password supplied", "socket": "Permission denied"}[way] in tried.stderr


def test_the_passwords_are_for_their_owner_only(test_server: Settings) -> None:
    home = Home(test_server.home)
    found = home.passwords.stat()
    assert stat.S_IMODE(found.st_mode) == 0o600
    assert found.st_uid == os.geteuid()
    for directory in (home.data, home.log, test_server.home / "run"):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert len(set(pgpass.read(home).values())) == len(pgpass.read(home)) >= 2


def test_no_log_and_no_answer_holds_a_password(server: Server, test_server: Settings) -> None:
    home = Home(test_server.home)
    with psycopg.connect(server.url()) as connection, pytest.raises(psycopg.errors.DivisionByZero):
        connection.execute(
            "SELECT 1 / %(zero)s::integer, %(secret)s", {"zero": 0, "secret": "hush!"}
        )
    logs = [file.read_text() for file in home.log.iterdir()]
    assert any("division by zero" in log for log in logs)
    shown = [*logs, home.config.read_text(), home.record.read_text(), repr(server.status())]
    shown.append(msgspec.json.encode(server.status()).decode())
    shown += (server.url(), server.superuser_conninfo())
    for secret in (*pgpass.read(home).values(), "hush!"):
        assert not [text for text in shown if secret in text]


def test_the_log_is_json(test_server: Settings) -> None:
    messages = [
        msgspec.json.decode(line)["message"]
        for file in Home(test_server.home).log.glob("*.json")
        for line in file.read_bytes().splitlines()
    ]
    assert "database system is ready to accept connections" in messages


def test_the_server_inherits_nothing_of_our_environment(server: Server) -> None:
    pid = server.status().pid
    assert pid is not None
    names = set(psutil.Process(pid).environ())
    # Those in capitals beside the first three are PostgreSQL's own.
    assert names <= {"PATH", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "PGDATA", "PWD", "OLDPWD", "_"} | {
        name for name in names if name.startswith(("LC_", "PG_OOM", "SHLVL"))
    }


def test_stray_variables_do_no_harm(
    server: Server, test_server: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "PGHOST": "nowhere.invalid",
        "PGPORT": "1",
        "PGUSER": "nobody",
        "PGDATABASE": "nothing",
        "PGPASSWORD": "wrong",
        "PGPASSFILE": "/dev/null",
        "PGOPTIONS": "-c search_path=elsewhere",
        "PGSSLMODE": "require",
        "PGTARGETSESSIONATTRS": "standby",
        "PGCHANNELBINDING": "require",
    }.items():
        monkeypatch.setenv(name, value)
    assert server.start() == "attached"
    for how, user in (
        (server.superuser_conninfo(), "postgres"),
        (server.conninfo(), "shopflow_owner"),
        (conninfo(test_server), "shopflow_owner"),
    ):
        with psycopg.connect(how) as connection:
            row = connection.execute("SELECT current_user, current_database()").fetchone()
        assert row == (user, "shopflow")


def test_psql_takes_the_url_as_printed(server: Server) -> None:
    shown = subprocess.run(
        [server.binary("psql"), server.url(), "-XAtc", "SELECT current_user"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == "shopflow_owner\n"


def test_the_url_with_the_password_needs_no_file(server: Server) -> None:
    url = server.url(with_password=True)
    assert "passfile" not in url
    with psycopg.connect(url, passfile="/dev/null") as connection:
        assert connection.info.user == "shopflow_owner"


def test_a_second_schema_lives_on_the_same_server(test_server: Settings) -> None:
    second = Server(msgspec.structs.replace(test_server, schema="second"))
    assert second.start() == "attached"
    with psycopg.connect(second.url()) as connection:
        connection.execute("CREATE SCHEMA second")
        row = connection.execute("SELECT current_user, current_schema").fetchone()
        connection.rollback()
    assert row == ("second_owner", "second")


def test_a_lost_password_of_the_owner_is_made_anew(test_server: Settings) -> None:
    home, third = (
        Home(test_server.home),
        Server(msgspec.structs.replace(test_server, schema="third")),
    )
    third.start()
    lines = home.passwords.read_text().splitlines(keepends=True)
    home.write(home.passwords, "".join(line for line in lines if "third" not in line).encode())
    assert third.start() == "attached"
    with psycopg.connect(third.url()) as connection:
        assert connection.info.user == "third_owner"


def test_the_lost_password_of_the_superuser_is_named(server: Server, test_server: Settings) -> None:
    home = Home(test_server.home)
    before = home.passwords.read_bytes()
    home.passwords.unlink()
    try:
        with pytest.raises(ServerError, match=r"pgpass has lost the password of postgres"):
            server.start()
    finally:
        home.write(home.passwords, before)
    assert server.start() == "attached"


def test_an_unknown_program_is_refused(server: Server) -> None:
    with pytest.raises(ServerError, match="no program 'pg_nothing'"):
        server.binary("pg_nothing")


def test_programs_are_files_that_run(server: Server) -> None:
    for name in ("psql", "pg_dump", "pg_basebackup", "pg_amcheck"):
        assert os.access(server.binary(name), os.X_OK), Path(name)
