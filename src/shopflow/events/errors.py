"""What the consumers of events refuse."""

from __future__ import annotations

from shopflow.errors import ShopflowError
from shopflow.postgres import failures


class ConsumerNameTakenError(ShopflowError):
    """Another consumer of events has this name."""


failures.register({"event_consumers_name_key": ConsumerNameTakenError})
