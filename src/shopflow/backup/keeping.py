"""Keep marks: objects beside the catalogue that keep a backup whatever its age (§7.1)."""

from shopflow.backup import catalogue
from shopflow.backup.store import Store
from shopflow.errors import NotFoundError

DIRECTORY = "keep"


def keep(store: Store, name: str) -> None:
    """Mark a backup, so that `prune` leaves it, what it builds on and the WAL inside it.

    Raises:
        NotFoundError: when there is no backup of that name.
        BackupError: when the store refuses.
    """
    _require(store, name)
    store.put_new(_path(name), b"{}")
    try:
        # A prune reads the marks again after it took an entry away, and so puts it back; one
        # that did not see the mark had taken it away before.
        _require(store, name)
    except NotFoundError:
        store.delete(_path(name))
        raise


def release(store: Store, name: str) -> None:
    """Take the mark away; its age decides again. Nothing happens when it has none.

    Raises:
        NotFoundError: when there is no backup of that name.
        BackupError: when the store refuses.
    """
    _require(store, name)
    store.delete(_path(name))


def marked(store: Store) -> set[str]:
    """Return the names of the backups that are marked.

    Raises:
        BackupError: when the store cannot be read.
    """
    return {name.removesuffix(".json") for name in store.names(DIRECTORY)}


def _path(name: str) -> str:
    return f"{DIRECTORY}/{name}.json"


def _require(store: Store, name: str) -> None:
    if f"{name}.json" not in store.names(catalogue.DIRECTORY):
        raise NotFoundError("backup", name)
