"""What a restored data directory needs to replay the WAL, and what is taken away afterwards."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from shopflow.backup.targets import LATEST, Target
from shopflow.postgres.server_config import quoted
from shopflow.postgres.server_home import Home
from shopflow.postgres.server_user import Account, environment

# Last of conf.d, so that it wins.
SETTINGS = "zz-restore.conf"
# The socket's directory is the account's alone, and passwords are not known yet.
ONLY_US = "local all {} trust\n"
# ALTER SYSTEM's file wins over everything, and a restored server must not archive as the old one.
NOT_TAKEN_OVER = ("archive_", "recovery_", "restore_", "primary_", "hba_file", "synchronous_")


def configure(
    data: Path, home: Home, account: Account, values: Mapping[str, str], superuser: str
) -> str:
    """Make `data` replay the archive when it starts; return its pg_hba.conf as it was.

    Args:
        data: the data directory, not yet in its place.
        home: where it will be.
        account: who owns it.
        values: the settings while it replays.
        superuser: the role that may connect meanwhile.
    """
    text = "".join(f"{name} = {value}\n" for name, value in values.items())
    _write(home.extra_config / SETTINGS, text, account)
    _write(data / "recovery.signal", "", account)
    auto = data / "postgresql.auto.conf"
    lines = auto.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(NOT_TAKEN_OVER)]
    _write(auto, "".join(kept), account)
    hba = (data / "pg_hba.conf").read_text(encoding="utf-8")
    quoted_name = '"' + superuser.replace('"', '""') + '"'
    _write(data / "pg_hba.conf", ONLY_US.format(quoted_name), account)
    return hba


def settings_of(command: str, target: Target) -> dict[str, str]:
    """Return the settings that replay an archive.

    Args:
        command: the restore_command.
        target: where replay stops and waits; the end of the archive is no stop.
    """
    values = {"restore_command": quoted(command), "hot_standby": "on"}
    if target.at is not None:
        values["recovery_target_time"] = quoted(target.at.isoformat(" "))
    if target.restore_point is not None:
        values["recovery_target_name"] = quoted(target.restore_point)
    if target.backup is not None:
        values["recovery_target"] = "immediate"
    if target != LATEST:
        values["recovery_target_action"] = "pause"
    return values


def unconfigure(home: Home, account: Account, hba: str) -> None:
    """Let the server, which has replayed, be as any other; it has to read its files again."""
    (home.extra_config / SETTINGS).unlink()
    _write(home.data / "pg_hba.conf", hba, account)


def run(command: Sequence[str | Path]) -> str:
    """Run a program of PostgreSQL; return what it says when it fails, else nothing."""
    done = subprocess.run(  # noqa: S603 no shell reads it
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env=environment(),
    )
    return " | ".join(done.stdout.splitlines()[-5:]) or "it failed" if done.returncode else ""


def _write(path: Path, text: str, account: Account) -> None:
    path.write_text(text, encoding="utf-8")
    os.chown(path, account.uid, account.gid)
    path.chmod(0o600)
