"""The embedded server: a whole PostgreSQL of the shop's own, made, started and found again."""

import errno
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import msgspec
import psycopg
from psycopg.conninfo import make_conninfo

from shopflow.errors import ConfigurationError, ServerError
from shopflow.postgres import (
    cluster,
    pgpass,
    postmaster,
    server_port,
    server_user,
    wal_archive,
    wal_handover,
)
from shopflow.postgres.cluster import DATABASE, SUPERUSER
from shopflow.postgres.postmaster import Launched, Running, StartError
from shopflow.postgres.server_config import configuration
from shopflow.postgres.server_home import Home, Recorded
from shopflow.postgres.server_port import HOST
from shopflow.settings import Settings

Started = Literal["created", "started", "attached"]
State = Literal["running", "stopped", "crashed"]
ATTEMPTS = 5
# What a stray PG* variable could change otherwise; PGPASSWORD would come before the file.
FIXED = {
    "password": "",
    "sslmode": "disable",
    "gssencmode": "disable",
    # While the server is down anybody may listen on its port, and ask for the password in clear.
    "require_auth": "scram-sha-256",
    "channel_binding": "disable",
    "target_session_attrs": "any",
    "client_encoding": "UTF8",
    "options": "",
}
LOCK_SECONDS = postmaster.START_SECONDS + 60


class ServerStatus(msgspec.Struct, frozen=True):
    """What is known of the embedded server; None where it does not run or was never made."""

    running: bool
    version: str
    home: str
    data: str
    log: str
    user: str
    pid: int | None = None
    port: int | None = None
    started_at: datetime | None = None
    url: str | None = None
    embedded: bool = True


def silent(_message: str) -> None:
    """Report nothing."""


