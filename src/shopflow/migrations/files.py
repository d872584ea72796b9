"""The migration files: which there are, in which order they go up, and which come down."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.migration import RevisionStep
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import ResolutionError
from alembic.util import CommandError

from shopflow.errors import MigrationError
from shopflow.settings import Settings

PACKAGE = Path(__file__).parent
VERSIONS = PACKAGE / "versions"


class Files:
    """The migrations of some directories.

    Attributes:
        directory: Alembic's own view of them.
    """

    def __init__(self, locations: Sequence[Path]) -> None:
        config = Config()
        config.set_main_option("script_location", _escaped(PACKAGE))
        config.set_main_option("path_separator", "newline")
        config.set_main_option("version_locations", "\n".join(map(_escaped, locations)))
        config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
        self.directory = ScriptDirectory.from_config(config)
        self.directory.messaging_opts = {"quiet": True}

    def all(self) -> list[Script]:
        """Return every migration, in the order they are applied to an empty database."""
        return [step.revision for step in self.pending(())]

    def pending(self, heads: tuple[str, ...], target: str = "heads") -> list[RevisionStep]:
        """Return the steps that take a schema from `heads` up to `target`, in order.

        Raises:
            MigrationError: a file cannot be read, or a revision is not known here.
        """
        current: Any = heads
        with self._errors(heads):
            # As alembic.command does; there is no public way.
            return list(self.directory._upgrade_revs(target, current))  # noqa: SLF001

    def undoing(self, heads: tuple[str, ...], target: str) -> list[RevisionStep]:
        """Return the steps that take a schema from `heads` down to `target`, in order."""
        current: Any = heads
        with self._errors(heads):
            return list(self.directory._downgrade_revs(target, current))  # noqa: SLF001

    def undo_of(self, revision: str, heads: tuple[str, ...] = ()) -> RevisionStep:
        """Return the step that takes back `revision` alone, of a schema at `heads`."""
        with self._errors((*heads, revision)):
            return RevisionStep(
                self.directory.revision_map, self.directory.get_revision(revision), False
            )

    def heads_at(self, name: str) -> tuple[str, ...]:
        """Return the heads of a schema at `name`: a revision or its beginning, `base`, `heads`.

        Raises:
            MigrationError: there is no such migration.
        """
        if not name.strip("@"):
            raise MigrationError(f"there is no migration {name!r}")
        with self._errors(()):
            # A branch's base is None, whatever the annotation there says.
            found: Sequence[Script | None] = self.directory.get_revisions(name)
        return tuple(script.revision for script in found if script)

    @contextmanager
    def _errors(self, heads: Sequence[str]) -> Iterator[None]:
        try:
            for head in heads:
                self._known(head)
            yield
        except CommandError as error:
            cause = error.__cause__
            if isinstance(cause, ResolutionError):
                raise MigrationError(f"there is no migration {cause.argument} ({cause})") from error
            raise MigrationError(f"the migrations do not fit: {error}") from error
        except KeyError as error:
            raise MigrationError(f"there is no file for the migration {error}") from error
        except SyntaxError as error:
            raise MigrationError(f"{error.filename} cannot be read: {error}") from error

    def _known(self, revision: str) -> None:
        try:
            self.directory.get_revision(revision)
        except CommandError as error:
            raise MigrationError(
                f"the database is at {revision}, which is not among the migrations here: it was "
                "migrated by a newer ShopFlow, or SHOPFLOW_MIGRATIONS does not name the "
                "directory of the shop's own migrations"
            ) from error


def locations_of(settings: Settings) -> list[Path]:
    """Return where migrations are: ShopFlow's own, then the shop's if it has any."""
    if settings.migrations is None:
        return [VERSIONS]
    if not settings.migrations.is_dir():
        raise MigrationError(f"SHOPFLOW_MIGRATIONS: {settings.migrations} is not a directory")
    return [VERSIONS, settings.migrations]


def title(script: Script) -> str:
    """Return the first line of a migration's docstring, without its full stop."""
    return (script.doc or Path(script.path).stem).splitlines()[0].rstrip(".")


def _escaped(path: Path) -> str:
    return str(path).replace("%", "%%")
