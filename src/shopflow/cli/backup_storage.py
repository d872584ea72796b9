"""`shopflow backup show`, `verify` and `new-key`: what is in the store, and whether it is whole."""

import msgspec

from shopflow import settings as settings_module
from shopflow.backup import Store, catalogue, encryption
from shopflow.backup import verify as verify_backups
from shopflow.cli.output import show_json, show_pairs, show_table, tell


def show(name: str, *, json: bool = False) -> None:
    """Show a backup's entry in the catalogue, and what a restore of it needs.

    Args:
        name: as `shopflow backup list` shows it.
        json: print a JSON object.
    """
    backups = catalogue.read(Store(settings_module.load()))
    found = catalogue.named(backups, name)
    if json:
        show_json(found)
        return
    pairs = msgspec.structs.asdict(found)
    show_pairs((field.replace("_", " "), value) for field, value in pairs.items())
    if found.parent is not None:
        chain = catalogue.chain(backups, found)
        show_pairs([("restored from", " + ".join(each.name for each in chain))])


def verify(name: str | None = None, *, json: bool = False) -> int:
    """Read backups back from the store and check every file; exit code 1 when one is damaged.

    Each is unpacked in TMPDIR for that, which must have room for it.

    Args:
        name: of the one to verify, by default all.
        json: print a JSON array.
    """
    found = verify_backups(settings_module.load(), name, tell)
    if json:
        show_json(found)
    else:
        rows = ((each.name, str(each.size), each.problem or "whole") for each in found)
        show_table(("name", "bytes", "found"), rows)
    return 1 if any(each.problem for each in found) else 0


def new_key() -> None:
    """Print a new key to encrypt backups with; keep it where the backups are not.

    Without it nobody can read what it encrypted. `SHOPFLOW_BACKUP_KEY_FILE` names its file.
    """
    print(encryption.new_key())
