"""The types of events there are, and the patterns by which a consumer names those it wants."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from shopflow.errors import InvalidInputError

EVERYTHING = "*"
# What the triggers write: a kind of thing, and what happened to it. Each status that payments,
# refunds and shipments may have is a type.
EVENT_TYPES: tuple[str, ...] = tuple(
    f"{kind}.{happened}"
    for kind, all_happened in {
        "order": (
            "placed",
            "confirmed",
            "processing",
            "shipped",
            "delivered",
            "cancelled",
            "refunded",
            "payment_status_changed",
            "fulfillment_status_changed",
        ),
        "payment": ("pending", "authorized", "captured", "failed", "voided"),
        "refund": ("pending", "succeeded", "failed"),
        "shipment": ("pending", "shipped", "in_transit", "delivered", "returned", "lost"),
        "user": ("registered", "email_verified", "deleted", "restored"),
        "review": ("submitted", "approved"),
        "product": ("created", "updated", "archived", "restored"),
    }.items()
    for happened in all_happened
)
PATTERNS = (
    EVERYTHING,
    *dict.fromkeys(f"{each.split('.')[0]}.*" for each in EVENT_TYPES),
    *EVENT_TYPES,
)


def checked_event_types(event_types: Iterable[str]) -> list[str]:
    """Return the patterns without repetitions: types, all of a kind (`order.*`) or all (`*`).

    A shop's own kinds, which its own triggers write, are only taken as part of `*`.

    Raises:
        InvalidInputError: for none at all, or one that fits nothing that is ever written.
    """
    found = list(dict.fromkeys([event_types] if isinstance(event_types, str) else event_types))
    if not found:
        raise InvalidInputError("event_types", found, "must name at least one")
    for each in found:
        if each not in PATTERNS:
            near = get_close_matches(each, PATTERNS, n=1)
            hint = f"; is {near[0]} meant?" if near else ""
            raise InvalidInputError("event_types", each, f"is no type of event{hint}")
    return found
