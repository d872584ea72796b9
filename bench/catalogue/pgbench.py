"""pgbench with statements that were written down: the limit of what a client can have."""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

from shopflow.postgres.conninfo import conninfo
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings

_RATE = re.compile(r"^tps = ([\d.]+)", re.MULTILINE)


class Script(msgspec.Struct, frozen=True):
    """A statement with its values in it; `prepared` False when we have it planned each time."""

    text: str
    prepared: bool


class Client(msgspec.Struct, frozen=True):
    """The program and where it connects."""

    program: Path
    target: str


def client(settings: Settings, target: str | None = None) -> Client:
    """Return pgbench of a server, as the shop's owner unless there is another target."""
    return Client(Server(settings).binary("pgbench"), target or conninfo(settings))


def latencies(
    client: Client, scripts: Sequence[Script], calls: int, directory: Path
) -> list[float]:
    """Run the scripts one after the other and return how many seconds each run took."""
    _run(
        client,
        scripts,
        directory,
        f"--transactions={calls + 1}",
        "--client=1",
        "--log",
        f"--log-prefix={directory / 'log'}",
    )
    (log,) = directory.glob("log.*")
    lines = log.read_text(encoding="ascii").splitlines()
    # The first one is not counted with us either.
    return [int(line.split()[2]) / 1e6 for line in lines][1:]


def rate(
    client: Client, scripts: Sequence[Script], *, clients: int, seconds: int, directory: Path
) -> float:
    """Run the scripts with several clients and return how many runs there were a second."""
    said = _run(client, scripts, directory, f"--client={clients}", "--jobs=2", f"--time={seconds}")
    found = _RATE.search(said)
    if found is None:
        raise ValueError(f"pgbench says no rate: {said}")
    return float(found[1])


def _run(client: Client, scripts: Sequence[Script], directory: Path, *options: str) -> str:
    files = []
    for number, script in enumerate(scripts):
        file = directory / f"{number}.sql"
        # A colon before a word is a variable to pgbench, and in our texts a value in JSON.
        text = re.sub(r'":(?=\w)', '": ', script.text).strip().rstrip(";")
        file.write_text(text + ";\n", encoding="utf-8")
        files.append(f"--file={file}")
    # One for all of them: the faster one, where they differ.
    protocol = "prepared" if any(script.prepared for script in scripts) else "extended"
    return subprocess.run(
        [
            client.program,
            "--no-vacuum",
            f"--protocol={protocol}",
            *options,
            *files,
            client.target,
        ],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    ).stdout
