"""What pieces of an order line are worth: what was paid for them, to the cent."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from shopflow.ids import OrderItemId
from shopflow.money import rounded


class SoldLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an order: pieces bought, sent and returned, and what all of them came to.

    `added_tax_amount` is the tax that was added to the price; tax that the price contains is in
    `subtotal`.
    """

    id: OrderItemId
    sku: str
    quantity: int
    fulfilled_quantity: int
    returned_quantity: int
    subtotal: Decimal
    discount_amount: Decimal
    added_tax_amount: Decimal

    @property
    def total(self) -> Decimal:
        """What the customer paid for the line."""
        return self.subtotal - self.discount_amount + self.added_tax_amount

    @property
    def unsent(self) -> int:
        """How many pieces are still to be sent."""
        return self.quantity - self.fulfilled_quantity

    @property
    def returnable(self) -> int:
        """How many pieces were sent and did not come back."""
        return self.fulfilled_quantity - self.returned_quantity


def worth_of(line: SoldLine, begin: int, end: int) -> Decimal:
    """Return what the pieces of a line from number `begin` up to, not including, `end` are worth.

    Each piece is worth its share of what was paid for the line, and the cents that do not divide
    go to pieces by their number: so the worths of any split of the line add up to it exactly.
    """
    return _first(line, end) - _first(line, begin)


def refund_of(line: SoldLine, quantity: int) -> Decimal:
    """Return what the next `quantity` pieces to come back are worth."""
    return worth_of(line, line.returned_quantity, line.returned_quantity + quantity)


def returned(line: SoldLine, quantity: int) -> SoldLine:
    """Return the line with `quantity` pieces more come back."""
    return msgspec.structs.replace(line, returned_quantity=line.returned_quantity + quantity)


def _first(line: SoldLine, pieces: int) -> Decimal:
    return rounded(line.total * pieces / line.quantity)
