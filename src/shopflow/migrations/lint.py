"""Squawk's lint on the SQL of every migration, and the rule for their names."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
from alembic.script import Script

from shopflow.errors import MigrationError
from shopflow.migrations import offline
from shopflow.migrations.files import PACKAGE, Files
from shopflow.settings import Settings

CONFIG = PACKAGE / "squawk.toml"
_FILE_NAME = re.compile(r"(\d{14})_[a-z0-9]+(_[a-z0-9]+)*\.py")


class Finding(msgspec.Struct, frozen=True):
    """Something in a migration that would hurt a shop at work.

    Attributes:
        statement: the first line of the SQL at fault, empty where it is the file's name.
    """

    file: str
    rule: str
    message: str
    statement: str = ""

    def __str__(self) -> str:
        """Show it as a compiler would."""
        statement = f" in: {self.statement}" if self.statement else ""
        return f"{self.file}: {self.rule}: {self.message}{statement}"


class _Reported(msgspec.Struct):
    file: str
    line: int
    rule_name: str
    message: str
    help: str | None = None


def squawk() -> Path | None:
    """Return squawk's program, None where it is not installed."""
    beside = Path(sys.executable).with_name("squawk")
    found = beside if beside.is_file() else shutil.which("squawk")
    return Path(found) if found else None


def names(files: Files) -> list[Finding]:
    """Return the migrations that are not named `YYYYMMDDHHMMSS_description.py` (§6.1)."""
    return [
        Finding(
            Path(script.path).name, "file-name", f"must be {script.revision}_description.py (§6.1)"
        )
        for script in files.all()
        if not _well_named(script)
    ]


def statements(files: Files, settings: Settings, program: Path) -> list[Finding]:
    """Return what squawk finds in the SQL of each migration on its own.

    Raises:
        MigrationError: squawk itself failed.
    """
    with tempfile.TemporaryDirectory(prefix="shopflow-lint-") as directory:
        written = list(_write(files, settings, Path(directory)))
        if not written:
            return []
        done = subprocess.run(  # noqa: S603 our own program and files
            [program, "--config", CONFIG, "--reporter", "json", *written],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode not in {0, 1}:
            raise MigrationError(f"squawk failed: {done.stderr.strip()}")
        try:
            reported = msgspec.json.decode(done.stdout or "[]", type=list[_Reported])
        except msgspec.DecodeError as error:
            raise MigrationError(f"squawk said: {done.stdout}{done.stderr}") from error
        return [_finding(one) for one in reported]


def _well_named(script: Script) -> bool:
    match = _FILE_NAME.fullmatch(Path(script.path).name)
    return match is not None and match[1] == script.revision


def _write(files: Files, settings: Settings, directory: Path) -> Iterator[Path]:
    for step in files.pending(()):
        path = directory / Path(step.revision.path).with_suffix(".sql").name
        heads = step.from_revisions
        path.write_text(
            offline.of_steps([step], files=files, settings=settings, heads=heads),
            encoding="utf-8",
        )
        yield path


def _finding(one: _Reported) -> Finding:
    path = Path(one.file)
    lines = path.read_text(encoding="utf-8").splitlines()
    return Finding(
        path.with_suffix(".py").name,
        one.rule_name,
        " ".join(filter(None, [one.message, one.help])),
        lines[one.line].strip() if one.line < len(lines) else "",
    )
