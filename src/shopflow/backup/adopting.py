"""Makes a restored self-hosted cluster an embedded server's: its files, login, database, roles."""

import re
import subprocess
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from shopflow.backup.catalogue import Backup
from shopflow.errors import ServerError
from shopflow.postgres import cluster, roles
from shopflow.postgres.cluster import DATABASE, INCLUDES, SUPERUSER
from shopflow.postgres.server_user import Account, environment
from shopflow.settings import Settings

# Ours, where the cluster's own lie outside of its data directory or say what holds elsewhere.
HBA = (
    "local all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n"
    "host all all ::1/128 scram-sha-256\n"
)
# A standby refuses to replay with less than the server had that wrote the WAL.
AT_LEAST = (
    "max_connections",
    "max_worker_processes",
    "max_wal_senders",
    "max_prepared_xacts",
    "max_locks_per_xact",
)
NAMES = {
    "max_prepared_xacts": "max_prepared_transactions",
    "max_locks_per_xact": "max_locks_per_transaction",
}


def lay_out(data: Path, account: Account) -> bool:
    """Give an unpacked data directory our configuration unless it has it; whether it had not.

    The server's own postgresql.conf is kept beside it, as postgresql.conf.before-restore.
    """
    config = data / "postgresql.conf"
    if config.exists() and INCLUDES in config.read_text(encoding="utf-8"):
        return False
    for name, text in (
        ("postgresql.conf", INCLUDES),
        ("postgresql.auto.conf", ""),
        ("pg_hba.conf", HBA),
        ("pg_ident.conf", ""),
    ):
        file = data / name
        if file.exists():
            file.rename(data / f"{name}.before-restore")
        cluster.write_for(account, file, text)
    return True


def limits(pg_controldata: Path, data: Path) -> dict[str, str]:
    """Return the settings that replay needs, as the backup's server had them."""
    shown = subprocess.run(  # noqa: S603 no shell reads it
        [pg_controldata, data], capture_output=True, text=True, check=False, env=environment()
    ).stdout
    found = dict(re.findall(r"^(max_\w+) setting: +(\d+)$", shown, re.MULTILINE))
    if not set(AT_LEAST) <= found.keys():
        raise ServerError(f"pg_controldata does not say what {data} needs to be replayed")
    return {NAMES.get(name, name): found[name] for name in AT_LEAST}


def adopt(login: str, backup: Backup, settings: Settings) -> None:
    """Give the cluster our superuser, the database's name and the shop's roles.

    Args:
        login: how to connect as the cluster's own superuser, without a database.
        backup: says whose cluster it was.
        settings: of the restored server.

    Raises:
        ServerError: when it has another database of our name.
    """
    if backup.superuser != SUPERUSER:
        with _session(login, backup.database) as connection:
            if not connection.execute(
                "SELECT FROM pg_roles WHERE rolname = %(name)s", {"name": SUPERUSER}
            ).rowcount:
                connection.execute(
                    sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(SUPERUSER))
                )
            connection.execute(
                sql.SQL("ALTER ROLE {} SUPERUSER REPLICATION BYPASSRLS LOGIN").format(
                    sql.Identifier(SUPERUSER)
                )
            )
    if backup.database != DATABASE:
        try:
            with _session(login, "template1") as connection:
                connection.execute(
                    sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
                        sql.Identifier(backup.database), sql.Identifier(DATABASE)
                    )
                )
        except psycopg.errors.DuplicateDatabase as error:
            raise ServerError(
                f"the restored cluster has a database {DATABASE} beside {backup.database}"
            ) from error
    with _session(login, DATABASE) as connection:
        roles.create(connection, settings)


def _session(login: str, database: str) -> psycopg.Connection:
    return psycopg.connect(make_conninfo(login, dbname=database), autocommit=True)
