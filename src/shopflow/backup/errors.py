"""What a backup or a restore can refuse."""

from shopflow.errors import ShopflowError


class BackupError(ShopflowError):
    """A backup or restore was refused or failed; the message says what to do instead."""
