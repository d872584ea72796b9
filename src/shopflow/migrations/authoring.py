"""`migrate new`: a file for a new migration, ShopFlow's own or the shop's."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from alembic.script import Script

from shopflow.errors import InvalidInputError, MigrationError
from shopflow.migrations.files import VERSIONS, Files
from shopflow.settings import Settings

_FORMAT = "%Y%m%d%H%M%S"
_LABEL = re.compile(r"[a-z][a-z0-9_]*")


def new(
    settings: Settings,
    description: str,
    *,
    directory: Path | None = None,
    shopflow: bool = False,
    branch: str = "shop",
    now: datetime | None = None,
) -> Path:
    """Write the file of a new, empty migration and return its path.

    It goes after the newest one of its directory. The first of a shop's directory begins a
    branch of its own, beside ShopFlow's and after ShopFlow's newest migration.

    Args:
        settings: the shop.
        description: what it does, in a few words; part of the file's name.
        directory: where, by default `settings.migrations`.
        shopflow: write it among ShopFlow's own, which only a checkout has.
        branch: the name of the branch, when this is the first of its directory.
        now: the time in its name, by default the present.

    Raises:
        InvalidInputError: the description or the branch cannot be a name.
        MigrationError: there is no directory to write to.
    """
    if not re.fullmatch(r"(?!.*\"{3}).*[A-Za-z0-9].*", description):
        raise InvalidInputError("description", description, "must say in a line what it does")
    if not _LABEL.fullmatch(branch):
        raise InvalidInputError("branch", branch, "must be a lower-case name")
    target = _target(settings, directory, shopflow=shopflow).absolute()
    target.mkdir(parents=True, exist_ok=True)
    files = Files([VERSIONS] if target == VERSIONS else [VERSIONS, target])
    ours, before = _parents(files, target)
    script = files.directory.generate_revision(
        _revision(now or datetime.now(UTC), files.all()),
        description.strip().rstrip("."),
        head=before.revision if before else "base",
        branch_labels=None if before else branch,
        depends_on=None if before or ours is None else ours.revision,
        version_path=target,
    )
    if script is None:
        raise MigrationError(f"no migration could be written to {target}")
    return Path(script.path)


def _target(settings: Settings, directory: Path | None, *, shopflow: bool) -> Path:
    if shopflow and directory:
        raise MigrationError("either --directory or --shopflow says where it goes, not both")
    if shopflow:
        if not (VERSIONS.parents[3] / "pyproject.toml").is_file():
            raise MigrationError("--shopflow is for a checkout of ShopFlow, and this is none")
        return VERSIONS
    target = directory or settings.migrations
    if target is None:
        raise MigrationError(
            "nothing says where your own migrations are: set SHOPFLOW_MIGRATIONS to their"
            " directory, or name it with --directory"
        )
    return target


def _parents(files: Files, target: Path) -> tuple[Script | None, Script | None]:
    """Return ShopFlow's newest migration and the newest one in `target`."""
    ours = [script for script in files.all() if Path(script.path).parent == VERSIONS]
    there = [script for script in files.all() if Path(script.path).parent == target]
    return (ours[-1] if ours else None), (there[-1] if there else None)


def _revision(now: datetime, scripts: list[Script]) -> str:
    taken = {script.revision for script in scripts}
    while now.strftime(_FORMAT) in taken:
        now += timedelta(seconds=1)
    return now.strftime(_FORMAT)
