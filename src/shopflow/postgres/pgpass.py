"""The generated passwords of the embedded server, in a file that only its owner can read."""

import secrets

from shopflow.errors import ServerError
from shopflow.postgres.server_home import Home


def read(home: Home) -> dict[str, str]:
    """Return the passwords by role; empty when none was made yet."""
    try:
        lines = home.passwords.read_text(encoding="ascii").splitlines()
    except FileNotFoundError:
        return {}
    except PermissionError as error:
        raise ServerError(f"{home.passwords} belongs to another user; run as that user") from error
    fields = (line.split(":") for line in lines if line.count(":") == 4)  # noqa: PLR2004 pgpass
    return {role: password for *_, role, password in fields}


def ensure(home: Home, role: str) -> tuple[str, bool]:
    """Return the role's password and whether it was made just now; the caller holds the lock."""
    passwords = read(home)
    if role in passwords:
        return passwords[role], False
    passwords[role] = secrets.token_urlsafe(32)
    # Any host, port and database: the socket's directory and the port may change.
    lines = [f"*:*:*:{name}:{password}\n" for name, password in passwords.items()]
    home.write(home.passwords, "".join(lines).encode("ascii"))
    return passwords[role], True
