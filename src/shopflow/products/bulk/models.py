"""What bulk changes look like to Python, their lines, and the history of prices."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

from shopflow.errors import ShopflowError
from shopflow.ids import BulkChangeId, PriceChangeId, ProductId, UserId, VariantId

BulkKind = Literal["price", "stock"]
BulkStatus = Literal["draft", "scheduled", "running", "done", "undoing", "undone", "cancelled"]
LineStatus = Literal["pending", "applied", "conflict", "undone", "kept"]


class LineCounts(msgspec.Struct, frozen=True):
    """How many lines of a bulk change are in each status; see `BulkLine`."""

    pending: int
    applied: int
    conflict: int
    undone: int
    kept: int

    @property
    def total(self) -> int:
        """How many lines it has."""
        return self.pending + self.applied + self.conflict + self.undone + self.kept


class BulkChange(msgspec.Struct, frozen=True):
    """A change of many prices or stocks.

    `rule` is the selection and the change as JSON, None for a file. `starts_at` is None for one
    that is applied by hand, `ends_at` for one that lasts, `created_by` where the shop itself did
    it. While it is `running` or `undoing` some lines are still to be done.
    """

    id: BulkChangeId
    kind: BulkKind
    description: str
    status: BulkStatus
    rule: dict[str, object] | None
    starts_at: datetime | None
    ends_at: datetime | None
    created_by: UserId | None
    created_at: datetime
    updated_at: datetime
    lines: LineCounts


class BulkLine(msgspec.Struct, frozen=True):
    """A price or a stock that a bulk change changes; `variant_id` is None for the product's own.

    `pending` is to be applied. `conflict` was not, as somebody else had changed it since the
    preview: `found_…` is what was there, all None where the product is no longer sold. `applied`
    can be undone; `undone` was, and `kept` was not, as somebody else had changed it since.
    A bulk change of prices has no stocks, and one of stocks no prices.
    """

    position: int
    product_id: ProductId
    variant_id: VariantId | None
    sku: str
    name: str
    variant_name: str | None
    old_price: Decimal | None
    new_price: Decimal | None
    old_compare_at_price: Decimal | None
    new_compare_at_price: Decimal | None
    old_stock: int | None
    new_stock: int | None
    status: LineStatus
    found_price: Decimal | None
    found_compare_at_price: Decimal | None
    found_stock: int | None
    changed_at: datetime | None


class LineProblem(msgspec.Struct, frozen=True):
    """Why something cannot be changed so; `line` is None for a rule."""

    line: int | None
    sku: str
    field: str
    value: str
    reason: str

    def __str__(self) -> str:
        """Show it as a compiler would."""
        where = f"line {self.line}" if self.line is not None else self.sku
        return f"{where}: {self.field}: {self.reason} (got {self.value!r})"


class Preview(msgspec.Struct, frozen=True):
    """What a bulk change would do.

    `id` is that of the draft, None when none was kept: nothing would change, or it was a dry run.
    `unchanged` is what is so already. `refused` is left out; `problems` are the first hundred of
    them, and `first` the first twenty of the `lines`.
    """

    id: BulkChangeId | None
    lines: int
    unchanged: int
    refused: int
    problems: tuple[LineProblem, ...]
    first: tuple[BulkLine, ...]


class PriceChange(msgspec.Struct, frozen=True):
    """A change of a price; `variant_id` is None for the product's own.

    `bulk_change_id` is the bulk change that made it or took it back, None for a direct change;
    `changed_by` is None where it is not known.
    """

    id: PriceChangeId
    product_id: ProductId
    variant_id: VariantId | None
    old_price: Decimal
    new_price: Decimal
    old_compare_at_price: Decimal | None
    new_compare_at_price: Decimal | None
    bulk_change_id: BulkChangeId | None
    changed_by: UserId | None
    changed_at: datetime


class BulkRefusedError(ShopflowError):
    """Some lines cannot be, so nothing was written.

    Attributes:
        problems: the first hundred of them.
        total: how many there are.
    """

    def __init__(self, problems: tuple[LineProblem, ...], total: int) -> None:
        super().__init__(f"{total} lines cannot be, the first one: {problems[0]}")
        self.problems = problems
        self.total = total


class BulkStatusError(ShopflowError):
    """This cannot be done with a bulk change in its status.

    Attributes:
        bulk_change_id: which one.
        status: the status it has.
    """

    def __init__(self, bulk_change_id: BulkChangeId, status: BulkStatus, what: str) -> None:
        super().__init__(f"bulk change {bulk_change_id} is {status}, so it cannot be {what}")
        self.bulk_change_id = bulk_change_id
        self.status = status


class SchedulesOverlapError(ShopflowError):
    """Another bulk change, scheduled or under way, changes the same price at the same time."""
