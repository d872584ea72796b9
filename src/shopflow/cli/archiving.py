"""`shopflow backup archive-settings`: how a PostgreSQL of your own archives into the store."""

from shopflow import settings as settings_module
from shopflow.backup import Store
from shopflow.cli.output import show_json
from shopflow.errors import ServerError
from shopflow.postgres import wal_archive


def archive_settings(*, json: bool = False) -> None:
    """Print what belongs into postgresql.conf of a server that ShopFlow does not run itself.

    The embedded server has it already. Put it in, make the directory, let the server's user read
    the script and write the directory, and restart the server, which runs on the store's machine
    or has it mounted.

    Args:
        json: print a JSON object.
    """
    settings = settings_module.load()
    if settings.embedded:
        raise ServerError("the embedded server archives by itself; set SHOPFLOW_DATABASE_URL")
    store = Store(settings)
    if not store.url.startswith("file://"):
        raise ServerError("only a store in a directory, file:///path, is archived to in this way")
    values = wal_archive.server_settings(store.url)
    if json:
        show_json(values)
        return
    print(f"# The server's user must read {wal_archive.SCRIPT}")
    print(f"# and write {wal_archive.directory(store.url)}, which must be there.")
    for name, value in values.items():
        print(f"{name} = {value}")