class Server:
    """The PostgreSQL server in `settings.home`, whether it runs or not."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._home = Home(settings.home)
        self._owner = f"{settings.schema}_owner"

    def start(self, report: Callable[[str], None] = silent) -> Started:
        """Return when the server takes connections and the shop's database is there.

        It is made if there is none, and lives on when this process ends. Waits while another
        process starts or stops it, and as long as a recovery after a crash takes.

        Raises:
            ServerError: when it can't be made or started, saying why and what to do.
            ConfigurationError: when it could archive nothing with the settings.
        """
        account = server_user.find_account(self._settings.server_user)
        try:
            self._home.check_restored()
            self._home.make(account)
            return self._locked_start(account, report)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise ServerError(f"the disk of {self._home.path} is full") from error
            raise ServerError(f"cannot use {self._home.path} as the home: {error}") from error

    def _locked_start(self, account: server_user.Account, report: Callable[[str], None]) -> Started:
        with self._home.lock(
            LOCK_SECONDS, lambda: report("waiting for another process that starts this server")
        ) as lock:
            self._home.check_restored()
            self._home.make_directories(account)
            found = postmaster.running(self._home.data)
            if found is not None:
                self._check_port(found)
                postmaster.wait_ready(self._home, None, report)
                started: Started = "attached"
            else:
                started = self._launch(account, lock, report)
            self._ensure_carrier(account, started)
            cluster.ensure_shop(self._home, self._superuser(account), self._settings.schema)
            return started

    def _ensure_carrier(self, account: server_user.Account, started: Started) -> None:
        try:
            wal_handover.ensure(self._home, account, self._settings)
        except (ConfigurationError, ServerError):
            found = postmaster.running(self._home.data)
            # Nobody was served by it yet, and it would never archive.
            if started != "attached" and found is not None:
                postmaster.stop(found, self._home.data)
            raise

    def stop(self) -> bool:
        """Stop the server in good order and wait for its end; False when it was not running."""
        if postmaster.running(self._home.data) is None:
            return False
        with self._home.lock(LOCK_SECONDS, lambda: None):
            found = postmaster.running(self._home.data)
            if found is None:
                return False
            # While it shuts down it still archives.
            postmaster.stop(found, self._home.data)
            wal_handover.stop(self._home)
            return True

    def status(self) -> ServerStatus:
        """Return what is known of the server, without starting or changing anything."""
        found = postmaster.running(self._home.data)
        recorded = self._home.recorded()
        return ServerStatus(
            running=found is not None and found.ready,
            version=server_user.postgres_version(server_user.installed()),
            home=str(self._home.path),
            data=str(self._home.data),
            log=str(self._home.log),
            user=self._user(),
            pid=found.pid if found else None,
            port=found.port if found else None,
            started_at=found.started_at if found else None,
            url=self.url() if recorded and recorded.port else None,
        )

    def state(self) -> State:
        """Return whether the server runs, was stopped in good order, or is gone without that."""
        if postmaster.running(self._home.data) is not None:
            return "running"
        return "crashed" if (self._home.data / "postmaster.pid").exists() else "stopped"

    def url(self, *, with_password: bool = False, role: str | None = None) -> str:
        """Return a connection URL for libpq, or one with the password for any program.

        The first goes by the socket, which nobody else can stand in for, and names the file with
        the password; the second goes by TCP.

        Args:
            with_password: put the password in instead of its file.
            role: who connects; None means the shop's owner.

        Raises:
            ServerError: when no server was made here yet.
        """
        login, host = role or self._owner, ""
        parameters = {"sslmode": "disable", "options": f"-csearch_path={self._search_path()}"}
        if with_password:
            login += ":" + quote(self._password(login), safe="")
            host = f"{HOST}:{self._port()}"
        else:
            account = server_user.find_account(self._settings.server_user)
            parameters = {
                "host": str(self._home.socket(account)),
                "port": str(self._port()),
                "passfile": str(self._home.passwords),
            } | parameters
        query = "&".join(f"{key}={quote(value, safe='/')}" for key, value in parameters.items())
        return f"postgresql://{login}@{host}/{DATABASE}?{query}"

    def conninfo(self) -> str:
        """Return how the owner connects, with nothing left to the PG* variables.

        Raises:
            ServerError: when no server was made here yet.
        """
        return make_conninfo(
            host=HOST,
            port=self._port(),
            user=self._owner,
            dbname=DATABASE,
            passfile=str(self._home.passwords),
            **FIXED,
        )

    def superuser_conninfo(self) -> str:
        """Return how to connect as PostgreSQL's superuser: to the shop's database, by the socket.

        Raises:
            ServerError: when no server was made here yet.
        """
        account = server_user.find_account(self._settings.server_user)
        return make_conninfo(self._superuser(account), dbname=DATABASE)

    def ensure_login(self, role: str) -> None:
        """Let `role` log in with a generated password, kept beside the owner's; made if missing.

        Raises:
            ServerError: when no server was made here yet.
        """
        with (
            self._home.lock(LOCK_SECONDS, lambda: None),
            psycopg.connect(self.superuser_conninfo(), autocommit=True) as connection,
        ):
            password, _ = pgpass.ensure(self._home, role)
            cluster.ensure_login(connection, role, password)

    def binary(self, name: str) -> Path:
        """Return the path of a program of the installed PostgreSQL, such as `psql`.

        Raises:
            ServerError: when there is no such program.
        """
        path = _program(server_user.installed(), name)
        if not path.is_file():
            raise ServerError(f"the embedded PostgreSQL has no program {name!r}")
        return path

    def launch_recovery(self, report: Callable[[str], None] = silent) -> Launched:
        """Start the server on a restored data directory and return at once, while it replays.

        Its settings are written as at every start; `conf.d` says what to replay until when.

        Raises:
            ServerError: when it can't be started.
        """
        account = server_user.find_account(self._settings.server_user)
        with self._home.lock(LOCK_SECONDS, lambda: None):
            root = self._runnable(account, report)
            with postmaster.alone(self._home, report) as held:
                self._configure(account, next(self._ports()))
                return postmaster.start(self._home, account, _program(root, "postgres"), held)

    def _launch(
        self, account: server_user.Account, lock: int, report: Callable[[str], None]
    ) -> Started:
        root = self._runnable(account, report)
        started: Started = "started"
        if not self._home.data.exists():
            report("making a new database")
            cluster.create(self._home, account, _program(root, "initdb"), lock)
            started = "created"
        cluster.check_version(self._home, server_user.postgres_version(server_user.installed()))
        report("starting PostgreSQL")
        for attempt, port in enumerate(self._ports(), start=1):
            with postmaster.alone(self._home, report) as held:
                self._configure(account, port)
                launched = postmaster.start(self._home, account, _program(root, "postgres"), held)
            try:
                postmaster.wait_ready(self._home, launched, report)
            except StartError as error:
                # Somebody else took the port after we looked.
                if "Address already in use" not in str(error) or attempt == ATTEMPTS:
                    raise
            else:
                return started
        raise ServerError("no port is free; set SHOPFLOW_PORT")

    def _runnable(self, account: server_user.Account, report: Callable[[str], None]) -> Path:
        installed = server_user.installed()
        if server_user.runnable(account, installed):
            return installed
        copy = self._home.path / server_user.copy_name()
        if not copy.exists():
            report(f"copying PostgreSQL to where the user {account.name} can run it")
            with self._home.unfinished(copy.name, account) as directory:
                server_user.copy_binaries(installed, directory / "copy")
                (directory / "copy").rename(copy)
        return copy

    def _configure(self, account: server_user.Account, port: int) -> None:
        text = configuration(
            port=port,
            socket=self._home.socket(account),
            disk=self._home.path,
            connections=self._settings.processes * self._settings.pool_max_size,
            archiving=wal_archive.prepare(self._home, account, self._settings),
        )
        self._home.write(self._home.config, text.encode(), 0o644)
        self._home.write(self._home.record, msgspec.json.encode(Recorded(port)))

    def _ports(self) -> Iterator[int]:
        recorded = self._home.recorded()
        last = recorded.port if recorded else None
        return server_port.candidates(self._settings.port, last, self._home.path)

    def _check_port(self, found: Running) -> None:
        if self._settings.port not in {None, found.port}:
            raise ServerError(
                f"the server runs already, on port {found.port} and not {self._settings.port}; "
                "shopflow down stops it"
            )

    def _superuser(self, account: server_user.Account) -> str:
        return make_conninfo(
            host=str(self._home.socket(account)),
            port=self._port(),
            user=SUPERUSER,
            passfile=str(self._home.passwords),
            **FIXED,
        )

    def _port(self) -> int:
        found = postmaster.running(self._home.data)
        recorded = self._home.recorded()
        port = found.port if found else recorded.port if recorded else None
        if port is None:
            raise ServerError(f"there is no server in {self._home.path} yet; shopflow up makes one")
        return port

    def _password(self, role: str) -> str:
        try:
            return pgpass.read(self._home)[role]
        except KeyError:
            raise ServerError(f"{self._home.passwords} has no password of {role}") from None

    def _search_path(self) -> str:
        # A space would end the option.
        return self._settings.search_path.replace(" ", "")

    def _user(self) -> str:
        try:
            return self._home.data.owner()
        except (OSError, KeyError):
            return ""


def _program(root: Path, name: str) -> Path:
    return root / server_user.PROGRAMS / "bin" / name
